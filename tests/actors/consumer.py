"""The consumer of a mailbox without a loop: what it takes, and how it parks."""

from typing import Any

from actors.mailbox import Control, Mailbox


class FakeWaiter:
    """A parked task, by hand."""

    def __init__(self) -> None:
        self.woken = 0

    def done(self) -> bool:
        return self.woken > 0

    def set_result(self, result: None, /) -> None:
        self.woken += 1

    def __await__(self) -> Any:
        raise AssertionError("its task parks")


def take(mailbox: Mailbox) -> object:
    """Take one item as the consumer does."""
    item = mailbox.queue.popleft()
    if mailbox.waiting:
        mailbox.admit(item)
    if isinstance(item, Control):
        mailbox.took_control()
    return item
