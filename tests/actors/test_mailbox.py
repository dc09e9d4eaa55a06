"""The mailbox itself, without a loop: order and conservation against a plain model."""

from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors import MailboxFull, Overflow, Reason
from actors import mailbox as mailbox_module
from actors.mailbox import DONE, Control, Mailbox, Waiting
from tests.actors.consumer import FakeWaiter, take


class Waiter(FakeWaiter):
    """One whose task is awaited by a test."""

    def __await__(self) -> Generator[Any, Any, None]:
        while not self.done():
            yield self


class Cancelled(BaseException):
    """What a loop throws into a task that is cancelled."""


def make(capacity: int, overflow: Overflow = Overflow.WAIT) -> tuple[Mailbox, list[Any]]:
    dropped: list[Any] = []
    mailbox = Mailbox(
        capacity, overflow, lambda item, reason: dropped.append((item, reason)), Waiter
    )
    return mailbox, dropped


class Teller:
    """A task that awaits its place."""

    def __init__(self, place: Waiting) -> None:
        self.place = place
        self._await = place.__await__()
        self.waiting = next(self._await, None) is not None

    def cancel(self) -> None:
        with pytest.raises(Cancelled):
            self._await.throw(Cancelled())
        self.waiting = False

    def resume(self) -> bool:
        """Run on; whether it got through."""
        if self.waiting:
            self.waiting = next(self._await, None) is not None
        return not self.waiting


class MailboxMachine(RuleBasedStateMachine):
    """The model is three lists: what is queued, what waits, what was dropped."""

    @initialize(capacity=st.integers(1, 4), overflow=st.sampled_from(Overflow))
    def begin(self, capacity: int, overflow: Overflow) -> None:
        self.capacity = capacity
        self.overflow = overflow
        self.mailbox, self.really_dropped = make(capacity, overflow)
        self.number = 0
        self.queue: list[Any] = []
        self.line: list[Any] = []
        self.dropped: list[Any] = []
        self.taken: list[int] = []
        self.tellers: dict[int, Teller] = {}
        self.told = 0
        self.refused = 0
        self.closed: Reason | None = None
        self.parked: Waiter | None = None

    def mails(self) -> int:
        return sum(isinstance(item, int) for item in self.queue)

    def full(self) -> bool:
        return self.mails() >= self.capacity

    def next_number(self) -> int:
        self.number += 1
        return self.number

    def accept(self, item: int) -> None:
        """What the model says of an item that is not refused and does not wait."""
        self.told += 1
        if self.closed is not None:
            self.dropped.append((item, self.closed))
        elif not self.full():
            self.queue.append(item)
        elif self.overflow is Overflow.DROP_NEWEST:
            self.dropped.append((item, Reason.DROPPED))
        elif self.overflow is Overflow.DROP_OLDEST:
            oldest = next(item for item in self.queue if isinstance(item, int))
            self.queue.remove(oldest)
            self.dropped.append((oldest, Reason.DROPPED))
            self.queue.append(item)
        else:
            raise AssertionError("it is full")

    @rule(awaited=st.booleans())
    def put(self, awaited: bool) -> None:
        item = self.next_number()
        if self.closed is None and self.full() and self.overflow is Overflow.FAIL:
            with pytest.raises(MailboxFull):
                self.mailbox.put(item)
            self.refused += 1
            return
        told = self.mailbox.put(item)
        if self.closed is None and self.full() and self.overflow is Overflow.WAIT:
            assert isinstance(told, Waiting)
            self.told += 1
            self.line.append(item)
            if awaited:
                self.tellers[item] = Teller(told)
                assert self.tellers[item].waiting
        else:
            assert told is DONE
            self.accept(item)

    @rule()
    def offer(self) -> None:
        item = self.next_number()
        self.mailbox.offer(item)
        if self.closed is None and self.full() and self.overflow in (Overflow.WAIT, Overflow.FAIL):
            self.told += 1
            self.dropped.append((item, Reason.FULL))
        else:
            self.accept(item)

    @rule(number=st.integers(1, 6))
    def from_threads(self, number: int) -> None:
        run = [self.next_number() for _ in range(number)]
        if not self.mailbox.take_run(list(run)):
            assert self.closed is not None or self.mails() + number > self.capacity
            self.mailbox.put_each(list(run))
        for item in run:
            if self.closed is None and self.full() and self.overflow is Overflow.WAIT:
                self.told += 1
                self.line.append(item)
            elif self.closed is None and self.full() and self.overflow is Overflow.FAIL:
                self.told += 1
                self.dropped.append((item, Reason.FULL))
            else:
                self.accept(item)

    @rule()
    def put_first(self) -> None:
        control = Control()
        self.mailbox.put_first(control)
        index = 0
        while index < len(self.queue) and getattr(self.queue[index], "first", False):
            index += 1
        self.queue.insert(index, control)

    @rule()
    def put_last(self) -> None:
        control = Control()
        self.mailbox.put_last(control)
        (self.line or self.queue).append(control)

    @precondition(lambda self: self.queue)
    @rule()
    def take(self) -> None:
        self.parked = self.mailbox.waiter = None  # it is awake
        item = take(self.mailbox)
        assert item is self.queue.pop(0)
        if isinstance(item, int):
            self.taken.append(item)
            self.move_up()

    def move_up(self) -> None:
        while self.line and (self.closed is not None or not self.full()):
            self.queue.append(self.line.pop(0))

    @precondition(lambda self: self.tellers)
    @rule(data=st.data())
    def cancel_teller(self, data: st.DataObject) -> None:
        item = data.draw(st.sampled_from(sorted(self.tellers)))
        teller = self.tellers.pop(item)
        if item in self.line:
            teller.cancel()
            self.line.remove(item)
            self.told -= 1
        else:
            assert teller.resume()

    @precondition(lambda self: not self.queue)
    @rule()
    def park(self) -> None:
        self.parked = self.mailbox.waiter = Waiter()

    @rule(reason=st.sampled_from([Reason.STOPPED, Reason.KILLED]))
    def close(self, reason: Reason) -> None:
        self.mailbox.close(reason)
        self.closed = reason

    @precondition(lambda self: self.closed is not None)
    @rule(reason=st.sampled_from([Reason.STOPPED, Reason.KILLED]))
    def clear(self, reason: Reason) -> None:
        self.mailbox.clear(reason)
        for item in self.queue + self.line:
            if isinstance(item, int):
                self.dropped.append((item, reason))
        self.queue, self.line = [], []
        self.parked = None  # only the consumer itself clears, and is awake

    @invariant()
    def agrees(self) -> None:
        mailbox = self.mailbox
        assert list(mailbox.queue) == self.queue
        assert [place.item for place in mailbox.waiting or ()] == self.line
        assert self.really_dropped == self.dropped
        assert (mailbox.told, mailbox.refused) == (self.told, self.refused)
        mails = [item for item in self.queue + self.line if isinstance(item, int)]
        assert len(mailbox) == len(mails)
        assert self.told == len(self.taken) + len(self.dropped) + len(mails)
        assert self.taken + mails == sorted(self.taken + mails)  # in the order told

    @invariant()
    def keeps_its_bound(self) -> None:
        assert self.mails() <= self.capacity or self.closed is not None
        assert not self.line or self.mails() >= self.capacity

    @invariant()
    def wakes_whom_it_should(self) -> None:
        if self.parked is not None:
            assert self.parked.woken == bool(self.queue)
        for item, teller in list(self.tellers.items()):
            if teller.resume():
                del self.tellers[item]
                assert item not in self.line
            else:
                assert item in self.line


MailboxMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestMailboxMachine = MailboxMachine.TestCase


def test_a_mailbox_holds_at_least_one() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        make(0)


def test_a_burst_costs_one_wake_up() -> None:
    mailbox, _ = make(10)
    mailbox.waiter = waiter = Waiter()
    for number in range(5):
        mailbox.put(number)
    assert waiter.woken == 1
    assert mailbox.waiter is None


def test_a_waiter_that_is_done_is_not_woken_again() -> None:
    mailbox, _ = make(10)
    mailbox.waiter = waiter = Waiter()
    waiter.set_result(None)  # as a cancelled future is done
    mailbox.put(1)
    assert waiter.woken == 1


def test_the_waiting_line_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox_module, "WAITING_LIMIT", 3)
    mailbox, dropped = make(1)
    for number in range(4):
        mailbox.put(number)
    with pytest.raises(MailboxFull, match="already wait"):
        mailbox.put(4)
    assert (mailbox.told, mailbox.refused, dropped) == (4, 1, [])


def test_an_awaited_place_that_is_settled_does_not_wait() -> None:
    mailbox, _ = make(1)
    mailbox.put(0)
    place = mailbox.put(1)
    take(mailbox)
    assert next(place.__await__(), "through") == "through"
    assert next(DONE.__await__(), "through") == "through"


def test_room_goes_at_once_to_who_waits_and_whose_neighbour_has_gone() -> None:
    mailbox, _ = make(2)
    places = [mailbox.put(number) for number in range(5)]
    first, *_ = tellers = [Teller(place) for place in places if isinstance(place, Waiting)]
    assert len(tellers) == 3
    first.cancel()  # 2 is gone
    assert take(mailbox) == 0
    assert list(mailbox.queue) == [1, 3]
    assert [teller.resume() for teller in tellers[1:]] == [True, False]


@pytest.mark.parametrize("overflow", [Overflow.FAIL, Overflow.DROP_OLDEST])
def test_control_items_take_no_room_from_mail(overflow: Overflow) -> None:
    mailbox, dropped = make(2, overflow)
    mailbox.put_last(Control())
    mailbox.put_first(Control())
    mailbox.put(1)
    mailbox.put(2)
    assert len(mailbox) == 2
    assert dropped == []
    first, *_ = take(mailbox), take(mailbox)
    assert isinstance(first, Control)
    if overflow is Overflow.FAIL:  # the room they had made is gone with them
        with pytest.raises(MailboxFull):
            mailbox.put(3)
    else:  # they are no mail, so none of them is the oldest
        control = Control(first=True)
        mailbox.put_first(control)
        mailbox.put(3)
        assert dropped == [(1, Reason.DROPPED)]
        assert list(mailbox.queue) == [control, 2, 3]
