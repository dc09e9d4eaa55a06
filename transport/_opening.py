"""The tasks that are about to open a socket. A drain cuts them short, whatever they wait for."""

import asyncio
from collections.abc import Callable
from typing import Any


class Opening:
    """One of them, from its entry to its exit, or to `Openings.done`.

    An `asyncio.timeout` that is due when somebody says so; each connection has one, so it does no
    more than that takes.
    """

    __slots__ = ("_cancelling", "_cut", "_openings", "_task")

    def __init__(self, openings: "Openings", task: asyncio.Task[Any]) -> None:
        self._openings = openings
        self._task = task
        self._cancelling = task.cancelling()
        self._cut = False

    def cut_short(self) -> None:
        self._cut = True
        self._task.cancel()

    def __enter__(self) -> None:
        """It has begun already."""

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._openings.done()
        if self._cut:
            by_us_alone = self._task.uncancel() <= self._cancelling
            if by_us_alone and kind is asyncio.CancelledError:
                self._openings.refuse()


class Openings:
    """A server's. `refuse`: raises what is to come out of one that was cut short."""

    def __init__(self, refuse: Callable[[], None]) -> None:
        self.refuse = refuse
        self._by_task: dict[asyncio.Task[Any] | None, Opening] = {}

    def begin(self) -> Opening:
        """The task at work opens a socket: a context manager, around all that it waits for."""
        task = asyncio.current_task()
        assert task is not None
        opening = self._by_task[task] = Opening(self, task)
        return opening

    def done(self) -> None:
        """The task at work has its socket, or will have none: it is not cut short any more."""
        self._by_task.pop(asyncio.current_task(), None)

    def cut_short(self) -> bool:
        """All of them; whether there are any."""
        for opening in self._by_task.values():
            opening.cut_short()
        return bool(self._by_task)
