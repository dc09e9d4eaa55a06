"""The write pump: one task writes for all sockets of a server, and steps aside for a slow client.

A pump for each socket would cost a wake-up for each member of a room at each publish. Here a
socket with something to send stands in line once, and the pump sends what each has in turn; on a
client that takes it, that needs no turn of the loop. Where a send has to wait, the pump stays with
that one socket until it is through, and a new pump goes on with the line: a slow client keeps one
task waiting, and nobody else.
"""

import asyncio
from collections import deque
from types import TracebackType
from typing import Any, Protocol

import structlog

logger: Any = structlog.get_logger("greenroom")

ROUND = 64
"""Sockets that may be written to before everything else gets a turn."""


class Flushable(Protocol):
    """A socket, as the pump sees it."""

    async def flush(self) -> bool:
        """Send what is queued; whether some is left for another turn."""
        ...

    def fail(self, error: Exception) -> None:
        """The flush raised."""


class _Pump:
    """One task that writes, and the socket it is writing to."""

    __slots__ = ("given_up", "socket", "task")

    def __init__(self) -> None:
        self.socket: Flushable | None = None
        self.task: asyncio.Task[None] | None = None
        self.given_up = False


class Writer:
    """See the module's head. Enter it for as long as the server runs."""

    def __init__(self) -> None:
        self._line: deque[Flushable] = deque()
        self._pumps: set[_Pump] = set()
        self._pump = _Pump()  # the one that works off the line
        self._waiter: asyncio.Future[None] | None = None
        self._group = asyncio.TaskGroup()

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
        for pump in self._pumps:
            if pump.task is not None:
                pump.task.cancel()
        if kind is None or issubclass(kind, Exception):
            # The group need not hear of an error of the block: it would wrap it.
            await self._group.__aexit__(None, None, None)
        else:
            await self._group.__aexit__(kind, error, traceback)

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
            if pump.socket is socket and pump.task is not None and not pump.given_up:
                pump.given_up = True
                pump.task.cancel()

    def _start(self) -> None:
        self._pump = pump = _Pump()
        self._pumps.add(pump)
        pump.task = self._group.create_task(self._run(pump), name="greenroom write pump")

    def _relieve(self, pump: _Pump) -> None:
        """Have a new pump go on with the line, if this one waits for its client."""
        if self._pump is pump and pump.socket is not None and self._line:
            self._start()

    async def _run(self, pump: _Pump) -> None:
        try:
            while self._pump is pump:
                if not self._line:
                    self._waiter = waiter = self._loop.create_future()
                    try:
                        await waiter
                    finally:
                        self._waiter = None
                await self._round(pump)
        finally:
            self._pumps.discard(pump)

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
        pump.socket = socket
        try:
            if await socket.flush():
                pump.socket = None
                self.mark(socket)  # and wake the pump that relieved this one, if one did
        except asyncio.CancelledError:
            if not pump.given_up or pump.task is None:
                raise
            pump.given_up = False
            pump.task.uncancel()
        except Exception as error:  # noqa: BLE001  # one socket's failure is its own
            pump.socket = None
            socket.fail(error)
        finally:
            pump.socket = None
