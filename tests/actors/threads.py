"""A thread beside the loop's, and an actor that threads tell and ask."""

import threading
from collections.abc import Callable
from typing import Any, ClassVar

from anyio import to_thread

from actors import Message, Overflow, Request, receive
from tests.actors.work import Doer

LONG = 1000.0
"""A timeout that no test waits for."""


class Note(Message):
    thread: int
    number: int


class Seen(Request[list[Note]]):
    pass


class Double(Request[int]):
    number: int


class Fail(Request[int]):
    pass


class InThread(Request[None]):
    """Call `function(actor)` in a thread."""

    function: Any


class Log(Doer):
    def __init__(self) -> None:
        self.seen: list[Note] = []
        self.threads: set[int] = set()

    @receive
    async def note(self, note: Note) -> None:
        assert threading.get_ident() == self.__cell__.core.thread  # type: ignore[union-attr]
        self.seen.append(note)

    @receive
    async def tell_seen(self, request: Seen) -> list[Note]:
        return list(self.seen)

    @receive
    async def double(self, request: Double) -> int:
        return 2 * request.number

    @receive
    async def fail(self, request: Fail) -> int:
        raise ValueError("no")

    @receive
    async def in_thread(self, request: InThread) -> None:
        await to_thread.run_sync(request.function, self)


class Small(Log):
    mailbox_size: ClassVar[int] = 3


class Refusing(Small):
    overflow: ClassVar[Overflow] = Overflow.FAIL


class DroppingNewest(Small):
    overflow: ClassVar[Overflow] = Overflow.DROP_NEWEST


class DroppingOldest(Small):
    overflow: ClassVar[Overflow] = Overflow.DROP_OLDEST


class Big(Log):
    mailbox_size: ClassVar[int] = 100_000


def in_thread(work: Callable[[], object]) -> None:
    """Run it to its end in a thread, while this one, the loop's, stands still."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
