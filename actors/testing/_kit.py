"""A system for one test: virtual time, a schedule, probes, and nothing left behind."""

from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Any

import anyio

from .._task import TaskLoop, current_loop
from ..actor import Actor
from ..ref import STOP_TIMEOUT, ActorRef
from ..supervision import Backoff, Intensity, Restart
from ..system import ActorSystem
from ..telemetry import DeadLetter, Instrument
from ._loop import VirtualLoop
from ._probe import Probe
from ._schedule import Schedule

CLOCK = "the test kit's clock"
"""The name of the task that drives the loop."""


class Leak(AssertionError):
    """The test left something behind; it says what."""


class Stuck(AssertionError):
    """No actor can go on, no timer is left, and nothing has come from outside for a while."""


class _Over(Exception):
    """The test is over, by something that is no `Exception`."""


class _System(ActorSystem):
    def __init__(self, loop: TaskLoop, instrument: Instrument, stop_timeout: float) -> None:
        super().__init__(instruments=[instrument], stop_timeout=stop_timeout)
        self._loop = loop

    def _new_loop(self) -> TaskLoop:
        return self._loop

    def left(self) -> list[str]:
        """What remains after `stop`."""
        core = self._core
        if core is None:
            return []
        return [
            *(f"the actor {name}" for name in core.cells),
            *(f"the group {topic}" for topic in core.groups.topics("")),
            *(f"{type(each).__name__.lower()} {each!r}" for each in core.deadlines.pending()),
        ]


def _unwinds(error: BaseException) -> bool:
    """Whether it is a cancellation, or a group with some, and not what a test has to say."""
    if isinstance(error, BaseExceptionGroup):
        return not isinstance(error, Exception)
    return isinstance(error, (anyio.get_cancelled_exc_class(), GeneratorExit))


class _Record(Instrument):
    def __init__(self) -> None:
        self.dead_letters: list[DeadLetter] = []
        self.crashes: list[Exception] = []

    def dead_letter(self, letter: DeadLetter) -> None:
        self.dead_letters.append(letter)

    def crashed(self, ref: ActorRef, error: Exception) -> None:
        self.crashes.append(error)


class TestKit:
    """Enter it in a test, on asyncio or on Trio, and spawn the actors to be tested in it.

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
    it.

    Leaving it stops the actors, and raises `Leak` when a task, a name, a group member, a timer or
    an ask is left. It raises `Stuck` when for a second nothing can go on. Entering it raises
    `RuntimeError` while another one is entered in the same event loop.
    """

    __test__ = False  # it is no test case, whatever pytest makes of the name

    def __init__(
        self, *, schedule: Schedule | None = None, stop_timeout: float = STOP_TIMEOUT
    ) -> None:
        self._schedule = Schedule() if schedule is None else schedule
        self._stop_timeout = stop_timeout
        self._record = _Record()
        self._context: AbstractAsyncContextManager[None] | None = None

    async def __aenter__(self) -> "TestKit":
        inner = current_loop()
        if CLOCK in inner.tasks():
            raise RuntimeError("one TestKit at a time: its clock waits until all others rest")
        self._loop = VirtualLoop(inner, self._schedule)
        self._system = _System(self._loop, self._record, self._stop_timeout)
        self._context = self._enter(inner)
        await self._context.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        assert self._context is not None
        return await self._context.__aexit__(kind, error, traceback)

    @asynccontextmanager
    async def _enter(self, inner: TaskLoop) -> AsyncGenerator[None]:
        before = Counter(inner.tasks())
        left: list[str] = []
        failure: BaseException | None = None
        body = anyio.CancelScope()
        async with anyio.create_task_group() as group:
            with body:
                group.start_soon(self._loop.drive, body.cancel, name=CLOCK)
                try:
                    async with self._system:
                        try:
                            yield
                        except BaseException as error:
                            self._loop.release()
                            if isinstance(error, Exception) or _unwinds(error):
                                raise
                            failure = error  # a skip, say: the actors are killed all the same
                            raise _Over from error
                        await self._system.stop()
                        left = self._system.left()
                except BaseException as error:
                    if _unwinds(error):
                        raise
                    failure = failure or error  # the task group would wrap it
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure
        if body.cancelled_caught:
            raise Stuck("no actor can go on, no timer is left, and the test waits for something")
        left += [f"the task {name}" for name in (Counter(inner.tasks()) - before).elements()]
        if left:
            raise Leak(f"left behind: {', '.join(left)}")

    @property
    def system(self) -> ActorSystem:
        """The system that the actors run in."""
        return self._system

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

    def spawn(
        self,
        factory: Callable[[], Actor],
        *,
        name: str | None = None,
        restart: Restart = Restart.TEMPORARY,
        intensity: Intensity = Intensity(),  # noqa: B008  # frozen
        backoff: Backoff | None = None,
    ) -> Awaitable[ActorRef]:
        """`ActorSystem.spawn`."""
        return self._system.spawn(
            factory, name=name, restart=restart, intensity=intensity, backoff=backoff
        )

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
        await self._system.spawn(lambda: probe, name=name)
        return probe

    async def settle(self) -> None:
        """Wait until no actor can go on without time passing."""
        await self._loop.settle()

    async def advance(self, seconds: float) -> None:
        """Let virtual time pass, with all that falls into it, and wait until actors are at rest."""
        await self._loop.sleep(seconds)
        await self._loop.settle()
