"""Mailboxes for actors that declare priorities or interrupts: plain code without a loop.

A message's type says its lane. Higher priorities are taken first, equal ones in the order told.
Nothing ages: a lane that is never empty starves those below it.

What is taken, in this order: control items that are `first`, interrupts, then *segments*. A segment
is the mail between two *borders*, by priority; a border is a control item put last. So a border
stands behind all mail told before it, and no mail told later overtakes it, whatever its priority.
Only interrupts do, since they are to be handled next.

A full mailbox that *waits* admits its waiters in the order told, not by priority. One that *drops
the newest* drops the newcomer, whatever its priority. One that *drops the oldest* drops the oldest
message of the lowest priority, which is the newcomer itself if all that is queued has a higher one:
no message is lost to one of lower priority.
"""

import math
from bisect import insort
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Final, TypeAlias, cast

from ._ask import message_in
from .exceptions import MailboxFull
from .mailbox import DONE, Control, Mailbox, Overflow, Reason, Told, Waiter

INTERRUPT_LIMIT = 16
"""How many interrupts may be queued in one mailbox unless told otherwise."""

Lane: TypeAlias = float
"""A priority, which is an `int`, or one of the two below."""
INTERRUPT: Final[Lane] = math.inf
BORDER: Final[Lane] = -math.inf


class Lanes(dict[type, Lane]):
    """The lane of each type; one for an actor class serves all its mailboxes.

    A type that is not declared has the lane of its nearest base that is, else priority 0. What is
    declared an interrupt is one, whatever its priority.
    """

    __slots__ = ("_declared",)

    def __init__(self, priorities: Mapping[type, int], interrupts: Iterable[type] = ()) -> None:
        self._declared: dict[type, Lane] = {object: 0, **priorities}
        self._declared.update(dict.fromkeys(interrupts, INTERRUPT))
        self._declared[Control] = BORDER
        super().__init__(self._declared)

    def __missing__(self, kind: type) -> Lane:
        # Among the declared only: a base that inherited its own lane must not hide a nearer one.
        lane = next(self._declared[base] for base in kind.__mro__ if base in self._declared)
        self[kind] = lane
        return lane

    def of(self, item: object) -> Lane:
        """The lane of what lies in a mailbox; an ask has that of its request."""
        return self[type(message_in(item))]


class Segment:
    """The mail in front of a border, and that border; the last segment has none yet."""

    __slots__ = ("border", "lanes", "order")

    def __init__(self) -> None:
        self.lanes: dict[Lane, deque[object]] = {}
        self.order: list[Lane] = []  # those that hold mail, ascending: the last is taken first
        self.border: object = None

    def put(self, item: object, lane: Lane) -> None:
        """Put a message behind its equals."""
        mail = self.lanes.get(lane)
        if mail is None:
            mail = self.lanes[lane] = deque()
        if not mail:
            insort(self.order, lane)
        mail.append(item)

    def take(self, index: int) -> object:
        """Take the oldest message of a lane: the highest is -1 in `order`, the lowest 0."""
        mail = self.lanes[self.order[index]]
        item = mail.popleft()
        if not mail:
            del self.order[index]
        return item


class LanedQueue:
    """The part of a deque's face that mailboxes and their consumers use, in the order of lanes.

    Putting and taking cost O(log lanes), however many items and borders are queued.
    """

    __slots__ = ("_first", "_interrupts", "_lane_of", "_others", "_segments", "mail")

    def __init__(self, lanes: Lanes) -> None:
        self._lane_of = lanes.of
        self._first: list[object] = []
        self._interrupts: list[object] = []
        self._segments = deque([Segment()])
        self.mail = 0
        """Messages queued, interrupts apart."""
        self._others = 0  # all but the mail

    @property
    def interrupts(self) -> int:
        """Interrupts queued."""
        return len(self._interrupts)

    def append(self, item: object) -> None:
        """Put an item where its type belongs: a message into its lane, a control item last."""
        lane = self._lane_of(item)
        if BORDER < lane < INTERRUPT:
            self._segments[-1].put(item, lane)
            self.mail += 1
            return
        self._others += 1
        if lane == INTERRUPT:
            self._interrupts.append(item)
        else:
            self._segments[-1].border = item
            self._segments.append(Segment())

    def extend(self, items: Iterable[object]) -> None:
        """Put each where it belongs."""
        for item in items:
            self.append(item)

    def insert(self, index: int, item: object) -> None:
        """Put an item before all mail, behind `index` others that stand there."""
        self._first.insert(index, item)
        self._others += 1

    def popleft(self) -> object:
        """Take the next item; raises `IndexError` when there is none."""
        if self._first or self._interrupts:
            self._others -= 1
            return (self._first or self._interrupts).pop(0)
        segment = self._segments[0]
        if segment.order:
            self.mail -= 1
            return segment.take(-1)
        if segment.border is None:
            raise IndexError("nothing is queued")
        self._others -= 1
        self._segments.popleft()
        return segment.border

    def take_interrupt(self) -> object:
        """Take the oldest interrupt out."""
        self._others -= 1
        return self._interrupts.pop(0)

    def replace_oldest(self, item: object) -> object:
        """Put a message in the place of the oldest of the lowest priority; returns which had to go.

        That is `item` itself if all that is queued has a higher priority. There must be mail.
        """
        holding = [segment for segment in self._segments if segment.order]
        segment = min(holding, key=lambda segment: segment.order[0])  # of equals the first
        if segment.order[0] > self._lane_of(item):
            return item
        oldest = segment.take(0)
        self.mail -= 1
        self.append(item)
        return oldest

    def __len__(self) -> int:
        return self.mail + self._others

    def __iter__(self) -> Iterator[object]:
        """The items in the order in which they would be taken."""
        yield from self._first
        yield from self._interrupts
        for segment in self._segments:
            for lane in reversed(segment.order):
                yield from segment.lanes[lane]
            if segment.border is not None:
                yield segment.border

    def __getitem__(self, index: int) -> object:
        """The item behind `index` others, at the cost of a walk; raises `IndexError`."""
        for item in islice(self, index, None):
            return item
        raise IndexError(index)


class LanedMailbox(Mailbox):
    """A mailbox with priorities. See the module's head."""

    __slots__ = ("laned", "lanes")

    def __init__(
        self,
        capacity: int,
        overflow: Overflow,
        drop: Callable[[object, Reason], None],
        new_waiter: Callable[[], Waiter],
        lanes: Lanes,
    ) -> None:
        super().__init__(capacity, overflow, drop, new_waiter)
        self.lanes = lanes
        self.laned = LanedQueue(lanes)
        # It has all of a deque's face that is used; a base class in common would cost the plain
        # mailbox the speed of the deque.
        self.queue = cast("deque[object]", self.laned)

    def _replace_oldest(self, item: object) -> None:
        self.drop(self.laned.replace_oldest(item), Reason.DROPPED)  # last: it may call back


class InterruptMailbox(LanedMailbox):
    """A mailbox with interrupts, and priorities if there are any.

    Interrupts are taken before all other mail, in the order told, and have a room of their own:
    `interrupt_limit` of them, at least 1, may be queued, however full the mailbox is. One more is
    refused with `MailboxFull` where the policy is to wait or to fail; where it is to drop, it or
    the oldest interrupt becomes a dead letter. `on_interrupt` is called when interrupts were put,
    once for a burst of a thread's.

    `room` stays 0, so that each put takes the slow path: `capacity` is counted in ordinary mail.
    """

    __slots__ = (
        "interrupt_limit",
        "interrupts_staged",
        "interrupts_transferred",
        "on_interrupt",
    )

    def __init__(
        self,
        capacity: int,
        overflow: Overflow,
        drop: Callable[[object, Reason], None],
        new_waiter: Callable[[], Waiter],
        lanes: Lanes,
        on_interrupt: Callable[[], None],
        interrupt_limit: int = INTERRUPT_LIMIT,
    ) -> None:
        if interrupt_limit < 1:
            raise ValueError(f"a mailbox holds at least 1 interrupt, not {interrupt_limit}")
        super().__init__(capacity, overflow, drop, new_waiter, lanes)
        self.room = 0
        self.on_interrupt = on_interrupt
        self.interrupt_limit = interrupt_limit
        # Of the inlet, and counted in `staged` and `transferred` as well.
        self.interrupts_staged = 0
        self.interrupts_transferred = 0

    def put(self, item: object) -> Told:
        if self.closed is None:
            if self.lanes.of(item) == INTERRUPT:
                return self._put_interrupt(item)
            if self.laned.mail < self.capacity:
                self.told += 1
                self.laned.append(item)
                self.wake()
                return DONE
        return self._put_full(item)

    def _put_interrupt(self, item: object) -> Told:
        full = self.laned.interrupts >= self.interrupt_limit
        if full and self.overflow in (Overflow.WAIT, Overflow.FAIL):
            self.refused += 1
            raise MailboxFull(f"the mailbox holds its {self.interrupt_limit} interrupts")
        self.told += 1
        if full and self.overflow is Overflow.DROP_NEWEST:
            self.drop(item, Reason.DROPPED)
            return DONE
        oldest = self.laned.take_interrupt() if full else None
        self.laned.append(item)
        self.wake()
        self.on_interrupt()
        if full:
            self.drop(oldest, Reason.DROPPED)  # last: it may call back
        return DONE

    def admit(self, taken: object) -> None:
        waiting = self.waiting
        while waiting and (self._free(0) > 0 or self.closed is not None):
            place, _ = waiting.popitem(last=False)
            self.laned.append(place.item)
            place.settle()

    def _fits(self, item: object) -> bool:
        return self._free(self.lanes.of(item)) > 0

    def _free(self, lane: Lane) -> int:
        """How many more messages of a lane fit, while it is open."""
        if lane == INTERRUPT:
            return self.interrupt_limit - self.laned.interrupts
        return self.capacity - self.laned.mail

    def _make_room(self) -> None:
        pass  # control items are not counted

    def took_control(self) -> None:
        pass

    # What threads tell.

    def room_for(self, message: object) -> int:
        """How many messages of threads fit, this one the first, whatever the others are."""
        staged = self.interrupts_staged - self.interrupts_transferred
        interrupts = self._free(INTERRUPT) - staged
        mail = self._free(0) - (self.staged - self.transferred - staged)
        own = interrupts if self.lanes.of(message) == INTERRUPT else mail
        return max(1, min(interrupts, mail)) if own > 0 else 0

    def stage(self, messages: list[object]) -> None:
        """Count what threads told, until it is transferred."""
        super().stage(messages)
        self.interrupts_staged += self._interrupts_in(messages)

    def transfer(self, messages: list[object]) -> None:
        """Count what is no longer staged."""
        super().transfer(messages)
        self.interrupts_transferred += self._interrupts_in(messages)

    def take_run(self, messages: list[object]) -> bool:
        interrupts = self._interrupts_in(messages)
        mail = len(messages) - interrupts
        if self.closed is not None or interrupts > self._free(INTERRUPT) or mail > self._free(0):
            return False
        self.transfer(messages)
        self.told += len(messages)
        self.laned.extend(messages)
        self.wake()
        if interrupts:
            self.on_interrupt()
        return True

    def _interrupts_in(self, messages: list[object]) -> int:
        return sum(self.lanes.of(message) == INTERRUPT for message in messages)
