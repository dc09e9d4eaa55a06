"""An actor that writes down of whose ends it hears."""

import inspect
from collections.abc import Callable
from typing import Any

import anyio

from actors import ActorRef, Message, Request, Terminated, receive
from tests.actors.work import Do, Doer


class Note(Message):
    number: int


class Seen(Request[list[Any]]):
    pass


class Watcher(Doer):
    """Writes down what it hears; in a list of the test's, which survives restarts."""

    def __init__(self, book: list[Any]) -> None:
        self.book = book

    @receive
    async def note(self, note: Note) -> None:
        self.book.append(note.number)

    @receive
    async def ended(self, notice: Terminated) -> None:
        self.book.append(notice)

    @receive
    async def tell_seen(self, request: Seen) -> list[Any]:
        return list(self.book)


async def does(ref: ActorRef, work: Callable[[Any], Any]) -> None:
    """Have it done, and wait for that."""
    done = anyio.Event()

    async def work_and_say_so(actor: Any) -> None:
        try:
            result = work(actor)
            if inspect.isawaitable(result):
                await result
        finally:
            done.set()

    ref.tell(Do(work_and_say_so))
    with anyio.fail_after(5):
        await done.wait()
