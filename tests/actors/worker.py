"""An actor that writes its life into a book, and a parent of three such."""

from functools import partial
from typing import Any

import anyio

from actors import ActorRef, ActorSystem, End, Message, Request, receive
from tests.actors.work import Do, Doer


class Note(Message):
    number: int


class Hold(Message):
    """Stay in the handler until the gate opens."""

    entered: Any
    gate: Any


class Ready(Request[None]):
    pass


class Worker(Doer):
    """Writes its life into `book`."""

    def __init__(self, book: list[Any] | None = None, label: str = "") -> None:
        self.book: list[Any] = [] if book is None else book
        self.label = label

    @receive
    async def note(self, note: Note) -> None:
        self.book.append(note.number)

    @receive
    async def hold(self, hold: Hold) -> None:
        hold.entered.set()
        try:
            await hold.gate.wait()
        except BaseException as error:
            self.book.append("cancelled")
            raise error
        self.book.append("held")

    @receive
    async def do(self, do: Do) -> None:
        await super().do(do)
        self.book.append("did")

    @receive
    async def ready(self, request: Ready) -> None:
        pass

    async def on_stop(self, end: End) -> None:
        self.book.append(f"{self.label}{end.how}")


class Parent(Worker):
    async def on_start(self) -> None:
        for number in range(3):
            await self.spawn(partial(Worker, self.book, f"{number} "))


async def hold(ref: ActorRef) -> anyio.Event:
    """Have the actor busy until the event is set."""
    entered, gate = anyio.Event(), anyio.Event()
    ref.tell(Hold(entered, gate))
    await entered.wait()
    return gate


async def spawn(system: ActorSystem, book: list[Any], **options: Any) -> ActorRef:
    return await system.spawn(lambda: Worker(book), **options)
