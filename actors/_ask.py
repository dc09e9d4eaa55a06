"""A question under way: the envelope in the mailbox and what the asker awaits, in one object."""

from collections.abc import Generator
from typing import Any, Generic, TypeGuard, TypeVar, cast

from ._deadlines import Deadlines
from .exceptions import AskTimeout
from .mailbox import Mailbox, Waiter, Waiting
from .message import Request

R = TypeVar("R")


class Ask(Generic[R]):
    """Await it for the reply. It ends in one of four ways: answered, failed, timed out, given up.

    The first to come wins; the others find `done`.
    """

    __slots__ = (
        "_deadlines",
        "_error",
        "_name",
        "_reply",
        "_timeout",
        "_waiter",
        "done",
        "place",
        "request",
        "tick",
    )

    def __init__(
        self, request: Request[R], waiter: Waiter, timeout: float, deadlines: Deadlines, name: str
    ) -> None:
        self.request = request
        self.done = False
        self.place: tuple[Mailbox, Waiting] | None = None
        self.tick = 0
        self._waiter = waiter
        self._timeout = timeout
        self._deadlines = deadlines
        self._name = name
        self._reply: R | None = None
        self._error: Exception | None = None
        deadlines.add(self, timeout)

    def answer(self, reply: R) -> None:
        """End it with a reply. Only while it is not `done`."""
        self._reply = reply
        self._end()

    def fail(self, error: Exception) -> None:
        """End it with an error that the asker gets; does nothing once it is done."""
        if not self.done:
            self._error = error
            self._end()

    def expire(self) -> None:
        """Its timeout passed."""
        error = AskTimeout(
            f"{self._name} did not answer {type(self.request).__name__} within {self._timeout:g} s"
        )
        self._leave_line()
        self.fail(error)

    def _end(self) -> None:
        self.done = True
        if self.tick:
            self._deadlines.discard(self)
        if not self._waiter.done():
            self._waiter.set_result(None)

    def _leave_line(self) -> None:
        # One that still waits for room in the mailbox was never told.
        if self.place is not None:
            mailbox, place = self.place
            self.place = None
            mailbox.forget(place)

    def __await__(self) -> Generator[Any, Any, R]:
        if not self.done:
            try:
                yield from self._waiter.__await__()
            finally:
                if not self.done:  # the asker was cancelled
                    self._leave_line()
                    self._end()
        return self.result()

    def result(self) -> R:
        """The reply, once `done`; raises what it failed with."""
        if self._error is not None:
            raise self._error
        return cast(R, self._reply)


def is_ask(item: object) -> TypeGuard[Ask[Any]]:
    """Whether what lies in a mailbox is an ask."""
    return type(item) is Ask


def message_in(item: object) -> object:
    """The user's message in what lies in a mailbox."""
    return item.request if is_ask(item) else item
