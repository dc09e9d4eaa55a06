"""`on_stop`: when it runs, what it may do, and what becomes of one that fails or hangs."""

from typing import Any, ClassVar

import anyio
import pytest

from actors import Actor, ActorSystem, End, NotRunning, Restart, StopTimeout, receive
from actors.testing import Schedule, TestKit, play
from tests.actors.work import Do, Doer
from tests.actors.worker import Ready, Worker, spawn

BOTH = pytest.mark.parametrize("backend", ["asyncio", "trio"])
pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("how", ["stop", "drain", "kill"])
async def test_on_stop_runs_once_however_often_it_is_ended(system: ActorSystem, how: str) -> None:
    book: list[Any] = []
    ref = await spawn(system, book)
    for _ in range(3):
        _ = getattr(ref, how)()
    await getattr(ref, how)()
    for end in (ref.stop, ref.drain, ref.kill, ref.wait):
        await end()
    assert book == ([] if how == "kill" else [how])


async def test_waiting_for_an_end_returns_after_on_stop_and_the_cleanup(
    system: ActorSystem,
) -> None:
    on_stop, gate = anyio.Event(), anyio.Event()

    class Slow(Worker):
        async def on_stop(self, end: End) -> None:
            on_stop.set()
            await gate.wait()
            self.book.append("done")

    book: list[Any] = []
    ref = await system.spawn(lambda: Slow(book), name="slow")
    waited = []

    async def wait() -> None:
        await ref.wait()
        waited.append((list(book), system.find("slow"), system.stats().actors))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        _ = ref.stop()
        await on_stop.wait()
        await anyio.wait_all_tasks_blocked()
        assert waited == []
        gate.set()
    assert waited == [(["done"], None, 0)] * 2
    await ref.wait()


async def test_a_cancelled_wait_harms_nobody(system: ActorSystem) -> None:
    book: list[Any] = []
    ref = await spawn(system, book)
    with anyio.move_on_after(0.01):
        await ref.wait()
    assert ref.alive
    await ref.stop()
    assert book == ["stop"]


async def test_on_stop_hears_of_a_crash(system: ActorSystem, log: Any) -> None:
    class Curious(Worker):
        async def on_stop(self, end: End) -> None:
            self.book.append((end.how, str(end.error)))

    book: list[Any] = []
    ref = await system.spawn(lambda: Curious(book))
    ref.tell(Do(lambda actor: 1 / 0))
    await ref.wait()
    assert book == [("crash", "division by zero")]


async def test_on_stop_that_raises_is_reported_and_harms_nobody(
    system: ActorSystem, records: Any, log: Any
) -> None:
    class Bad(Worker):
        async def on_stop(self, end: End) -> None:
            raise LookupError("in on_stop")

    other = await system.spawn(Worker)
    ref = await system.spawn(Bad, name="bad")
    await ref.stop()
    assert [str(error) for error in records.errors] == ["in on_stop"]
    assert [entry["event"] for entry in log] == ["on_stop failed"]
    assert system.find("bad") is None
    await other.ask(Ready())


@pytest.mark.parametrize("swallows", [False, True])
async def test_on_stop_that_hangs_is_cancelled_and_reported(
    system: ActorSystem, records: Any, log: Any, swallows: bool
) -> None:
    class Hanging(Worker):
        stop_timeout: ClassVar[float] = 0.03

        async def on_stop(self, end: End) -> None:
            try:
                await anyio.sleep_forever()
            except anyio.get_cancelled_exc_class():
                if not swallows:
                    raise

    ref = await system.spawn(Hanging)
    await ref.stop()
    (error,) = records.errors
    assert isinstance(error, StopTimeout)
    assert [entry["event"] for entry in log] == ["on_stop failed"]


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("how", ["stop", "drain"])
async def test_an_endless_end_during_an_own_stop_leaves_on_stop_its_deadline(how: str) -> None:
    async with TestKit() as kit:

        class Hanging(Doer):
            stop_timeout: ClassVar[float] = 3.0

            async def on_stop(self, end: End) -> None:
                await kit.advance(1000.0)

        ref = await kit.spawn(Hanging, restart=Restart.PERMANENT)
        ref.tell(Do(lambda actor: actor.stop()))
        await kit.settle()
        await getattr(ref, how)(timeout=float("inf"))
        lives = 1 if how == "stop" else 2  # a drain lets the next one handle what is queued
        assert 3 * lives <= kit.time <= 3 * lives + 0.1
        assert [type(error) for error in kit.crashes] == [StopTimeout] * lives


async def test_a_kill_reaches_on_stop(system: ActorSystem, records: Any) -> None:
    begun = anyio.Event()

    class Hanging(Worker):
        async def on_stop(self, end: End) -> None:
            begun.set()
            await anyio.sleep_forever()

    ref = await system.spawn(Hanging)
    _ = ref.stop()
    await begun.wait()
    await ref.kill()
    assert records.errors == []


@pytest.mark.usefixtures("log")
async def test_on_stop_runs_once_when_there_is_no_next_life(system: ActorSystem) -> None:
    ends: list[str] = []
    made: list[Actor] = []

    class Once(Doer):
        async def on_stop(self, end: End) -> None:
            ends.append(end.how)

    def make() -> Actor:
        if made:
            raise OSError("no more")
        made.append(Once())
        return made[0]

    ref = await system.spawn(make, restart=Restart.PERMANENT)
    ref.tell(Do(lambda actor: actor.stop()))
    await ref.wait()
    assert ends == ["stop"]


@BOTH
def test_a_handler_that_swallowed_an_interrupt_leaves_on_stop_its_time(backend: str) -> None:
    async def body(kit: TestKit) -> None:
        stopped: list[str] = []

        class Stubborn(Actor):
            @receive(interruptible=True)
            async def note(self, message: str) -> None:
                try:
                    await anyio.sleep_forever()
                except anyio.get_cancelled_exc_class():
                    self.stop()
                    raise

            @receive(interrupt=True)
            async def halt(self, message: float) -> None:
                pass

            async def on_stop(self, end: End) -> None:
                await kit.advance(3.0)
                stopped.append(end.how)

        ref = await kit.spawn(Stubborn)
        ref.tell("long")
        await kit.settle()
        ref.tell(1.0)
        await ref.wait()
        assert stopped == ["stop"]

    play(body, Schedule(), backend=backend)


async def test_in_on_stop_the_groups_are_left_and_no_child_can_be_spawned(
    system: ActorSystem,
) -> None:
    class Member(Worker):
        async def on_start(self) -> None:
            self.join("one")
            self.join("two")

        async def on_stop(self, end: End) -> None:
            self.book.append((self.groups, self.members("one")))
            with pytest.raises(NotRunning):
                await self.spawn(Worker)

    book: list[Any] = []
    ref = await system.spawn(lambda: Member(book))
    assert system.members("one") == [ref]
    await ref.stop()
    assert book == [(("one", "two"), [])]
