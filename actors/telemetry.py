"""What the runtime reports: dead letters and the moments of a life.

An `Instrument` is called at each moment. With none installed a moment costs an empty loop.
(The idea of hooks that are free until installed is Trio's.)
"""

from dataclasses import dataclass, field
from typing import Final, Literal

from .mailbox import Reason
from .ref import ActorRef


class _Reserved(str):
    """A topic that no other string equals: a client that may choose a room cannot choose it."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    __hash__ = object.__hash__


DEAD_LETTERS: Final = _Reserved("greenroom.dead_letters")
"""The group whose members get each `DeadLetter`, by their mailboxes' policies."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that no handler finished, and why."""

    message: object
    target: ActorRef
    reason: Reason


@dataclass(frozen=True, slots=True)
class Terminated:
    """What a watcher gets when the actor it watches has ended and all its cleanup is done.

    `how`: `drain`, `stop`, `kill` or `crash`; `error` after a crash, unless the actor had ended
    before it was watched.
    """

    ref: ActorRef
    how: Literal["drain", "stop", "kill", "crash"]
    error: Exception | None = None


@dataclass(slots=True)
class Stats:
    """Counts since the system started.

    At any moment `told == handled + crashed + queued + in_hand +` the dead letters whose reason is
    `of_mail`. Messages refused to their teller (`refused`) were never told.
    """

    told: int = 0
    handled: int = 0
    crashed: int = 0
    refused: int = 0
    queued: int = 0
    in_hand: int = 0
    actors: int = 0
    dead_letters: dict[Reason, int] = field(default_factory=dict[Reason, int])


def unaccounted(stats: Stats) -> int:
    """How many messages were told of which nothing is known; 0 if the counts are right."""
    dead = sum(number for reason, number in stats.dead_letters.items() if reason.of_mail)
    return stats.told - (stats.handled + stats.crashed + stats.queued + stats.in_hand + dead)


class Instrument:
    """Override what you want to hear of. Methods run in the loop's thread and must not block.

    An instrument that raises is logged and otherwise ignored.
    """

    def spawned(self, ref: ActorRef) -> None:
        """`on_start` returned, and the actor takes mail."""

    def crashed(self, ref: ActorRef, error: Exception) -> None:
        """A handler or a callback raised."""

    def restarted(self, ref: ActorRef, error: Exception | None) -> None:
        """The actor lives on with fresh state; without an error after its own stop."""

    def stopped(self, ref: ActorRef) -> None:
        """The actor ended, after its cleanup."""

    def dead_letter(self, letter: DeadLetter) -> None:
        """A message that no handler finished."""
