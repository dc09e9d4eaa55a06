"""What follows a failure: an actor's lives, one after the other under the same ref.

    on_start ──> work ──┬─ LEAVE, or an end that is decided ──────> the end
        ^               ├─ OWN_STOP   children end, on_stop ────┐
        │               ├─ SUSPEND    children end, waits ──────┤
        │               └─ a crash    children end, rests ──────┤
        └───────────────────────────────────────────────────────┘

A crash is accounted for and told, its family's supervision decides, and the actor's own task
carries that out: a restart of this actor, maybe after a rest, maybe of others with it; or its end.
An actor that is to start anew for another's sake is *suspended* until that one has it revived.
"""

import functools
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias

from ._ask import is_ask, message_in
from ._core import Core
from ._deadlines import Deadline
from ._ending import STOPPED, Ending
from ._family import Family, Regroup, Suspension
from ._log import describe, log
from ._task import Hand
from ._work import FAIL, NOTHING, OWN_STOP, SUSPEND, Batch, Order
from .actor import Actor, End
from .exceptions import ActorCrashed, IntensityExceeded
from .mailbox import DONE, Reason
from .ref import STOP_TIMEOUT
from .supervision import (
    Action,
    Backoff,
    Decision,
    Directive,
    Intensity,
    Restart,
    Strategy,
)

Limits: TypeAlias = tuple[Intensity, Backoff | None]


class Recovery(Ending):
    """See the module's head. The cell, which is one, knows how to begin."""

    __slots__ = (
        "_awaits_turn",
        "_failure",
        "_family",
        "_hastening",
        "_limits",
        "_restart_type",
        "_siblings",
        "_stopping_itself",
        "_suspension",
    )

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
        self._suspension: Suspension | None = None
        self._awaits_turn = False  # while another restart of several is under way
        # What is asked of this life; an order that is taken in a later one is void.
        self._stopping_itself = False
        self._failure: Exception | None = None
        self._hastening: list[Deadline] | None = None  # for orders that a handler keeps waiting

    @abstractmethod
    def drop_timers(self) -> None:
        """Have no timer of this life fire any more."""

    @abstractmethod
    def _renew(self) -> Actor:
        """Put a fresh actor in the place of the old one."""

    # From one life to the next.

    def stop_itself(self) -> None:
        """Stop, as its own wish: a permanent actor starts anew after it."""
        self.core.check_thread()
        if self._restart_type is not Restart.PERMANENT or self._end is not None:
            self.stop(STOP_TIMEOUT)
        elif self._lives and not self._stopping_itself:
            self._stopping_itself = True
            self.mailbox.put_first(OWN_STOP)

    def take_order(self, order: Order) -> bool:
        if order is FAIL:
            self._hasten_no_more()
            failure, self._failure = self._failure, None
            if failure is not None:  # it has not started anew since
                raise failure
            return False
        if order is SUSPEND:
            return self._suspension is not None
        if order is OWN_STOP:  # unless it was a former life's wish, or a drain has overtaken it
            return self._stopping_itself and self._end is None
        return True

    async def _go_on(self, order: Order) -> None:
        """The work was left by that order, but not for good."""
        self._watch_no_more()
        self._timed_out = None
        if order is SUSPEND:
            await self._stay_suspended()
        elif order is OWN_STOP:
            await self._begin_again()

    async def _interrupted(self, hand: Hand, error: BaseException) -> None:
        """The handler in hand crashed, or was cancelled by its deadline or a kill."""
        self._watch_no_more()
        try:
            await hand.fail(error)
        except Exception as crash:  # noqa: BLE001  # whatever it is, supervision decides
            if not self._refused(crash):
                await self._fail(crash)
            return
        timed_out, self._timed_out = self._timed_out, None
        if timed_out is not None and not self.killed:
            await self._fail(timed_out)
        else:
            self.drop_in_hand(Reason.KILLED if self.killed else Reason.INTERRUPTED)

    def _refused(self, error: Exception) -> bool:
        """Whether the error turns down the message in hand, and is no crash."""
        item = self.in_hand
        if not self.actor.__refuses__(error, asked=is_ask(item)):
            return False
        self._timed_out = None
        self.handled_in_hand()
        if is_ask(item):
            item.fail(error)
        return True

    # Failures.

    def family(self) -> Family:
        """Its children's, made for the first."""
        if self._family is None:
            cls = type(self.actor)
            self._family = Family(self, cls.strategy, cls.intensity, cls.backoff)
        return self._family

    def _decide(self, directive: Directive | None) -> Decision["Recovery"]:
        siblings = self._siblings
        if siblings is None:
            assert self._limits is not None
            siblings = self._siblings = Family(None, Strategy.ONE_FOR_ONE, *self._limits)
            siblings.children[self] = self._restart_type
        return siblings.decide(self, directive, self.core.loop.now())

    async def _fail(self, error: Exception, *, starting: bool = False) -> None:
        """After a crash: do as is decided, until a start succeeds or the end is decided."""
        decision = self._crash(error, starting=starting)
        waiting: tuple[Recovery, ...] = ()
        if decision.action is Action.RESUME:
            await self.core.loop.checkpoint()  # it may crash again without awaiting anything
        while decision.action is Action.RESTART:
            waiting = decision.start
            try:
                await self._carry_out(decision, error)
            except Exception as again:  # noqa: BLE001  # a failed restart is a crash as well
                error = again
                decision = self._crash(error, starting=True)
            else:
                return
        if decision.action is not Action.RESUME:
            self._end_after(decision, error, End("crash", error))
            if decision.action is not Action.ESCALATE:  # else the parent ends them where they are
                self._revive(waiting, error)

    async def _begin_again(self) -> None:
        """It stopped by its own wish, which only a permanent actor outlives."""
        self.drop_timers()
        if self._family is not None:
            await self._family.end(self)
        if not self._ends:
            await self._stop_actor(STOPPED)
        if self._ends or self._restarts_anyway():
            return
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

    async def _carry_out(self, decision: Decision["Recovery"], error: Exception | None) -> None:
        """Restart this actor, and the others that share its restart."""
        siblings = self._siblings
        assert siblings is not None
        await self.core.loop.checkpoint()  # the next life may end without awaiting anything
        self.drop_timers()
        if self._family is not None:
            await self._family.end(self)
        if self._restarts_anyway():
            return
        if decision.stop:
            await self._regroup(siblings, decision, error)
        elif await self._rested(siblings, decision):
            await self._start_all(decision, error, set())

    async def _start_all(
        self,
        decision: Decision["Recovery"],
        error: Exception | None,
        waiting: "set[Recovery]",
    ) -> None:
        """Start each in order: the others also if this one is to end by now."""
        for each in decision.start:
            waiting.discard(each)
            if each is not self:
                await self._hand_run(functools.partial(_wait_for, each.revive(error)))
            elif not self._ends:
                await self._start_anew(error)

    async def _rested(self, siblings: Family, decision: Decision["Recovery"]) -> bool:
        """Rest; whether nobody else has taken over meanwhile."""
        if not decision.delay or self._end is not None or self.killed:
            return True
        rest = await self._rest(decision.delay)
        if rest.taken:
            self._suspension = rest
            self.mailbox.put_first(SUSPEND)
            return False
        return not self._restarts_anyway()

    async def _regroup(
        self, siblings: Family, decision: Decision["Recovery"], error: Exception | None
    ) -> None:
        if not await self._has_turn(siblings):
            return
        others = [each for each in decision.start if each is not self]
        regroup = siblings.regroup = Regroup(self.core.loop.new_waiter, others)
        try:
            await self._hand_run(lambda: siblings.suspend(decision.stop))
            if decision.delay and not self._ends:
                siblings.regroup = None  # one that fails meanwhile takes over
                regroup.over.set()
                if not await self._rested(siblings, decision):
                    return
                if not await self._has_turn(siblings) and not self._ends:
                    return
                regroup = siblings.regroup = Regroup(self.core.loop.new_waiter, others)
            await self._start_all(decision, error, regroup.waiting)
        finally:
            if siblings.regroup is regroup:
                siblings.regroup = None
            regroup.over.set()

    async def _has_turn(self, siblings: Family) -> bool:
        """Wait until no restart of others is under way; false if that is to restart this one."""
        while siblings.regroup is not None:
            if self._ends or self._restarts_anyway():
                return False
            self._awaits_turn = True
            await self._hand_run(functools.partial(_wait_for, siblings.regroup.over))
            self._awaits_turn = False
        return self._suspension is None

    def _revive(self, others: "Iterable[Recovery]", error: Exception | None) -> None:
        """Let go those who still wait for this one to go on with the restart of all."""
        for other in others:
            if other is not self:
                other.revive(error)

    def _restarts_anyway(self) -> bool:
        """Whether another's restart of several is about to restart this one; if so, it waits."""
        regroup = None if self._siblings is None else self._siblings.regroup
        if self._suspension is None and regroup is not None and self in regroup.waiting:
            self.suspend(STOP_TIMEOUT)
        return self._suspension is not None

    def _crash(self, error: Exception, *, starting: bool = False) -> Decision["Recovery"]:
        """Count and report a crash; what follows."""
        self._timed_out = None
        item = self.take_crashed()
        if self._ends:
            decision: Decision[Recovery] = Decision(Action.END)
        elif self._restarts_anyway():
            decision = Decision(Action.RESUME)
        else:
            directive = self.actor.__directive__(error)
            if directive is Directive.RESUME and (starting or isinstance(error, IntensityExceeded)):
                directive = Directive.RESTART  # there is nothing to go on with
            decision = self._decide(directive)
        if decision.action is not Action.RESUME or self._suspension is not None:
            self._stopping_itself = False  # the crash has overtaken it
        restarts = decision.action in (Action.RESTART, Action.RESUME)
        error_id = log(
            "error",
            "actor crashed",
            error,
            actor=self.name,
            message=_kind(item),
            restarts=restarts,
        )
        if is_ask(item):
            crash = ActorCrashed(f"{self.name} crashed: {describe(error)}", error_id)
            crash.__cause__ = error
            item.fail(crash)
        self.actor.__crashed__(error, error_id, restarts=restarts)
        if self.core.instruments:
            self.core.report("crashed", self.ref, error)
        return decision

    async def _start_anew(self, error: Exception | None) -> None:
        if self._family is not None:
            await self._family.end(self)  # those that tasks of the former life have spawned since
            self._family.reset()
        self._failure = None
        self._stopping_itself = False
        self.drop_timers()  # of tasks of the former life
        actor = self._renew()
        self._on_stop_ran = False
        if await self._hand_run(actor.on_start):
            return
        if error is not None:
            await self._hand_run(lambda: actor.on_restart(error))
        if self.core.instruments:
            self.core.report("restarted", self.ref, error)

    def fail_soon(self, error: Exception) -> None:
        """Its children failed too often: it fails as well, after the handler in hand at most."""
        if not (self._ends or self._finishing or self._failure is not None):
            self._failure = error
            self.mailbox.put_first(FAIL)
            self._hasten(STOP_TIMEOUT, lambda: self._failure is error)

    def _hasten(self, timeout: float, still: Callable[[], bool]) -> None:
        """Cancel what is in hand if after that time it still keeps an order waiting."""

        def check() -> None:
            if still() and not (self._ends or self._finishing):
                self._cancel_hand()

        if self._hastening is None:
            self._hastening = []
        self._hastening.append(self.call_later(timeout, check))

    def _hasten_no_more(self) -> None:
        """No order is kept waiting."""
        hastening, self._hastening = self._hastening, None
        for deadline in hastening or ():
            deadline.cancel()

    # Between two lives.

    def suspend(self, timeout: float) -> Awaitable[None]:
        """Have its life end, so that another can begin by `revive`; wait until it has ended.

        The handler in hand has `timeout` seconds, then it is cancelled."""
        if self._suspension is None:
            if self._ends:
                return self
            self._suspension = suspension = Suspension(self.core.loop.new_waiter)
            self.mailbox.put_first(SUSPEND)
            self._hasten(timeout, lambda: not suspension.reached.is_set)
        self._suspension.taken = True
        return self._suspension.reached

    def revive(self, error: Exception | None) -> Awaitable[None]:
        """Begin a new life, if it is suspended; wait until it has started or failed."""
        suspension = self._suspension
        if suspension is None:
            return DONE
        suspension.error = error
        suspension.revived.set()
        return suspension.started

    def _rest_no_longer(self) -> None:
        if self._suspension is not None and not self._suspension.taken:
            self._suspension.revived.set()

    def _await_no_life(self) -> None:
        if self._suspension is not None:
            self._suspension.revived.set()
        if self._awaits_turn:
            self._cancel_hand()

    async def _stay_suspended(self) -> None:
        suspension = self._suspension
        assert suspension is not None
        self._hasten_no_more()
        self.drop_timers()
        if self._family is not None:
            await self._family.end(self)
        suspension.reached.set()
        await suspension.revived
        self._suspension = None
        if self._ends:
            suspension.started.set()
            return
        try:
            await self._start_anew(suspension.error)
        except Exception as error:  # noqa: BLE001  # whatever it is, supervision decides
            suspension.started.set()
            await self._fail(error, starting=True)
        finally:
            suspension.started.set()

    async def _rest(self, delay: float) -> Suspension:
        """Wait before a restart; the end, or another's restart of all, cuts it short."""
        self._suspension = suspension = Suspension(self.core.loop.new_waiter)
        suspension.reached.set()

        def over() -> None:
            if not suspension.taken:  # else it waits with the others
                suspension.revived.set()

        timer = self.call_later(delay, over)
        try:
            await suspension.revived
        finally:
            timer.cancel()
            self._suspension = None
        return suspension


def _kind(item: object) -> str | None:
    """What kind of message was in hand."""
    if isinstance(item, Batch):
        item = item[0]
    return None if item is NOTHING else type(message_in(item)).__name__


async def _wait_for(awaitable: Awaitable[None]) -> None:
    await awaitable
