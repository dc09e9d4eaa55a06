"""A bounded FIFO for one consumer: plain code without a loop.

The consumer parks by leaving a `waiter`; the first message put wakes it, the next find none, so a
burst costs one wake-up. Control items go before user mail, or behind it, and need no room.

Invariants: `len(queue) <= capacity` (control items apart); while anyone waits the queue is full,
so nobody overtakes a waiting teller; after `close` nothing more is taken in.
"""

import enum
from collections import OrderedDict, deque
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from .exceptions import MailboxFull

WAITING_LIMIT = 16_384
"""How many tells may wait for room in one mailbox; one more is refused with `MailboxFull`."""


class Overflow(enum.Enum):
    """What a full mailbox does with one more message."""

    WAIT = "wait"
    """The message takes a place among the waiting; `await ref.tell(...)` waits with it."""
    FAIL = "fail"
    """The teller gets `MailboxFull`."""
    DROP_NEWEST = "drop_newest"
    """The message becomes a dead letter."""
    DROP_OLDEST = "drop_oldest"
    """The oldest message becomes a dead letter and makes room."""


class Reason(enum.StrEnum):
    """Why a message became a dead letter."""

    FULL = "full"
    """A publish met a full mailbox that waits or refuses."""
    DROPPED = "dropped"
    """The mailbox was full and its policy dropped the newest or the oldest."""
    STOPPED = "stopped"
    """The actor was stopping or gone."""
    KILLED = "killed"
    """The actor was killed: while it handled the message, with it queued, or before it was told."""
    UNHANDLED = "unhandled"
    """The actor has no handler for the message's type."""
    INTERRUPTED = "interrupted"
    """The handler was cancelled while the actor lived on."""
    REPLACED = "replaced"
    """The message of a timer that was replaced or cancelled meanwhile, or of an earlier life."""
    ABANDONED = "abandoned"
    """The asker had given up before the request was taken in hand."""
    LATE = "late"
    """The answer to an ask whose asker had given up."""
    CLIENT_GONE = "client_gone"
    """Sent to a client that was gone."""
    CLIENT_SLOW = "client_slow"
    """Sent to a client whose outbox was full."""
    CONFLATED = "conflated"
    """Waited to be sent to a client when a newer message of the same key came."""

    @property
    def of_mail(self) -> bool:
        """Whether the dead letter was told to an actor (an answer or a client's frame was not)."""
        return self not in (Reason.LATE, Reason.CLIENT_GONE, Reason.CLIENT_SLOW, Reason.CONFLATED)


class Waiter(Protocol):
    """What a parked task leaves behind; `asyncio.Future` is one."""

    def done(self) -> bool: ...
    def set_result(self, result: None, /) -> None: ...
    def __await__(self) -> Generator[Any, Any, None]: ...


class Told:
    """What `tell` returns: await it to wait until the message has its place in the queue."""

    __slots__ = ()

    if TYPE_CHECKING:

        def __await__(self) -> Generator[Any, Any, None]: ...
    else:
        # An iterator that ends at once, without a frame of Python: half the time of a generator.
        __await__ = staticmethod(().__iter__)


DONE = Told()


class Waiting(Told):
    """A message that waits for room, and its teller, if it awaits."""

    __slots__ = ("_mailbox", "_waiter", "item")

    def __init__(self, item: object, mailbox: "Mailbox") -> None:
        self.item = item
        self._mailbox: Mailbox | None = mailbox
        self._waiter: Waiter | None = None

    def settle(self) -> None:
        """The message has left the waiting line, for the queue or as a dead letter."""
        self._mailbox = None
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def __await__(self) -> Generator[Any, Any, None]:
        mailbox = self._mailbox
        if mailbox is None:
            return
        if self._waiter is None:
            self._waiter = mailbox.new_waiter()
        try:
            yield from self._waiter.__await__()
        finally:
            # Only a cancelled teller gets here with the message still in line: it never told.
            if self._mailbox is not None:
                mailbox.forget(self)


class Mailbox:
    """See the module's head. `drop` is told of each message that becomes a dead letter here."""

    __slots__ = (
        "capacity",
        "closed",
        "drop",
        "new_waiter",
        "overflow",
        "queue",
        "refused",
        "refused_threads",
        "room",
        "staged",
        "told",
        "transferred",
        "waiter",
        "waiting",
    )

    def __init__(
        self,
        capacity: int,
        overflow: Overflow,
        drop: Callable[[object, Reason], None],
        new_waiter: Callable[[], Waiter],
    ) -> None:
        if capacity < 1:
            raise ValueError(f"a mailbox holds at least 1 message, not {capacity}")
        self.queue: deque[object] = deque()
        self.capacity = capacity
        # What the queue may hold: control items take no room from the mail. 0 once closed, so that
        # each put takes the slow path.
        self.room = capacity
        self.overflow = overflow
        self.drop = drop
        self.new_waiter = new_waiter
        self.waiter: Waiter | None = None
        self.waiting: OrderedDict[Waiting, None] | None = None
        self.closed: Reason | None = None
        self.told = 0
        self.refused = 0
        # Of the inlet: what threads told, and how much of it has come in.
        self.staged = 0
        self.transferred = 0
        self.refused_threads = 0

    def put(self, item: object) -> Told:
        """Take a message in; when full, do as the policy says. May raise `MailboxFull`."""
        if len(self.queue) < self.room:
            self.told += 1
            self.queue.append(item)
            if self.waiter is not None:
                self.wake()
            return DONE
        return self._put_full(item)

    def put_all(self, items: Sequence[object]) -> bool:
        """Take in several at once, if there is room for all of them."""
        if len(self.queue) + len(items) > self.room:
            return False
        self.told += len(items)
        self.queue.extend(items)
        if self.waiter is not None:
            self.wake()
        return True

    def put_now(self, item: object) -> Told:
        """`put` for somebody who cannot wait: raises `MailboxFull` where it would have to."""
        if self.overflow is Overflow.WAIT and self.closed is None and not self._fits(item):
            self._refuse()
        return self.put(item)

    def _refuse(self) -> NoReturn:
        self.refused += 1
        raise MailboxFull(f"the mailbox holds its {self.capacity} messages")

    def offer(self, item: object) -> None:
        """Take a message in, or make it a dead letter: never wait, never raise."""
        if (
            self.closed is not None
            or self.overflow in (Overflow.DROP_NEWEST, Overflow.DROP_OLDEST)
            or self._fits(item)
        ):
            self.put(item)
        else:
            self.told += 1
            self.drop(item, Reason.FULL)

    def _fits(self, item: object) -> bool:
        """Whether there is room for it, while it is open."""
        return len(self.queue) < self.room

    # What threads tell, as the inlet counts it under its lock.

    def room_for(self, message: object) -> int:
        """How many messages of threads fit, this one the first; called in their threads."""
        return self.room - len(self.queue) - (self.staged - self.transferred)

    def stage(self, messages: list[object]) -> None:
        """Count what threads told, until it is transferred."""
        self.staged += len(messages)

    def transfer(self, messages: list[object]) -> None:
        """Count what is no longer staged."""
        self.transferred += len(messages)

    def take_run(self, messages: list[object]) -> bool:
        """Take in what threads told, if there is room for all of it."""
        if not self.put_all(messages):
            return False
        self.transfer(messages)
        return True

    def put_each(self, messages: list[object]) -> None:
        """Take in what threads told while there was room, though it has been taken since."""
        for message in messages:
            self.transfer([message])
            try:
                self.put(message)
            except MailboxFull:
                self.refused -= 1
                self.offer(message)

    def _put_full(self, item: object) -> Told:
        if self.closed is not None:
            self.told += 1
            self.drop(item, self.closed)
        elif self.overflow is Overflow.WAIT:
            if self.waiting is None:
                self.waiting = OrderedDict()
            if len(self.waiting) >= WAITING_LIMIT:
                self.refused += 1
                raise MailboxFull(f"{WAITING_LIMIT} messages already wait for room")
            self.told += 1
            place = Waiting(item, self)
            self.waiting[place] = None
            return place
        elif self.overflow is Overflow.FAIL:
            self._refuse()
        elif self.overflow is Overflow.DROP_NEWEST:
            self.told += 1
            self.drop(item, Reason.DROPPED)
        else:
            self.told += 1
            self._replace_oldest(item)
        return DONE

    def _replace_oldest(self, item: object) -> None:
        # Control items are no mail: look behind those that stand in front.
        for index, queued in enumerate(self.queue):
            if not isinstance(queued, Control):
                del self.queue[index]
                self.queue.append(item)
                self.drop(queued, Reason.DROPPED)  # last: it may call back
                return

    def put_first(self, control: "Control") -> None:
        """A control item that is `first`: before all mail, behind those that stand there."""
        index = 0
        for queued in self.queue:
            if not (isinstance(queued, Control) and queued.first):
                break
            index += 1
        self._make_room()
        self.queue.insert(index, control)
        self.wake()

    def put_last(self, control: "Control") -> None:
        """A control item behind all that was told before, waiting messages included."""
        if self.waiting:
            self.waiting[Waiting(control, self)] = None
        else:
            self._make_room()
            self.queue.append(control)
            self.wake()

    def _make_room(self) -> None:
        if self.closed is None:
            self.room += 1

    def took_control(self) -> None:
        """The consumer took a control item, and with it goes the room made for it."""
        if self.closed is None:
            self.room -= 1

    def wake(self) -> None:
        waiter = self.waiter
        if waiter is not None:
            self.waiter = None
            if not waiter.done():
                waiter.set_result(None)

    def admit(self, taken: object) -> None:
        """Fill the room that the consumer made, by what it took, from the waiting line."""
        waiting = self.waiting
        if isinstance(taken, Control):
            return
        while waiting and (len(self.queue) < self.room or self.closed is not None):
            place, _ = waiting.popitem(last=False)
            if isinstance(place.item, Control):
                self._make_room()
            self.queue.append(place.item)
            place.settle()

    def forget(self, place: Waiting) -> None:
        """Take a waiting message out of line, as if it had never been told."""
        if self.waiting is not None and place in self.waiting:
            del self.waiting[place]
            self.told -= 1

    def close(self, reason: Reason) -> None:
        """Take nothing more in: each further message is a dead letter for `reason`.

        What is queued or waiting stays, to be handled or cleared. There is no way back.
        """
        self.closed = reason
        self.room = 0

    def clear(self, reason: Reason) -> None:
        """Turn what is queued or waiting into dead letters; control items just go."""
        while self.queue or self.waiting:
            self.admit(None)
            item = self.queue.popleft()
            if not isinstance(item, Control):
                self.drop(item, reason)

    def __len__(self) -> int:
        """Messages queued or waiting, control items apart."""
        line = [*self.queue, *(place.item for place in self.waiting or ())]
        return sum(not isinstance(item, Control) for item in line)


class Control:
    """The base of what the runtime itself puts into a mailbox."""

    __slots__ = ("first",)

    def __init__(self, *, first: bool = False) -> None:
        self.first = first
