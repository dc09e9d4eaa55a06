"""The cell: runs one actor, in one task, from its start to its end (`Cell.run`).

It is built up of what each floor adds: `_work` takes the mail and has it handled, `_ending` knows
how an end is asked for and reached, `_recovery` what follows a failure; and here are the faces to
its refs and to its actor, the start, the watches and the clean-up.
"""

import functools
import weakref
from collections.abc import Awaitable, Callable, Hashable, Iterable
from threading import get_ident
from typing import Any, Literal, TypeVar, cast

from ._ask import Ask, ask_blocking, put_ask
from ._core import Core
from ._deadlines import Deadline
from ._dispatch import table_of
from ._log import log
from ._recovery import Limits, Recovery
from ._timers import Timers
from ._work import LEAVE, LEAVE_FIRST, NOTHING, Call, Notice
from .actor import Actor, End
from .exceptions import ActorStopped, AskCycle, NotRunning
from .mailbox import Reason, Waiter
from .message import Request
from .ref import ActorRef
from .supervision import Restart
from .telemetry import Terminated

R = TypeVar("R")


class Cell(Recovery):
    """Runs one actor, through its restarts, to its end. See the module's head."""

    __slots__ = (
        "__weakref__",
        "_factory",
        "_ref",
        "_start_error",
        "_started",
        "_timers",
        "_watched",
        "_watchers",
        "_weak_ref",
        "introduced",
        "joined",
        "parent",
    )

    def __init__(
        self,
        core: Core,
        parent: "Cell | None",
        factory: Callable[[], Actor],
        restart: Restart,
        limits: Limits | None,
    ) -> None:
        actor = factory()
        if not isinstance(actor, Actor):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise no_actor(actor)
        super().__init__(core, actor, restart, limits)
        self._factory = factory
        self._ref: ActorRef | None = ActorRef(self, core.inlet, core.thread)
        self._weak_ref: weakref.ref[ActorRef] | None = None  # once it has ended
        self.joined: dict[str, None] = {}
        self.parent = parent
        self._started: Waiter | None = None
        self._start_error: Exception | None = None
        self._timers: Timers | None = None
        self._watched: dict[Cell, None] | None = None
        self._watchers: dict[Cell, None] | None = None
        actor.__attach__(self)
        self.introduced = False

    @property
    def ref(self) -> ActorRef:
        """Its address."""
        ref = self._ref
        if ref is None and self._weak_ref is not None:
            ref = self._weak_ref()
        if ref is None:  # nobody has the ended actor's any more, so another one is as good
            ref = ActorRef(self, self.core.inlet, self.core.thread)
            self._weak_ref = weakref.ref(ref)
        return ref

    # The face to refs.

    @property
    def alive(self) -> bool:
        return self.mailbox.closed is None

    @property
    def takes_children(self) -> bool:
        """Whether it may spawn: in all that it handles, but not once its children are ending."""
        between_lives = self._suspension is not None and self._suspension.reached.is_set
        return self._lives and not (self._finishing or between_lives)

    def ask(self, request: Request[R], timeout: float) -> Awaitable[R]:
        if get_ident() != self.core.thread:
            raise RuntimeError("from another thread, ask with `ask_blocking`")
        core = self.core
        asker = core.loop.owner()
        if asker is self:
            raise AskCycle(f"{self.name} asks itself, and would wait for ever")
        ask = put_ask(self, request, timeout, core.loop.new_waiter(), core.deadlines)
        if asker is not None:
            ask.asker = cast(Cell, asker)
        return ask

    def ask_blocking(self, request: Request[R], timeout: float) -> R:
        core = self.core
        if get_ident() == core.thread:
            raise RuntimeError("ask_blocking would block the loop: use `await ref.ask(...)`")
        return ask_blocking(core.inlet, self, request, timeout, core.deadlines)

    def begin(self, name: str | None) -> bool:
        """Start the task under that name; whether there is an `on_start` to wait for."""
        core, parent = self.core, self.parent
        self.name = core.registry.add(name, type(self.actor), self)
        if parent is not None:
            self._siblings = parent.family()
            self._siblings.children[self] = self._restart_type
        if self.table.has_on_start:
            self._started = core.loop.new_waiter()
        try:
            self._hand = core.loop.start(core.nursery, self.run, self.name, self)
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
    ) -> Awaitable[ActorRef]:
        return spawn(self.core, self, factory, name, restart, None)

    def find(self, name: str) -> ActorRef | None:
        return self.core.registry.find(name)

    def join(self, topic: str) -> None:
        self.core.check_thread()
        if self.mailbox.closed is not None:
            return  # it has left its groups for good, though it may still handle what is queued
        lane, member = self.actor.__membership__()
        self.core.groups.join(topic, self.ref, lane, member)
        self.joined[topic] = None

    def leave(self, topic: str) -> None:
        self.core.check_thread()
        self.core.groups.leave(topic, self.ref)
        self.joined.pop(topic, None)

    def start_timer(
        self, key: Hashable, message: object, delay: float, every: float | None
    ) -> None:
        self.core.check_thread()
        if self.mailbox.closed is not None:
            return  # it would only make a dead letter
        if self._timers is None:
            self._timers = Timers(self.core.deadlines, self.mailbox)
        self._timers.start(key, message, delay, every)

    def cancel_timer(self, key: Hashable) -> None:
        self.core.check_thread()
        if self._timers is not None:
            self._timers.cancel(key)

    def drop_timers(self) -> None:
        if self._timers is not None:
            self._timers.clear()

    def watch(self, ref: ActorRef) -> None:
        self.core.check_thread()
        cell = ref._cell
        assert isinstance(cell, Cell)
        if cell is self:
            raise ValueError(f"{self.name} cannot watch itself: it has `on_stop`")
        if self._watched is None:
            self._watched = {}
        if cell in self._watched or self.mailbox.closed is not None:
            return
        self._watched[cell] = None
        if cell.enders is None:
            self.mailbox.put_last(Notice(cell.obituary(ref)))
            return
        if cell._watchers is None:
            cell._watchers = {}
        cell._watchers[self] = None

    def unwatch(self, ref: ActorRef) -> None:
        self.core.check_thread()
        cell = ref._cell
        assert isinstance(cell, Cell)
        if self._watched is not None:
            self._watched.pop(cell, None)
        if cell._watchers is not None:
            cell._watchers.pop(self, None)

    def heard(self, ended: ActorRef) -> bool:
        wanted = self._watched is not None and ended._cell in self._watched
        self.unwatch(ended)
        return wanted

    def obituary(self, ref: ActorRef, error: Exception | None = None) -> Terminated:
        """How it ended; the error is not known for long."""
        if self.killed or self._end is None:
            return Terminated(ref, "kill")
        return Terminated(ref, self._end.how, error)

    def members(self, topic: str) -> list[ActorRef]:
        return self.core.groups.members(topic)

    def topics(self, prefix: str) -> list[str]:
        return self.core.groups.topics(prefix)

    def publish(self, topic: str, message: object, exclude: ActorRef | Iterable[ActorRef]) -> None:
        self.core.publish(topic, message, exclude)

    def call(self, function: Callable[[Any], Awaitable[None]], *, first: bool = False) -> None:
        (self.mailbox.put_first if first else self.mailbox.put_last)(Call(function))

    def ask_waking(self, request: Request[R], timeout: float, waiter: Any) -> Ask[R]:
        return put_ask(self, request, timeout, waiter, self.core.deadlines, waits=False)

    def dead_letter(self, message: object, reason: Reason) -> None:
        self.core.dead_letter(message, self.ref, reason)

    def log(
        self, level: Literal["warning", "error"], event: str, error: BaseException | None = None
    ) -> str:
        return log(level, event, error, actor=self.name)

    def call_later(self, delay: float, function: Callable[[], object]) -> Deadline:
        return Deadline(self.core.deadlines, delay, function)

    # The life.

    async def run(self) -> None:  # noqa: C901  # a whole life at a glance, in one coroutine
        """The actor's task, from `on_start` through any number of restarts to the end."""
        hand, failure = self._hand, None
        assert hand is not None
        try:
            if self._started is not None:
                await self._start(self._started)
            while not self._ends:
                hand.begin()  # as `hand.run` does, without a coroutine in between
                try:
                    order = await self.work()
                except BaseException as error:  # noqa: BLE001  # the boundary of supervision
                    await self._interrupted(hand, error)
                    continue
                settling = hand.end()
                if settling is not None:
                    await settling
                if order is LEAVE or order is LEAVE_FIRST or self._ends:
                    break
                await self._go_on(order)
            self._finishing = True
            if self._watching is not None or self._hastening is not None:
                self._hush()
            if self.mailbox.closed is None:
                self._close(self._end)
            if self.mailbox.queue or self.mailbox.waiting:
                self._clear_mail()
            if self._family is not None:
                await self._family.end(self)
            end = self._end
            if not (self.killed or end is None or self._on_stop_ran) and self.table.has_end:
                self._clear_deadline()  # it was for the work and the children
                await self._stop_actor(end)
        except Exception as error:  # noqa: BLE001  # a hook that must not raise did; or a bug of ours
            log("error", "an actor's own machinery failed", error, actor=self.name)
            await self._break_off()
        except BaseException as error:
            failure = error
            await self._break_off()
            raise
        finally:
            try:
                self.release()
            finally:
                hand.leave(failure)

    async def _start(self, started: Waiter) -> None:
        """Run `on_start`. If it fails, the life ends at once, and the spawner hears of it."""
        try:
            if await self._hand_run(self.actor.on_start) or self.killed:
                self._start_error = ActorStopped(f"{self.name} was ended in on_start")
        except Exception as error:  # noqa: BLE001  # whatever it is, it is the spawner's
            self._start_error = error
        if self._start_error is not None:
            self.kill()
            return
        self.introduce()
        if not started.done():
            started.set_result(None)

    def introduce(self) -> None:
        """It has started: let it be found and heard of."""
        self.introduced = True
        if self.core.instruments:
            self.core.report("spawned", self.ref)

    def _renew(self) -> Actor:
        actor = self._factory()
        if not isinstance(actor, Actor):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise no_actor(actor)
        table = table_of(type(actor))
        actor.__attach__(self)
        self.actor, self.table = actor, table
        return actor

    # The end.

    def _withdraw(self) -> None:
        for topic in self.joined:
            self.core.groups.leave(topic, self.ref)
        self.drop_timers()

    def release(self) -> None:
        """The framework's own cleanup: whatever happened, nothing of the actor stays behind."""
        if self.enders is None:
            return
        core, mailbox = self.core, self.mailbox
        if self.tick:
            core.deadlines.discard(self)
        self._hush()
        if mailbox.closed is None or self.in_hand is not NOTHING:
            self._abandon()
        if mailbox.queue or mailbox.waiting:
            self._clear_mail()
        del core.cells[self.name]
        if self._siblings is not None:
            self._siblings.remove(self)
        if self._suspension is not None:
            self._suspension.release()
        actor, ref, end = self.actor, self.ref, self._end
        self.add_settled(core.ended)  # nothing is queued or in hand any more
        self._let_go(ref)
        try:
            actor.__ended__(None if self.killed else end)
        except Exception as error:  # noqa: BLE001  # it must not, but who waits pays for nothing
            log("error", "an actor's own machinery failed", error, actor=self.name)
        self._tell_enders()
        if self.introduced and core.instruments:
            core.report("stopped", ref)
        if self._watchers or self._watched:
            self._end_watches(ref, None if end is None else end.error)

    def _tell_enders(self) -> None:
        """Wake those who wait for its end, and the spawner that still waits for its start."""
        enders, self.enders = self.enders or (), None
        for waiter in enders:
            if not waiter.done():
                waiter.set_result(None)
        if self._started is not None and not self._started.done():
            self._start_error = self._start_error or ActorStopped(f"{self.name} ended in on_start")
            self._started.set_result(None)

    def _end_watches(self, ref: ActorRef, error: Exception | None) -> None:
        """Tell the watchers, and watch nobody any more."""
        for watched in tuple(self._watched or ()):
            self.unwatch(watched.ref)
        watchers, self._watchers = self._watchers or (), None
        notice = self.obituary(ref, error)
        for watcher in watchers:
            if watcher.mailbox.closed is None:
                watcher.mailbox.put_last(Notice(notice))

    def _abandon(self) -> None:
        """Its task was cancelled from outside, or raised: do what its end would have done."""
        self.killed = True
        if self.mailbox.closed is None:
            self._close(self._end)
        self.drop_in_hand(Reason.KILLED)

    async def _break_off(self) -> None:
        """The same in its task, which has the children to wait for."""
        self._finishing = True
        self._abandon()
        if self._family is not None:
            try:
                await self._family.end(self)
            finally:  # if it is cancelled once more, it cannot wait for them, but none stays
                for child in tuple(reversed(self._family.children)):
                    child.kill()

    def _hush(self) -> None:
        """Nothing in hand is hurried any more."""
        self._watch_no_more()
        self._hasten_no_more()

    def _let_go(self, ref: ActorRef) -> None:
        """A ref that is kept keeps no state alive, and one that is not leaves no reference cycle:
        what a short life left to the garbage collector took a tenth of its time."""
        del self.actor, self._factory
        self._ref = self._hand = None
        self._weak_ref = weakref.ref(ref)
        self.mailbox.drop = functools.partial(self.core.late, weakref.ref(self))
        # Its traceback would lead to the actor; and deadlines, if it was infinite, to this cell.
        self._at_deadline = None
        if self._end is not None and self._end.error is not None:
            self._end = End(self._end.how)


def no_actor(made: object) -> TypeError:
    """What to raise of a factory that made something else."""
    return TypeError(f"spawn needs an Actor class or factory, which made {made!r}")


async def spawn(
    core: Core,
    parent: Cell | None,
    factory: Callable[[], Actor],
    name: str | None,
    restart: Restart,
    limits: Limits | None,
) -> ActorRef:
    """Start an actor; see `ActorSystem.spawn`."""
    if core.nursery is None or (core.stopping if parent is None else not parent.takes_children):
        raise NotRunning(f"{'the system' if parent is None else parent.name} is not running")
    if get_ident() != core.thread:
        core.check_thread()
    cell = Cell(core, parent, factory, restart, limits)
    if cell.begin(name):
        await cell.started()
    return cell.ref
