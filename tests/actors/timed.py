"""An actor with timers, the book of what they told it, and the time that passes."""

from collections.abc import Callable
from typing import Any

import anyio

from actors import ActorSystem, Message, Request, receive
from tests.actors.work import Do, Doer

LONG = 1000.0
"""A delay that no test waits for."""
OFTEN = 0.001
PATIENCE = 5.0
"""Seconds within which what is to come has come."""


class Book(list[Any]):
    """What was handled, in order; of the test, so that it survives restarts."""

    news: anyio.Event | None = None

    def add(self, entry: Any) -> None:
        self.append(entry)
        if self.news is not None:
            self.news.set()

    async def has(self, number: int) -> list[Any]:
        with anyio.fail_after(PATIENCE):
            while len(self) < number:
                self.news = anyio.Event()
                await self.news.wait()
        return list(self)


class Beep(Message):
    number: int


class Other(Message):
    pass


class Urgent(Message):
    pass


class Halt(Message):
    pass


class Generate(Request[str]):
    pass


class Desk(Doer):
    def __init__(self, book: Book) -> None:
        self.book = book

    @receive
    async def beep(self, beep: Beep) -> None:
        self.book.add(beep.number)

    @receive
    async def other(self, other: Other) -> None:
        self.book.add("other")


def start(*numbers: int, delay: float = 0.0, **more: Any) -> Callable[[Any], None]:
    """Work that starts a timer for each number, by default of the same key."""

    def work(actor: Any) -> None:
        for number in numbers:
            actor.start_timer(Beep(number), delay, **more)

    return work


async def pass_time(system: ActorSystem) -> None:
    """Wait until every timer that was due when this was called has expired."""
    book = Book()
    ref = await system.spawn(lambda: Desk(book))
    for number in (1, 2):  # the second expires in a tick behind that of all the others
        ref.tell(Do(start(number)))
        await book.has(number)
    await ref.stop()


def fail(actor: Any) -> None:
    raise ValueError("a crash")
