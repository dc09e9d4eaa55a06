"""What an ASGI application is to receive: a queue, bounded, and whoever waits for it."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from .messages import Data
from .stream import Inbound

Event: TypeAlias = dict[str, Any]

_BYTES = 1 << 18
"""Characters and bytes that may be queued before reading is paused."""


class Inbox:
    """`Inbound` for ASGI. When it is full, `pause_reading` is called; `resume_reading` when it has
    drained to half.

    `limit`: messages. One read more may come than that, since what is read is there.
    """

    __slots__ = (
        "_end",
        "_limit",
        "_loop",
        "_messages",
        "_paused",
        "_size",
        "_waiters",
        "pause_reading",
        "resume_reading",
        "writing_paused",
    )

    def __init__(self, limit: int, loop: asyncio.AbstractEventLoop) -> None:
        self._limit = limit
        self._loop = loop
        self._messages: deque[Data] = deque()
        self._size = 0
        self._end: Event | None = None
        self._paused = False
        self.writing_paused = False
        """What is sent has to wait: see `writable`."""
        self._waiters: list[asyncio.Future[None]] = []
        self.pause_reading: Callable[[], None] = _nothing
        self.resume_reading: Callable[[], None] = _nothing

    # As the stream's inbound.

    def receive(self, burst: Sequence[Data]) -> None:
        self._messages.extend(burst)
        self._size += sum(map(len, burst))
        if not self._paused and (len(self._messages) > self._limit or self._size > _BYTES):
            self._paused = True
            self.pause_reading()
        self._wake()

    def pause_writing(self) -> None:
        self.writing_paused = True

    def resume_writing(self) -> None:
        self.writing_paused = False
        self._wake()

    def disconnect(self, code: int, reason: str) -> None:
        if self._end is None:
            self._end = {"type": "websocket.disconnect", "code": int(code), "reason": reason}
            self.writing_paused = False
            self.pause_reading = self.resume_reading = _nothing
            self._wake()

    # For the application.

    @property
    def waiting(self) -> bool:
        """Whether there is a message that was not taken."""
        return bool(self._messages)

    async def get(self) -> Event:
        """The next message's event; past the last, again and again, the disconnect's."""
        while not self._messages:
            if self._end is not None:
                return dict(self._end)
            await self._wait()
        message = self._messages.popleft()
        self._size -= len(message)
        if self._paused and self._drained():
            self._paused = False
            self.resume_reading()
        if isinstance(message, str):
            return {"type": "websocket.receive", "text": message}
        return {"type": "websocket.receive", "bytes": message}

    def hand_over(self, inbound: Inbound) -> None:
        """Give another what was received and not taken, and how things stand."""
        burst = list(self._messages)
        self._messages.clear()
        self._size = 0
        if self.writing_paused:
            inbound.pause_writing()
        if burst:
            inbound.receive(burst)
        if self._end is not None:
            inbound.disconnect(self._end["code"], self._end["reason"])
        elif self._paused:
            self._paused = False
            self.resume_reading()

    async def writable(self) -> None:
        """Wait until what is sent may be sent on."""
        while self.writing_paused:
            await self._wait()

    def _drained(self) -> bool:
        return len(self._messages) <= self._limit // 2 and self._size <= _BYTES // 2

    async def _wait(self) -> None:
        waiter = self._loop.create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            self._waiters.remove(waiter)

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)


def _nothing() -> None:
    """Nobody reads yet, or any more."""
