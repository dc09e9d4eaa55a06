"""One store of deadlines for a whole system: asks, handlers, ends and sends.

Deadlines are kept by tick, so that adding and discarding one costs two dict operations, and one
that was met leaves nothing behind (a heap would keep each answered ask until its timeout passes).
One timer of the loop serves the earliest tick. A deadline is never early, and late by at most a
tick. The idea is the hashed timing wheel's (Varghese and Lauck).
"""

import heapq
from collections.abc import Callable
from typing import Protocol

from ._log import log
from ._task import Timer

PER_SECOND = 64
TICK = 1 / PER_SECOND
"""Seconds: how late a deadline may be."""
FOREVER = 1e9
"""Seconds, some thirty years: what is to expire later never does."""


class Expiring(Protocol):
    """Something that expires. `tick` is for the store; 0 while it is not in it."""

    tick: int

    def expire(self) -> None: ...


class Deadline:
    """Calls a function when it expires, unless it was cancelled before."""

    __slots__ = ("_deadlines", "_function", "fired", "tick")

    def __init__(
        self, deadlines: "Deadlines", delay: float, function: Callable[[], object]
    ) -> None:
        self.tick = 0
        self.fired = False
        self._deadlines = deadlines
        self._function = function
        deadlines.add(self, delay)

    def expire(self) -> None:
        self.fired = True
        self._function()

    def cancel(self) -> None:
        self._deadlines.discard(self)
        self._function = _nothing  # nor does it keep what it was for


def _nothing() -> None: ...


class Deadlines:
    """See the module's head. `call_later` schedules the one timer."""

    __slots__ = ("_armed", "_buckets", "_call_later", "_ticks", "_timer", "closed", "now")

    def __init__(
        self,
        now: Callable[[], float],
        call_later: Callable[[float, Callable[[], object]], Timer],
    ) -> None:
        self.now = now
        self._call_later = call_later
        self._buckets: dict[int, dict[Expiring, None]] = {}
        self._ticks: list[int] = []
        self._timer: Timer | None = None
        self._armed = 0
        self.closed = False

    def add(self, deadline: Expiring, delay: float) -> None:
        """Have `deadline.expire()` called after `delay` seconds, in a tick that has not begun.

        One that was added before is moved. One in the distant future never expires, and after
        `close` none does.
        """
        if deadline.tick:
            self.discard(deadline)
        if self.closed or delay > FOREVER:
            return
        tick = int((self.now() + delay) * PER_SECOND) + 1
        deadline.tick = tick
        bucket = self._buckets.get(tick)
        if bucket is None:
            self._buckets[tick] = {deadline: None}
            heapq.heappush(self._ticks, tick)
            if self._timer is None or tick < self._armed:
                self._arm()
        else:
            bucket[deadline] = None

    def bring_forward(self, deadline: Expiring, delay: float) -> None:
        """`add`, unless it expires before that already."""
        if not deadline.tick or deadline.tick * TICK > self.now() + delay:
            self.add(deadline, delay)

    def discard(self, deadline: Expiring) -> None:
        """Forget a deadline; one that expired or was never added is no error."""
        bucket = self._buckets.get(deadline.tick)
        if bucket is not None:
            bucket.pop(deadline, None)
        deadline.tick = 0

    def pending(self) -> list[Expiring]:
        """What has still to expire."""
        return [deadline for bucket in self._buckets.values() for deadline in bucket]

    def __len__(self) -> int:
        return sum(map(len, self._buckets.values()))

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed = self._ticks[0]
        self._timer = self._call_later(max(0.0, self._armed * TICK - self.now()), self._fire)

    def _fire(self) -> None:
        self._timer = None
        tick_now = int(self.now() / TICK)
        while self._ticks and self._ticks[0] <= tick_now:
            tick = heapq.heappop(self._ticks)
            # Out of the store first: what expires may add deadlines, or discard some of these.
            for deadline in self._buckets.pop(tick):
                if deadline.tick == tick:
                    deadline.tick = 0
                    try:
                        deadline.expire()
                    except Exception as error:  # noqa: BLE001  # the others must expire as well
                        log("error", "a deadline raised", error)
        while self._ticks and not self._buckets[self._ticks[0]]:
            del self._buckets[heapq.heappop(self._ticks)]
        if self._ticks and self._timer is None:
            self._arm()

    def close(self) -> None:
        """Let nothing expire any more."""
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._buckets.clear()
        self._ticks.clear()
