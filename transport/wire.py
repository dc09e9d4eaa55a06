"""The port to the server: have what comes taken, write what is queued, close.

`PlainWire` drives any ASGI server through Starlette's `WebSocket`. There a burst in is one frame,
and each frame out is a `send`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NoReturn, Protocol

from starlette.types import Receive, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from ._peer import Peer, find
from ._writer import Writer
from .codec import Data
from .exceptions import CloseCode, Disconnected
from .outbox import Close, Outbox

TURN = 128
"""Frames of one socket that may go out before the others get a turn: as many as an actor may
handle messages in a turn, so that answers go out as fast as they come."""


LAST_WORD = 1.0
"""Seconds in which a server that refused a send has to say with which code the client went."""


class Intake(Protocol):
    """Who takes what comes."""

    def take(self, burst: Sequence[Data]) -> bool:
        """Take a burst of frames. True: give all others a turn, then `go_on`."""
        ...

    def go_on(self) -> bool:
        """Take the rest of it; what it returns is as with `take`."""
        ...


class Served(Protocol):
    """What a wire has of its socket."""

    outbox: Outbox

    @property
    def intake(self) -> Intake: ...

    def watch(self) -> None:
        """Something is sent: see to it that it gets on."""

    def watch_closely(self) -> None:
        """What is sent has to wait."""

    def closed(self, code: int) -> None:
        """The close has been sent."""

    def failed(self, error: Exception) -> None:
        """A send raised."""

    def gone(self, code: int) -> None:
        """The client is, or nobody can tell any more. Only the first time counts."""


class Wire(Protocol):
    """What a socket needs of its server."""

    peer: Peer | None
    """The connection beneath, if it can be reached."""
    needs_task: bool
    """Whether the application's own task has to `run` it."""

    async def accept(self, subprotocol: str | None) -> None:
        """Finish the handshake. Raises `Disconnected` when it is too late; any other error is one
        of the server's."""
        ...

    def open(self, socket: Served) -> None:
        """The handshake is done: serve that socket from now on."""

    def ready(self) -> None:
        """The socket's outbox does not stand in line, and has something to send, or a close.

        What is being sent, and since when, is noted in the outbox."""

    async def run(self) -> None:
        """Have the client's frames taken until the socket is over. It never waits for anything
        else: a disconnect and pongs are always seen."""

    def cut(self) -> None:
        """The socket is over: end what still reads or writes."""

    def abort(self) -> None:
        """End the connection at once, where the server lets it be reached."""

    def advances(self) -> bool:
        """Whether some of what is being sent has got on since this was asked last, where that is
        not to be told by the next frame."""
        ...


# What Starlette or the server raises when a send comes too late, and maybe for other reasons: of a
# `RuntimeError` only the text says whether it is.
_TOO_LATE = (OSError, RuntimeError, WebSocketDisconnect)
_TOO_LATE_TEXTS = (
    # uvicorn, between its own close (a broken frame, a keepalive that was not answered) and our
    # hearing of it
    "after sending 'websocket.close'",
    # older uvicorns (0.40), when the client went before it was accepted
    "'websocket.close', but got 'websocket.accept'",
    # Starlette, when somebody closed the socket before it was accepted
    "once a close message has been sent",
    # uvloop, when its transport is closed
    "the handler is closed",
)


def _too_late(error: Exception) -> Disconnected:
    """What such an error means; one that means something else is raised."""
    text = str(error)
    if isinstance(error, RuntimeError) and not any(part in text for part in _TOO_LATE_TEXTS):
        raise error
    return Disconnected(CloseCode.ABNORMAL)


async def accept(websocket: WebSocket, subprotocol: str | None) -> None:
    """Finish a handshake. Raises `Disconnected`."""
    await _in_time(websocket.accept(subprotocol))


async def close(websocket: WebSocket, last: Close) -> None:
    """Close one that was accepted. Raises `Disconnected`."""
    await _in_time(websocket.close(last.code, last.reason))


async def _in_time(sent: Awaitable[None]) -> None:
    try:
        await sent
    except _TOO_LATE as error:
        raise _too_late(error) from error


class PlainWire:
    """Any ASGI server. The application's task reads, and the server's write pump writes.

    `clock`: the system's.
    """

    __slots__ = (
        "_clock",
        "_closing",
        "_intake",
        "_limit",
        "_receive",
        "_send",
        "_socket",
        "_websocket",
        "_writer",
        "peer",
    )

    needs_task = True
    _intake: Intake
    _socket: Served

    def __init__(self, websocket: WebSocket, writer: Writer, clock: Callable[[], float]) -> None:
        self._websocket = websocket
        self._writer = writer
        self._clock = clock
        self._limit: asyncio.Timeout | None = None
        self._closing: int | None = None  # the code of the close that is being sent
        # For frames the ASGI callables beneath Starlette's: its own check at each frame what the
        # socket knows already, for a tenth of the time of a message.
        self._receive: Receive = getattr(websocket, "_receive", websocket.receive)
        self._send: Send = getattr(websocket, "_send", websocket.send)
        self.peer = find(self._receive, self._send)

    async def accept(self, subprotocol: str | None) -> None:
        await accept(self._websocket, subprotocol)

    def open(self, socket: Served) -> None:
        self._socket, self._intake = socket, socket.intake

    def ready(self) -> None:
        self._writer.mark(self)

    def cut(self) -> None:
        if self._socket.outbox.since is not None:
            self._writer.give_up(self)  # the send may never return
        self._read_until(0)

    def abort(self) -> None:
        if self.peer is not None:
            self.peer.abort()

    def advances(self) -> bool:
        return False

    # The application's task.

    async def run(self) -> None:
        socket = self._socket
        try:
            async with asyncio.timeout(None) as self._limit:
                await self._read(self._intake)
        except Disconnected as error:
            self._limit = None  # nothing is left to cut short
            socket.gone(self._closing or error.code)
        except TimeoutError:
            pass  # the socket was over before the server said so: see `cut`
        finally:
            self._limit = None
            socket.gone(CloseCode.ABNORMAL)

    async def _read(self, intake: Intake) -> NoReturn:
        receive, take = self._receive, intake.take
        while True:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                code = event.get("code") or CloseCode.ABNORMAL
                if code == CloseCode.NO_STATUS and "reason" not in event:
                    # uvicorn's word for a lost connection; a close frame without a code has a
                    # reason.
                    code = CloseCode.ABNORMAL
                raise Disconnected(code)
            text = event.get("text")
            turn = take((event["bytes"] if text is None else text,))
            del event, text  # or an idle socket would keep the last it read
            while turn:
                await asyncio.sleep(0)
                turn = intake.go_on()

    def _read_until(self, delay: float) -> None:
        if self._limit is not None:
            self._limit.reschedule(asyncio.get_running_loop().time() + delay)

    # The write pump's.

    async def flush(self) -> bool:
        """Send what is queued, and at last the close; whether some is left for another turn."""
        outbox = self._socket.outbox
        self._socket.watch()
        if outbox.queue:
            await self._write(outbox)
            outbox.relieve()
            if outbox.queue:
                return True
        outbox.lined = False
        last = outbox.close
        if last is not None and not outbox.gone:
            outbox.since = self._clock()
            self._closing = last.code  # some servers tell of the end before they return
            await close(self._websocket, last)
            outbox.since = None
            self._socket.closed(last.code)
        return False

    def fail(self, error: Exception) -> None:
        """A flush raised."""
        self._socket.failed(error)
        # The client's own close may have come before: reading hears of it, and of the code.
        self._read_until(LAST_WORD)

    async def _write(self, outbox: Outbox) -> None:
        send, queue, take, now = self._send, outbox.queue, outbox.take, self._clock
        peer = self.peer
        try:
            for _ in range(TURN):
                if not queue:  # or no longer: a policy may have taken the rest of the burst
                    break
                if peer is not None and peer.closing:
                    # A server may take a frame even then, and it would be neither sent nor dropped.
                    outbox.sent()
                    raise Disconnected(CloseCode.ABNORMAL)
                await send(take(now()).event)
        except _TOO_LATE as error:
            raise _too_late(error) from error
        outbox.sent()
