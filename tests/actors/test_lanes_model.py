"""Priorities and interrupts without a loop: order and conservation against a naive model."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors import MailboxFull, Overflow, Reason, Request
from actors._lanes import InterruptMailbox
from actors.mailbox import DONE, Control, Waiting
from tests.actors.consumer import FakeWaiter
from tests.actors.laned import (
    Enough,
    Halt,
    HaltNow,
    High,
    Higher,
    Low,
    Mail,
    Told,
    Urgent,
    Which,
    ask,
    inner,
)

KINDS: tuple[Any, ...] = (Mail, Low, High, Higher, Halt, HaltNow, Which, Urgent, Enough)
PLAIN: dict[type, int] = {Mail: 0, Which: 0, Low: -1, High: 5, Higher: 5, Urgent: 5}
"""What the model knows of each type that is no interrupt."""
DROPPING = (Overflow.DROP_NEWEST, Overflow.DROP_OLDEST)


class Threads:
    """The inlet's account of one mailbox, by hand: what threads told, in runs."""

    def __init__(self, mailbox: InterruptMailbox) -> None:
        self.mailbox = mailbox
        self.runs: list[list[object]] = []
        self.run: list[object] | None = None
        self.room = 0

    def tell(self, item: object) -> bool:
        """Whether it was taken."""
        mailbox = self.mailbox
        if self.run is None or not self.room:
            self.end_run()
            room = mailbox.room_for(item)
            if mailbox.closed is not None or mailbox.overflow in DROPPING:
                room = 100
            if room <= 0:
                mailbox.refused_threads += 1
                return False
            self.run = []
            self.runs.append(self.run)
            self.room = room
        self.room -= 1
        self.run.append(item)
        return True

    def end_run(self) -> None:
        if self.run is not None:
            self.mailbox.stage(self.run)
            self.run = None

    def staged(self) -> list[object]:
        return [item for run in self.runs for item in run]

    def transfer(self) -> None:
        self.end_run()
        runs, self.runs = self.runs, []
        for run in runs:
            if not self.mailbox.take_run(run):
                self.mailbox.put_each(run)


class LanesMachine(RuleBasedStateMachine):
    """The model keeps what is queued in the order put, and sorts it anew to look at it."""

    @initialize(
        capacity=st.integers(1, 4),
        overflow=st.sampled_from(Overflow),
        limit=st.integers(1, 3),
        interrupting=st.booleans(),
        open_for=st.sampled_from([0, 10, 1000]),
    )
    def begin(
        self, capacity: int, overflow: Overflow, limit: int, interrupting: bool, open_for: int
    ) -> None:
        self.open_for = open_for  # messages, or most runs would close it early
        self.capacity = capacity
        self.overflow = overflow
        self.limit = limit
        self.interrupting = interrupting
        self.box = Told(capacity, overflow, limit=limit, interrupting=interrupting)
        self.mailbox = self.box.mailbox
        self.threads: Threads | None = None
        if isinstance(self.mailbox, InterruptMailbox):
            self.threads = Threads(self.mailbox)
        self.number = 0
        self.front: list[Any] = []
        self.put_in_order: list[Any] = []
        self.line: list[Any] = []
        self.dropped: list[Any] = []
        self.taken = 0
        self.told = 0
        self.refused = 0
        self.refused_threads = 0
        self.interrupted = False
        self.places: dict[Any, Waiting] = {}
        self.closed: Reason | None = None
        self.parked: FakeWaiter | None = None

    # The model.

    def is_interrupt(self, item: Any) -> bool:
        return self.interrupting and isinstance(inner(item), (Halt, Enough))

    def priority(self, item: Any) -> int:
        return PLAIN.get(type(inner(item)), 0)

    def interrupts(self, items: Iterable[Any]) -> list[Any]:
        return [item for item in items if self.is_interrupt(item)]

    def mails(self, items: Iterable[Any]) -> list[Any]:
        return [i for i in items if not isinstance(i, Control) and not self.is_interrupt(i)]

    def queue(self) -> list[Any]:
        order = self.front + self.interrupts(self.put_in_order)
        segment: list[Any] = []
        for item in [*self.put_in_order, None]:
            if item is None or isinstance(item, Control):
                order += sorted(segment, key=self.priority, reverse=True)  # keeps equals in order
                segment = []
                order += [] if item is None else [item]
            elif not self.is_interrupt(item):
                segment.append(item)
        return order

    def full(self, item: object) -> bool:
        if self.is_interrupt(item):
            return len(self.interrupts(self.put_in_order)) >= self.limit
        return len(self.mails(self.put_in_order)) >= self.capacity

    def remove(self, item: object, reason: Reason) -> None:
        self.put_in_order.remove(item)
        self.dropped.append((item, reason))

    def accept(self, item: object) -> None:
        """What the model says of an item that is not refused and does not wait."""
        self.told += 1
        if self.closed is not None:
            self.dropped.append((item, self.closed))
            return
        if self.full(item):
            assert self.overflow in DROPPING
            rivals = self.interrupts if self.is_interrupt(item) else self.mails
            queued = rivals(self.put_in_order)
            oldest = min(queued, key=self.priority)
            if self.overflow is Overflow.DROP_NEWEST or self.priority(oldest) > self.priority(item):
                self.dropped.append((item, Reason.DROPPED))
                return
            self.remove(oldest, Reason.DROPPED)
        self.put_in_order.append(item)
        self.interrupted |= self.is_interrupt(item)

    def move_up(self) -> None:
        while self.line and (
            self.closed is not None or len(self.mails(self.put_in_order)) < self.capacity
        ):
            self.put_in_order.append(self.line.pop(0))

    def new(self, kind: Any) -> object:
        self.number += 1
        item = kind(number=self.number)
        return ask(item) if isinstance(item, Request) else item

    # What happens.

    @rule(kind=st.sampled_from(KINDS), fast=st.booleans())
    def put(self, kind: Any, fast: bool) -> None:
        item = self.new(kind)
        put = self.box.ref.tell if fast else self.mailbox.put
        full = self.closed is None and self.full(item)
        waits = self.overflow is Overflow.WAIT and not self.is_interrupt(item)
        if full and not waits and self.overflow not in DROPPING:
            with pytest.raises(MailboxFull):
                put(item)
            self.refused += 1
        elif full and waits:
            place = put(item)
            assert isinstance(place, Waiting)
            self.places[item] = place
            self.told += 1
            self.line.append(item)
        else:
            assert put(item) is DONE
            self.accept(item)

    @rule(kind=st.sampled_from(KINDS))
    def offer(self, kind: Any) -> None:
        item = self.new(kind)
        self.mailbox.offer(item)
        self.offered(item)

    def offered(self, item: object) -> None:
        if self.closed is None and self.full(item) and self.overflow not in DROPPING:
            self.told += 1
            self.dropped.append((item, Reason.FULL))
        else:
            self.accept(item)

    @precondition(lambda self: self.threads is not None)
    @rule(kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=6))
    def tell_from_threads(self, kinds: list[Any]) -> None:
        assert self.threads is not None
        self.threads.end_run()  # the loop may have taken the room that one had found
        for kind in kinds:
            item = self.new(kind)
            here = self.put_in_order + self.threads.staged()
            if self.is_interrupt(item):
                fits = len(self.interrupts(here)) < self.limit
            else:
                fits = len(self.mails(here)) < self.capacity
            fits = fits or self.closed is not None or self.overflow in DROPPING
            assert self.threads.tell(item) == fits
            self.refused_threads += not fits

    @precondition(lambda self: self.threads is not None and self.threads.runs)
    @rule()
    def transfer(self) -> None:
        assert self.threads is not None
        staged = self.threads.staged()
        self.threads.transfer()
        self.transferred(staged)

    def transferred(self, items: list[Any]) -> None:
        for item in items:
            full = self.closed is None and self.full(item)
            if full and self.overflow is Overflow.WAIT and not self.is_interrupt(item):
                self.told += 1
                self.line.append(item)
            else:
                self.offered(item)

    @precondition(lambda self: self.threads is None)
    @rule(kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=6))
    def take_run(self, kinds: list[Any]) -> None:
        run = [self.new(kind) for kind in kinds]
        if not self.mailbox.take_run(list(run)):
            mails = len(self.mails(self.put_in_order))
            assert self.closed is not None or mails + len(run) > self.capacity
            self.mailbox.put_each(list(run))
        self.transferred(run)

    @rule(first=st.booleans())
    def put_first(self, first: bool) -> None:
        control = Control(first=first)
        self.mailbox.put_first(control)
        index = 0
        while index < len(self.front) and self.front[index].first:
            index += 1
        self.front.insert(index, control)

    @rule()
    def put_last(self) -> None:
        control = Control()
        self.mailbox.put_last(control)
        (self.line or self.put_in_order).append(control)

    @precondition(lambda self: self.queue())
    @rule()
    def take(self) -> None:
        self.parked = self.mailbox.waiter = None  # it is awake
        expected = self.queue()[0]
        assert self.box.take() is expected
        (self.front if expected in self.front else self.put_in_order).remove(expected)
        if not isinstance(expected, Control):
            self.taken += 1
            self.move_up()
        elif self.interrupting:
            self.move_up()  # all that waits, once it is closed; the others first take mail

    @precondition(lambda self: self.places)
    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        item = data.draw(st.sampled_from(list(self.places)))
        self.mailbox.forget(self.places.pop(item))
        if item in self.line:
            self.line.remove(item)
            self.told -= 1

    @precondition(lambda self: not self.queue())
    @rule()
    def park(self) -> None:
        self.parked = self.mailbox.waiter = FakeWaiter()

    @precondition(lambda self: self.number >= self.open_for)
    @rule(reason=st.sampled_from([Reason.STOPPED, Reason.KILLED]))
    def close(self, reason: Reason) -> None:
        self.mailbox.close(reason)
        self.closed = reason

    @precondition(lambda self: self.closed is not None)
    @rule(reason=st.sampled_from([Reason.STOPPED, Reason.KILLED]))
    def clear(self, reason: Reason) -> None:
        self.mailbox.clear(reason)
        self.move_up()
        self.dropped += [(i, reason) for i in self.queue() if not isinstance(i, Control)]
        self.front, self.put_in_order = [], []
        self.parked = None  # only the consumer itself clears, and is awake

    # What holds.

    @invariant()
    def agrees(self) -> None:
        mailbox = self.mailbox
        expected = self.queue()
        assert list(mailbox.queue) == expected
        assert len(mailbox.queue) == len(expected)
        assert bool(mailbox.queue) == bool(expected)
        assert [place.item for place in mailbox.waiting or ()] == self.line
        assert self.box.dropped == self.dropped
        assert (mailbox.told, mailbox.refused) == (self.told, self.refused)
        assert mailbox.refused_threads == self.refused_threads
        messages = [i for i in expected + self.line if not isinstance(i, Control)]
        assert len(mailbox) == len(messages)
        assert self.told == self.taken + len(self.dropped) + len(messages)

    @invariant()
    def keeps_its_bounds(self) -> None:
        mails, interrupts = self.mails(self.put_in_order), self.interrupts(self.put_in_order)
        assert len(mails) <= self.capacity or self.closed is not None
        assert not self.line or len(mails) >= self.capacity
        assert len(interrupts) <= self.limit

    @invariant()
    def interrupts_when_it_should(self) -> None:
        assert (self.box.interruptions > 0) == self.interrupted
        self.box.interruptions, self.interrupted = 0, False

    @invariant()
    def wakes_when_it_should(self) -> None:
        if self.parked is not None:
            assert self.parked.woken == bool(self.queue())


LanesMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


TestLanesMachine = LanesMachine.TestCase
