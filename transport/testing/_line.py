"""What is between a server and one client: the bytes that the client has not taken yet.

It has the face of an asyncio transport, since that is what an application finds beneath a real
server (`receive.__self__.transport`). Where a real connection has the kernel's buffers and the
transport's own, this has one: the window. A client that takes what comes leaves nothing in it.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from ..codec import Data
from ..outbox import Close

Address: TypeAlias = tuple[str, int]


class Lost:
    """The last thing to arrive: the connection is gone, whether or not a close frame came."""


LOST: Final = Lost()
Item: TypeAlias = Data | Close | Lost


class Line(asyncio.Transport):
    """See the module's head.

    `arrive` is called with what the client takes; `lose` once, when the server has lost the
    connection.
    """

    def __init__(
        self,
        window: int,
        addresses: dict[str, Address | None],
        arrive: Callable[[Item], None],
        lose: Callable[[], None],
    ) -> None:
        super().__init__()
        self._window = window
        self._addresses = addresses
        self._arrive = arrive
        self._lose = lose
        self._loop = asyncio.get_running_loop()
        self._held: deque[tuple[Item, int]] = deque()
        self._size = 0
        self._taking = True
        self._credit = 0  # frames that a stalled client takes all the same
        self._closing = False
        self._lost = False
        self.writable = asyncio.Event()
        """Set while a `send` need not wait."""
        self.writable.set()

    # For the server's side.

    def carry(self, item: Item, size: int) -> None:
        """Put it on its way. Like a transport's `write`, it never waits."""
        if not self._closing:
            self._held.append((item, size))
            self._size += size
            self._flow()

    def abort(self) -> None:
        """Be gone in the next turn of the loop, and drop what was not taken."""
        self._clear()
        self._closing = True
        self._loop.call_soon(self.drop)

    def close(self) -> None:
        """Be gone once there is room in the window, which may be never: as on a real transport."""
        self._closing = True
        self._end_if_through()

    def is_closing(self) -> bool:
        """Whether it was closed, aborted or lost."""
        return self._closing

    def get_write_buffer_size(self) -> int:
        """Bytes that the client has not taken yet, with the heads of their frames."""
        return self._size

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Where a `send` goes on, and where it has to wait."""
        return self._window // 4, self._window

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """`peername` and `sockname`; there is no `socket`."""
        return self._addresses.get(name, default)

    # For the client.

    def stall(self, window: int | None) -> None:
        """Take nothing more; the window fills, and then the application's `send` waits."""
        self._taking = False
        self._credit = 0
        if window is not None:
            self._window = window
        self._flow()

    def resume(self) -> None:
        """Take all that waits, and whatever comes."""
        self._taking = True
        self._flow()

    def take(self, frames: int) -> None:
        """Take so many more, if not now then when they come."""
        self._credit = frames
        self._flow()

    def drop(self) -> None:
        """The connection is gone, now."""
        self._clear()
        self._end()

    # What follows.

    def _flow(self) -> None:
        while self._held and (self._taking or self._credit):
            item, size = self._held.popleft()
            self._size -= size
            if not self._taking:
                self._credit -= 1
            self._arrive(item)
        low, high = self.get_write_buffer_limits()
        if self._lost or self._taking or self._credit or self._size <= low < high:
            self.writable.set()
        elif self._size >= high:
            self.writable.clear()
        self._end_if_through()

    def _end_if_through(self) -> None:
        if self._closing and not self._lost and self.writable.is_set():
            self._loop.call_soon(self._end)

    def _end(self) -> None:
        if self._lost:
            return
        self._lost = self._closing = True
        self.writable.set()
        self._lose()
        # Behind what the network still holds, and that a client which reads again does get.
        self._held.append((LOST, 0))
        self._flow()

    def _clear(self) -> None:
        self._held.clear()
        self._size = 0
