"""The work of one actor: take a message, handle it, and so on.

The hot path: no scope and no timer for a message. Here each message told is accounted for as well:
it is queued, in hand, handled, crashed or a dead letter, and always one of these.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, Final

from ._ask import is_ask, message_in
from ._core import Core
from ._dispatch import Table, table_of
from ._handlers import Function, error_replies
from ._lanes import InterruptMailbox, LanedMailbox
from ._timers import Tick
from .actor import Actor
from .mailbox import Control, Mailbox, Reason
from .ref import ActorRef
from .telemetry import Stats, Terminated

NOTHING: Final = object()
"""In hand between two messages; `None` is a message like any other."""
BATCH = 128
"""Messages, or as many in batches, that an actor may handle before everybody gets a turn."""


class Batch(list[object]):
    """Messages in hand together."""


def _count(in_hand: object) -> int:
    """How many messages that is."""
    return len(in_hand) if isinstance(in_hand, Batch) else int(in_hand is not NOTHING)


class Order(Control):
    """Something for the actor's task to act upon between two messages."""

    __slots__ = ()


LEAVE = Order()
"""Leave the work: the actor's end was decided."""
LEAVE_FIRST = Order(first=True)
"""The same before all mail."""
OWN_STOP = Order(first=True)
"""Leave the work: a permanent actor stops itself, and starts anew."""
SUSPEND = Order(first=True)
"""Leave the work for now: the actor is to start anew with others."""
SETTLE = Order(first=True)
"""Leave the work for a moment: a cancellation that came too late must not reach what comes next."""
FAIL = Order(first=True)
"""The actor's children failed too often, and so it fails itself."""


class Notice(Control):
    """An actor that was watched has ended."""

    __slots__ = ("message",)

    def __init__(self, message: Terminated) -> None:
        super().__init__()
        self.message = message


class Call(Control):
    """Have the actor's task call `function(actor)` between two messages; it may crash the actor."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[[Any], Awaitable[None]]) -> None:
        super().__init__()
        self.function = function


class Worker(ABC):
    """See the module's head. It works for a cell, which knows when to begin and to end."""

    __slots__ = (
        "_batched",
        "actor",
        "core",
        "crashed",
        "handled",
        "in_hand",
        "mailbox",
        "table",
    )

    @property
    @abstractmethod
    def ref(self) -> ActorRef:
        """The actor's address."""

    def __init__(self, core: Core, actor: Actor) -> None:
        self.core = core
        self.actor = actor
        self.table = table_of(type(actor))
        bounds = actor.mailbox_size, actor.overflow, self.drop, core.loop.new_waiter
        lanes = self.table.lanes
        if lanes is None:
            self.mailbox = Mailbox(*bounds)
        elif self.table.has_interrupts:
            self.mailbox = InterruptMailbox(*bounds, lanes, self.interrupt)
        else:
            self.mailbox = LanedMailbox(*bounds, lanes)
        self.in_hand: object = NOTHING
        self._batched = 0  # messages handled in batches since it last let others have a turn
        self.handled = 0
        self.crashed = 0

    async def work(self) -> Order:
        """Handle mail until an order is to be followed, which is returned."""
        mailbox, actor = self.mailbox, self.actor
        queue, new_waiter, table = mailbox.queue, mailbox.new_waiter, self.table
        checkpoint = self.core.loop.checkpoint
        while True:
            for _ in range(BATCH):
                if not queue:
                    break
                item = queue.popleft()
                if mailbox.waiting:
                    mailbox.admit(item)
                function = table[type(item)]
                if function is not None:
                    self.in_hand = item
                    await function(actor, item)
                    self.handled += 1
                elif type(item) is Order:
                    self.in_hand = NOTHING
                    mailbox.took_control()
                    if self.take_order(item):
                        return item
                else:
                    await self._take_other(item, table)
            self.in_hand = NOTHING
            if queue:
                await checkpoint()
            else:
                item = None  # or an idle actor would keep its last message, and who asked it
                mailbox.waiter = waiter = new_waiter()
                try:
                    await waiter
                finally:
                    mailbox.waiter = None

    async def _take_other(self, item: object, table: Table) -> None:
        """Handle what the table does not name."""
        self.in_hand = NOTHING
        if isinstance(item, Control):
            self.mailbox.took_control()
            await self._take_control(item, table)
            return
        if self._is_stale(item):
            return
        message = message_in(item)
        function = table[type(message)]
        self.in_hand = item
        if function is None and type(message) in table.batches:
            await self._take_batch(item, table.batches[type(message)])
            return
        if function is None:
            dealt_with = not is_ask(item) and self.actor.__unhandled__(message)
            self.in_hand = NOTHING
            if dealt_with:
                self.handled += 1
            else:
                self.drop(item, Reason.UNHANDLED)
            return
        try:
            reply = await function(self.actor, message)
        except Exception as error:
            if not (is_ask(item) and isinstance(error, error_replies(type(message)))):
                raise
            reply = error.with_traceback(None)  # which would keep the handler's frame
        self.handled += 1
        self.in_hand = NOTHING
        if is_ask(item):
            if item.done:
                self.core.dead_letter(reply, self.ref, Reason.LATE)
            else:
                item.answer(reply)

    async def _take_control(self, item: Control, table: Table) -> None:
        if isinstance(item, Call):
            await item.function(self.actor)
        elif isinstance(item, Notice):
            function = table[Terminated] if self.heard(item.message.ref) else None
            if function is not None:
                await function(self.actor, item.message)

    def _is_stale(self, item: object) -> bool:
        """Whether nobody wants it handled any more; then it is a dead letter."""
        if is_ask(item):
            item.place = None
            if item.done:
                self.drop(item, Reason.ABANDONED)
                return True
        elif type(item) is Tick:
            item.timer.left(item)
            if not item.timer.valid:
                self.drop(item, Reason.REPLACED)
                return True
        return False

    async def _take_batch(self, first: object, function: Function) -> None:
        """Handle a message together with those of its type that follow it."""
        queue, mailbox, kind = self.mailbox.queue, self.mailbox, type(message_in(first))
        batch = self.in_hand = Batch([first])
        while queue and len(batch) < BATCH and type(message_in(queue[0])) is kind:
            item = queue.popleft()
            if mailbox.waiting:
                mailbox.admit(item)
            if not self._is_stale(item):
                batch.append(item)
        await function(self.actor, [message_in(item) for item in batch])
        self.handled += len(batch)
        self.in_hand = NOTHING
        self._batched += len(batch)
        if self._batched >= BATCH:
            self._batched = 0
            await self.core.loop.checkpoint()

    def interrupt(self) -> None:
        """An interrupt was put into the mailbox: cancel the handler in hand, if it is for that."""
        item = self.in_hand
        kind = type(message_in(item[0] if isinstance(item, Batch) else item))
        if item is not NOTHING and kind in self.table.interruptible:
            self.interrupt_hand()

    @abstractmethod
    def interrupt_hand(self) -> None:
        """Cancel the handler in hand, unless it is what runs now."""

    @abstractmethod
    def heard(self, ended: ActorRef) -> bool:
        """A notice has arrived; whether it is still wanted."""

    @abstractmethod
    def take_order(self, order: Order) -> bool:
        """Whether to leave the work for this order, which may have been overtaken."""

    # Accounting.

    @property
    def load(self) -> int:
        """Messages queued, waiting or in hand; 1 if it has none and is busy all the same."""
        mailbox = self.mailbox
        mail = len(mailbox.queue)
        if mailbox.waiting:
            mail += len(mailbox.waiting)
        if self.in_hand is not NOTHING:
            mail += _count(self.in_hand)
        return mail or int(mailbox.waiter is None and mailbox.closed is None)

    def drop(self, item: object, reason: Reason) -> None:
        """Make it a dead letter."""
        if type(item) is Tick:
            item.timer.left(item)
        self.core.dead_letter(item, self.ref, reason)

    def drop_in_hand(self, reason: Reason) -> None:
        """Make what is in hand, if anything is, a dead letter."""
        item, self.in_hand = self.in_hand, NOTHING
        if isinstance(item, Batch):
            for each in item:
                self.drop(each, reason)
        elif item is not NOTHING:
            self.drop(item, reason)

    def take_crashed(self) -> object:
        """What was in hand at a crash, which is hereby accounted for."""
        item, self.in_hand = self.in_hand, NOTHING
        self.crashed += _count(item)
        return item

    def handled_in_hand(self) -> None:
        """What is in hand is handled, though its handler raised."""
        item, self.in_hand = self.in_hand, NOTHING
        self.handled += _count(item)

    def add_to(self, stats: Stats) -> None:
        """Add this actor's counts."""
        self.add_settled(stats)
        stats.queued += len(self.mailbox)
        stats.in_hand += _count(self.in_hand)

    def add_settled(self, stats: Stats) -> None:
        """Add its counts, but for what is queued or in hand."""
        mailbox = self.mailbox
        stats.told += mailbox.told
        stats.handled += self.handled
        stats.crashed += self.crashed
        stats.refused += mailbox.refused + mailbox.refused_threads
