"""Tasks, parking and timers: the only file that knows asyncio from Trio.

A cell is a native task and parks on a native waiter: through anyio both would cost six times as
much, and nothing else is needed here.
"""

import asyncio
import random
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from ._log import log
from .mailbox import Waiter

if TYPE_CHECKING:
    import trio

Work = Callable[[], Coroutine[Any, Any, None]]

CANCEL_AGAIN = 1.0
"""Seconds after which work that swallowed its cancellation and waits again is cancelled again."""
CANCEL_SOON = 1 / 32
"""Seconds after which work is cancelled that was being cancelled for somebody else's sake."""


QUIET = 4
"""Rounds of asyncio's loop in which every task waits, after which none will go on by itself."""


class Timer(Protocol):
    """A scheduled call; cancelling it twice is fine."""

    def cancel(self) -> object: ...


class Running(NamedTuple):
    """A task of the loop, as tests see it."""

    task: Any
    name: str
    coroutine: Any
    owner: object
    """`None` if it was not started by the runtime."""
    main: bool
    """Whether the loop runs just for its sake: each time it is run, asyncio's has a new one."""


class Hand(ABC):
    """Runs the work of one cell, and can cancel that work and nothing else.

    A cancellation asked for by `cancel` ends the work in hand; one that comes from outside is
    never swallowed. After it fired, a hand is good for the next work.
    """

    __slots__ = ()

    forgets: ClassVar[bool]
    """Whether work that swallowed its cancellation is rid of it (on Trio it meets the next)."""

    @abstractmethod
    def begin(self) -> None:
        """From now on `cancel` reaches what this task awaits, until `end` or `fail`."""

    @abstractmethod
    def end(self) -> Awaitable[None] | None:
        """The work has returned. Await what this returns, if anything: it raises what came from
        outside in the last moment."""

    @abstractmethod
    async def fail(self, error: BaseException) -> None:
        """The work has raised: return if that was the cancellation by `cancel`, else raise it."""

    async def run(self, work: Work) -> bool:
        """Run the work to its end; return whether it was cancelled by `cancel`."""
        self.begin()
        try:
            await work()
        except BaseException as error:  # noqa: BLE001  # it is raised again, unless it is ours
            await self.fail(error)
            return True
        settling = self.end()
        if settling is not None:
            await settling
        return False

    @abstractmethod
    def cancel(self, *, again: bool = False) -> bool:
        """Cancel the work that runs now, a second time only if `again`; without any, do nothing.

        Whether that was done: work that is being cancelled for somebody else's sake is let go.
        """

    @property
    @abstractmethod
    def busy(self) -> bool:
        """Whether there is work."""

    @abstractmethod
    def leave(self, error: BaseException | None) -> None:
        """To be called in the task's last step, with what it raises, if it does."""


class TaskLoop(ABC):
    """What the runtime needs of an event loop."""

    new_waiter: Callable[[], Waiter]
    """A waiter for one task to await and anybody in the loop's thread to wake."""

    @abstractmethod
    def nursery(self, abort: Callable[[], object]) -> AbstractAsyncContextManager[Any]:
        """The structure that every task is started in; leaving it waits for them all.

        When its block is cancelled or a task raises, it calls `abort()`, which has to cancel all
        work through the hands; and again, where that can be swallowed, for as long as tasks remain.
        """

    @abstractmethod
    def start(self, nursery: Any, work: Work, name: str, owner: object) -> Hand:
        """Start a native task; returns the hand by which to run cancellable work in it.

        Raises `RuntimeError` when the nursery takes no more tasks.
        """

    @abstractmethod
    def owner(self) -> object:
        """Whose task runs now, of those that were started here; `None` for any other."""

    @abstractmethod
    def call_later(self, nursery: Any, delay: float, function: Callable[[], object]) -> Timer:
        """Call the function in the loop's thread after `delay` seconds.

        Cancel it before the nursery is left, or the nursery may wait for it.
        """

    @abstractmethod
    def thread_waker(self, function: Callable[[], object]) -> Callable[[], None]:
        """A function for other threads that has `function` called soon in the loop's thread.

        It raises `RuntimeError` once the loop is closed.
        """

    @abstractmethod
    def checkpoint(self) -> Awaitable[None]:
        """Let everything else that is ready run once."""

    now: Callable[[], float] = staticmethod(time.monotonic)
    """Seconds of a steady clock."""
    chance: Callable[[], float] = staticmethod(random.random)
    """A number of [0, 1), for jitter."""

    # For tests.

    @abstractmethod
    async def settle(self) -> None:
        """Return when every other task waits for something; one task at a time may call it."""

    @abstractmethod
    def tasks(self) -> list[Running]:
        """All tasks of the loop."""

    @abstractmethod
    def threads_work(self) -> bool:
        """Whether a thread of anyio's is at work for a task of this loop."""

    def seed(self, seed: int) -> None:  # noqa: B027  # most loops have nothing to seed
        """Make the loop's own order of steps depend on a seed alone, where chance is part of it."""


class _AsyncioNursery:
    """An `asyncio.TaskGroup` with one member that stands for all the tasks.

    As members of their own each would cost the loop a callback at its end, which is a sixth of a
    short life.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        abort: Callable[[], object],
        owners: dict[asyncio.Task[Any], object],
    ) -> None:
        self.loop = loop
        self._abort = abort
        self._group = asyncio.TaskGroup()
        self.owners = owners
        """Of each task that has not ended."""
        self._over: asyncio.Future[None] = loop.create_future()
        self.leaving = False
        self.cancelled = False

    async def __aenter__(self) -> "_AsyncioNursery":
        await self._group.__aenter__()
        self._group.create_task(self._keep(), name="greenroom")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.leaving = True
        self._tell_over()
        if kind is not None:
            self._cancel()
        await self._group.__aexit__(kind, error, traceback)

    async def _keep(self) -> None:
        try:
            await self._over  # raises what a task raised
        finally:
            self._cancel()
            while self.owners:
                # It ends by itself, unless a task swallows its cancellation, or Ctrl-C comes again.
                with suppress(asyncio.CancelledError):
                    done, _ = await asyncio.wait(list(self.owners), timeout=CANCEL_AGAIN)
                    for task in done:  # those that were cancelled before their first step
                        self.owners.pop(task, None)
                if self.owners:
                    self._abort()

    def _cancel(self) -> None:
        # The hands cancel, once, and nobody else: a task that is cancelled twice never gets
        # through its clean-up.
        if not self.cancelled:
            self.cancelled = True
            self._abort()

    def _tell_over(self) -> None:
        if self.leaving and not self.owners and not self._over.done():
            self._over.set_result(None)

    def left(self, task: asyncio.Task[None], error: BaseException | None) -> None:
        """A task is in its last step. If it raises, so does the block, and cancels the others."""
        if error is not None and not isinstance(error, asyncio.CancelledError):
            # Else asyncio logs the error as one that was never retrieved.
            task.add_done_callback(lambda task: task.exception())
            if self._over.done():
                log("error", "a further task failed", error)
            else:
                self._over.set_exception(error)
        else:
            self._tell_over()


class _AsyncioHand(Hand):
    __slots__ = ("_asked", "_busy", "_nursery", "_task")

    forgets = True

    def __init__(self, nursery: _AsyncioNursery, work: Work, name: str, owner: object) -> None:
        if nursery.cancelled:
            raise RuntimeError("the tasks are being cancelled")
        self._asked = 0
        self._busy = False
        self._nursery = nursery
        # Whatever the loop's task factory is: an eager one would run the actor inside `spawn`.
        self._task = task = asyncio.Task(work(), loop=nursery.loop, name=name)
        nursery.owners[task] = owner

    def leave(self, error: BaseException | None) -> None:
        nursery = self._nursery
        del nursery.owners[self._task]
        if error is not None or nursery.leaving:
            nursery.left(self._task, error)

    def begin(self) -> None:
        self._busy = True

    def end(self) -> Awaitable[None] | None:
        self._busy = False
        return self._settle() if self._asked else None

    async def fail(self, error: BaseException) -> None:
        self._busy = False
        asked = self._asked > 0
        if asked:
            await self._settle()
        if not isinstance(error, asyncio.CancelledError) or self._task.cancelling():
            raise error  # its own, or from outside
        if not asked:
            # Nobody cancelled this task: the work awaited something that was cancelled.
            raise RuntimeError("awaited something that was itself cancelled") from error

    async def _settle(self) -> None:
        """The work is over: take back the cancellation that was asked for."""
        asked, self._asked = self._asked, 0
        # A task that cancelled itself meets that at its next await: let it be this one.
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        for _ in range(asked):
            self._task.uncancel()
        if self._task.cancelling():
            raise asyncio.CancelledError  # from outside, and it came just now

    def cancel(self, *, again: bool = False) -> bool:
        if not (self._busy and (again or self._task.cancelling() == self._asked)):
            return False  # it may be on its way out, or out of a timeout that its handler catches
        self._asked += 1
        self._task.cancel()
        return True

    @property
    def busy(self) -> bool:
        return self._busy


class _AsyncioLoop(TaskLoop):
    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._owners: dict[asyncio.Task[Any], object] = {}
        self.new_waiter = self._loop.create_future

    def nursery(self, abort: Callable[[], object]) -> AbstractAsyncContextManager[Any]:
        return _AsyncioNursery(self._loop, abort, self._owners)

    def start(self, nursery: _AsyncioNursery, work: Work, name: str, owner: object) -> Hand:
        return _AsyncioHand(nursery, work, name, owner)

    def owner(self) -> object:
        # With the loop given: to find it out itself asyncio makes a system call.
        task = asyncio.current_task(self._loop)
        return None if task is None else self._owners.get(task)

    def call_later(self, nursery: Any, delay: float, function: Callable[[], object]) -> Timer:
        return self._loop.call_later(delay, function)

    def thread_waker(self, function: Callable[[], object]) -> Callable[[], None]:
        loop = self._loop

        def wake() -> None:
            loop.call_soon_threadsafe(function)

        return wake

    def checkpoint(self) -> Awaitable[None]:
        return asyncio.sleep(0)

    async def settle(self) -> None:
        own = asyncio.current_task(self._loop)
        quiet = 0
        # Between a task's end and what its callbacks wake, everybody waits for a round or two.
        while quiet < QUIET:
            await asyncio.sleep(0)
            waits = all(task is own or _waits(task) for task in asyncio.all_tasks(self._loop))
            quiet = quiet + 1 if waits else 0

    def tasks(self) -> list[Running]:
        return [
            Running(task, task.get_name(), task.get_coro(), self._owners.get(task), _is_main(task))
            for task in asyncio.all_tasks(self._loop)
        ]

    def threads_work(self) -> bool:
        # No public way to ask: a limiter counts its own, and FastAPI has one for each clean-up.
        backend: Any = sys.modules.get("anyio._backends._asyncio")
        try:
            workers, idle = backend._threadpool_workers, backend._threadpool_idle_workers
            return len(workers.get()) > len(idle.get())
        except (AttributeError, LookupError):  # none so far
            return False


def _is_main(task: asyncio.Task[Any]) -> bool:
    # Nothing else tells them: what the loop, asyncio's or uvloop's, calls at the task's end.
    callbacks: list[tuple[Any, Any]] = getattr(task, "_callbacks", None) or []
    return any("run_until_complete" in getattr(call, "__qualname__", "") for call, _ in callbacks)


def _waits(task: asyncio.Task[Any]) -> bool:
    # There is no public way to ask; anyio reads the same attribute.
    waiter: asyncio.Future[Any] | None = getattr(task, "_fut_waiter", None)
    return waiter is not None and not waiter.done()


class _TrioWaiter:
    """Parked Trio tasks, mostly one, with as much of a future's face as the runtime uses."""

    __slots__ = ("_done", "_tasks", "_trio")

    def __init__(self, trio_module: Any) -> None:
        self._trio = trio_module
        self._tasks: list[trio.lowlevel.Task] = []
        self._done = False

    def done(self) -> bool:
        return self._done

    def set_result(self, result: None, /) -> None:
        self._done = True
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            self._trio.lowlevel.reschedule(task)

    def __await__(self) -> Generator[Any, Any, None]:
        if self._done:
            return
        task = self._trio.lowlevel.current_task()
        self._tasks.append(task)

        def abort(raise_cancel: object) -> object:
            self._tasks.remove(task)
            self._done = not self._tasks
            return self._trio.lowlevel.Abort.SUCCEEDED

        yield from self._trio.lowlevel.wait_task_rescheduled(abort).__await__()


class _TrioHand(Hand):
    __slots__ = ("_owner", "_owners", "_scope", "_trio")

    forgets = False

    def __init__(self, trio_module: Any, owner: object, owners: "dict[Any, object]") -> None:
        self._trio = trio_module
        self._owner = owner
        self._owners = owners
        self._scope: trio.CancelScope | None = None

    def begin(self) -> None:
        self._owners[self._trio.lowlevel.current_task()] = self._owner
        # A scope that fired cancels whatever runs in it next, so each work gets a new one.
        scope: trio.CancelScope = self._trio.CancelScope()
        scope.__enter__()
        self._scope = scope

    def end(self) -> Awaitable[None] | None:
        self._leave_scope(None)
        return None

    async def fail(self, error: BaseException) -> None:
        if not self._leave_scope(error):
            raise error

    def _leave_scope(self, error: BaseException | None) -> bool:
        scope, self._scope = self._scope, None
        assert scope is not None
        if error is None:
            return scope.__exit__(None, None, None)
        return scope.__exit__(type(error), error, error.__traceback__)

    def cancel(self, *, again: bool = False) -> bool:
        if self._scope is not None:
            self._scope.cancel()
        return True

    @property
    def busy(self) -> bool:
        return self._scope is not None

    def leave(self, error: BaseException | None) -> None:
        # The nursery sees for itself.
        self._owners.pop(self._trio.lowlevel.current_task(), None)


class _TrioNursery:
    """A Trio nursery whose tasks are shielded from what cancels it: that reaches them by `abort`.

    Trio would cancel all of them at once, and a parent might be gone before its children are.
    """

    def __init__(self, trio_module: Any, nursery: "trio.Nursery", abort: Callable[[], object]):
        self._trio = trio_module
        self.nursery = nursery
        self._abort = abort
        self._living = 0
        self._leaving = False
        self._over: trio.Event = trio_module.Event()
        self._cancelled = False
        nursery.start_soon(self._keep, name="greenroom")

    def start(self, work: Work, name: str) -> None:
        if self._cancelled:
            raise RuntimeError("the tasks are being cancelled")
        self._living += 1
        self.nursery.start_soon(self._run, work, name=name)

    async def _run(self, work: Work) -> None:
        try:
            with self._trio.CancelScope(shield=True):
                await work()
        finally:
            self._living -= 1
            self._tell_over()

    async def _keep(self) -> None:
        try:
            await self._over.wait()
        except self._trio.Cancelled:
            self.cancel()
            raise

    def cancel(self) -> None:
        """The block is cancelled, or has raised."""
        if not self._cancelled:
            self._cancelled = True
            self._abort()

    def leave(self) -> None:
        """The block has been left: the end of the last task is the nursery's."""
        self._leaving = True
        self._tell_over()

    def _tell_over(self) -> None:
        if self._leaving and not self._living:
            self._over.set()


@asynccontextmanager
async def _trio_nursery(
    trio_module: Any, abort: Callable[[], object]
) -> AsyncGenerator[_TrioNursery]:
    async with trio_module.open_nursery() as nursery:
        tasks = _TrioNursery(trio_module, nursery, abort)
        try:
            yield tasks
        except BaseException:
            tasks.cancel()
            raise
        finally:
            tasks.leave()


class _TrioLoop(TaskLoop):
    def __init__(self, trio_module: Any) -> None:
        self._trio = trio_module
        self._owners: dict[Any, object] = {}
        self.new_waiter = lambda: _TrioWaiter(trio_module)

    def nursery(self, abort: Callable[[], object]) -> AbstractAsyncContextManager[Any]:
        return _trio_nursery(self._trio, abort)

    def start(self, nursery: _TrioNursery, work: Work, name: str, owner: object) -> Hand:
        nursery.start(work, name)
        return _TrioHand(self._trio, owner, self._owners)

    def owner(self) -> object:
        return self._owners.get(self._trio.lowlevel.current_task())

    def call_later(
        self, nursery: _TrioNursery, delay: float, function: Callable[[], object]
    ) -> Timer:
        scope: trio.CancelScope = self._trio.CancelScope()

        async def run() -> None:
            with scope:
                await self._trio.sleep(delay)
                function()

        nursery.nursery.start_soon(run)
        return scope

    def thread_waker(self, function: Callable[[], object]) -> Callable[[], None]:
        token = self._trio.lowlevel.current_trio_token()
        run_finished = self._trio.RunFinishedError

        def wake() -> None:
            try:
                token.run_sync_soon(function)
            except run_finished as error:
                raise RuntimeError("the loop is closed") from error

        return wake

    async def checkpoint(self) -> None:
        await self._trio.lowlevel.checkpoint()

    async def settle(self) -> None:
        import trio.testing  # only tests pay for it

        await trio.testing.wait_all_tasks_blocked()

    def tasks(self) -> list[Running]:
        found = [self._trio.lowlevel.current_root_task()]
        for task in found:
            found += [child for each in task.child_nurseries for child in each.child_tasks]
        return [
            Running(task, task.name, task.coro, self._owners.get(task), task is found[0])
            for task in found
        ]

    def threads_work(self) -> bool:
        return bool(self._trio.to_thread.current_default_thread_limiter().borrowed_tokens)

    def seed(self, seed: int) -> None:
        # Trio shuffles who is ready by a generator of its own, and Hypothesis seeds that one too.
        self._trio._core._run._r.seed(seed)


def current_loop() -> TaskLoop:
    """The loop that runs now: asyncio (uvloop too) or Trio."""
    trio_module = sys.modules.get("trio")
    if trio_module is not None and trio_module.lowlevel.in_trio_run():
        return _TrioLoop(trio_module)
    return _AsyncioLoop()
