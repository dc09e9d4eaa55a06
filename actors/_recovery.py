"""What follows a failure: an actor's lives, one after the other under the same ref.

The crash is accounted for and told, its family's supervision decides, and the actor's own task
carries that out: a restart, maybe after a rest; or the end, and maybe the failure of its parent.
"""

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from ._ask import is_ask, message_in
from ._core import Core
from ._deadlines import Deadline
from ._family import Family
from ._latch import Latch
from ._log import log
from ._task import CANCEL_AGAIN, Hand, Work
from ._work import FAIL, LEAVE_FIRST, NOTHING, Worker
from .actor import Actor, End
from .exceptions import ActorCrashed, HandlerTimeout
from .mailbox import Control, Reason
from .ref import STOP_TIMEOUT
from .supervision import (
    Action,
    Backoff,
    Decision,
    Directive,
    Intensity,
    Restart,
    directive_for,
)

Limits: TypeAlias = tuple[Intensity, Backoff | None]

DRAINED = End("drain")
STOPPED = End("stop")


class Recovery(Worker):
    """See the module's head. The cell, which is one, knows how to begin and how to end."""

    __slots__ = (
        "_end",
        "_failed",
        "_family",
        "_hand",
        "_limits",
        "_restart_type",
        "_rushing",
        "_siblings",
        "_stops_itself",
        "_timed_out",
        "child_ending",
        "killed",
        "name",
        "resting",
    )

    name: str

    def __init__(
        self,
        core: Core,
        actor: Actor,
        restart: Restart,
        limits: Limits | None,
    ) -> None:
        super().__init__(core, actor)
        self._restart_type = restart
        self._limits = limits  # a root's own; a child has its parent's
        self._family: Family | None = None  # from the first child on
        self._siblings: Family | None = None  # a root's only from its first failure on
        self._stops_itself = False
        self.resting: Latch | None = None  # between a failure and the restart
        self._failed: Exception | None = None  # by its children
        self._hand: Hand | None = None
        self._end: End | None = None
        self.killed = False
        self.child_ending: Recovery | None = None
        self._timed_out: HandlerTimeout | None = None
        self._rushing: Deadline | None = None

    @abstractmethod
    def wait(self) -> Awaitable[None]:
        """Wait for its end."""

    @abstractmethod
    def stop(self, timeout: float) -> Awaitable[None]:
        """End it after the handler in hand; wait for its end."""

    @abstractmethod
    def kill(self) -> Awaitable[None]:
        """End it now; wait for its end."""

    @abstractmethod
    def call_later(self, delay: float, function: Callable[[], object]) -> Deadline:
        """Call the function in `delay` seconds."""

    @abstractmethod
    def drop_timers(self) -> None:
        """Have no timer of this life fire any more."""

    @abstractmethod
    def _renew(self) -> Actor:
        """Put a fresh actor in the place of the old one."""

    @abstractmethod
    async def _stop_actor(self, end: End) -> None:
        """Run `on_stop`, under its deadline."""

    @property
    @abstractmethod
    def _lives(self) -> bool:
        """Whether its end may still be asked for."""

    def _cancel_hand(self) -> None:
        """Cancel what the hand does now, and again as long as it swallows that and waits."""
        hand = self._hand
        if hand is not None and hand.busy:
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

    def interrupt_hand(self) -> None:
        if self._hand is not None and not self._hand.is_current():
            self._cancel_hand()

    async def _hand_run(self, work: Work) -> bool:
        """Run a callback; whether it was cancelled, or not even begun, after a kill."""
        assert self._hand is not None
        cancelled = self.killed or await self._hand.run(work)
        self._calm()
        return cancelled

    @property
    def _ends(self) -> bool:
        """Whether its end has been decided, and no more mail will be handled before it."""
        return self.killed or (self._end is not None and self._end is not DRAINED)

    async def _interrupted(self, hand: Hand, error: BaseException) -> None:
        """The handler in hand crashed, or was cancelled by its deadline or a kill."""
        self._calm()
        try:
            await hand.fail(error)
        except Exception as crash:  # noqa: BLE001  # whatever it is, supervision decides
            await self._fail(crash)
            return
        timed_out, self._timed_out = self._timed_out, None
        if timed_out is not None and not self.killed:
            await self._fail(timed_out)
        else:
            self.drop_in_hand(Reason.KILLED if self.killed else Reason.INTERRUPTED)

    # Failures.

    def family(self) -> Family:
        """Its children's, made for the first."""
        if self._family is None:
            cls = type(self.actor)
            self._family = Family(self, cls.intensity, cls.backoff)
        return self._family

    def _decide(self, directive: Directive | None) -> Decision["Recovery"]:
        siblings = self._siblings
        if siblings is None:
            assert self._limits is not None
            siblings = self._siblings = Family(None, *self._limits)
            siblings.children[self] = self._restart_type
        return siblings.decide(self, directive, self.core.loop.now())

    async def _fail(self, error: Exception, *, starting: bool = False) -> None:
        """After a crash: do as is decided, until a start succeeds or the end is decided."""
        decision = self._crash(error, starting=starting)
        while decision.action is Action.RESTART:
            try:
                await self._carry_out(decision, error)
            except Exception as again:  # noqa: BLE001  # a failed restart is a crash as well
                error = again
                decision = self._crash(error, starting=True)
            else:
                return
        if decision.action is not Action.RESUME:
            self._end_after(decision, error, End("crash", error))

    async def _begin_again(self) -> None:
        """It stopped by its own wish, which only a permanent actor outlives."""
        self._calm()
        self._timed_out = None
        self.drop_timers()
        if self._family is not None:
            await self._family.end(self)
        await self._stop_actor(STOPPED)
        if self._ends:
            return
        self.leaving = False
        decision = self._decide(None)
        if decision.action is not Action.RESTART:
            self._end_after(decision, None, STOPPED)
            return
        try:
            await self._carry_out(decision, None)
        except Exception as error:  # noqa: BLE001  # whatever it is, supervision decides
            await self._fail(error, starting=True)

    def _end_after(self, decision: Decision["Recovery"], error: Exception | None, end: End) -> None:
        if decision.action is Action.ESCALATE:
            assert self._siblings is not None
            self._siblings.escalate(self, error)
        self._end = end
        self.leaving = True

    async def _carry_out(self, decision: Decision["Recovery"], error: Exception | None) -> None:
        """Restart this actor, after a rest if there is to be one."""
        self.drop_timers()
        if self._family is not None:
            await self._family.end(self)
        if decision.delay and not self._ends:
            await self._rest(decision.delay)
        if not self._ends:
            await self._start_anew(error)

    def _crash(self, error: Exception, *, starting: bool = False) -> Decision["Recovery"]:
        """Count and report a crash; what follows."""
        self._timed_out = None
        item = self.take_crashed()
        if self._ends:
            decision: Decision[Recovery] = Decision(Action.END)
        else:
            directive = directive_for(error, self.actor.directives)
            if starting and directive is Directive.RESUME:
                directive = Directive.RESTART  # there is nothing to go on with
            decision = self._decide(directive)
        restarts = decision.action in (Action.RESTART, Action.RESUME)
        error_id = log(
            "error",
            "actor crashed",
            error,
            actor=self.name,
            message=None if item is NOTHING else type(message_in(item)).__name__,
            restarts=restarts,
        )
        if is_ask(item):
            crash = ActorCrashed(f"{self.name} crashed: {type(error).__name__}: {error}", error_id)
            crash.__cause__ = error
            item.fail(crash)
        self.actor.__crashed__(error, error_id, restarts=restarts)
        if self.core.instruments:
            self.core.report("crashed", self.ref, error)
        return decision

    async def _start_anew(self, error: Exception | None) -> None:
        if self._family is not None:
            self._family.reset()
        self._failed = None
        self._stops_itself = False
        actor = self._renew()
        if await self._hand_run(actor.on_start):
            return
        if error is not None:
            await self._hand_run(lambda: actor.on_restart(error))
        if self.core.instruments:
            self.core.report("restarted", self.ref, error)

    def fail_soon(self, error: Exception) -> None:
        """Its children failed too often: it fails as well, after the handler in hand at most."""
        if self._lives and self._failed is None:
            self._failed = error
            self.mailbox.put_first(FAIL)
            self._hasten(STOP_TIMEOUT, lambda: self._failed is error)

    def _hasten(self, timeout: float, still: Callable[[], bool]) -> None:
        """Cancel the handler in hand if after that time it still keeps a control item waiting."""

        def check() -> None:
            if still():
                self._cancel_hand()

        self._rush(timeout, check)

    def take_control(self, control: Control) -> bool:
        if control is FAIL:
            self._calm()
            error, self._failed = self._failed, None
            if error is not None:  # it has not started anew since
                raise error
            return False
        if not self._ends and self._end is None and not self._stops_itself:
            return False  # the wish of an earlier life
        self.leaving = True
        return True

    def stop_itself(self) -> None:
        """Stop, as its own wish: a permanent actor starts anew after it."""
        if self._restart_type is not Restart.PERMANENT or self._end is not None:
            self.stop(STOP_TIMEOUT)
        elif self._lives and not self._stops_itself:
            self._stops_itself = True
            self.mailbox.put_first(LEAVE_FIRST)

    async def _rest(self, delay: float) -> None:
        """Wait before a restart; the end cuts it short."""
        self.resting = resting = Latch(self.core.loop.new_waiter)
        timer = self.call_later(delay, resting.set)
        try:
            await resting
        finally:
            timer.cancel()
            self.resting = None
