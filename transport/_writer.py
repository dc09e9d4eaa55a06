"""The write pump: one task writes for all sockets of a server, and steps aside for a slow client.

A pump for each socket would cost a wake-up for each member of a room at each publish. Here a
socket with something to send stands in line once, and the pump sends what each has in turn; on a
client that takes it, that needs no turn of the loop. Where a send has to wait, the pump stays with
that one socket until it is through, and a new pump goes on with the line: a slow client keeps one
task waiting, and nobody else.

What holds at every turn of the loop, until the writer closes: one pump is the current one; while
somebody stands in line, it is about to run, or it waits for its client and `_relieve` is about to
run, which makes a new one current. A pump that is no longer current ends after its socket.
"""

import asyncio
import contextlib
from collections import deque
from types import TracebackType
from typing import Protocol

ROUND = 64
"""Sockets that may be written to before everything else gets a turn."""
LAST_FLUSH = 2.0
"""Seconds that what is queued at the writer's end has to be sent."""


class Flushable(Protocol):
    """A socket, as the pump sees it."""

    async def flush(self) -> bool:
        """Send what is queued; whether some is left for another turn."""
        ...

    def fail(self, error: Exception) -> None:
        """The flush raised. It must not raise itself."""


class _Pump:
    """One task that writes, and the socket it is writing to."""

    __slots__ = ("given_up", "socket", "task")

    task: asyncio.Task[None]

    def __init__(self) -> None:
        self.socket: Flushable | None = None
        self.given_up = False  # whether its task was cancelled for the sake of this socket


class Writer:
    """See the module's head. Enter it for as long as the server runs."""

    def __init__(self) -> None:
        self._line: deque[Flushable] = deque()
        self._pumps: set[_Pump] = set()
        self._pump = _Pump()  # the current one
        self._waiter: asyncio.Future[None] | None = None  # the current one's, while it is parked
        self._idle: asyncio.Future[None] | None = None  # of `__aexit__`
        self._group = asyncio.TaskGroup()
        self._closed = False

    async def __aenter__(self) -> "Writer":
        self._loop = asyncio.get_running_loop()
        await self._group.__aenter__()
        self._start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                await self._flush()
        finally:
            self._closed = True
            for pump in self._pumps:
                pump.task.cancel()
            if kind is None or issubclass(kind, Exception):
                # The group need not hear of an error of the block: it would wrap it.
                await self._group.__aexit__(None, None, None)
            else:
                await self._group.__aexit__(kind, error, traceback)

    async def _flush(self) -> None:
        """Wait until nobody stands in line and nothing is being sent, or `LAST_FLUSH` is over."""
        self._idle = self._loop.create_future()
        self._tell_idle()
        await asyncio.wait([self._idle], timeout=LAST_FLUSH)

    def _tell_idle(self) -> None:
        busy = self._line or any(pump.socket is not None for pump in self._pumps)
        if self._idle is not None and not self._idle.done() and not busy:
            self._idle.set_result(None)

    def mark(self, socket: Flushable) -> None:
        """The socket has something to send, and does not stand in line."""
        self._line.append(socket)
        if self._waiter is not None:
            waiter, self._waiter = self._waiter, None
            if not waiter.done():
                waiter.set_result(None)
        elif self._pump.socket is not None:
            self._relieve(self._pump)

    def give_up(self, socket: Flushable) -> None:
        """Cancel the write to a socket, if one is under way."""
        for pump in self._pumps:
            if pump.socket is socket and not pump.given_up:
                pump.given_up = True
                pump.task.cancel()

    def _start(self) -> None:
        self._pump = pump = _Pump()
        self._pumps.add(pump)
        pump.task = self._group.create_task(self._run(pump), name="greenroom write pump")

    def _relieve(self, pump: _Pump) -> None:
        """Have a new pump go on with the line, if this one waits for its client."""
        if self._pump is pump and pump.socket is not None and self._line and not self._closed:
            self._start()

    async def _run(self, pump: _Pump) -> None:
        try:
            while self._pump is pump:
                if not self._line:
                    self._tell_idle()
                    self._waiter = waiter = self._loop.create_future()
                    try:
                        await waiter
                    finally:
                        self._waiter = None
                await self._round(pump)
        finally:
            self._pumps.discard(pump)
            self._tell_idle()

    async def _round(self, pump: _Pump) -> None:
        if len(self._line) > 1:
            # By then this has got to the end of its round, unless a client keeps it waiting.
            self._loop.call_soon(self._relieve, pump)
        for _ in range(min(len(self._line), ROUND)):
            if self._pump is not pump:
                return
            await self._serve(pump, self._line.popleft())
        if self._line:
            await asyncio.sleep(0)

    async def _serve(self, pump: _Pump, socket: Flushable) -> None:
        more = False
        failure: Exception | None = None
        pump.socket = socket
        try:
            more = await socket.flush()
        except asyncio.CancelledError:
            if not pump.given_up:
                if pump.task.cancelling():
                    raise  # from outside: the writer closes
                failure = RuntimeError("the send awaited something that was cancelled")
        except Exception as error:  # noqa: BLE001  # one socket's failure is its own
            failure = error
        finally:
            pump.socket = None
        if pump.given_up:
            await self._take_back(pump)
        if failure is not None:
            socket.fail(failure)
        elif more:
            self.mark(socket)  # and wake the pump that relieved this one, if one did

    async def _take_back(self, pump: _Pump) -> None:
        """Take back the cancellation by `give_up`, whether it has arrived yet or was swallowed."""
        pump.given_up = False
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        pump.task.uncancel()
        if pump.task.cancelling():
            raise asyncio.CancelledError  # from outside as well
