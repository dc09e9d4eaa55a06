"""From a failure to a decision: plain code without a loop, without a clock.

The words and rules are those of OTP's `supervisor`; directives are Akka's, the backoff Pekko's.
`Supervisor` decides for one parent what follows when a child crashes or ends by itself. Its parent
carries the `Decision` out; a child that somebody ended on purpose is nobody's failure.
"""

import enum
import math
import random
import sys
from bisect import bisect_right
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Restart(enum.Enum):
    """After what a child is restarted: with fresh state, under the same ref."""

    PERMANENT = "permanent"
    """After a crash, and after it ended by itself."""
    TRANSIENT = "transient"
    """After a crash only."""
    TEMPORARY = "temporary"
    """Never, not even when a sibling's restart stopped it."""


class Strategy(enum.Enum):
    """Which children are restarted when one is."""

    ONE_FOR_ONE = "one_for_one"
    """That one."""
    ONE_FOR_ALL = "one_for_all"
    """All."""
    REST_FOR_ONE = "rest_for_one"
    """That one and those started after it."""


class Directive(enum.Enum):
    """What an error calls for."""

    RESTART = "restart"
    """What the child's restart type says of a crash."""
    RESUME = "resume"
    """The child keeps its state and drops the message, whatever its restart type."""
    STOP = "stop"
    """The child ends, whatever its restart type."""


def directive_for(error: Exception, directives: Mapping[type[Exception], Directive]) -> Directive:
    """The entry of the nearest class in the error's method resolution order, else `RESTART`.

    An `ExceptionGroup` is looked up as itself, not by what it holds.
    """
    for kind in type(error).__mro__:
        if issubclass(kind, Exception) and kind in directives:
            return directives[kind]
    return Directive.RESTART


@dataclass(frozen=True, slots=True)
class Intensity:
    """How often is too often: more than `restarts` within `seconds`, a window that slides.

    A restart exactly `seconds` ago no longer counts. `restarts` is at least 0 and finite,
    `seconds` above 0 (infinity: nothing is ever forgotten); else a `ValueError`.
    """

    restarts: int = 3
    seconds: float = 5.0

    def __post_init__(self) -> None:
        if not 0 <= self.restarts < math.inf:
            raise ValueError(f"restarts must be at least 0 and finite, not {self.restarts}")
        if not self.seconds > 0:
            raise ValueError(f"seconds must be above 0, not {self.seconds}")


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long the nth restart of a child in a row waits; times are seconds.

    `min(maximum, minimum * factor ** (n - 1))`, spread by the part `jitter` of it to either side,
    but never outside the bounds. Failures of either kind count, a crash and an end by itself.

    `calm` seconds without one since the last restart was due begin a new row (infinity: never).
    By default that is `maximum`: a child that takes as long as that to fail is restarted no more
    often than one that fails at once. (Pekko takes the mean of the bounds.)

    The intensity counts all the same, so let it allow for the row: with both at their defaults, the
    third restart comes within a second, and the next failure escalates.

    `0 <= minimum <= maximum`, `factor >= 1`, all three finite; `0 <= jitter <= 1`; `calm >= 0`;
    else a `ValueError` that names the field.
    """

    minimum: float = 0.1
    maximum: float = 10.0
    factor: float = 2.0
    jitter: float = 0.2
    calm: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.minimum < math.inf:
            raise ValueError(f"minimum must be at least 0 and finite, not {self.minimum}")
        if not self.minimum <= self.maximum < math.inf:
            raise ValueError(f"maximum must be at least minimum and finite, not {self.maximum}")
        if not 1 <= self.factor < math.inf:
            raise ValueError(f"factor must be at least 1 and finite, not {self.factor}")
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"jitter must be between 0 and 1, not {self.jitter}")
        if self.calm is not None and not self.calm >= 0:
            raise ValueError(f"calm must be at least 0, not {self.calm}")

    def delay(self, nth: int, chance: float) -> float:
        """Seconds before the `nth` restart in a row (from 1); `chance`, of [0, 1], spreads it."""
        try:
            growth = self.factor ** (nth - 1)
        except OverflowError:  # any minimum but 0 has come to the maximum long before
            growth = sys.float_info.max
        middle = min(self.maximum, self.minimum * growth)
        # Even over what the bounds leave of the spread: cut off instead, half of all children
        # would wait for exactly the bound, and come back together.
        low = max(self.minimum, middle * (1 - self.jitter))
        high = min(self.maximum, middle * (1 + self.jitter))
        return min(high, low + (high - low) * chance)

    def calms(self, quiet: float) -> bool:
        """Whether so many seconds without a failure begin a new row."""
        return quiet >= (self.maximum if self.calm is None else self.calm)


class Action(enum.Enum):
    """What becomes of the child that failed."""

    RESUME = "resume"
    """It goes on; its siblings notice nothing."""
    RESTART = "restart"
    """It is restarted, maybe with others."""
    END = "end"
    """It ends; its siblings notice nothing."""
    ESCALATE = "escalate"
    """It ends with all the others, and the failure is the supervisor's own from here on."""


@dataclass(frozen=True, slots=True)
class Decision(Generic[K]):
    """What to do, in this order: stop each of `stop`, wait `delay` seconds, start each of `start`.

    For a restart, `start` is the failed child and those restarted with it, in order of start;
    `stop` is the others that this touches, in reverse order, temporary ones included, which are
    not started again. For an escalation `stop` is all children, the failed one included, in reverse
    order. Else nobody is touched. `delay` is 0 without a backoff.

    A child that waits for its start and is named by a later decision follows the later one. One
    whose start fails has crashed: decide again, with those that still wait among the children.
    """

    action: Action
    stop: tuple[K, ...] = ()
    start: tuple[K, ...] = ()
    delay: float = 0.0


class Supervisor(Generic[K]):
    """Decides for one supervisor; remembers its restarts, and each failing child's row of them.

    Make it at the first failure: before that there is nothing to remember. `random` gives numbers
    of [0, 1) for the backoff's jitter.
    """

    __slots__ = ("_backoff", "_intensity", "_random", "_rows", "_strategy", "_times")

    def __init__(
        self,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        intensity: Intensity = Intensity(),
        backoff: Backoff | None = None,
        random: Callable[[], float] = random.random,
    ) -> None:
        self._strategy = strategy
        self._intensity = intensity
        self._backoff = backoff
        self._random = random
        self._times: list[float] = []  # of the restarts in the window; a deque is ten times larger
        self._rows: dict[K, tuple[int, float]] = {}  # restarts in a row, when the last was due

    def decide(
        self, child: K, children: Mapping[K, Restart], now: float, directive: Directive | None
    ) -> Decision[K]:
        """What follows after `child` crashed or ended by itself.

        `children`: the living ones and those that wait for a restart, in order of start, the failed
        one included; else a `KeyError`. It is read through only if others are touched.
        `now`: seconds of any steady clock, never less than before.
        `directive`: what the crash calls for; `None` if the child ended by itself.

        Each restart takes one place in the intensity's window, however many children it touches;
        what is no restart takes none. When no place is left it escalates: a crash of the supervisor
        itself. From then on the window means nothing, so drop this object; the supervisor, should
        it be restarted, begins with a new one.
        """
        restart = children[child]
        if directive is Directive.RESUME:
            return Decision(Action.RESUME)
        if not _restarts(restart, directive):
            self.forget(child)
            return Decision(Action.END)
        if not self._takes_place(now):
            return Decision(Action.ESCALATE, stop=tuple(children)[::-1])
        touched = self._touched(child, children)
        return Decision(
            Action.RESTART,
            stop=tuple(each for each in reversed(touched) if each != child),
            start=tuple(each for each in touched if children[each] is not Restart.TEMPORARY),
            delay=self._wait(child, now),
        )

    def forget(self, child: K) -> None:
        """The child is gone for good (ended on purpose, say). Fine if it never failed."""
        self._rows.pop(child, None)

    def _takes_place(self, now: float) -> bool:
        times = self._times
        del times[: bisect_right(times, now - self._intensity.seconds)]
        if len(times) >= self._intensity.restarts:
            return False
        times.append(now)
        return True

    def _touched(self, child: K, children: Mapping[K, Restart]) -> tuple[K, ...]:
        """The failed child and those that share its restart, in order of start."""
        if self._strategy is Strategy.ONE_FOR_ONE:
            return (child,)
        ordered = tuple(children)
        first = ordered.index(child) if self._strategy is Strategy.REST_FOR_ONE else 0
        return ordered[first:]

    def _wait(self, child: K, now: float) -> float:
        """Seconds before this restart, which is counted."""
        backoff = self._backoff
        if backoff is None:
            return 0.0
        # From when the restart was due: from the failure on, a long delay would pass for calm.
        before, due = self._rows.get(child, (0, now))
        nth = 1 if backoff.calms(now - due) else before + 1
        delay = backoff.delay(nth, self._random())
        self._rows[child] = (nth, now + delay)
        return delay


def _restarts(restart: Restart, directive: Directive | None) -> bool:
    """Whether a child of that type is restarted: after such a crash, or having ended by itself."""
    if directive is None:
        return restart is Restart.PERMANENT
    return directive is not Directive.STOP and restart is not Restart.TEMPORARY
