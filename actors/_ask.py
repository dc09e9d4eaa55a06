"""A question under way: the envelope in the mailbox and what the asker awaits, in one object."""

import math
from collections.abc import Generator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from typing import Any, Generic, Protocol, TypeGuard, TypeVar, cast

from ._deadlines import Deadlines
from ._inlet import Inlet
from ._timers import Tick
from .exceptions import ActorError, AskCycle, AskTimeout, MailboxFull, NotRunning
from .mailbox import Mailbox, Waiter, Waiting
from .message import Request

R = TypeVar("R")


class Party(Protocol):
    """Who asks, or is asked."""

    name: str
    mailbox: Mailbox
    awaits: "Ask[Any] | None"
    """The question whose answer its own task awaits now."""

    def is_current(self) -> bool:
        """Whether it is its own task that runs now."""
        ...


class Ask(Generic[R]):
    """Await it for the reply. It ends in one of four ways: answered, failed, timed out, given up.

    The first to come wins; the others find `done`. It is given up when of the tasks that await it
    the last is cancelled.
    """

    __slots__ = (
        "_awaited",
        "_deadlines",
        "_error",
        "_more",
        "_reply",
        "_target",
        "_timeout",
        "_waiter",
        "asker",
        "done",
        "place",
        "request",
        "tick",
    )

    def __init__(
        self,
        request: Request[R],
        waiter: Waiter,
        timeout: float,
        deadlines: Deadlines,
        target: Party,
    ) -> None:
        self.request = request
        self.asker: Party | None = None
        """The actor in whose task it was asked."""
        self.done = False
        self.place: tuple[Mailbox, Waiting] | None = None
        self.tick = 0
        self._waiter = waiter
        self._awaited = 0  # by so many tasks
        self._more: list[Waiter] | None = None  # of all but the first of them
        self._timeout = timeout
        self._deadlines = deadlines
        self._target = target
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
        name, kind = self._target.name, type(self.request).__name__
        self._leave_line()
        self.fail(AskTimeout(f"{name} did not answer {kind} within {self._timeout:g} s"))

    def wake(self, waiter: Waiter) -> None:
        """Have `waiter` woken at the end, which may have been already."""
        self._waiter = waiter
        if self.done:
            waiter.set_result(None)

    def _end(self) -> None:
        self.done = True
        if self.tick:
            self._deadlines.discard(self)
        if not self._waiter.done():
            self._waiter.set_result(None)
        for waiter in self._more or ():
            if not waiter.done():
                waiter.set_result(None)

    def _new_waiter(self) -> Waiter:
        # Each has its own: to cancel a task cancels what it awaits.
        waiter = self._target.mailbox.new_waiter()
        self._more = self._more or []
        self._more.append(waiter)
        return waiter

    def _leave_line(self) -> None:
        # One that still waits for room in the mailbox was never told.
        if self.place is not None:
            mailbox, place = self.place
            self.place = None
            mailbox.forget(place)

    def __await__(self) -> Generator[Any, Any, R]:
        if not self.done:
            # Only in its own task does the asker wait for it, and handles nothing meanwhile.
            asker = self.asker if self.asker is not None and self.asker.is_current() else None
            if asker is not None:
                self._check_cycle(asker)
                asker.awaits = self
            waiter = self._new_waiter() if self._awaited else self._waiter
            self._awaited += 1
            try:
                yield from waiter.__await__()
            finally:
                self._awaited -= 1
                if asker is not None:
                    asker.awaits = None
                if not (self.done or self._awaited):  # who awaited it was cancelled
                    self._leave_line()
                    self._error = ActorError("given up: the task that awaited it was cancelled")
                    self._end()
        return self.result()

    def _check_cycle(self, asker: Party) -> None:
        """Fail, and raise that, when the one that is asked waits for the asker in its turn."""
        names, party = [asker.name], self._target
        while party is not asker:
            names.append(party.name)
            ask = party.awaits
            if ask is None or ask.done:
                return
            party = ask._target
        cycle = " -> ".join([*names, asker.name])
        self._leave_line()
        self.fail(AskCycle(f"{cycle}: each waits for the next one's answer"))
        self.result()

    def result(self) -> R:
        """The reply, once `done`; raises what it failed with."""
        if self._error is not None:
            raise self._error
        return cast(R, self._reply)


class _Nobody(Waiter):
    """Is not woken."""

    def done(self) -> bool:
        return True

    def set_result(self, result: None, /) -> None:
        pass

    def __await__(self) -> Generator[Any, Any, None]:
        raise RuntimeError("nobody to wait")


_NOBODY = _Nobody()


def put_ask(
    target: Party,
    request: Request[R],
    timeout: float,
    waiter: Waiter,
    deadlines: Deadlines,
    *,
    waits: bool = True,
) -> Ask[R]:
    """Ask: put the question into the target's mailbox; `waiter` is woken at its end.

    `waits`: whether it may wait for room. Raises `MailboxFull`, `NotRunning` after the system's
    end, and `ValueError` for a timeout that is not above 0 and finite.
    """
    check_timeout(timeout)
    if deadlines.closed:
        raise NotRunning("the actor system has ended")
    ask = Ask(request, waiter, timeout, deadlines, target)
    mailbox = target.mailbox
    try:
        place = mailbox.put(ask) if waits else mailbox.put_now(ask)
    except MailboxFull as error:
        ask.fail(error)
        raise
    if type(place) is Waiting:
        ask.place = mailbox, place
    return ask


def ask_blocking(
    inlet: Inlet,
    target: Party,
    request: Request[R],
    timeout: float,
    deadlines: Deadlines,
) -> R:
    """`put_ask` from another thread, which this blocks until the end of the ask."""
    check_timeout(timeout)
    # A thread blocks on this future as a task awaits a native one; both are woken alike.
    future: Future[None] = Future()
    asks: list[Ask[R]] = []

    def put() -> None:
        target.mailbox.transfer([request])
        try:
            ask = put_ask(target, request, timeout, _NOBODY, deadlines)
            asks.append(ask)
            ask.wake(cast(Waiter, future))
        except ActorError as error:
            future.set_exception(error)

    def give_up() -> None:
        for ask in asks:
            ask.expire()

    inlet.call(put, target.mailbox, request)
    try:
        # The ask expires in the loop; the extra second is for a loop that is blocked or gone.
        future.result(timeout + 1.0)
    except FutureTimeout:
        with suppress(ActorError):
            inlet.call(give_up)
        raise AskTimeout(f"the loop did not respond within {timeout + 1:g} s") from None
    return asks[0].result()


def check_timeout(timeout: float) -> None:
    """Raise `ValueError` unless an ask may wait that long."""
    if not 0 < timeout < math.inf:
        raise ValueError(f"an ask's timeout is above 0 and finite, not {timeout}")


def is_ask(item: object) -> TypeGuard[Ask[Any]]:
    """Whether what lies in a mailbox is an ask."""
    return type(item) is Ask


def message_in(item: object) -> object:
    """The user's message in what lies in a mailbox."""
    if is_ask(item):
        return item.request
    return item.message if type(item) is Tick else item
