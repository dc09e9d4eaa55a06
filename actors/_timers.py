"""The timers of one actor, and the messages they leave in its mailbox."""

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

    __slots__ = ("_deadlines", "_every", "_mailbox", "_message", "tick", "valid", "waits")

    def __init__(
        self,
        deadlines: Deadlines,
        mailbox: Mailbox,
        message: object,
        delay: float,
        every: float | None,
    ) -> None:
        self.tick = 0
        self.valid = True
        self.waits = False  # whether its message is queued
        self._deadlines = deadlines
        self._mailbox = mailbox
        self._message = message
        self._every = every
        deadlines.add(self, delay)

    def expire(self) -> None:
        if self._every is not None:
            self._deadlines.add(self, self._every)
        if not self.waits:  # a slow actor is not buried under what it could not keep up with
            self.waits = True
            self._mailbox.offer(Tick(self, self._message))

    def cancel(self) -> None:
        self.valid = False
        self._deadlines.discard(self)


class Timers:
    """See the module's head."""

    __slots__ = ("_deadlines", "_mailbox", "_timers")

    def __init__(self, deadlines: Deadlines, mailbox: Mailbox) -> None:
        self._deadlines = deadlines
        self._mailbox = mailbox
        self._timers: dict[Hashable, MessageTimer] = {}

    def start(self, key: Hashable, message: object, delay: float, every: float | None) -> None:
        """Start a timer in the place of one with that key."""
        self.cancel(key)
        timer = MessageTimer(self._deadlines, self._mailbox, message, delay, every)
        self._timers[key] = timer

    def cancel(self, key: Hashable) -> None:
        """Cancel a timer, and have its message that is queued dropped; none is no error."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    def clear(self) -> None:
        """Cancel all."""
        while self._timers:
            self._timers.popitem()[1].cancel()
