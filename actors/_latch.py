"""A latch: something that happens once, for any number to wait for."""

from collections.abc import Callable, Generator
from typing import Any

from .mailbox import DONE, Waiter


class Latch:
    """Await it until it is `set`. `new_waiter` makes what one task parks on."""

    __slots__ = ("_new_waiter", "_waiters")

    def __init__(self, new_waiter: Callable[[], Waiter]) -> None:
        self._new_waiter = new_waiter
        self._waiters: list[Waiter] | None = []  # None once it is set

    @property
    def is_set(self) -> bool:
        """Whether it has happened."""
        return self._waiters is None

    def set(self) -> None:
        """It happens; a second time is fine."""
        waiters, self._waiters = self._waiters or (), None
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def __await__(self) -> Generator[Any, Any, None]:
        if self._waiters is None:
            return DONE.__await__()
        waiter = self._new_waiter()
        self._waiters.append(waiter)
        return waiter.__await__()
