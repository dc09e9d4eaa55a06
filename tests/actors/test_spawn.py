"""Starting: `on_start`, names, and a spawn that fails or is cancelled."""

import asyncio
from typing import Any, ClassVar

import anyio
import pytest

from actors import Actor, ActorRef, ActorStopped, ActorSystem, End, NameTaken, NotRunning
from tests.actors.worker import Note, Ready, Worker

pytestmark = pytest.mark.anyio


async def test_on_start_comes_before_the_first_message(system: ActorSystem) -> None:
    class Slow(Worker):
        async def on_start(self) -> None:
            self.ref.tell(Note(1))
            await anyio.lowlevel.checkpoint()
            self.book.append("started")
            assert self.find("slow") is None  # not before it has started

    book: list[Any] = []
    ref = await system.spawn(lambda: Slow(book), name="slow")
    assert system.find("slow") is ref
    await ref.ask(Ready())
    assert book == ["started", 1]


@pytest.mark.parametrize("parked", [False, True])
@pytest.mark.parametrize("ended", ["", "stop", "drain", "kill"])
async def test_when_on_start_raises_spawn_raises_and_nothing_is_left(
    system: ActorSystem, records: Any, parked: bool, ended: str
) -> None:
    stopped: list[End] = []

    class Failing(Worker):
        async def on_start(self) -> None:
            self.join("room")
            self.ref.tell(Note(1))
            await self.spawn(Worker)
            if parked:
                await anyio.lowlevel.checkpoint()
            if ended:
                getattr(self.ref, ended)()
            raise LookupError("not today")

        async def on_stop(self, end: End) -> None:
            stopped.append(end)

    with pytest.raises(LookupError, match="not today"):
        await system.spawn(Failing, name="it")
    assert stopped == []  # it never started
    assert system.stats().actors == 0
    assert system.members("room") == []
    assert system.find("it") is None
    assert records.dead() == [(Note(1), "stopped" if ended == "stop" else "killed")]
    assert ("stopped", "it") not in records.moments
    await system.spawn(Worker, name="it")


LONG = 1000.0
"""A timeout that no test waits for."""


async def test_a_ref_that_outlives_a_failed_on_start_is_harmless(system: ActorSystem) -> None:
    refs: list[ActorRef] = []

    class Failing(Worker):
        async def on_start(self) -> None:
            refs.append(self.ref)
            raise LookupError("not today")

    with pytest.raises(LookupError):
        await system.spawn(Failing)
    (ref,) = refs
    core: Any = system._core
    for end in (ref.drain, ref.stop, ref.kill, ref.wait):
        await end()
        assert len(core.deadlines) == 0
    with pytest.raises(ActorStopped):
        await ref.ask(Ready(), timeout=LONG)


async def test_when_the_constructor_or_the_factory_fails_nothing_is_left(
    system: ActorSystem,
) -> None:
    def fail() -> Actor:
        raise LookupError("no")

    class Unattachable(Worker):
        def __attach__(self, context: Any) -> None:
            raise NotRunning("spawn it otherwise")

    class Empty(Worker):
        mailbox_size: ClassVar[int] = 0

    no_actor: Any = object
    for factory, error in (
        (fail, LookupError),
        (Unattachable, NotRunning),
        (no_actor, TypeError),
        (Empty, ValueError),
    ):
        with pytest.raises(error):
            await system.spawn(factory, name="it")
        assert system.stats().actors == 0
    await system.spawn(Worker, name="it")


async def test_names(system: ActorSystem) -> None:
    ref = await system.spawn(Worker, name="one")
    assert (ref.name, system.find("one")) == ("one", ref)
    with pytest.raises(NameTaken, match="one"):
        await system.spawn(Worker, name="one")
    with pytest.raises(ValueError, match="empty"):
        await system.spawn(Worker, name="")
    taken = await system.spawn(Worker, name="Worker-1")
    others = [await system.spawn(Worker) for _ in range(3)]
    assert len({ref, taken, *others}) == 5
    assert len({ref.name, taken.name, *(other.name for other in others)}) == 5
    await ref.stop()
    assert system.find("one") is None
    again = await system.spawn(Worker, name="one")
    assert again is not ref


async def test_a_kill_in_on_start_ends_the_spawn(system: ActorSystem) -> None:
    class Killed(Worker):
        async def on_start(self) -> None:
            _ = self.ref.kill()
            await anyio.sleep_forever()

    with pytest.raises(ActorStopped, match="on_start"):
        await system.spawn(Killed)
    assert system.stats().actors == 0


async def test_a_kill_as_on_start_returns_ends_the_spawn(system: ActorSystem, records: Any) -> None:
    starting, gate = list[ActorRef](), anyio.Event()

    class Slow(Worker):
        async def on_start(self) -> None:
            starting.append(self.ref)
            await gate.wait()

    async def spawn_it() -> None:
        with pytest.raises(ActorStopped, match="on_start"):
            await system.spawn(Slow)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(spawn_it)
        await anyio.wait_all_tasks_blocked()
        gate.set()
        starting[0].kill()
    assert records.moments == []  # it never was


async def test_spawn_that_is_cancelled_in_on_start_leaves_nothing(
    system: ActorSystem, count_tasks: Any
) -> None:
    begun = anyio.Event()

    class Endless(Worker):
        async def on_start(self) -> None:
            begun.set()
            await anyio.sleep_forever()

    before = count_tasks()
    async with anyio.create_task_group() as tasks:

        async def spawn_it() -> None:
            await system.spawn(Endless, name="it")

        tasks.start_soon(spawn_it)
        await begun.wait()
        tasks.cancel_scope.cancel()
    await anyio.wait_all_tasks_blocked()
    assert system.stats().actors == 0
    assert count_tasks() == before
    await system.spawn(Worker, name="it")


async def test_spawn_that_is_cancelled_before_on_start_does_not_run_it(
    system: ActorSystem,
) -> None:
    begun: list[str] = []

    class Endless(Worker):
        async def on_start(self) -> None:
            begun.append("on_start")
            await anyio.sleep_forever()

    with anyio.CancelScope() as scope:
        scope.cancel()
        await system.spawn(Endless)
    await anyio.wait_all_tasks_blocked()
    assert system.stats().actors == 0


async def test_a_ref_of_an_actor_that_ended_before_its_spawner_went_on(
    system: ActorSystem, records: Any
) -> None:
    class Brief(Worker):
        async def on_start(self) -> None:
            self.stop()

    ref = await system.spawn(Brief)
    ref.tell(1)
    with pytest.raises(ActorStopped):
        await ref.ask(Ready())
    assert records.dead()[0] == (1, "stopped")
    assert records.letters[0].target is ref


def test_a_task_factory_that_starts_at_once_starts_no_actor_inside_spawn() -> None:
    class Eager(asyncio.Task[Any]):
        def __init__(self, coroutine: Any, **options: Any) -> None:
            raise AssertionError("an actor's task is the loop's own kind")

    async def main() -> str:
        loop = asyncio.get_running_loop()
        async with ActorSystem() as system:
            loop.set_task_factory(lambda loop, coroutine, **options: Eager(coroutine, loop=loop))
            try:
                ref = await system.spawn(Worker, name="ann")
            finally:
                loop.set_task_factory(None)
            return ref.name

    assert asyncio.run(main()) == "ann"
