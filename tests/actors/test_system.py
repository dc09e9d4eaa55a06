"""The system: entered once, left in order, and what its block raises."""

from typing import Any, ClassVar

import anyio
import pytest

from actors import Actor, ActorRef, ActorSystem, End, Instrument, Message, NotRunning, receive
from actors.testing import TestKit
from tests.actors.work import Do
from tests.actors.worker import Note, Parent, Worker, hold, spawn

BOTH = pytest.mark.parametrize("backend", ["asyncio", "trio"])
pytestmark = pytest.mark.anyio


async def test_a_system_is_entered_once_and_runs_in_between(anyio_backend: str) -> None:
    system = ActorSystem()
    with pytest.raises(NotRunning):
        await system.spawn(Worker)
    async with system:
        ref = await system.spawn(Worker)
    assert not ref.alive
    with pytest.raises(NotRunning):
        await system.spawn(Worker)
    with pytest.raises(NotRunning, match="once"):
        await system.__aenter__()


async def test_leaving_stops_all_the_last_started_first(anyio_backend: str) -> None:
    book: list[Any] = []
    async with ActorSystem() as system:
        for number in range(3):
            await system.spawn(lambda number=number: Worker(book, f"{number} "))
    assert book == ["2 stop", "1 stop", "0 stop"]


async def test_leaving_kills_those_that_are_left_at_the_deadline(
    anyio_backend: str, nothing_left: Any, count_tasks: Any
) -> None:
    before = count_tasks()
    book: list[Any] = []
    with anyio.fail_after(4):
        async with ActorSystem(stop_timeout=0.05) as system:
            for _ in range(3):
                await hold(await spawn(system, book))
    assert book == ["cancelled"] * 3
    nothing_left(system, before)


async def test_the_deadline_of_leaving_is_one_for_all(anyio_backend: str) -> None:
    with anyio.fail_after(5):  # and not a tenth of a second for each
        async with ActorSystem(stop_timeout=0.1) as system:
            for _ in range(200):
                await hold(await spawn(system, []))


async def test_one_that_is_late_costs_no_other_its_on_stop() -> None:
    ended: list[str] = []

    class Idle(Actor):
        async def on_stop(self, end: End) -> None:
            ended.append(end.how)

    class Busy(Actor):
        @receive
        async def note(self, message: Note) -> None:
            await anyio.sleep_forever()

    with anyio.fail_after(10):
        async with ActorSystem(stop_timeout=0.1) as system:
            for _ in range(2):
                await system.spawn(Idle)
            for _ in range(2):
                (await system.spawn(Busy)).tell(Note(1))
            await anyio.wait_all_tasks_blocked()
    assert ended == ["stop", "stop"]


@BOTH
def test_the_system_stops_as_soon_as_it_was_told_to(backend: str) -> None:
    async def main() -> float:
        async with TestKit(stop_timeout=0.5) as kit:
            worker = await kit.spawn(Worker)
            worker.tell(Do(lambda actor: kit.advance(1000)))
            await kit.settle()
            worker.stop(timeout=600)
        return kit.time

    assert anyio.run(main, backend=backend) < 1


async def test_nothing_is_spawned_while_the_system_stops(system: ActorSystem) -> None:
    await system.stop()
    with pytest.raises(NotRunning):
        await system.spawn(Worker)


async def test_an_exception_in_the_block_comes_out_as_itself(
    anyio_backend: str, nothing_left: Any, count_tasks: Any
) -> None:
    before = count_tasks()
    book: list[Any] = []
    system = ActorSystem()

    async def fail() -> None:
        async with system:
            await hold(await spawn(system, book))
            await system.spawn(lambda: Parent(book))
            raise LookupError("as itself")

    with pytest.raises(LookupError, match="as itself"):
        await fail()
    assert book == ["cancelled"]
    nothing_left(system, before)


class Alarm(BaseException):
    """What no supervision may catch."""


class Raise(Message):
    error: Any


class Raiser(Actor):
    @receive
    async def fail(self, message: Raise) -> None:
        raise message.error


class Sleeper(Actor):
    cancelled: ClassVar[int] = 0

    @receive
    async def sleep(self, message: Raise) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            Sleeper.cancelled += 1


async def test_what_is_no_exception_ends_the_system_and_is_raised(
    anyio_backend: str, nothing_left: Any, count_tasks: Any
) -> None:
    """As a task group has it: the others are cancelled, and the block raises it in a group."""
    before, Sleeper.cancelled = count_tasks(), 0
    system = ActorSystem()

    async def run() -> None:
        async with system:
            sleeper = await system.spawn(Sleeper)
            sleeper.tell(Raise(None))
            raiser = await system.spawn(Raiser)
            raiser.tell(Raise(Alarm("all out")))
            await anyio.sleep_forever()

    with pytest.raises(BaseExceptionGroup) as caught:
        await run()
    alarms, rest = caught.value.split(Alarm)
    assert alarms is not None
    assert rest is None
    assert Sleeper.cancelled == 1
    nothing_left(system, before)


async def test_its_clock_and_its_calls_are_those_of_its_loop(anyio_backend: str) -> None:
    with pytest.raises(NotRunning):
        _ = ActorSystem().clock
    with pytest.raises(NotRunning):
        ActorSystem().call_later(0.0, print)
    async with ActorSystem() as system:
        begun, called = system.clock(), anyio.Event()
        system.call_later(0.05, called.set)
        cancelled = system.call_later(0.0, lambda: pytest.fail("it was cancelled"))
        cancelled.cancel()
        with anyio.fail_after(5):
            await called.wait()
        assert system.clock() - begun >= 0.05
    async with TestKit() as kit:
        moments: list[float] = []
        kit.call_later(3600.0, lambda: moments.append(kit.clock()))
        await kit.advance(3600.0)
        assert moments == [pytest.approx(3600.0, abs=1 / 64)]


async def test_who_observes_later_hears_from_then_on(anyio_backend: str) -> None:
    class Ear(Instrument):
        def __init__(self) -> None:
            self.spawns: list[str] = []

        def spawned(self, ref: ActorRef) -> None:
            self.spawns.append(ref.name)

    first, second = Ear(), Ear()
    with pytest.raises(NotRunning):
        ActorSystem().observe([first])
    async with ActorSystem(instruments=[first]) as system:
        await system.spawn(Worker, name="a")
        system.observe([second])
        await system.spawn(Worker, name="b")
    assert (first.spawns, second.spawns) == (["a", "b"], ["b"])
