"""From a failure to a decision: plain code without a loop.

The words are OTP's: a *temporary* actor is never restarted, a *transient* one after a crash.
"""

import enum
from collections import deque
from dataclasses import dataclass


class Restart(enum.Enum):
    """What follows a crash."""

    TEMPORARY = "temporary"
    """The actor ends."""
    TRANSIENT = "transient"
    """The actor goes on with fresh state under the same ref."""


@dataclass(frozen=True, slots=True)
class Intensity:
    """How often is too often: more than `restarts` within `seconds` ends the actor.

    `restarts` is at least 0, `seconds` above 0; else a `ValueError`.
    """

    restarts: int = 3
    seconds: float = 5.0

    def __post_init__(self) -> None:
        if self.restarts < 0:
            raise ValueError(f"restarts must be at least 0, not {self.restarts}")
        if not self.seconds > 0:
            raise ValueError(f"seconds must be above 0, not {self.seconds}")


class Supervision:
    """Decides for one actor, and remembers its restarts in a sliding window."""

    __slots__ = ("_intensity", "_restart", "_times")

    def __init__(self, restart: Restart, intensity: Intensity) -> None:
        self._restart = restart
        self._intensity = intensity
        self._times: deque[float] = deque()

    def restarts_after_crash(self, now: float) -> bool:
        """Whether the actor is restarted after a crash at `now` (seconds of any steady clock)."""
        if self._restart is Restart.TEMPORARY:
            return False
        times = self._times
        while times and times[0] <= now - self._intensity.seconds:
            times.popleft()
        if len(times) >= self._intensity.restarts:
            return False
        times.append(now)
        return True
