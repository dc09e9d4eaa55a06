"""A family: the children of one actor, and what becomes of them when one fails.

What is decided is `supervision`'s; here it is carried out, in the task of the child that failed:
the others it touches are suspended in reverse order, and when all the old ones are gone, each is
started again in order. An actor without a parent is the only child of a family of its own.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ._latch import Latch
from .exceptions import IntensityExceeded
from .mailbox import Waiter
from .ref import STOP_TIMEOUT
from .supervision import (
    Backoff,
    Decision,
    Directive,
    Intensity,
    Restart,
    Strategy,
    Supervisor,
)

if TYPE_CHECKING:
    from ._recovery import Recovery


class Family:
    """See the module's head."""

    __slots__ = (
        "_backoff",
        "_intensity",
        "_parent",
        "_strategy",
        "_supervisor",
        "children",
        "regroup",
    )

    def __init__(
        self,
        parent: "Recovery | None",
        strategy: Strategy,
        intensity: Intensity,
        backoff: Backoff | None,
    ) -> None:
        self.children: dict[Recovery, Restart] = {}
        self._parent = parent
        self._strategy = strategy
        self._intensity = intensity
        self._backoff = backoff
        self._supervisor: Supervisor[Recovery] | None = None  # from the first failure on
        self.regroup: Regroup | None = None
        """A restart of several that is under way; one at a time."""

    def decide(
        self, child: "Recovery", directive: Directive | None, now: float
    ) -> "Decision[Recovery]":
        """What follows a failure; `directive` is `None` for a child that ended by itself."""
        if self._supervisor is None:
            self._supervisor = Supervisor(
                self._strategy, self._intensity, self._backoff, child.core.loop.chance
            )
        return self._supervisor.decide(child, self.children, now, directive)

    def escalate(self, child: "Recovery", error: Exception | None) -> None:
        """Its failure is the parent's from here on."""
        if self._parent is not None:
            failure = IntensityExceeded(
                f"{child.name} failed once more than {self._intensity.restarts} times "
                f"within {self._intensity.seconds:g} s"
            )
            failure.__cause__ = error
            self._parent.fail_soon(failure)

    def remove(self, child: "Recovery") -> None:
        """The child has ended."""
        self.children.pop(child, None)
        if self._supervisor is not None:
            self._supervisor.forget(child)

    def reset(self) -> None:
        """The parent starts anew, and its failures are forgotten."""
        self._supervisor = None

    async def suspend(self, others: "Iterable[Recovery]") -> None:
        """Have them gone, one after the other: the temporary for good, the rest until `revive`."""
        for other in others:
            if self.children.get(other) is Restart.TEMPORARY:
                await other.stop(STOP_TIMEOUT)
            else:
                await other.suspend(STOP_TIMEOUT)

    async def end(self, parent: "Recovery") -> None:
        """End the children, the last started first; once the parent is killed, by a kill."""
        while self.children:
            child = next(reversed(self.children))
            parent.child_ending = child
            await (child.kill() if parent.killed else child.stop(STOP_TIMEOUT))
        parent.child_ending = None


class Regroup:
    """A restart of several children. `waiting`: those whose next life it has still to begin."""

    __slots__ = ("over", "waiting")

    def __init__(self, new_waiter: Callable[[], Waiter], waiting: "Iterable[Recovery]") -> None:
        self.over = Latch(new_waiter)
        self.waiting = set(waiting)


class Suspension:
    """Between the old life of a suspended actor and its next one."""

    __slots__ = ("error", "reached", "revived", "started", "taken")

    def __init__(self, new_waiter: Callable[[], Waiter]) -> None:
        self.reached = Latch(new_waiter)
        self.revived = Latch(new_waiter)
        self.started = Latch(new_waiter)
        self.error: Exception | None = None
        self.taken = False

    def release(self) -> None:
        """Its actor has ended: nobody waits any longer."""
        self.reached.set()
        self.revived.set()
        self.started.set()
