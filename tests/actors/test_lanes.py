"""Priorities and interrupts without a loop: order and conservation against a naive model."""

from collections.abc import Iterable
from threading import get_ident
from typing import Any, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors import ActorRef, MailboxFull, Overflow, Reason, Request
from actors._ask import Ask
from actors._inlet import Inlet
from actors._lanes import BORDER, INTERRUPT, InterruptMailbox, LanedMailbox, LanedQueue, Lanes
from actors.mailbox import DONE, Control, Waiting
from actors.ref import Target


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
KINDS: tuple[Any, ...] = (Mail, Low, High, Higher, Halt, HaltNow, Which, Urgent, Enough)
PLAIN: dict[type, int] = {Mail: 0, Which: 0, Low: -1, High: 5, Higher: 5, Urgent: 5}
"""What the model knows of each type that is no interrupt."""


def ask(request: Request[int]) -> Ask[int]:
    """The envelope, as it lies in a mailbox."""
    return Ask(request, FakeWaiter(), 1.0, cast(Any, FakeDeadlines()), "somebody")


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
        """Take one item as the consumer does."""
        item = self.mailbox.queue.popleft()
        if self.mailbox.waiting:
            self.mailbox.admit(item)
        if isinstance(item, Control):
            self.mailbox.took_control()
        return item

    def take_all(self) -> list[object]:
        return [self.take() for _ in range(len(self.mailbox.queue))]


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


DROPPING = (Overflow.DROP_NEWEST, Overflow.DROP_OLDEST)


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


def test_a_type_has_the_lane_of_its_nearest_base() -> None:
    lanes = Lanes(PRIORITIES, INTERRUPTS)
    assert [lanes.of(kind()) for kind in (Mail, Low, High, Higher)] == [0, -1, 5, 5]
    assert lanes.of(HaltNow()) == INTERRUPT
    assert lanes.of(Control(first=True)) == BORDER
    assert [lanes.of(ask(kind(1))) for kind in (Which, Urgent, Enough)] == [0, 5, INTERRUPT]
    assert lanes.of(None) == 0


@pytest.mark.parametrize("met_before", [True, False])
def test_a_lane_does_not_depend_on_which_types_were_met_before(met_before: bool) -> None:
    class Left(Mail):
        pass

    class Right(Mail):
        pass

    class Both(Left, Right):
        pass

    lanes = Lanes({Mail: 1, Right: 2})
    if met_before:
        assert lanes.of(Left()) == 1
    assert lanes.of(Both()) == 2


def test_what_is_declared_an_interrupt_is_one_whatever_its_priority() -> None:
    assert Lanes({Halt: -1}, [Halt]).of(Halt()) == INTERRUPT


def test_higher_priorities_go_first_and_equals_in_the_order_told() -> None:
    box = Told(interrupting=False)
    items = low, a, high, b, higher = Low(), Mail(1), High(), Mail(2), Higher()
    box.tell(*items)
    assert list(box.mailbox.queue) == [high, higher, a, b, low]
    assert box.take_all() == [high, higher, a, b, low]


def test_no_mail_overtakes_a_border_and_no_border_mail() -> None:
    box = Told()
    notices = [Control() for _ in range(3)]
    box.tell(low := Low())
    box.mailbox.put_last(notices[0])
    box.tell(late_low := Low(), late_high := High())
    box.mailbox.put_last(notices[1])
    box.mailbox.put_last(notices[2])
    box.tell(last := High())
    expected = [low, notices[0], late_high, late_low, *notices[1:], last]
    assert box.take_all() == expected


def test_an_interrupt_goes_before_borders_but_not_before_a_first_control_item() -> None:
    box = Told()
    notice, stop, kill = Control(), Control(first=True), Control(first=True)
    box.tell(mail := High())
    box.mailbox.put_last(notice)
    box.tell(halt := Halt())
    box.mailbox.put_first(stop)
    box.tell(halt_now := HaltNow())
    box.mailbox.put_first(kill)
    assert box.take_all() == [stop, kill, halt, halt_now, mail, notice]


def test_waiters_are_admitted_in_the_order_told_not_by_priority() -> None:
    box = Told(1)
    box.tell(first := Mail())
    place = box.mailbox.put(low := Low())
    box.tell(high := High())
    assert box.take() is first
    assert next(place.__await__(), "through") == "through"
    assert [box.take(), box.take()] == [low, high]


def test_what_waits_when_it_closes_is_handled_before_the_border_put_then() -> None:
    box = Told(1)
    box.tell(first := Mail(), low := Low(), high := High())
    box.mailbox.close(Reason.STOPPED)
    box.mailbox.put_last(leave := Control())
    assert box.take() is first
    assert box.take_all() == [high, low, leave]


def test_drop_oldest_drops_the_oldest_of_the_lowest_priority() -> None:
    box = Told(3, Overflow.DROP_OLDEST, interrupting=False)
    box.tell(high := High(), old := Mail(1))
    box.mailbox.put_last(Control())
    box.tell(young := Mail(2))
    box.tell(equal := Mail(3))
    assert [item for item, _ in box.dropped] == [old]
    box.tell(higher := High())
    assert [item for item, _ in box.dropped] == [old, young]
    box.tell(low := Low())  # all that is queued has a higher priority
    assert box.dropped == [(item, Reason.DROPPED) for item in (old, young, low)]
    assert [i for i in box.mailbox.queue if isinstance(i, Mail)] == [high, higher, equal]
    assert box.mailbox.told == 6


def test_drop_newest_drops_the_newcomer_whatever_its_priority() -> None:
    box = Told(1, Overflow.DROP_NEWEST, interrupting=False)
    box.tell(low := Low(), high := High())
    assert box.dropped == [(high, Reason.DROPPED)]
    assert box.take_all() == [low]


@pytest.mark.parametrize(("queued", "newcomer"), [(Low, High), (Halt, HaltNow)])
def test_who_hears_of_a_drop_finds_the_newcomer_in_its_place(queued: Any, newcomer: Any) -> None:
    box = Told(1, Overflow.DROP_OLDEST, limit=1)
    seen: list[object] = []
    box.mailbox.drop = lambda item, reason: seen.extend([item, *box.mailbox.queue])
    box.tell(old := queued(), new := newcomer())
    assert seen == [old, new]


@pytest.mark.parametrize("kind", [Mail, Halt])
@pytest.mark.parametrize("way", ["put", "take_run"])
def test_what_is_put_wakes_the_actor_that_parks(kind: Any, way: str) -> None:
    box = Told()
    box.mailbox.waiter = waiter = FakeWaiter()
    if way == "put":
        box.tell(kind())
    else:
        box.mailbox.take_run([kind()])
    assert waiter.woken == 1


def test_an_interrupt_needs_no_room_and_takes_none() -> None:
    box = Told(1, Overflow.FAIL)
    box.tell(mail := Mail(), halt := Halt())
    assert box.interruptions == 1
    with pytest.raises(MailboxFull, match="its 1 messages"):
        box.tell(Mail())
    assert box.take() is halt
    with pytest.raises(MailboxFull):  # it had made no room either
        box.tell(Mail())
    assert box.take() is mail
    box.tell(Halt(), Mail())
    assert (box.mailbox.told, box.mailbox.refused, len(box.mailbox)) == (4, 2, 2)


def test_the_lane_of_interrupts_is_bounded() -> None:
    box = Told()
    box.tell(*(Halt() for _ in range(16)))
    with pytest.raises(MailboxFull, match="its 16 interrupts"):
        box.tell(Halt())
    box.mailbox.offer(published := Halt())
    assert box.dropped == [(published, Reason.FULL)]
    assert (box.interruptions, box.mailbox.told, box.mailbox.refused) == (16, 17, 1)
    with pytest.raises(ValueError, match="at least 1 interrupt"):
        Told(limit=0)


@pytest.mark.parametrize("kind", [Mail, Halt])
@pytest.mark.parametrize(
    ("overflow", "dropped", "reason"),
    [
        (Overflow.WAIT, 1, Reason.FULL),
        (Overflow.FAIL, 1, Reason.FULL),
        (Overflow.DROP_NEWEST, 1, Reason.DROPPED),
        (Overflow.DROP_OLDEST, 0, Reason.DROPPED),
    ],
)
def test_a_publish_to_a_full_lane_does_as_the_policy_says(
    kind: Any, overflow: Overflow, dropped: int, reason: Reason
) -> None:
    box = Told(1, overflow, limit=1)
    items = [kind(0), kind(1)]
    for item in items:
        box.mailbox.offer(item)
    assert box.dropped == [(items[dropped], reason)]
    assert box.take_all() == [items[1 - dropped]]
    assert box.mailbox.told == 2


def test_a_closed_mailbox_takes_no_interrupt() -> None:
    box = Told()
    box.mailbox.close(Reason.STOPPED)
    box.tell(halt := Halt())
    assert box.dropped == [(halt, Reason.STOPPED)]
    assert (box.interruptions, len(box.mailbox.queue)) == (0, 0)


def test_a_threads_burst_interrupts_once() -> None:
    box = Told(1)
    assert box.mailbox.take_run([mail := Mail(), one := Halt(), two := Halt()])
    assert box.interruptions == 1
    assert box.take_all() == [one, two, mail]


def test_a_thread_finds_room_for_interrupts_where_there_is_none_for_mail() -> None:
    mailbox = Told(2, Overflow.FAIL, limit=3).mailbox
    assert isinstance(mailbox, InterruptMailbox)
    assert (mailbox.room_for(Mail()), mailbox.room_for(Halt())) == (2, 2)  # whatever follows
    mailbox.stage([Mail(), Mail(), Halt()])
    assert (mailbox.room_for(Mail()), mailbox.room_for(Halt())) == (0, 1)
    mailbox.stage([Halt(), Halt()])
    assert mailbox.room_for(Halt()) == 0
    mailbox.transfer([Mail(), Halt()])
    assert (mailbox.room_for(Mail()), mailbox.room_for(Halt())) == (1, 1)


def test_a_threads_run_is_put_one_by_one_where_a_lane_has_no_room_for_it() -> None:
    box = Told(2, Overflow.FAIL, limit=1)
    box.tell(here := Halt())
    run: list[object] = [mail := Mail(), halt := Halt(), last := Mail()]
    assert not box.mailbox.take_run(run)
    box.mailbox.put_each(run)
    assert box.dropped == [(halt, Reason.FULL)]  # its thread cannot be told any more
    assert box.take_all() == [here, mail, last]
    assert (box.mailbox.told, box.mailbox.refused, box.mailbox.transferred) == (4, 0, 3)


def test_the_queue_has_what_is_used_of_a_deque() -> None:
    queue = LanedQueue(Lanes(PRIORITIES))
    assert not queue
    for take in (queue.popleft, lambda: queue[0]):
        with pytest.raises(IndexError):
            take()
    queue.extend([low := Low(), high := High()])
    assert (queue[0], queue[1], len(queue)) == (high, low, 2)


@pytest.mark.parametrize("interrupting", [True, False])
def test_only_the_mailbox_without_interrupts_has_a_fast_path(interrupting: bool) -> None:
    box = Told(interrupting=interrupting)
    box.mailbox.put_last(Control())
    assert (len(box.mailbox.queue) < box.mailbox.room) != interrupting
