"""A mailbox with priorities and interrupts, and all that a test looks at in it."""

from threading import get_ident
from typing import Any, cast

from actors import ActorRef, Overflow, Reason, Request
from actors._ask import Ask
from actors._inlet import Inlet
from actors._lanes import InterruptMailbox, LanedMailbox, Lanes
from actors.ref import Target
from tests.actors.consumer import FakeWaiter, take


class Mail:
    """One message; told apart by its number."""

    def __init__(self, number: int = 0) -> None:
        self.number = number

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.number})"


class Low(Mail):
    pass


class High(Mail):
    pass


class Higher(High):
    """Declares nothing itself."""


class Halt(Mail):
    """An interrupt."""


class HaltNow(Halt):
    """An interrupt by its base."""


class Which(Request[int]):
    number: int


class Urgent(Request[int]):
    """A question of high priority."""

    number: int


class Enough(Request[int]):
    """A question that interrupts."""

    number: int


PRIORITIES: dict[type, int] = {Low: -1, High: 5, Urgent: 5}
INTERRUPTS: tuple[type, ...] = (Halt, Enough)


def ask(request: Request[int]) -> Ask[int]:
    """The envelope, as it lies in a mailbox."""
    return Ask(request, FakeWaiter(), 1.0, cast(Any, FakeDeadlines()), cast(Any, "somebody"))


class FakeDeadlines:
    def add(self, item: object, delay: float) -> None:
        pass


def inner(item: Any) -> Any:
    """The user's message, as the model sees it."""
    return getattr(item, "request", item)


class Told:
    """A mailbox with all that a test looks at."""

    def __init__(
        self,
        capacity: int = 10,
        overflow: Overflow = Overflow.WAIT,
        *,
        limit: int | None = None,
        interrupting: bool = True,
    ) -> None:
        self.dropped: list[Any] = []
        self.interruptions = 0
        self.mailbox: LanedMailbox
        if interrupting:
            limits = {} if limit is None else {"interrupt_limit": limit}
            self.mailbox = InterruptMailbox(
                capacity,
                overflow,
                self.drop,
                FakeWaiter,
                Lanes(PRIORITIES, INTERRUPTS),
                self.interrupt,
                **limits,
            )
        else:
            self.mailbox = LanedMailbox(
                capacity, overflow, self.drop, FakeWaiter, Lanes(PRIORITIES)
            )
        self.ref = ActorRef(cast(Target, self), cast(Inlet, None), get_ident())

    def drop(self, item: object, reason: Reason) -> None:
        self.dropped.append((item, reason))

    def interrupt(self) -> None:
        # What interrupts is there already, and the actor is awake.
        assert any(isinstance(inner(item), (Halt, Enough)) for item in self.mailbox.queue)
        assert self.mailbox.waiter is None
        self.interruptions += 1

    def tell(self, *items: object) -> None:
        for item in items:
            self.ref.tell(item)

    def take(self) -> object:
        return take(self.mailbox)

    def take_all(self) -> list[object]:
        return [self.take() for _ in range(len(self.mailbox.queue))]
