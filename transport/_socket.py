"""`Socket`: one WebSocket from accept to close, across the restarts of its actor.

Its wire reads and writes, and the actor has its own task in the system. Each may be the first to
end:

    the client goes    `gone`, by the wire    -> the actor drains, `on_disconnect` runs
    the actor ends     `actor_ended`          -> the outbox is flushed, the socket closed
    the actor closes   `Outbox.finish`        -> as if the client had gone, with that code
    the client stalls  `_check_progress`      -> the connection is aborted, as if it had gone
    the client idles   `_check_idle`          -> closed, as by the actor
    the server drains  `go_away`              -> the actor drains, then as if it had ended
"""

import asyncio
import functools
import time
from collections import Counter
from collections.abc import Callable
from threading import get_ident
from typing import Any, Protocol

from starlette.exceptions import HTTPException

from actors import Context, Message, Reason, Timer, Told

from ._intake import Intake
from ._lane import ClientLane
from ._roster import Roster
from .codec import Frame, Heartbeat, Missed
from .exceptions import CloseCode, CodecError, Disconnected
from .limits import Window
from .outbox import PACED, Close, new_outbox
from .session import Session
from .wire import Wire

LOOK = 0.5
"""Seconds between two looks at what has to wait."""
IDLE_QUARTERS = 4
"""Looks within one idle timeout."""


class Host(Protocol):
    """What a socket has of its server."""

    roster: "Roster[Socket]"

    def leave(self, socket: "Socket", client: str | None) -> None:
        """It is over, and so is its actor."""

    @property
    def refused(self) -> Counter[str]:
        """How often something was refused, by the setting that says so."""
        ...

    @property
    def clock(self) -> Callable[[], float]:
        """The system's."""
        ...


class Socket:
    """See the module's head."""

    __slots__ = (
        "_burial",
        "_client",
        "_clock",
        "_context",
        "_crashes",
        "_ended",
        "_expiry",
        "_farewell",
        "_guard",
        "_heart",
        "_host",
        "_idle",
        "_open",
        "_opening",
        "_taken",
        "_thread",
        "_wire",
        "code",
        "connected",
        "intake",
        "lane",
        "outbox",
        "session",
    )

    def __init__(
        self,
        wire: Wire,
        host: "Host",
        session: Session,
        lane: ClientLane,
        client: str | None,
    ) -> None:
        self.session = session
        self.lane = lane
        self.outbox = new_outbox(session.settings, self)
        self.connected = False
        self.code: int | None = None  # once it is over
        self._wire = wire
        self._host = host
        self._client = client  # whose place it takes up
        self._ended = False  # whether its actor has, or never began
        self._clock = host.clock
        self._open = False
        self._opening: asyncio.Future[None] | None = None  # of who waits for that
        self._context: Context | None = None
        self._guard: Timer | None = None
        self._taken: int | None = None  # of what is under way, when it was last looked at
        self._heart: Timer | None = None
        self._burial: Timer | None = None  # while the server has still something to send
        self._idle: Timer | None = None
        self._farewell: Close | None = None
        self._thread = get_ident()
        self._expiry: Timer | None = None
        self.intake = Intake(self, host.clock, host.refused)
        self._crashes: Window | None = None  # from the first one on that it resumes after

    @property
    def context(self) -> Context:
        """The actor's; there is one from its first moment on."""
        assert self._context is not None
        return self._context

    def attach(self, context: Context) -> bool:
        """An actor has been made for it; whether it is the first, and no restarted one."""
        first = self._context is None
        self._context = context
        return first

    async def opened(self) -> bool:
        """Wait until it has been accepted; false if it never will be."""
        if not self._open and self.code is None:
            self._opening = asyncio.get_running_loop().create_future()
            await self._opening
            self._opening = None
        return self._open

    def turn_away(self, *, started: bool) -> None:
        """It will never be accepted: end its actor, if that has started."""
        if started:
            self.context.ref.stop()
        else:
            self._has_ended()
        self.gone(CloseCode.ABNORMAL)

    # For the behaviour.

    def send(self, message: object) -> Told:
        """Encode and queue a message; raises `CodecError`."""
        if get_ident() != self._thread:
            raise RuntimeError(
                "send in the loop's own thread only; from another, tell the connection's ref: what "
                "it has no handler for goes to its client"
            )
        session, outbox = self.session, self.outbox
        key = session.key(message) if session.conflates else None
        crowded = outbox.put(session.codec.encode(message), key, own=True)
        # Before the socket is accepted nothing relieves the outbox, and waiting would never end.
        return outbox.pace() if crowded and self._open else PACED

    def tell_client(self, message: Message) -> None:
        """Send something of the transport's own, which not every application's codec can encode;
        that is no crash of its actor's."""
        try:
            self.send(message)
        except CodecError as error:
            self._cannot_tell(error)

    def _cannot_tell(self, error: CodecError) -> None:
        self.context.log("error", "the client cannot be told", error)

    def crashed(self, error_id: str) -> None:
        """Tell the client that its actor crashed, under which id the server logged it."""
        if not self.intake.has_told(error_id):
            self.tell_client(self.session.crashed(error_id))

    def refused(self, error: HTTPException) -> None:
        """Tell the client that its message was refused."""
        self.tell_client(self.session.refused(error))

    def close(self, close: Close) -> None:
        """Close once what is queued is sent."""
        self._check_thread()
        self.outbox.finish(close)

    def may_resume(self) -> bool:
        """After a crash, of which there may be so many."""
        if self._crashes is None:
            self._crashes = Window(self.session.settings.intensity)
        return self._crashes.takes(self._clock())

    def expire(self, seconds: float | None) -> None:
        """Close in so many seconds, or not any more."""
        self._check_thread()
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        if self.code is not None or seconds is None:
            return
        if seconds <= 0:
            self._expire()
        else:
            self._expiry = self.context.call_later(seconds, self._expire)

    def _check_thread(self) -> None:
        if get_ident() != self._thread:
            raise RuntimeError("in the loop's own thread only; from another, tell the actor")

    def _expire(self) -> None:
        self.outbox.finish(Close(CloseCode.EXPIRED, "expired"))

    def actor_ended(self, code: int) -> None:
        """Flush what is queued, then close."""
        self.outbox.finish(self._farewell or Close(code, ""))
        self._has_ended()

    def code_for(self, code: int) -> int:
        """With which code the socket ends, if its actor ends with that one."""
        if self.code is not None:
            return self.code
        close = self.outbox.close or self._farewell
        return code if close is None else close.code

    # For the server's end.

    def warn(self) -> None:
        """Have its actor told that the server drains."""
        if self.connected:
            self.context.call(_tell_of_drain)

    def go_away(self, close: Close, timeout: float) -> None:
        """Drain the actor and close so, by a deadline; then it is killed."""
        self._farewell = close
        self.context.ref.drain(timeout=timeout)

    def abort(self) -> None:
        """End the connection at once, whatever its client does."""
        self._is_buried()
        self._wire.abort()
        self.gone(CloseCode.ABNORMAL)

    def kill(self) -> None:
        """The same, and its actor."""
        self.abort()
        self.context.ref.kill()

    @property
    def lingers(self) -> bool:
        """Whether the server holds bytes for its client, who may never read them."""
        peer = self._wire.peer
        return peer is not None and peer.unsent > 0

    # For the outbox.

    def ready(self) -> None:
        if self._open:  # before it is accepted nothing can be sent
            self._wire.ready()

    def drop(self, frame: Frame, reason: Reason) -> None:
        _dead_letter(self._context, frame, reason)

    def missed(self, count: int) -> Frame | None:
        try:
            return self.session.codec.encode(Missed(count=count))
        except CodecError as error:
            self._cannot_tell(error)
            return None

    def new_waiter(self) -> asyncio.Future[None]:
        return asyncio.get_running_loop().create_future()

    # The life of the socket.

    def open(self) -> None:
        """It has been accepted."""
        self._open = True
        self._tell_opened()
        self._wire.open(self)
        if self.code is not None:
            return  # it is gone already, behind all that it sent before it was accepted
        if self.outbox.lined:
            self.ready()
        self._beat()
        self._check_idle()

    def _tell_opened(self) -> None:
        if self._opening is not None and not self._opening.done():
            self._opening.set_result(None)

    # For the wire.

    def watch(self) -> None:
        """Something is sent: see to it that it gets on."""
        if self._guard is None and self.code is None:
            self._watch(self.session.settings.send_timeout)

    def watch_closely(self) -> None:
        """What is sent has to wait."""
        if self._guard is not None:
            self._guard.cancel()
        self._watch(min(LOOK, self.session.settings.send_timeout))

    def closed(self, code: int) -> None:
        """The close has been sent."""
        self._bury()
        self.gone(code)

    def failed(self, error: Exception) -> None:
        """A send raised."""
        if not isinstance(error, Disconnected):
            self.context.log("error", "a send failed", error)
        self.outbox.abandon()

    def _watch(self, delay: float) -> None:
        # One timer at a time, set again while there is progress: cheaper than one for each send.
        self._guard = self.context.call_later(delay, self._check_progress)

    def _check_progress(self) -> None:
        self._guard = None
        since, timeout = self.outbox.since, self.session.settings.send_timeout
        if since is not None:
            if self._wire.advances():
                self.outbox.since = since = self._clock()
            left = min(since + timeout - self._clock(), LOOK)
        else:
            # The server has taken all, but what the client's system takes none of goes nowhere.
            peer, before = self._wire.peer, self._taken
            self._taken = None if peer is None else peer.taken
            if self._taken is None:
                return
            left = 0.0 if self._taken == before else timeout
        if left > 0:
            self._watch(left)
        else:
            self.context.log("warning", "the client reads nothing: aborting the connection")
            self.abort()

    def _bury(self, before: object = None) -> None:
        """The close was sent: abort the connection once its client stops reading what is left."""
        self._is_buried()
        peer = self._wire.peer
        if peer is not None and peer.unsent:
            left = peer.unsent, peer.taken  # a system that has much to send takes nothing for long
            if left != before:
                self._host.roster.lingering.add(self)
                timeout = self.session.settings.send_timeout
                bury = functools.partial(self._bury, left)
                self._burial = self.context.call_later(timeout, bury)
                return
            self._wire.abort()
        if self._ended and self.code is not None:
            del self._wire  # which `_leave` left for this

    def _is_buried(self) -> None:
        burial, self._burial = self._burial, None
        if burial is not None:
            burial.cancel()
            self._host.roster.lingering.discard(self)

    def _beat(self) -> None:
        every = self.session.settings.heartbeat
        if every is not None:
            if self._heart is not None:  # not the first time, at the start
                self.tell_client(Heartbeat(timestamp=time.time()))
            self._heart = self.context.call_later(every, self._beat)

    def _check_idle(self) -> None:
        timeout = self.session.settings.idle_timeout
        if timeout is None:
            return
        if self.intake.quiet >= IDLE_QUARTERS:
            self.outbox.finish(Close(CloseCode.IDLE, f"nothing came for {timeout:g} s"))
            return
        self.intake.quiet += 1
        self._idle = self.context.call_later(timeout / IDLE_QUARTERS, self._check_idle)

    def gone(self, code: int) -> None:
        """The socket is over. The first to say so says with which code."""
        if self.code is not None:
            return
        self.code = code
        self._tell_opened()
        self.intake.stop()
        timers = self._guard, self._heart, self._idle, self._expiry
        for timer in timers:
            if timer is not None:
                timer.cancel()
        self.outbox.abandon()
        if self._open:
            self._wire.cut()
        if self._context is not None:
            self._context.drain_or_interrupt(self.session.settings.disconnect_timeout)
        if self._ended:
            self._leave()

    def _has_ended(self) -> None:
        if not self._ended:
            self._ended = True
            if self.code is not None:
                self._leave()

    def _leave(self) -> None:
        """Both are over. No circle is left to the garbage collector, which would take as long for
        each connection as all the rest.

        What may still come: `send` and `close` by whoever has kept the actor, which are for the
        outbox; a drain's `warn` and `go_away`; and what the wires tell an intake they have kept.
        Nothing crashes any more: of that the actor's end is the last.
        """
        self._host.leave(self, self._client)
        self.outbox.let_go(_Left(self._context))
        del self.intake
        if self._burial is None and self.outbox.since is None:  # or it is still being closed
            del self._wire


class _Left:
    """In the place of a socket that has left: what its outbox drops is a dead letter."""

    __slots__ = ("_context",)

    def __init__(self, context: Context | None) -> None:
        self._context = context

    def drop(self, frame: Frame, reason: Reason) -> None:
        _dead_letter(self._context, frame, reason)


def _dead_letter(context: Context | None, frame: Frame, reason: Reason) -> None:
    assert context is not None  # or who could have sent it?
    if not isinstance(frame.message, Missed):  # which nobody sent
        context.dead_letter(frame.message, reason)


async def _tell_of_drain(actor: Any) -> None:
    await actor.on_drain()
