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
from .actor import Actor
from .mailbox import Control, Mailbox, Reason
from .ref import ActorRef
from .telemetry import Stats

NOTHING: Final = object()
"""In hand between two messages; `None` is a message like any other."""
BATCH = 128
"""Messages an actor may handle before everybody else gets a turn."""


class Leave(Control):
    """Leave the work: the actor's end was decided."""

    __slots__ = ()


LEAVE = Leave()
LEAVE_FIRST = Leave(first=True)


class Call(Control):
    """Have the actor's task call `function(actor)` between two messages; it may crash the actor."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[[Any], Awaitable[None]]) -> None:
        super().__init__()
        self.function = function


class Worker(ABC):
    """See the module's head. It works for a cell, which knows when to begin and to end."""

    __slots__ = (
        "actor",
        "core",
        "crashed",
        "handled",
        "in_hand",
        "leaving",
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
        self.mailbox = Mailbox(actor.mailbox_size, actor.overflow, self.drop, core.loop.new_waiter)
        self.in_hand: object = NOTHING
        self.handled = 0
        self.crashed = 0
        self.leaving = False

    async def work(self) -> None:
        """Handle mail until told to leave."""
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
                elif await self._take_other(item, table):
                    return
            self.in_hand = NOTHING
            if queue:
                await checkpoint()
            else:
                mailbox.waiter = waiter = new_waiter()
                try:
                    await waiter
                finally:
                    mailbox.waiter = None

    async def _take_other(self, item: object, table: Table) -> bool:
        """Handle what the table does not name; whether to leave the work."""
        self.in_hand = NOTHING
        if isinstance(item, Control):
            self.mailbox.took_control()
            if isinstance(item, Call):
                await item.function(self.actor)
                return False
            self.leaving = True
            return True
        if is_ask(item):
            if item.done:
                self.drop(item, Reason.ABANDONED)
                return False
            item.place = None
        message = message_in(item)
        function = table[type(message)]
        self.in_hand = item
        if function is None:
            dealt_with = not is_ask(item) and self.actor.__unhandled__(message)
            self.in_hand = NOTHING
            if dealt_with:
                self.handled += 1
            else:
                self.drop(item, Reason.UNHANDLED)
            return False
        reply = await function(self.actor, message)
        self.handled += 1
        self.in_hand = NOTHING
        if is_ask(item):
            if item.done:
                self.core.dead_letter(reply, self.ref, Reason.LATE)
            else:
                item.answer(reply)
        return False

    # Accounting.

    def drop(self, item: object, reason: Reason) -> None:
        """Make it a dead letter."""
        self.core.dead_letter(item, self.ref, reason)

    def drop_in_hand(self, reason: Reason) -> None:
        """Make what is in hand, if anything is, a dead letter."""
        item, self.in_hand = self.in_hand, NOTHING
        if item is not NOTHING:
            self.drop(item, reason)

    def take_crashed(self) -> object:
        """What was in hand at a crash, which is hereby accounted for."""
        item, self.in_hand = self.in_hand, NOTHING
        self.crashed += item is not NOTHING
        return item

    def add_to(self, stats: Stats) -> None:
        """Add this actor's counts."""
        self.add_settled(stats)
        stats.queued += len(self.mailbox)
        stats.in_hand += self.in_hand is not NOTHING

    def add_settled(self, stats: Stats) -> None:
        """Add its counts, but for what is queued or in hand."""
        mailbox = self.mailbox
        stats.told += mailbox.told
        stats.handled += self.handled
        stats.crashed += self.crashed
        stats.refused += mailbox.refused + mailbox.refused_threads
