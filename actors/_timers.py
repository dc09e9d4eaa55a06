"""The timers of one actor, and the messages they leave in its mailbox."""

import math
from collections.abc import Hashable

from ._deadlines import Deadlines
from .mailbox import Mailbox


class Tick:
    """A timer's message in the mailbox; stale once the timer was replaced, cancelled or cleared."""

    __slots__ = ("message", "timer")

    def __init__(self, timer: "MessageTimer", message: object) -> None:
        self.timer = timer
        self.message = message


class MessageTimer:
    """Puts a message into a mailbox, once or again and again."""

    __slots__ = ("_due", "_every", "_key", "_message", "_timers", "_waiting", "tick", "valid")

    def __init__(
        self,
        timers: "Timers",
        key: Hashable,
        message: object,
        delay: float,
        every: float | None,
    ) -> None:
        self.tick = 0
        self.valid = True
        self._waiting: Tick | None = None  # in the mailbox
        self._timers = timers
        self._key = key
        self._message = message
        self._every = every
        self._due = timers.deadlines.now() + delay
        timers.deadlines.add(self, delay)

    def expire(self) -> None:
        if self._every is not None:
            self._again(self._every)
        if self._waiting is None:  # a slow actor is not buried under what it can't keep up with
            self._waiting = tick = Tick(self, self._message)
            self._timers.mailbox.offer(tick)

    def _again(self, every: float) -> None:
        # From when it was due, or each tick's lateness would add up; the periods that a loop which
        # stood still has missed are left out.
        deadlines = self._timers.deadlines
        now = deadlines.now()
        self._due += every * max(1, math.ceil((now - self._due) / every))
        deadlines.add(self, self._due - now)

    def left(self, tick: Tick) -> None:
        """A message of its has left the mailbox, to be handled or as a dead letter."""
        if self._waiting is not tick:
            return  # it had left already, and was in hand
        self._waiting = None
        if self._every is None:
            self._timers.forget(self._key, self)

    def cancel(self) -> None:
        self.valid = False
        self._timers.deadlines.discard(self)


class Timers:
    """See the module's head."""

    __slots__ = ("_timers", "deadlines", "mailbox")

    def __init__(self, deadlines: Deadlines, mailbox: Mailbox) -> None:
        self.deadlines = deadlines
        self.mailbox = mailbox
        self._timers: dict[Hashable, MessageTimer] = {}

    def start(self, key: Hashable, message: object, delay: float, every: float | None) -> None:
        """Start a timer in the place of one with that key."""
        self.cancel(key)
        self._timers[key] = MessageTimer(self, key, message, delay, every)

    def forget(self, key: Hashable, timer: MessageTimer) -> None:
        """The timer has done what it had to do."""
        if self._timers.get(key) is timer:
            del self._timers[key]

    def cancel(self, key: Hashable) -> None:
        """Cancel a timer, and have its message that is queued dropped; none is no error."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    def clear(self) -> None:
        """Cancel all."""
        while self._timers:
            self._timers.popitem()[1].cancel()
