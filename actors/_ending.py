"""How an actor is ended: by a drain, a stop or a kill; by its own `on_stop`; under a deadline.

What each does to one that ends already (a row is what is under way, a column what comes):

               drain       stop                          kill
    nothing    begins      begins                        begins
    a drain    nothing     takes over                    takes over
    a stop     nothing     brings the deadline forward   takes over
    a crash    nothing     nothing                       takes over
    a kill     nothing     nothing                       nothing

Of the deadlines of a drain and of a stop that takes over, the earlier counts. Once the children
are ending (`_finishing`) a stop changes nothing any more. A permanent actor's own stop is none of
these: it ends a life and begins another (see `_recovery`), and any of them takes over from it.
"""

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Generator
from threading import get_ident
from typing import Any

from ._ask import Ask
from ._core import Core
from ._deadlines import Deadline
from ._log import log
from ._task import CANCEL_AGAIN, CANCEL_SOON, Hand, Work
from ._work import LEAVE, LEAVE_FIRST, SETTLE, Worker
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
        "_timed_out",
        "_watching",
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
        self.tick = 0  # of the deadline of a drain or a stop: it expires itself
        self._at_deadline: Callable[[], object] | None = None
        self._timed_out: HandlerTimeout | None = None
        self._watching: Deadline | None = None  # for work that swallows its cancellation

    @abstractmethod
    def call_later(self, delay: float, function: Callable[[], object]) -> Deadline:
        """Call the function in `delay` seconds."""

    @abstractmethod
    def _withdraw(self) -> None:
        """Leave the groups, and have no timer fire any more."""

    @abstractmethod
    def _rest_no_longer(self) -> None:
        """A drain has been decided: begin the next life, if it is put off by a backoff."""

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
        if get_ident() != self.core.thread:
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
            self._rest_no_longer()

    def _interrupt(self) -> None:
        self.mailbox.put_first(LEAVE_FIRST)
        self._cancel_hand()

    def stop(self, timeout: float) -> Awaitable[None]:
        """End it after the handler in hand, by a deadline."""
        if not self._lives or self._finishing:
            return self
        if self._end is None or self._end is DRAINED:
            self._close(STOPPED)
            if self._at_deadline == self.kill:
                self.core.deadlines.bring_forward(self, timeout)
            else:
                self._set_deadline(self.kill, timeout)
            self._clear_mail()  # nobody will handle it, so who asks should not wait any longer
            self.mailbox.put_first(LEAVE_FIRST)
            self._await_no_life()
        elif self._at_deadline is not None:
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
        # One that is being cancelled may be cleaning up.
        if self._watching is None and not self.is_current():
            self._cancel_hand()

    def _cancel_hand(self) -> None:
        """Cancel what the hand does now, and again as long as it swallows that and waits."""
        hand = self._hand
        if hand is not None and hand.busy:
            self.awaits = None  # it will not await that answer any more, so it is in no circle
            self.mailbox.put_first(SETTLE)
            cancelled = hand.cancel()
            if hand.forgets:
                self._watch_cancelled(hand, cancelled, self.core.loop.now())

    def _watch_cancelled(self, hand: Hand, cancelled: bool, since: float) -> None:
        handled, in_hand, now = self.handled, self.in_hand, self.core.loop.now

        def check() -> None:
            if hand.busy and self.handled == handled and self.in_hand is in_hand:
                again = hand.cancel(again=cancelled or now() - since >= CANCEL_AGAIN)
                self._watch_cancelled(hand, again, now() if again else since)

        self._watch_no_more()
        self._watching = self.call_later(CANCEL_AGAIN if cancelled else CANCEL_SOON, check)

    def _watch_no_more(self) -> None:
        """What was cancelled is over."""
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()

    async def _hand_run(self, work: Work) -> bool:
        """Run a callback; whether it was cancelled, or not even begun, after a kill."""
        assert self._hand is not None
        cancelled = self.killed or await self._hand.run(work)
        self._watch_no_more()
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
        deadline = self.call_later(actor.stop_timeout, self._cancel_hand)
        try:
            await self._hand_run(lambda: actor.__finish__(end))
        except Exception as error:  # noqa: BLE001  # it harms nobody else
            self._report_on_stop(error)
        else:
            if deadline.fired and not self.killed:
                self._report_on_stop(
                    StopTimeout(f"on_stop took more than {actor.stop_timeout:g} s")
                )
        finally:
            deadline.cancel()

    def _report_on_stop(self, error: Exception) -> None:
        log("error", "on_stop failed", error, actor=self.name)
        if self.core.instruments:
            self.core.report("crashed", self.ref, error)

    # The deadline of a drain or a stop.

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
