"""An actor whose state is what it was told, until it crashes."""

from actors import Message, Request, receive
from tests.actors.work import Doer


class Note(Message):
    number: int


class Crash(Message):
    pass


class Seen(Request[list[int]]):
    """What it was told in this life."""


class Stateful(Doer):
    def __init__(self) -> None:
        self.seen: list[int] = []

    @receive
    async def note(self, note: Note) -> None:
        self.seen.append(note.number)

    @receive
    async def crash(self, crash: Crash) -> None:
        raise ValueError("boom")

    @receive
    async def tell_seen(self, request: Seen) -> list[int]:
        return self.seen
