"""A family: the children of one actor, and what becomes of them when one fails.

What is decided is `supervision`'s. An actor without a parent is the only child of a family of its
own. For now each child is restarted alone: the strategies that restart several are decided there
already, but nobody carries them out yet.
"""

from typing import TYPE_CHECKING

from .exceptions import IntensityExceeded
from .ref import STOP_TIMEOUT
from .supervision import (
    Backoff,
    Decision,
    Directive,
    Intensity,
    Restart,
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
        "_supervisor",
        "children",
    )

    def __init__(
        self,
        parent: "Recovery | None",
        intensity: Intensity,
        backoff: Backoff | None,
    ) -> None:
        self.children: dict[Recovery, Restart] = {}
        self._parent = parent
        self._intensity = intensity
        self._backoff = backoff
        self._supervisor: Supervisor[Recovery] | None = None  # from the first failure on

    def decide(
        self, child: "Recovery", directive: Directive | None, now: float
    ) -> "Decision[Recovery]":
        """What follows a failure; `directive` is `None` for a child that ended by itself."""
        if self._supervisor is None:
            self._supervisor = Supervisor(intensity=self._intensity, backoff=self._backoff)
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
        """The parent starts anew, and its children's failures are forgotten."""
        self._supervisor = None

    async def end(self, parent: "Recovery") -> None:
        """End the children, the last started first; once the parent is killed, by a kill."""
        while self.children:
            child = next(reversed(self.children))
            parent.child_ending = child
            await (child.kill() if parent.killed else child.stop(STOP_TIMEOUT))
        parent.child_ending = None
