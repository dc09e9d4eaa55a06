"""`Socket`: one WebSocket from accept to close, across the restarts of its actor.

The ASGI task reads (`run`), the server's write pump sends what is queued (`flush`), and the actor
has its own task in the system. Each may be the first to end:

    the client goes    `_read` hears of it    -> the actor drains, `on_disconnect` runs
    the actor ends     `actor_ended`          -> the outbox is flushed, the socket closed
    the actor closes   `Outbox.finish`        -> as if the client had gone, with that code
    the client stalls  `_check_progress`      -> the write is given up, as if it had gone
"""

import asyncio
import functools
import time
from collections.abc import Callable, Collection, Sequence

from actors import (
    ActorCrashed,
    ActorError,
    Context,
    Envelope,
    MailboxFull,
    Outcome,
    Reason,
    Timer,
    Told,
)

from ._writer import Writer
from .codec import Frame, Heartbeat, Reply
from .exceptions import CloseCode, CodecError, Disconnected
from .outbox import PACED, Close, Outbox
from .session import Bug, Question, Refusal, Session, Step
from .wire import Wire

LAST_WORD = 1.0
"""Seconds in which a server that refused a send has to say with which code the client went."""


class Socket:
    """See the module's head."""

    __slots__ = (
        "_answered",
        "_clock",
        "_context",
        "_guard",
        "_heart",
        "_limit",
        "_open",
        "_wire",
        "_writer",
        "code",
        "connected",
        "lane",
        "outbox",
        "session",
    )

    def __init__(
        self,
        wire: Wire,
        writer: Writer,
        session: Session,
        lane: "ClientLane",
        clock: Callable[[], float],
    ) -> None:
        settings = session.settings
        self.session = session
        self.lane = lane
        self.outbox = Outbox(
            settings.max_outbox,
            settings.slow_client,
            self._drop,
            _not_yet,
            asyncio.get_running_loop().create_future,
        )
        self.connected = False
        self.code: int | None = None  # once it is over
        self._wire = wire
        self._writer = writer
        self._clock = clock
        self._open = False
        self._answered = ""  # the `error_id` of the last crash that answered a question
        self._context: Context | None = None
        self._limit: asyncio.Timeout | None = None
        self._guard: Timer | None = None
        self._heart: Timer | None = None

    @property
    def context(self) -> Context:
        """The actor's; there is one from its first moment on."""
        assert self._context is not None
        return self._context

    def attach(self, context: Context) -> None:
        """The actor has been spawned."""
        self._context = context

    # For the behaviour.

    def send(self, message: object) -> Told:
        """Encode and queue a message; raises `CodecError`."""
        self.outbox.put(self.session.codec.encode(message))
        # Before the socket is accepted nothing relieves the outbox, and waiting would never end.
        return self.outbox.pace() if self._open else PACED

    def crashed(self, error_id: str) -> None:
        """Tell the client that its actor crashed, under which id the server logged it."""
        if error_id != self._answered:
            self.send(self.session.crashed(error_id))

    def actor_ended(self, code: int) -> None:
        """Flush what is queued, then close."""
        self.outbox.finish(Close(code, ""))

    # The life of the socket.

    async def run(self) -> None:
        """Read until the socket is over, then wait for its actor's end."""
        self._open = True
        self.outbox.ready = functools.partial(self._writer.mark, self)
        if self.outbox.lined:
            self.outbox.ready()
        self._beat()
        try:
            async with asyncio.timeout(None) as self._limit:
                await self._read()
        except TimeoutError:
            pass  # it was over before the server said so: see `_gone`
        finally:
            self._limit = None
            self._gone(CloseCode.ABNORMAL)
        await self.context.ref.wait()

    async def flush(self) -> bool:
        """For the write pump: send what is queued, and at last the close."""
        outbox = self.outbox
        if self._guard is None and self.code is None:
            self._watch(self.session.settings.send_timeout)
        if outbox.queue:
            await self._wire.write(outbox)
            outbox.relieve()
            if outbox.queue:
                return True
        outbox.lined = False
        close = outbox.close
        if close is not None and not outbox.gone:
            outbox.since = self._clock()
            await self._wire.close(close)
            outbox.since = None
            self._gone(close.code)
        return False

    def fail(self, error: Exception) -> None:
        """For the write pump: a send raised."""
        if not isinstance(error, Disconnected):
            self.context.log("error", "a send failed", error)
        self.outbox.abandon()
        # The client's own close may have come before: reading hears of it, and of the code.
        self._read_until(LAST_WORD)

    def _watch(self, delay: float) -> None:
        # One timer at a time, set again while there is progress: cheaper than one for each send.
        self._guard = self.context.call_later(delay, self._check_progress)

    def _check_progress(self) -> None:
        self._guard = None
        since = self.outbox.since
        if since is None:
            return
        left = since + self.session.settings.send_timeout - self._clock()
        if left > 0:
            self._watch(left)
        else:
            self.context.log("warning", "the client reads nothing; giving it up")
            self._gone(CloseCode.ABNORMAL)

    async def _read(self) -> None:
        """The read pump: it always reads on, so that a disconnect and pongs are always seen."""
        wire, session, tell = self._wire, self.session, self.context.ref.tell
        outbox = self.outbox
        try:
            while True:
                for data in await wire.read():
                    if outbox.crowded:
                        # Frames may be ready without end: let the answers to them go out.
                        await asyncio.sleep(0)
                    step = session.take(data)
                    try:
                        if isinstance(step, Step):
                            self._take_step(step)
                        else:
                            tell(step)
                    except MailboxFull:
                        await self._insist(step)
        except Disconnected as error:
            self._limit = None  # nothing is left to cut short
            self._gone(error.code)

    async def _insist(self, step: object) -> None:
        # A burst may be larger than the mailbox: give the actor its turn before refusing.
        await asyncio.sleep(0)
        try:
            if isinstance(step, Step):
                self._take_step(step)
            else:
                self.context.ref.tell(step)
        except MailboxFull:
            self._take_step(self.session.overloaded(step))

    def _take_step(self, step: Step) -> None:
        """Do it; raises `MailboxFull` for a question."""
        if isinstance(step, Question):
            self._ask(step)
        elif isinstance(step, Bug):
            error_id = self.context.log("error", "a message cannot be made", step.error)
            self._take_step(self.session.unmade(error_id))
        elif isinstance(step, Refusal) and self.outbox.close is None:
            if step.error is not None:
                self.send(step.error)
            if step.close is not None:
                self.outbox.finish(step.close)

    def _ask(self, question: Question) -> None:
        answering = _Answering(self, question.id)
        timeout = self.session.settings.ask_timeout
        outcome = self.context.ask_waking(question.request, timeout, answering)
        answering.outcome = outcome
        if outcome.done:
            self.answer(question.id, outcome)

    def answer(self, identifier: str | int, outcome: Outcome) -> None:
        """Send the answer to a client's request."""
        try:
            self.send(Reply(id=identifier, value=outcome.result()))
        except ActorError as error:
            if isinstance(error, ActorCrashed):
                self._answered = error.error_id
            self.send(self.session.failed(error, identifier))
        except CodecError as error:
            error_id = self.context.log("error", "a reply cannot be encoded", error)
            self.send(self.session.crashed(error_id, identifier))

    def _beat(self) -> None:
        every = self.session.settings.heartbeat
        if every is not None:
            if self._heart is not None:  # not the first time, at the start
                self.send(Heartbeat(timestamp=time.time()))
            self._heart = self.context.call_later(every, self._beat)

    def _gone(self, code: int) -> None:
        """The socket is over. The first to say so says with which code."""
        if self.code is not None:
            return
        self.code = code
        for timer in (self._guard, self._heart):
            if timer is not None:
                timer.cancel()
        self.outbox.abandon()
        if self.outbox.since is not None:
            self._writer.give_up(self)  # the send may never return
        self._read_until(0)
        self.context.drain_or_interrupt(self.session.settings.disconnect_timeout)

    def _read_until(self, delay: float) -> None:
        if self._limit is not None:
            self._limit.reschedule(asyncio.get_running_loop().time() + delay)

    def _drop(self, frame: Frame, reason: Reason) -> None:
        self.context.dead_letter(frame.message, reason)


def _not_yet() -> None:
    """There is something to send, but the socket has not been accepted."""


class _Answering:
    """Stands where a task would await an ask: answers the client when the ask has ended."""

    __slots__ = ("_id", "_socket", "outcome")

    def __init__(self, socket: Socket, identifier: str | int) -> None:
        self._socket = socket
        self._id = identifier
        self.outcome: Outcome | None = None

    def done(self) -> bool:
        return False

    def set_result(self, result: None, /) -> None:
        if self.outcome is not None:
            self._socket.answer(self._id, self.outcome)


class ClientLane:
    """How a group reaches the clients of one route: encoded once, appended to each outbox.

    Members whose class handles the message's type get it in their mailbox instead.
    """

    def __init__(self, session: Session, types: Sequence[type]) -> None:
        self._codec = session.codec
        self._types = tuple(types)

    def prepare(self, envelope: Envelope) -> None:
        if not isinstance(envelope.message, self._types):
            self._codec.frame(envelope)

    def deliver(self, envelope: Envelope, members: Collection[Socket]) -> None:
        if isinstance(envelope.message, self._types):
            envelope.deliver([socket.context.mailbox for socket in members])
            return
        frame = self._codec.frame(envelope)
        for socket in members:
            socket.outbox.put(frame)
