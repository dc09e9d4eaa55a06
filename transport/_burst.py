"""The wire over a server that gives and takes whole bursts: our own, `transport.fast`.

What one read of the socket completes comes by a plain call, and what is queued for a client goes
out in one write, at the end of the loop's turn. No task waits for either, so the application's
call may end once the socket is open.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from starlette.websockets import WebSocket

from ._peer import Peer, find
from .codec import Data, Frame, on_the_wire
from .outbox import Close, Outbox
from .wire import Intake, Served, accept

EXTENSION = "greenroom.bursts"
"""The ASGI extension. Its `attach(inbound)` returns the stream of an accepted WebSocket, which is
the inbound's from then on: the application's `receive`, `send` and end do not touch it."""
BURST = 1 << 16
"""Bytes of one write, if one frame has no more."""
ROUND = 256
"""Sockets that may be written to before everything else gets a turn."""


class Stream(Protocol):
    """An open WebSocket, as the server has it."""

    @property
    def peer(self) -> Peer | None:
        """The connection beneath, if it can be reached."""
        ...

    @property
    def open(self) -> bool:
        """Whether what is written may still arrive."""
        ...

    def blocked(self) -> bool:
        """Whether what is written now would wait, for more than the server likes, or go nowhere."""
        ...

    @property
    def sent(self) -> int:
        """How far what had to wait has got: the same as before means no progress."""
        ...

    def write(self, data: bytes) -> None: ...
    def close(self, code: int, reason: str) -> None: ...
    def abort(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class Bursts:
    """Writes for all sockets of a server, at the end of the loop's turn."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._line: deque[BurstWire] = deque()
        self._due = False  # whether `_write` is under way, or about to be
        self._burst: Sequence[Frame] = ()
        self._data = b""  # that burst's

    def mark(self, wire: "BurstWire") -> None:
        """It has something to send, and does not stand in line."""
        self._line.append(wire)
        if not self._due:
            self._due = True
            self._loop.call_soon(self._write)

    def _write(self) -> None:
        line = self._line
        for _ in range(min(len(line), ROUND)):
            wire = line.popleft()
            try:
                wire.flush()
            except Exception as error:  # noqa: BLE001  # one socket's failure is its own
                wire.fail(error)
        self._burst, self._data = (), b""
        if line:
            self._loop.call_soon(self._write)
        else:
            self._due = False

    def joined(self, burst: Sequence[Frame]) -> bytes:
        """Its bytes. The members of a room have the same to send, one after the other."""
        if burst != self._burst:  # the very same frames
            self._burst, self._data = burst, on_the_wire(burst)
        return self._data


class BurstWire:
    """See the module's head. `clock`: the system's."""

    __slots__ = (
        "_bursts",
        "_clock",
        "_closes",
        "_end",
        "_intake",
        "_later",
        "_over",
        "_sent",
        "_socket",
        "_stream",
        "_websocket",
        "peer",
    )

    needs_task = False
    _intake: Intake
    _socket: Served

    def __init__(self, websocket: WebSocket, bursts: Bursts, clock: Callable[[], float]) -> None:
        self._websocket = websocket
        self._bursts = bursts
        self._clock = clock
        self._stream: Stream | None = None
        self._later: deque[Sequence[Data]] | None = None  # while a burst is taken bit by bit
        self._end: int | None = None  # the code, if the end came meanwhile
        self._over: asyncio.Future[None] | None = None  # of `run`
        # Our own close is under way: its end is for `closed`, which looks what is left to send.
        self._closes = False
        self._sent = 0  # when it was last asked whether that advances
        self.peer: Peer | None = None

    async def accept(self, subprotocol: str | None) -> None:
        await accept(self._websocket, subprotocol)

    def open(self, socket: Served) -> None:
        self._socket, self._intake = socket, socket.intake
        stream: Stream = self._attach(self)
        self._stream = stream
        self.peer = stream.peer
        if self._later is not None:
            stream.pause_reading()

    @property
    def _attach(self) -> Callable[[Any], Stream]:
        extension: Mapping[str, Any] = self._websocket.scope["extensions"][EXTENSION]
        attach: Callable[[Any], Stream] = extension["attach"]
        return attach

    def ready(self) -> None:
        self._bursts.mark(self)

    async def run(self) -> None:
        self._over = asyncio.get_running_loop().create_future()
        assert self._stream is not None
        try:
            if self._stream.open:
                await self._over
        finally:
            self.cut()

    def cut(self) -> None:
        stream = self._stream
        if stream is not None and stream.open:
            stream.abort()
        if self._over is not None and not self._over.done():
            self._over.set_result(None)

    def abort(self) -> None:
        if self._stream is not None:
            self._stream.abort()
        elif (peer := find(self._attach)) is not None:  # it is still to be accepted
            peer.abort()

    def advances(self) -> bool:
        assert self._stream is not None
        before, self._sent = self._sent, self._stream.sent
        return self._sent != before

    def _wait(self, outbox: Outbox, stream: Stream) -> None:
        """Until writing is resumed: it is marked again then. Or for its end: a connection that is
        lost, maybe just now, swallows what is written."""
        if outbox.since is None:
            outbox.since = self._clock()
            self._sent = stream.sent
            self._socket.watch_closely()

    def flush(self) -> None:
        """Write what is queued, as much as the server likes, and at last the close."""
        socket, stream = self._socket, self._stream
        outbox = socket.outbox
        assert stream is not None
        if outbox.gone:
            return
        if stream.blocked():  # by the server's own: answers to pings, say
            self._wait(outbox, stream)
            return
        if outbox.queue:
            burst = outbox.take_burst(BURST)
            stream.write(on_the_wire(burst) if len(burst) == 1 else self._bursts.joined(burst))
            socket.watch()
            if stream.blocked():
                self._wait(outbox, stream)
                return
            outbox.in_hand = ()
            outbox.relieve()
            if outbox.queue:
                self._bursts.mark(self)
                return
        outbox.lined = False
        close = outbox.close
        if close is not None:
            self._closes = True
            stream.close(close.code, close.reason)
            socket.closed(close.code)

    def fail(self, error: Exception) -> None:
        """A flush raised."""
        self._closes = False
        self._socket.failed(error)
        self.abort()

    # As the stream's inbound.

    def receive(self, burst: Sequence[Data]) -> None:
        """What one read completed."""
        if self._later is not None:
            self._later.append(burst)
        elif self._intake.take(burst):
            self._later = deque()
            if self._stream is not None:
                self._stream.pause_reading()
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        intake, later = self._intake, self._later
        assert later is not None
        turn = intake.go_on()
        while later and not turn:
            turn = intake.take(later.popleft())
        if turn:
            asyncio.get_running_loop().call_soon(self._go_on)
            return
        self._later = None
        if self._end is not None:
            self._socket.gone(self._end)
        elif self._stream is not None:
            self._stream.resume_reading()

    def pause_writing(self) -> None:
        """`flush` looks."""

    def resume_writing(self) -> None:
        """What was in hand is taken, and what waited may go."""
        outbox = self._socket.outbox
        if outbox.since is not None and not outbox.gone:
            outbox.sent()
            outbox.relieve()
            self._bursts.mark(self)

    def disconnect(self, code: int, reason: str) -> None:
        """The client is gone, behind all that was received."""
        if self._closes:
            return
        if self._later is None:
            self._socket.gone(code)
        else:
            self._end, outbox = code, self._socket.outbox
            outbox.close = outbox.close or Close(code, "")
            outbox.abandon()  # what is answered meanwhile would go nowhere
