"""What all cells of one system share."""

from collections.abc import Callable, Iterable, Sequence
from threading import get_ident
from typing import TYPE_CHECKING, Any
from weakref import ref as weakref

from ._ask import is_ask, message_in
from ._deadlines import Deadlines
from ._inlet import Inlet
from ._log import log
from ._task import TaskLoop, Timer
from .exceptions import ActorStopped, Interrupted, MailboxFull, Unhandled
from .groups import Groups
from .mailbox import Reason
from .ref import ActorRef
from .registry import Registry
from .telemetry import DEAD_LETTERS, DeadLetter, Instrument, Stats

if TYPE_CHECKING:
    from ._cell import Cell


class Core:
    """One system's loop, registry, groups, deadlines and counts."""

    def __init__(self, loop: TaskLoop, instruments: Sequence[Instrument], thread: int) -> None:
        self.loop = loop
        self.thread = thread
        self.nursery: Any = None
        self.registry: Registry[Cell] = Registry()
        self.cells = self.registry.cells
        self.groups = Groups()
        self.deadlines = Deadlines(loop.now, self._call_later)
        self.inlet = Inlet(loop.thread_waker)
        self.instruments = tuple(instruments)
        self.ended = Stats()
        self.stopping = False
        self._reporting = False

    def _call_later(self, delay: float, function: Callable[[], object]) -> Timer:
        return self.loop.call_later(self.nursery, delay, function)

    def publish(self, topic: str, message: object, exclude: ActorRef | Iterable[ActorRef]) -> None:
        """Publish; from any thread."""
        if get_ident() == self.thread:
            self.groups.publish(topic, message, exclude)
            return
        excluded = exclude if isinstance(exclude, ActorRef) else frozenset(exclude)
        self.inlet.call(lambda: self.groups.publish(topic, message, excluded))

    def check_thread(self) -> None:
        """Raise `RuntimeError` in any thread but the loop's own."""
        if get_ident() != self.thread:
            raise RuntimeError(
                "in the loop's own thread only; others may tell, publish, ask_blocking and end"
            )

    @property
    def roots(self) -> "list[Cell]":
        """The actors without a parent, in the order of their starts."""
        return [cell for cell in self.cells.values() if cell.parent is None]

    def abort(self) -> None:
        """Kill all actors, parents and children at once."""
        for cell in reversed(tuple(self.cells.values())):
            cell.kill_again()

    def report(self, moment: str, *arguments: object) -> None:
        """Call every instrument; one that raises harms nobody."""
        for instrument in self.instruments:
            try:
                getattr(instrument, moment)(*arguments)
            except Exception as error:  # noqa: BLE001  # the observed must not suffer for it
                log("error", "an instrument raised", error, moment=moment)

    def late(self, ended: "weakref[Cell]", item: object, reason: Reason) -> None:
        """A message to an actor that has ended, whose own counts were added up."""
        self.ended.told += 1
        cell = ended()
        if cell is not None:
            self.dead_letter(item, cell.ref, reason)
            return
        # From a thread that had the last ref, and has given up since: nobody to report it of.
        self.ended.dead_letters[reason] = self.ended.dead_letters.get(reason, 0) + 1
        if is_ask(item):
            item.fail(ActorStopped("the actor has ended"))

    def dead_letter(self, item: object, ref: ActorRef, reason: Reason) -> None:
        """Count and report a message that no handler finished; an ask among them fails."""
        dead = self.ended.dead_letters
        dead[reason] = dead.get(reason, 0) + 1
        message = message_in(item)
        if is_ask(item):
            item.fail(_refusal(ref, message, reason))
        if self.instruments and not self._reporting:
            # Those that come of the report itself are counted only: it could go on for ever.
            self._reporting = True
            try:
                self.report("dead_letter", DeadLetter(message, ref, reason))
            finally:
                self._reporting = False
        # A dead letter about a dead letter is only counted, too.
        if self.groups.has_members(DEAD_LETTERS) and not isinstance(message, DeadLetter):
            try:
                self.groups.publish(DEAD_LETTERS, DeadLetter(message, ref, reason))
            except Exception as error:  # noqa: BLE001  # whatever a lane makes of it, the end goes on
                log("error", "a dead letter could not be published", error)

    def stats(self) -> Stats:
        """The counts of the ended and of the living."""
        ended = self.ended
        stats = Stats(
            told=ended.told,
            handled=ended.handled,
            crashed=ended.crashed,
            refused=ended.refused,
            actors=len(self.cells),
            dead_letters=dict(ended.dead_letters),
        )
        for cell in self.cells.values():
            cell.add_to(stats)
        return stats


def _refusal(ref: ActorRef, request: object, reason: Reason) -> Exception:
    kind = type(request).__name__
    if reason is Reason.UNHANDLED:
        return Unhandled(f"{ref.name} has no handler for {kind}")
    if reason in (Reason.FULL, Reason.DROPPED):
        return MailboxFull(f"{ref.name} dropped {kind}: its mailbox is full")
    if reason is Reason.INTERRUPTED:
        return Interrupted(f"{ref.name} was interrupted while it handled {kind}")
    return ActorStopped(f"{ref.name} did not answer {kind}: {reason}")
