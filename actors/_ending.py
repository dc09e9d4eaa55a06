"""How an actor is ended: by a drain, a stop or a kill; by its own `on_stop`; under a deadline.

What each does to one that ends already (a row is what is under way, a column what comes):

               drain       stop                          kill
    nothing    begins      begins                        begins
    a drain    nothing     takes over                    takes over
    a stop     nothing     brings the deadline forward   takes over
    a crash    nothing     nothing                       takes over
    a kill     nothing     nothing                       nothing

Once the children are ending (`_finishing`) a stop changes nothing any more.
"""

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Generator
from typing import Any

from ._ask import Ask
from ._core import Core
from ._deadlines import Deadline
from ._log import log
from ._task import CANCEL_AGAIN, Hand, Work
from ._work import LEAVE, LEAVE_FIRST, Worker
from .actor import Actor, End
from .exceptions import HandlerTimeout, StopTimeout
from .mailbox import DONE, Reason, Waiter

DRAINED = End("drain")
STOPPED = End("stop")

PRUNE = 16
"""Waiters for one end, from which on those that gave up are cleared away."""


class Ending(Worker):
    """See the module's head. The hand is how its task's work in hand is cancelled."""

    __slots__ = (
        "_at_deadline",
        "_end",
        "_finishing",
        "_hand",
        "_on_stop_ran",
        "_rushing",
        "_timed_out",
        "awaits",
        "child_ending",
        "enders",
        "killed",
        "name",
        "tick",
    )

    name: str

    def __init__(self, core: Core, actor: Actor) -> None:
        super().__init__(core, actor)
        self._hand: Hand | None = None  # before its task begins, and after it has ended
        self._end: End | None = None  # once one is decided; a kill leaves it as it was
        self.killed = False
        self._finishing = False
        self._on_stop_ran = False  # in this life
        self.enders: list[Waiter] | None = []  # None once it has ended
        self.child_ending: Ending | None = None
        self.awaits: Ask[Any] | None = None
        """The question whose answer its own task awaits now."""
        self.tick = 0  # of its deadline, which is for one thing at a time: it expires itself
        self._at_deadline: Callable[[], object] | None = None
        self._timed_out: HandlerTimeout | None = None
        self._rushing: Deadline | None = None

    @abstractmethod
    def call_later(self, delay: float, function: Callable[[], object]) -> Deadline:
        """Call the function in `delay` seconds."""

    @abstractmethod
    def _withdraw(self) -> None:
        """Leave the groups, and have no timer fire any more."""

    @abstractmethod
    def _await_no_life(self) -> None:
        """An end has been decided: go on to it, if it waits for another life to begin."""

    @property
    def _lives(self) -> bool:
        """Whether its end may still be asked for."""
        return self.enders is not None and not self.killed

    @property
    def _ends(self) -> bool:
        """Whether its end has been decided, and no more mail will be handled before it."""
        return self.killed or (self._end is not None and self._end is not DRAINED)

    def is_current(self) -> bool:
        """Whether it is its own task that runs now."""
        return self.core.loop.owner() is self

    def __await__(self) -> Generator[Any, Any, None]:
        """Wait for its end; not in its own handler, which the end waits for."""
        self.core.check_thread()
        enders = self.enders
        if enders is None or self.is_current():
            return DONE.__await__()
        if len(enders) >= PRUNE:
            enders[:] = [waiter for waiter in enders if not waiter.done()]
        waiter = self.core.loop.new_waiter()
        enders.append(waiter)
        return waiter.__await__()

    # The ends that are asked for.

    def drain(self, timeout: float) -> Awaitable[None]:
        """End it after what is queued, by a deadline."""
        self._drain(self.kill, timeout)
        return self

    def drain_or_interrupt(self, timeout: float) -> None:
        """The same, but past the deadline it is the handler in hand that is cancelled."""
        self._drain(self._interrupt, timeout)

    def _drain(self, then: Callable[[], object], timeout: float) -> None:
        if self._end is None and self._lives:
            self._close(DRAINED)
            self._set_deadline(then, timeout)
            self.mailbox.put_last(LEAVE)

    def _interrupt(self) -> None:
        self.mailbox.put_first(LEAVE_FIRST)
        self._cancel_hand()

    def stop(self, timeout: float) -> Awaitable[None]:
        """End it after the handler in hand, by a deadline."""
        if not self._lives or self._finishing:
            return self
        if self._end is None or self._end is DRAINED:
            self._close(STOPPED)
            self._set_deadline(self.kill, timeout)
            self._clear_mail()  # nobody will handle it, so who asks should not wait any longer
            self.mailbox.put_first(LEAVE_FIRST)
            self._await_no_life()
        elif self._at_deadline == self.kill:
            self.core.deadlines.bring_forward(self, timeout)
        return self

    def kill(self) -> Awaitable[None]:
        """End it now."""
        if self._lives:
            self.killed = True
            self._close(self._end)
            self._clear_mail()
            self.mailbox.put_first(LEAVE_FIRST)
            if self.child_ending is not None:
                self.child_ending.kill()
            self._await_no_life()
            self._clear_deadline()
            self._cancel_hand()
        return self

    def kill_again(self) -> None:
        """Kill it; if it was killed before, cancel once more what it still does."""
        if self.killed and self._hand is not None:
            self._hand.cancel(again=True)
        self.kill()

    # The work in hand.

    def time_out(self, error: HandlerTimeout) -> None:
        """Cancel the handler in hand, which ran past its deadline."""
        self._timed_out = error
        self._cancel_hand()

    def interrupt_hand(self) -> None:
        if not self.is_current():
            self._cancel_hand()

    def _cancel_hand(self) -> None:
        """Cancel what the hand does now, and again as long as it swallows that and waits."""
        hand = self._hand
        if hand is not None and hand.busy:
            self.awaits = None  # not for long
            hand.cancel()
            if hand.forgets:
                self._watch_cancelled(hand, self.handled, self.in_hand)

    def _watch_cancelled(self, hand: Hand, handled: int, in_hand: object) -> None:
        def check() -> None:
            if hand.busy and self.handled == handled and self.in_hand is in_hand:
                hand.cancel(again=True)
                self._watch_cancelled(hand, handled, in_hand)

        self._rush(CANCEL_AGAIN, check)

    def _rush(self, delay: float, check: Callable[[], object]) -> None:
        """See after a while whether the handler in hand still holds up what is to come."""
        self._calm()
        self._rushing = self.call_later(delay, check)

    def _calm(self) -> None:
        """Nothing is held up any more."""
        rushing, self._rushing = self._rushing, None
        if rushing is not None:
            rushing.cancel()

    async def _hand_run(self, work: Work) -> bool:
        """Run a callback; whether it was cancelled, or not even begun, after a kill."""
        assert self._hand is not None
        cancelled = self.killed or await self._hand.run(work)
        self._calm()
        return cancelled

    # The way to the end.

    def _close(self, end: End | None) -> None:
        """Take no more mail and leave the groups."""
        self._end = end
        if self.mailbox.closed is None:
            self._withdraw()
        self.mailbox.close(Reason.KILLED if self.killed else Reason.STOPPED)

    def _clear_mail(self) -> None:
        self.mailbox.clear(Reason.KILLED if self.killed else Reason.STOPPED)

    async def _stop_actor(self, end: End) -> None:
        """Run `on_stop`, under its deadline."""
        self._on_stop_ran = True
        actor = self.actor
        self._set_deadline(self._cancel_hand, actor.stop_timeout)
        try:
            await self._hand_run(lambda: actor.__finish__(end))
        except Exception as error:  # noqa: BLE001  # it harms nobody else
            self._report_on_stop(error)
        else:
            if self._at_deadline is None and not self.killed:  # it has expired
                self._report_on_stop(
                    StopTimeout(f"on_stop took more than {actor.stop_timeout:g} s")
                )
        if self._at_deadline == self._cancel_hand:  # not that of a drain which came meanwhile
            self._clear_deadline()

    def _report_on_stop(self, error: Exception) -> None:
        log("error", "on_stop failed", error, actor=self.name)
        if self.core.instruments:
            self.core.report("crashed", self.ref, error)

    # The deadline.

    def _set_deadline(self, function: Callable[[], object], timeout: float) -> None:
        self._at_deadline = function
        self.core.deadlines.add(self, timeout)

    def _clear_deadline(self) -> None:
        self._at_deadline = None
        if self.tick:
            self.core.deadlines.discard(self)

    def expire(self) -> None:
        """Its deadline has come."""
        function, self._at_deadline = self._at_deadline, None
        if function is not None:
            function()
