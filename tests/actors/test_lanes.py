"""Priorities and interrupts without a loop, rule by rule."""

from typing import Any

import pytest

from actors import MailboxFull, Overflow, Reason
from actors._lanes import BORDER, INTERRUPT, InterruptMailbox, LanedQueue, Lanes
from actors.mailbox import Control
from tests.actors.consumer import FakeWaiter
from tests.actors.laned import (
    INTERRUPTS,
    PRIORITIES,
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
)


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
