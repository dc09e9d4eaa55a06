"""The cell: runs one actor, from its start to its end, and decides what follows a failure.

One task for each actor, which works off the mail (`Worker.work`); a kill or a deadline cancels the
work in hand through the cell's `Hand`, and the life goes on from there.
"""

import functools
import weakref
from collections.abc import Awaitable, Callable, Generator, Iterable
from threading import get_ident
from typing import Any, Literal, TypeVar

from ._ask import Ask, ask_blocking, is_ask, message_in, put_ask
from ._core import Core
from ._deadlines import Deadline
from ._dispatch import table_of
from ._log import log
from ._task import Hand, Work
from ._work import LEAVE, LEAVE_FIRST, NOTHING, Call, Worker
from .actor import Actor, End
from .exceptions import (
    ActorCrashed,
    ActorError,
    ActorStopped,
    HandlerTimeout,
    NotRunning,
    StopTimeout,
)
from .mailbox import DONE, Reason, Waiter
from .message import Request
from .ref import STOP_TIMEOUT, ActorRef
from .supervision import Intensity, Restart, Supervision

R = TypeVar("R")

KILL_AGAIN = 1.0
"""Seconds after which an actor that was killed and did not end is cancelled once more."""
PRUNE = 16
"""Waiters for one end, from which on those that gave up are cleared away."""
DRAINED = End("drain")
STOPPED = End("stop")


class Cell(Worker):
    """Runs one actor, through its restarts, to its end. See the module's head."""

    __slots__ = (
        "__weakref__",
        "_at_deadline",
        "_child_ending",
        "_end",
        "_factory",
        "_finishing",
        "_hand",
        "_intensity",
        "_killed",
        "_ref",
        "_restart_type",
        "_start_error",
        "_started",
        "_supervision",
        "_timed_out",
        "_weak_ref",
        "children",
        "enders",
        "introduced",
        "joined",
        "name",
        "parent",
        "tick",
    )

    _weak_ref: "weakref.ref[ActorRef]"  # once it has ended

    def __init__(
        self,
        core: Core,
        parent: "Cell | None",
        factory: Callable[[], Actor],
        name: str | None,
        restart: Restart,
        intensity: Intensity,
    ) -> None:
        actor = factory()
        if not isinstance(actor, Actor):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"spawn needs an Actor class or factory, which made {actor!r}")
        super().__init__(core, actor)
        self._ref: ActorRef | None = ActorRef(self, core.inlet, core.thread)
        self.joined: dict[str, None] = {}
        self.children: dict[Cell, None] = {}
        self.parent = parent
        self._factory = factory
        self._restart_type = restart
        self._intensity = intensity
        self._supervision: Supervision | None = None  # from the first crash on
        self._hand: Hand | None = None
        self._started: Waiter | None = None
        self._start_error: Exception | None = None
        self._end: End | None = None
        self._finishing = False
        self._killed = False
        self._child_ending: Cell | None = None
        self._timed_out: HandlerTimeout | None = None
        self.tick = 0  # of its deadline, which is for one thing at a time: it expires itself
        self._at_deadline: Callable[[], object] | None = None
        self.enders: list[Waiter] | None = []  # None once it has ended
        actor.__attach__(self)
        self.introduced = False
        self.name = core.registry.add(name, type(actor), self)  # last: all else may raise
        if parent is not None:
            parent.children[self] = None

    @property
    def ref(self) -> ActorRef:
        """Its address."""
        ref = self._ref or self._weak_ref()
        if ref is None:  # nobody has the ended actor's any more, so another one is as good
            ref = ActorRef(self, self.core.inlet, self.core.thread)
            self._weak_ref = weakref.ref(ref)
        return ref

    # The face to refs.

    @property
    def alive(self) -> bool:
        return self.mailbox.closed is None

    @property
    def _lives(self) -> bool:
        return self.enders is not None and not self._killed

    @property
    def takes_children(self) -> bool:
        """Whether it may spawn: in all that it handles, but not once its children are ending."""
        return self._lives and not self._finishing

    def is_current(self) -> bool:
        """Whether it is its own task that runs now."""
        return self._hand is not None and self._hand.is_current()

    def ask(self, request: Request[R], timeout: float) -> Awaitable[R]:
        if get_ident() != self.core.thread:
            raise RuntimeError("from another thread, ask with `ask_blocking`")
        if self.is_current():
            raise ActorError(f"{self.name} asks itself, and would wait for ever")
        return self.ask_waking(request, timeout, self.core.loop.new_waiter())

    def ask_blocking(self, request: Request[R], timeout: float) -> R:
        core = self.core
        if get_ident() == core.thread:
            raise RuntimeError("ask_blocking would block the loop: use `await ref.ask(...)`")
        return ask_blocking(core.inlet, self.mailbox, request, timeout, core.deadlines, self.name)

    def drain(self, timeout: float) -> Awaitable[None]:
        self._drain(self.kill, timeout)
        return _Wait(self)

    def _drain(self, then: Callable[[], object], timeout: float) -> None:
        if self._end is None and self._lives:
            self._close(DRAINED)
            self._set_deadline(then, timeout)
            self.mailbox.put_last(LEAVE)

    def stop(self, timeout: float) -> Awaitable[None]:
        if self._lives and (self._end is None or self._end.how == "drain"):
            self._close(STOPPED)
            self._set_deadline(self.kill, timeout)
            self.mailbox.put_first(LEAVE_FIRST)
        return self.wait()

    def kill(self) -> Awaitable[None]:
        if self._lives:
            self._killed = True
            self._close(self._end)
            self.mailbox.put_first(LEAVE_FIRST)
            if self._child_ending is not None:
                self._child_ending.kill()
            self._clear_deadline()
        if self.enders is not None:
            self._cancel_hand()
            if self._hand is not None and self._hand.forgets:
                self._set_deadline(self.kill, KILL_AGAIN)
        return self.wait()

    def wait(self) -> Awaitable[None]:
        return _Wait(self)

    def time_out(self, error: HandlerTimeout) -> None:
        """Cancel the handler in hand, which ran past its deadline."""
        self._timed_out = error
        self._cancel_hand()

    def begin(self) -> bool:
        """Start the task; whether there is an `on_start` to wait for."""
        core = self.core
        if self.table.has_on_start:
            self._started = core.loop.new_waiter()
        try:
            self._hand = core.loop.start(core.nursery, self.run, self.name)
        except RuntimeError as error:  # the nursery is being cancelled
            self.release()
            raise NotRunning("the actor system is ending") from error
        if self._started is not None:
            return True
        self.introduce()
        return False

    async def started(self) -> None:
        """Wait for `on_start`; raises what that raises."""
        assert self._started is not None
        try:
            await self._started
        except BaseException:
            self.kill()  # nobody will get the ref
            raise
        if self._start_error is not None:
            raise self._start_error

    # The face to its actor.

    def spawn(
        self,
        factory: Callable[[], Actor],
        *,
        name: str | None,
        restart: Restart,
        intensity: Intensity,
    ) -> Awaitable[ActorRef]:
        return spawn(self.core, self, factory, name, restart, intensity)

    def find(self, name: str) -> ActorRef | None:
        return self.core.registry.find(name)

    def join(self, topic: str) -> None:
        if self.mailbox.closed is not None:
            return  # it has left its groups for good, though it may still handle what is queued
        lane, member = self.actor.__membership__()
        self.core.groups.join(topic, self.ref, lane, member)
        self.joined[topic] = None

    def leave(self, topic: str) -> None:
        self.core.groups.leave(topic, self.ref)
        self.joined.pop(topic, None)

    def members(self, topic: str) -> list[ActorRef]:
        return self.core.groups.members(topic)

    def topics(self, prefix: str) -> list[str]:
        return self.core.groups.topics(prefix)

    def publish(self, topic: str, message: object, exclude: ActorRef | Iterable[ActorRef]) -> None:
        self.core.publish(topic, message, exclude)

    def call(self, function: Callable[[Any], Awaitable[None]]) -> None:
        self.mailbox.put_last(Call(function))

    def ask_waking(self, request: Request[R], timeout: float, waiter: Any) -> Ask[R]:
        return put_ask(self.mailbox, request, timeout, waiter, self.core.deadlines, self.name)

    def drain_or_interrupt(self, timeout: float) -> None:
        self._drain(self._interrupt, timeout)

    def _interrupt(self) -> None:
        self.mailbox.put_first(LEAVE_FIRST)
        self._cancel_hand()

    def dead_letter(self, message: object, reason: Reason) -> None:
        self.core.dead_letter(message, self.ref, reason)

    def log(
        self, level: Literal["warning", "error"], event: str, error: BaseException | None = None
    ) -> str:
        return log(level, event, error, actor=self.name)

    def call_later(self, delay: float, function: Callable[[], object]) -> Deadline:
        return Deadline(self.core.deadlines, delay, function)

    # The life.

    async def run(self) -> None:
        """The actor's task, from `on_start` through any number of restarts to the end."""
        hand, failure = self._hand, None
        assert hand is not None
        try:
            if self._started is not None:
                await self._start(self._started)
            while not (self._killed or self.leaving):
                hand.begin()  # as `hand.run` does, without a coroutine in between
                try:
                    await self.work()
                except BaseException as error:  # noqa: BLE001  # the boundary of supervision
                    await self._interrupted(hand, error)
                else:
                    settling = hand.end()
                    if settling is not None:
                        await settling
                    self._timed_out = None
            self._finishing = True
            if self.mailbox.closed is None:
                self._close(self._end)
            self._clear_mail()
            if self.children:
                await self._end_children()
            if not (self._killed or self._end is None) and self.table.has_end:
                await self._stop_actor(self._end)
        except BaseException as error:
            failure = error
            raise
        finally:
            self.release()
            hand.leave(failure)

    async def _start(self, started: Waiter) -> None:
        """Run `on_start`. If it fails, the life ends at once, and the spawner hears of it."""
        try:
            if await self._hand_run(self.actor.on_start):
                self._start_error = ActorStopped(f"{self.name} was ended in on_start")
        except Exception as error:  # noqa: BLE001  # whatever it is, it is the spawner's
            self._start_error = error
        if self._start_error is not None:
            self.leaving = True
            return
        self.introduce()
        if not started.done():
            started.set_result(None)

    def introduce(self) -> None:
        """It has started: let it be found and heard of."""
        self.introduced = True
        if self.core.instruments:
            self.core.report("spawned", self.ref)

    async def _hand_run(self, work: Work) -> bool:
        """Run a callback; whether it was cancelled, or not even begun, after a kill."""
        assert self._hand is not None
        return self._killed or await self._hand.run(work)

    async def _interrupted(self, hand: Hand, error: BaseException) -> None:
        """The handler in hand crashed, or was cancelled by its deadline or a kill."""
        try:
            await hand.fail(error)
        except Exception as crash:  # noqa: BLE001  # whatever it is, supervision decides
            await self._fail(crash)
            return
        timed_out, self._timed_out = self._timed_out, None
        if timed_out is not None and not self._killed:
            await self._fail(timed_out)
        else:
            self.drop_in_hand(Reason.KILLED if self._killed else Reason.INTERRUPTED)

    async def _fail(self, error: Exception) -> None:
        """After a crash: restart until a start succeeds, or decide the end."""
        while self._crash(error):
            try:
                await self._restart(error)
            except Exception as again:  # noqa: BLE001  # a failed restart is a crash as well
                error = again
            else:
                return
        self._end = End("crash", error)
        self.leaving = True

    def _crash(self, error: Exception) -> bool:
        """Count and report a crash; whether a restart follows."""
        self._timed_out = None
        item = self.take_crashed()
        stopping = self._killed or (self._end is not None and self._end.how == "stop")
        if self._supervision is None:
            self._supervision = Supervision(self._restart_type, self._intensity)
        restarts = not stopping and self._supervision.restarts_after_crash(self.core.loop.now())
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
        return restarts

    async def _restart(self, error: Exception) -> None:
        await self._end_children()
        actor = self._factory()
        self.table = table_of(type(actor))
        actor.__attach__(self)
        self.actor = actor
        if await self._hand_run(actor.on_start):
            return
        await self._hand_run(lambda: actor.on_restart(error))
        if self.core.instruments:
            self.core.report("restarted", self.ref, error)

    # The end.

    def _close(self, end: End | None) -> None:
        """Take no more mail and leave the groups."""
        self._end = end
        if self.mailbox.closed is None:
            for topic in self.joined:
                self.core.groups.leave(topic, self.ref)
        self.mailbox.close(Reason.KILLED if self._killed else Reason.STOPPED)

    def _set_deadline(self, function: Callable[[], object], timeout: float) -> None:
        if self.tick:
            self._clear_deadline()
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

    def _clear_mail(self) -> None:
        mailbox = self.mailbox
        if mailbox.queue or mailbox.waiting:
            mailbox.clear(Reason.KILLED if self._killed else Reason.STOPPED)

    async def _stop_actor(self, end: End) -> None:
        """Run `on_stop`, under its deadline."""
        if self._start_error is not None:
            return
        actor = self.actor
        self._set_deadline(self._cancel_hand, actor.stop_timeout)
        try:
            await self._hand_run(lambda: actor.__finish__(end))
        except Exception as error:  # noqa: BLE001  # it harms nobody else
            self._report_on_stop(error)
        else:
            if self._at_deadline is None and not self._killed:  # it has expired
                self._report_on_stop(
                    StopTimeout(f"on_stop took more than {actor.stop_timeout:g} s")
                )

    def _cancel_hand(self) -> None:
        if self._hand is not None:
            self._hand.cancel()

    def _report_on_stop(self, error: Exception) -> None:
        log("error", "on_stop failed", error, actor=self.name)
        if self.core.instruments:
            self.core.report("crashed", self.ref, error)

    async def _end_children(self) -> None:
        for child in reversed(list(self.children)):
            self._child_ending = child
            await (child.kill() if self._killed else child.stop(STOP_TIMEOUT))
        self._child_ending = None

    def release(self) -> None:
        """The framework's own cleanup: whatever happened, nothing of the actor stays behind."""
        core = self.core
        if self.tick:
            self._clear_deadline()
        if self.mailbox.closed is None or self.in_hand is not NOTHING or self.children:
            self._abandon()
        self._clear_mail()
        del core.cells[self.name]
        if self.parent is not None:
            self.parent.children.pop(self, None)
        actor, ref = self.actor, self.ref
        self.add_settled(core.ended)  # nothing is queued or in hand any more
        self._let_go(ref)
        actor.__ended__(None if self._killed else self._end)
        enders, self.enders = self.enders or (), None
        for waiter in enders:
            if not waiter.done():
                waiter.set_result(None)
        if self._started is not None and not self._started.done():
            self._start_error = self._start_error or ActorStopped(f"{self.name} ended in on_start")
            self._started.set_result(None)
        if self.introduced and core.instruments:
            core.report("stopped", ref)

    def _abandon(self) -> None:
        """Its task was cancelled from outside: do what its end would have done."""
        if self.mailbox.closed is None:
            self._close(self._end)
        self.drop_in_hand(Reason.KILLED)
        for child in reversed(tuple(self.children)):
            child.kill()

    def _let_go(self, ref: ActorRef) -> None:
        """A ref that is kept keeps no state alive, and one that is not leaves no reference cycle:
        what a short life left to the garbage collector took a tenth of its time."""
        del self.actor, self._factory
        self._ref = self._hand = None
        self._weak_ref = weakref.ref(ref)
        self.mailbox.drop = functools.partial(self.core.late, self._weak_ref)


class _Wait:
    """Waits for a cell's end; at once in its own handler, which the end waits for."""

    __slots__ = ("_cell",)

    def __init__(self, cell: Cell) -> None:
        self._cell = cell

    def __await__(self) -> Generator[Any, Any, None]:
        enders = self._cell.enders
        if enders is None or self._cell.is_current():
            return DONE.__await__()
        if len(enders) >= PRUNE:
            enders[:] = [waiter for waiter in enders if not waiter.done()]
        waiter = self._cell.core.loop.new_waiter()
        enders.append(waiter)
        return waiter.__await__()


async def spawn(
    core: Core,
    parent: Cell | None,
    factory: Callable[[], Actor],
    name: str | None,
    restart: Restart,
    intensity: Intensity,
) -> ActorRef:
    """Start an actor; see `ActorSystem.spawn`."""
    if core.nursery is None or (core.stopping if parent is None else not parent.takes_children):
        raise NotRunning(f"{'the system' if parent is None else parent.name} is not running")
    if get_ident() != core.thread:
        raise RuntimeError("spawn in the loop's own thread")
    cell = Cell(core, parent, factory, name, restart, intensity)
    if cell.begin():
        await cell.started()
    return cell.ref
