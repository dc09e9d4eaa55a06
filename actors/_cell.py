"""The cell: runs one actor. Take a message, handle it, decide what follows a failure.

One task for each actor. The hot path is `_work`: no scope and no timer for a message; a kill or a
deadline cancels the work in hand through the cell's `Hand`, and the life goes on from there.
"""

import uuid
from collections.abc import Awaitable, Callable, Generator, Iterable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextvars import ContextVar
from threading import get_ident
from typing import Any, TypeVar, cast

from ._ask import Ask, is_ask, message_in
from ._core import Core, logger
from ._deadlines import Deadline
from ._dispatch import Table, inherited, table_of
from ._task import Hand, Work
from .actor import Actor, End, handlers_of
from .exceptions import (
    ActorCrashed,
    ActorError,
    ActorStopped,
    AskTimeout,
    HandlerTimeout,
    MailboxFull,
    NotRunning,
    StopTimeout,
)
from .mailbox import DONE, Control, Mailbox, Overflow, Reason, Told, Waiter, Waiting
from .message import Request
from .ref import STOP_TIMEOUT, ActorRef
from .supervision import Intensity, Restart, Supervision
from .telemetry import Stats

R = TypeVar("R")

BATCH = 64
"""Messages an actor may handle before everybody else gets a turn."""

_current: ContextVar["Cell | None"] = ContextVar("greenroom_cell", default=None)


class _Leave(Control):
    """Leave the work: its end was decided, or its hand must be renewed."""

    __slots__ = ()


class Call(Control):
    """Have the actor's task call `function(actor)` between two messages; it may crash the actor."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[[Any], Awaitable[None]]) -> None:
        super().__init__()
        self.function = function


class Cell:
    """Runs one actor, through its restarts, to its end. See the module's head."""

    __slots__ = (
        "__weakref__",
        "_actor",
        "_deadline",
        "_end",
        "_factory",
        "_finishing",
        "_hand",
        "_killed",
        "_leaving",
        "_parent",
        "_start_error",
        "_started",
        "_supervision",
        "_timed_out",
        "children",
        "core",
        "crashed",
        "enders",
        "handled",
        "in_hand",
        "joined",
        "mailbox",
        "name",
        "ref",
        "staged_in",
        "staged_out",
        "thread",
    )

    def __init__(
        self,
        core: Core,
        parent: "Cell | None",
        factory: Callable[[], Actor],
        name: str | None,
        supervision: Supervision,
    ) -> None:
        actor = factory()
        if not isinstance(actor, Actor):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"spawn needs an Actor class or factory, which made {actor!r}")
        handlers_of(type(actor))
        self.core = core
        self.thread = core.thread
        self.mailbox = Mailbox(actor.mailbox_size, actor.overflow, self._drop, core.loop.new_waiter)
        self.name = core.registry.reserve(name, type(actor).__name__)
        self.ref = ActorRef(self)
        self.joined: dict[str, None] = {}
        self.children: dict[Cell, None] = {}
        self.handled = 0
        self.crashed = 0
        self.in_hand: object = None
        self.staged_in = 0  # written by other threads, one at a time
        self.staged_out = 0  # written by the loop
        self._parent = parent
        self._factory = factory
        self._supervision = supervision
        self._actor = actor
        self._hand: Hand | None = None
        self._started: Waiter | None = None
        self._start_error: Exception | None = None
        self._end: End | None = None
        self._leaving = False
        self._finishing = False
        self._killed = False
        self._timed_out: HandlerTimeout | None = None
        self._deadline: Deadline | None = None
        self.enders: list[Waiter] | None = []  # None once it has ended
        actor.__attach__(self)
        core.cells[self] = None
        (core.roots if parent is None else parent.children)[self] = None

    # The face to refs.

    @property
    def alive(self) -> bool:
        return self.mailbox.closed is None

    def tell_from_thread(self, message: object) -> Told:
        self.core.inlet.put(lambda: self._transfer(message), self._admit_from_thread)
        return DONE

    def _admit_from_thread(self) -> None:
        mailbox = self.mailbox
        if mailbox.closed is None and mailbox.overflow in (Overflow.WAIT, Overflow.FAIL):
            staged = self.staged_in - self.staged_out
            if len(mailbox.queue) + staged >= mailbox.capacity:
                mailbox.refused += 1
                raise MailboxFull(f"the mailbox of {self.name} is full")
        self.staged_in += 1

    def _transfer(self, message: object) -> None:
        self.staged_out += 1
        try:
            self.mailbox.put(message)
        except MailboxFull:
            # There was room when the thread told it; tells of the loop have taken it since.
            self.mailbox.refused -= 1
            self.mailbox.offer(message)

    def ask(self, request: Request[R], timeout: float) -> Awaitable[R]:
        if get_ident() != self.thread:
            raise RuntimeError("from another thread, ask with `ask_blocking`")
        if _current.get() is self:
            raise ActorError(f"{self.name} asks itself, and would wait for ever")
        return self._put_ask(request, timeout, self.core.loop.new_waiter())

    def _put_ask(self, request: Request[R], timeout: float, waiter: Waiter) -> Ask[R]:
        if not 0 < timeout < float("inf"):
            raise ValueError(f"an ask's timeout is above 0 and finite, not {timeout}")
        if self.enders is None and self.core.nursery is None:
            raise NotRunning("the actor system has ended")
        ask = Ask(request, waiter, timeout, self.core.deadlines, self.name)
        try:
            place = self.mailbox.put(ask)
        except MailboxFull as error:
            ask.fail(error)
            raise
        if type(place) is Waiting:
            ask.place = self.mailbox, place
        return ask

    def ask_blocking(self, request: Request[R], timeout: float) -> R:
        if get_ident() == self.thread:
            raise RuntimeError("ask_blocking would block the loop: use `await ref.ask(...)`")
        # A thread blocks on this future as a task awaits a native one; both are woken alike.
        future: Future[None] = Future()
        asks: list[Ask[R]] = []

        def put() -> None:
            self.staged_out += 1
            try:
                asks.append(self._put_ask(request, timeout, cast(Waiter, future)))
            except (ActorError, ValueError) as error:
                future.set_exception(error)

        self.core.inlet.put(put, self._admit_from_thread)
        try:
            # The ask expires in the loop; the extra second is for a loop that is blocked or gone.
            future.result(timeout + 1.0)
        except FutureTimeout:
            raise AskTimeout(f"the loop did not respond within {timeout + 1:g} s") from None
        return asks[0].result()

    def drain(self, timeout: float) -> Awaitable[None]:
        if self._end is None and not self._killed:
            self._close(End("drain"))
            self._set_deadline(self.kill, timeout)
            self.mailbox.put_last(_Leave())
        return self.wait()

    def stop(self, timeout: float) -> Awaitable[None]:
        if not self._killed and (self._end is None or self._end.how == "drain"):
            self._close(End("stop"))
            self._set_deadline(self.kill, timeout)
            self.mailbox.put_first(_Leave())
        return self.wait()

    def kill(self) -> Awaitable[None]:
        if not self._killed and self.enders is not None:
            self._killed = True
            self._close(self._end)
            self._set_deadline(self.kill, None)
            self.mailbox.put_first(_Leave())  # for a handler that swallows its cancellation
            self._cancel_hand()
            if self._finishing:  # it may be waiting for its children
                for child in reversed(list(self.children)):
                    child.kill()
        return self.wait()

    def wait(self) -> Awaitable[None]:
        return _Wait(self)

    def time_out(self, error: HandlerTimeout) -> None:
        """Cancel the handler in hand, which ran past its deadline."""
        self._timed_out = error
        self._cancel_hand()

    async def start(self) -> None:
        """Start the task and wait for `on_start`; raises what that raises."""
        core = self.core
        if type(self._actor).on_start is not Actor.on_start:
            self._started = core.loop.new_waiter()
        try:
            core.loop.start(core.nursery, self.run, self.name)
        except RuntimeError as error:  # the nursery is being cancelled
            self._release()
            raise NotRunning("the actor system is ending") from error
        if self._started is None:
            self.introduce()
            return
        try:
            await self._started
        except BaseException:
            self.kill()  # nobody will get the ref
            raise
        if self._start_error is not None:
            raise self._start_error

    # The face to its actor.

    async def spawn(
        self,
        factory: Callable[[], Actor],
        *,
        name: str | None,
        restart: Restart,
        intensity: Intensity,
    ) -> ActorRef:
        return await spawn(self.core, self, factory, name, restart, intensity)

    def find(self, name: str) -> ActorRef | None:
        return self.core.registry.find(name)

    def join(self, topic: str) -> None:
        if self.mailbox.closed is not None:
            raise NotRunning(f"{self.name} is ending and can join no group")
        lane, member = self._actor.__membership__()
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
        self.core.groups.publish(topic, message, exclude)

    def call(self, function: Callable[[Any], Awaitable[None]]) -> None:
        self.mailbox.put_last(Call(function))

    def ask_waking(self, request: Request[Any], timeout: float, waiter: Any) -> Ask[Any]:
        return self._put_ask(request, timeout, waiter)

    def drain_or_interrupt(self, timeout: float) -> None:
        if self._end is None and not self._killed:
            self._close(End("drain"))
            self._set_deadline(self._interrupt, timeout)
            self.mailbox.put_last(_Leave())

    def _interrupt(self) -> None:
        self.mailbox.put_first(_Leave())
        self._cancel_hand()

    def dead_letter(self, message: object, reason: Reason) -> None:
        self.core.dead_letter(message, self.ref, reason)

    def call_later(self, delay: float, function: Callable[[], object]) -> Deadline:
        return Deadline(self.core.deadlines, delay, function)

    # The life.

    async def run(self) -> None:
        """The actor's task, from `on_start` to the end."""
        self._hand = self.core.loop.hand()
        _current.set(self)
        try:
            if self._started is None or await self._start():
                await self._live()
                await self._finish()
        finally:
            self._release()

    async def _start(self) -> bool:
        """Run `on_start`; whether it went well."""
        try:
            if await self._hand_run(self._actor.on_start):
                self._start_error = ActorStopped(f"{self.name} was killed in on_start")
                return False
        except Exception as error:  # noqa: BLE001  # whatever it is, it is the spawner's
            self._start_error = error
            return False
        self.introduce()
        self._wake_starter()
        return True

    def introduce(self) -> None:
        """It has started: let it be found and heard of."""
        self.core.registry.bind(self.name, self.ref)
        if self.core.instruments:
            self.core.report("spawned", self.ref)

    def _wake_starter(self) -> None:
        if self._started is not None and not self._started.done():
            self._started.set_result(None)

    async def _hand_run(self, work: Work) -> bool:
        assert self._hand is not None
        return await self._hand.run(work)

    async def _live(self) -> None:
        """Handle mail until the end is decided, through any number of restarts."""
        assert self._hand is not None
        run = self._hand.run
        while not (self._killed or self._leaving):
            try:
                cancelled = await run(self._work)
            except Exception as error:  # noqa: BLE001  # the boundary of supervision
                await self._fail(error)
                continue
            timed_out, self._timed_out = self._timed_out, None
            if cancelled and timed_out is not None and not self._killed:
                await self._fail(timed_out)
            elif self.in_hand is not None:
                item, self.in_hand = self.in_hand, None
                self._drop(item, Reason.KILLED if self._killed else Reason.INTERRUPTED)

    async def _work(self) -> None:
        mailbox, actor = self.mailbox, self._actor
        queue, new_waiter, table = mailbox.queue, mailbox.new_waiter, table_of(type(actor))
        checkpoint = self.core.loop.checkpoint
        while True:
            budget = BATCH
            while queue and budget:
                budget -= 1
                item = queue.popleft()
                if mailbox.waiting:
                    mailbox.admit()
                function = table.get(type(item))
                if function is not None:
                    self.in_hand = item
                    await function(actor, item)
                    self.handled += 1
                elif await self._take_other(item, table):
                    return
            self.in_hand = None
            if queue:
                await checkpoint()
            else:
                mailbox.waiter = waiter = new_waiter()
                try:
                    await waiter
                finally:
                    mailbox.waiter = None

    async def _take_other(self, item: object, table: Table) -> bool:
        """Handle what the table does not name; whether to leave the work."""
        self.in_hand = None
        if isinstance(item, Control):
            if isinstance(item, Call):
                await item.function(self._actor)
                return False
            self._leaving = True
            return True
        if is_ask(item):
            if item.done:
                self._drop(item, Reason.ABANDONED)
                return False
            item.place = None
        message = message_in(item)
        function = table.get(type(message)) or inherited(table, type(message))
        if function is None:
            if not is_ask(item) and self._actor.__unhandled__(message):
                self.handled += 1
            else:
                self._drop(item, Reason.UNHANDLED)
            return False
        self.in_hand = item
        reply = await function(self._actor, message)
        self.handled += 1
        self.in_hand = None
        if is_ask(item):
            if item.done:
                self.core.dead_letter(reply, self.ref, Reason.LATE)
            else:
                item.answer(reply)
        return False

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
        self._leaving = True

    def _crash(self, error: Exception) -> bool:
        """Count and report a crash; whether a restart follows."""
        item, self.in_hand = self.in_hand, None
        if item is not None:
            self.crashed += 1
        if is_ask(item):
            crash = ActorCrashed(f"{self.name} crashed: {type(error).__name__}: {error}")
            crash.__cause__ = error
            item.fail(crash)
        stopping = self._killed or (self._end is not None and self._end.how == "stop")
        restarts = not stopping and self._supervision.restarts_after_crash(self.core.loop.now())
        error_id = uuid.uuid4().hex[:12]
        logger.error(
            "actor crashed",
            actor=self.name,
            message=None if item is None else type(message_in(item)).__name__,
            error_id=error_id,
            restarts=restarts,
            exc_info=error,
        )
        self._actor.__crashed__(error, error_id, restarts=restarts)
        if self.core.instruments:
            self.core.report("crashed", self.ref, error)
        return restarts

    async def _restart(self, error: Exception) -> None:
        await self._end_children()
        actor = self._factory()
        handlers_of(type(actor))
        actor.__attach__(self)
        self._actor = actor
        if await self._hand_run(actor.on_start) or self._killed:
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

    def _set_deadline(self, function: Callable[[], object], timeout: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if timeout is not None:
            self._deadline = Deadline(self.core.deadlines, timeout, function)

    async def _finish(self) -> None:
        self._finishing = True
        if self.mailbox.closed is None:
            self._close(self._end)
        self.mailbox.clear(Reason.KILLED if self._killed else Reason.STOPPED)
        await self._end_children()
        self._set_deadline(self._cancel_hand, self._actor.stop_timeout)
        end = self._end
        if self._killed or end is None:
            return
        try:
            cancelled = await self._hand_run(lambda: self._actor.__finish__(end))
        except Exception as error:  # noqa: BLE001  # it harms nobody else
            self._report_on_stop(error)
        else:
            if cancelled and not self._killed:
                self._report_on_stop(
                    StopTimeout(f"on_stop took more than {self._actor.stop_timeout:g} s")
                )

    def _cancel_hand(self) -> None:
        if self._hand is not None:
            self._hand.cancel()

    def _report_on_stop(self, error: Exception) -> None:
        logger.error("on_stop failed", actor=self.name, exc_info=error)
        if self.core.instruments:
            self.core.report("crashed", self.ref, error)

    async def _end_children(self) -> None:
        for child in reversed(list(self.children)):
            await (child.kill() if self._killed else child.stop(STOP_TIMEOUT))

    def _release(self) -> None:
        """The framework's own cleanup: whatever happened, nothing of the actor stays behind."""
        core, mailbox = self.core, self.mailbox
        self._set_deadline(self.kill, None)
        if mailbox.closed is None:
            self._close(self._end)
        if self.in_hand is not None:
            item, self.in_hand = self.in_hand, None
            self._drop(item, Reason.KILLED)
        mailbox.clear(mailbox.closed or Reason.STOPPED)
        core.registry.release(self.name)
        (core.roots if self._parent is None else self._parent.children).pop(self, None)
        del core.cells[self]
        self.add_to(core.ended)
        enders, self.enders = self.enders or [], None
        self._actor.__ended__(None if self._killed else self._end)
        del self._actor, self._factory  # a ref kept for long keeps no state alive
        for waiter in enders:
            if not waiter.done():
                waiter.set_result(None)
        self._wake_starter()
        if core.instruments and self._start_error is None:
            core.report("stopped", self.ref)

    # Counting.

    def _drop(self, item: object, reason: Reason) -> None:
        if self.enders is None:
            self.core.ended.told += 1  # told after its own counts were added up
        self.core.dead_letter(item, self.ref, reason)

    def add_to(self, stats: Stats) -> None:
        """Add this actor's counts."""
        stats.told += self.mailbox.told
        stats.refused += self.mailbox.refused
        stats.handled += self.handled
        stats.crashed += self.crashed
        stats.queued += len(self.mailbox)
        stats.in_hand += self.in_hand is not None


class _Wait:
    """Waits for a cell's end; at once in its own handler, which the end waits for."""

    __slots__ = ("_cell",)

    def __init__(self, cell: Cell) -> None:
        self._cell = cell

    def __await__(self) -> Generator[Any, Any, None]:
        enders = self._cell.enders
        if enders is None or _current.get() is self._cell:
            return
        waiter = self._cell.core.loop.new_waiter()
        enders.append(waiter)
        try:
            yield from waiter.__await__()
        finally:
            enders.remove(waiter)


async def spawn(
    core: Core,
    parent: Cell | None,
    factory: Callable[[], Actor],
    name: str | None,
    restart: Restart,
    intensity: Intensity,
) -> ActorRef:
    """Start an actor; see `ActorSystem.spawn`."""
    if core.nursery is None or core.stopping or (parent is not None and not parent.alive):
        raise NotRunning(f"{'the system' if parent is None else parent.name} is not running")
    if get_ident() != core.thread:
        raise RuntimeError("spawn in the loop's own thread")
    cell = Cell(core, parent, factory, name, Supervision(restart, intensity))
    await cell.start()
    return cell.ref
