"""A system for one test: virtual time, a schedule, probes, and nothing left behind."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any

import anyio

from .._task import TaskLoop, current_loop
from ..ref import STOP_TIMEOUT, ActorRef
from ..system import ActorSystem
from ..telemetry import DeadLetter, Instrument
from ._loop import VirtualLoop
from ._probe import Probe
from ._schedule import Schedule
from ._waits import report

CLOCK = "the test kit's clock"
"""The name of the task that drives the loop."""
PATIENCE = 20.0
"""Real seconds."""


class Leak(AssertionError):
    """The test left something behind; it says what."""


class Stuck(AssertionError):
    """Nothing can go on, or it goes on and on; it says who waits where."""


class _Over(Exception):
    """The test is over, by something that is no `Exception`."""


class _Record(Instrument):
    def __init__(self) -> None:
        self.dead_letters: list[DeadLetter] = []
        self.crashes: list[Exception] = []

    def dead_letter(self, letter: DeadLetter) -> None:
        self.dead_letters.append(letter)

    def crashed(self, ref: ActorRef, error: Exception) -> None:
        self.crashes.append(error)


def _unwinds(error: BaseException) -> bool:
    """Whether it is a cancellation, or a group with some, and not what a test has to say."""
    if isinstance(error, BaseExceptionGroup):
        return not isinstance(error, Exception)
    return isinstance(error, (anyio.get_cancelled_exc_class(), GeneratorExit))


class TestKit(ActorSystem):
    """An `ActorSystem` for a test, on asyncio or on Trio. Enter it, and spawn what is to be tested.

    ```python
    async with TestKit() as kit:
        probe = await kit.probe()
        ref = await kit.spawn(lambda: Reminder(probe.ref))
        ref.tell(Remind(after=3600.0))
        await probe.expect(Ring, within=3600.0)  # at once: the time is virtual
    ```

    Timers, backoff, deadlines and the timeouts of asks run by a clock that jumps to the next of
    them when no actor can go on. `schedule` says who goes on where several could. What is awaited
    besides (a socket, a thread, `asyncio.sleep`) takes real time, and the clock does not wait for
    it; only for `anyio.to_thread.run_sync`, as long as for anything from outside (`patience`).
    `stop_timeout`: virtual seconds; see `ActorSystem`.

    `patience`: real seconds, above 0, for which actors, timers and the test may go on without all
    of them coming to rest, 20 unless told; a twentieth of it, so a second, where nothing can go on
    and something has to come from outside. Past either, `Stuck` is raised. `math.inf` waits for
    ever.

    Leaving it stops the actors, and raises `Leak` when a task, a name, a group member, a timer or
    an ask is left. Leave it in the task that entered it. Raises `ValueError` for a `patience` or
    `stop_timeout` that is none. Entering it raises `RuntimeError` while another one is entered in
    the same event loop, and `NotRunning` a second time.
    """

    __test__ = False  # it is no test case, whatever pytest makes of the name

    def __init__(
        self,
        *,
        schedule: Schedule | None = None,
        stop_timeout: float = STOP_TIMEOUT,
        patience: float = PATIENCE,
    ) -> None:
        if not patience > 0:
            raise ValueError(f"patience must be above 0 seconds, not {patience}")
        self._record = _Record()
        super().__init__(instruments=[self._record], stop_timeout=stop_timeout)
        self._schedule = Schedule() if schedule is None else schedule
        self._patience = patience
        self._context: AbstractAsyncContextManager[None] | None = None
        self._entered_by: anyio.TaskInfo | None = None

    async def __aenter__(self) -> "TestKit":
        inner = current_loop()
        if any(each.name == CLOCK for each in inner.tasks()):
            raise RuntimeError("one TestKit at a time: its clock waits until all others rest")
        inner.seed(self._schedule.seed or 0)  # tasks that handlers and the test start themselves
        self._loop = VirtualLoop(inner, self._schedule, self._patience)
        self._entered_by = anyio.get_current_task()
        self._context = self._enter(inner)
        await self._context.__aenter__()
        return self

    def _new_loop(self) -> TaskLoop:
        return self._loop

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._context is not None
        if anyio.get_current_task() != self._entered_by:
            raise RuntimeError("leave the TestKit in the task that entered it")
        await self._context.__aexit__(kind, error, traceback)

    @asynccontextmanager
    async def _enter(self, inner: TaskLoop) -> AsyncGenerator[None]:
        before = {each.task for each in inner.tasks()}
        left: list[str] = []
        stuck: list[str] = []
        failure: BaseException | None = None
        unwound: BaseException | None = None
        body = anyio.CancelScope()

        def give_up(why: str) -> None:
            cells = () if self._core is None else self._core.cells.values()
            stuck.append(why + report(self._loop, cells))
            body.cancel()

        async with anyio.create_task_group() as group:
            with body:
                group.start_soon(self._loop.drive, give_up, name=CLOCK)
                group.start_soon(self._loop.watch, give_up, name=f"{CLOCK}: patience")
                try:
                    async with AsyncExitStack() as system:
                        await super().__aenter__()
                        system.push_async_exit(super().__aexit__)
                        try:
                            yield
                        except BaseException as error:
                            self._loop.release()
                            unwound = error
                            if isinstance(error, Exception) or _unwinds(error):
                                raise
                            failure = error  # a skip, say: the actors are killed all the same
                            raise _Over from error
                        await self.stop()
                        left = self._left()
                except BaseException as error:
                    if _unwinds(error):
                        raise
                    failure = failure or error  # the task group would wrap it
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure
        if body.cancelled_caught:
            raise Stuck(stuck[0]) from unwound  # whose traceback has the line of the test
        left += [
            f"the task {each.name}"
            for each in inner.tasks()
            # A test runner may run each step of a fixture by a main task of its own.
            if each.task not in before and not each.main
        ]
        if left:
            raise Leak(f"left behind: {', '.join(left)}")

    def _left(self) -> list[str]:
        """What remains after `stop`."""
        core = self._running
        return [
            *(f"the actor {name}" for name in core.cells),
            *(f"the group {topic}" for topic in core.groups.topics("")),
            *(f"{type(each).__name__.lower()} {each!r}" for each in core.deadlines.pending()),
        ]

    @property
    def time(self) -> float:
        """Virtual seconds since it was entered."""
        return self._loop.now()

    @property
    def dead_letters(self) -> list[DeadLetter]:
        """All so far."""
        return self._record.dead_letters

    @property
    def crashes(self) -> list[Exception]:
        """What handlers and callbacks raised so far."""
        return self._record.crashes

    async def probe(
        self,
        name: str | None = None,
        *,
        answers: Mapping[type, Callable[[Any], Any]] | None = None,
    ) -> Probe:
        """A new probe. `answers`: what it replies to requests, by their type or a base of it.

        A request without an answer crashes it, and fails for who asked.
        """
        probe = Probe(self._loop, answers or {})
        await self.spawn(lambda: probe, name=name)
        return probe

    async def settle(self) -> None:
        """Wait until no actor can go on without time passing."""
        await self._loop.settle()

    async def advance(self, seconds: float) -> None:
        """Let virtual time pass, with all that falls into it, and wait until actors are at rest.

        A deadline may be late by 1/64 s, so up to 1/32 s more pass, in which what is due by then
        still comes.
        """
        await self._loop.sleep(seconds)
        await self._loop.settle()
