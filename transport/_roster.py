"""The sockets of one server: those that are open, and those whose last bytes are under way."""

import asyncio
from typing import Generic, Protocol, TypeVar

LOOK = 0.05
"""Seconds between two looks at what a server has still to send, of which nobody is told."""


class Listed(Protocol):
    """A socket, as the roster sees it."""

    @property
    def lingers(self) -> bool:
        """Whether the server holds bytes for its client, who may never read them."""
        ...


S = TypeVar("S", bound=Listed)


class Roster(Generic[S]):
    """See the module's head."""

    def __init__(self) -> None:
        self.open: set[S] = set()
        self.lingering: set[S] = set()
        self._empty: asyncio.Future[None] | None = None

    def add(self, socket: S) -> None:
        """Its actor has started."""
        self.open.add(socket)

    def remove(self, socket: S) -> None:
        """It is over, and its actor has ended."""
        self.open.discard(socket)
        if not self.open and self._empty is not None and not self._empty.done():
            self._empty.set_result(None)

    @property
    def all(self) -> set[S]:
        """All that may still hold the server up."""
        return self.open | self.lingering

    async def emptied(self) -> None:
        """Wait until none is open, and nothing is left to be sent."""
        while self.open:
            self._empty = asyncio.get_running_loop().create_future()
            await self._empty
        while any(socket.lingers for socket in self.lingering):  # noqa: ASYNC110  # see `LOOK`
            await asyncio.sleep(LOOK)
