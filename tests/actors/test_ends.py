"""The three ends of an actor: stop, drain and kill."""

import contextlib
from typing import Any, ClassVar

import anyio
import pytest

from actors import Actor, ActorStopped, ActorSystem, End, Restart, receive
from actors.testing import Schedule, TestKit, play
from tests.actors.home import PERMANENT, family, stop_itself
from tests.actors.work import Do
from tests.actors.worker import Hold, Note, Ready, Worker, hold, spawn

BOTH = pytest.mark.parametrize("backend", ["asyncio", "trio"])
pytestmark = pytest.mark.anyio


# Stop.


async def test_a_stop_lets_at_most_the_current_handler_run(
    system: ActorSystem, records: Any
) -> None:
    book: list[Any] = []
    ref = await spawn(system, book)
    gate = await hold(ref)
    ref.tell(Note(1))
    ending = ref.stop()
    ref.tell(Note(2))
    assert not ref.alive
    gate.set()
    await ending
    assert book == ["held", "stop"]
    assert sorted(records.dead(), key=str) == [(Note(1), "stopped"), (Note(2), "stopped")]


async def test_a_stop_past_its_deadline_is_a_kill(system: ActorSystem, records: Any) -> None:
    book: list[Any] = []
    ref = await spawn(system, book)
    await hold(ref)
    await ref.stop(timeout=0.03)
    assert book == ["cancelled"]  # and no on_stop
    assert [reason for _, reason in records.dead()] == ["killed"]


async def test_an_actor_stops_itself(system: ActorSystem) -> None:
    book: list[Any] = []
    ref = await spawn(system, book)
    ref.tell(Do(lambda actor: actor.stop()))
    ref.tell(Note(1))
    await ref.wait()
    assert book == ["did", "stop"]


@pytest.mark.parametrize("how", ["stop", "drain"])
async def test_awaiting_the_own_end_in_the_own_handler_returns_at_once(
    system: ActorSystem, how: str
) -> None:
    book: list[Any] = []
    ref = await spawn(system, book)
    ref.tell(Do(lambda actor: getattr(actor.ref, how)()))
    await ref.wait()
    assert book == ["did", how]


@pytest.mark.parametrize("how", ["stop", "drain"])
@pytest.mark.parametrize("seconds", [float("inf"), 1e308])
async def test_an_endless_deadline_never_passes(
    system: ActorSystem, how: str, seconds: float
) -> None:
    class Patient(Worker):
        stop_timeout: ClassVar[float] = seconds

    book: list[Any] = []
    ref = await system.spawn(lambda: Patient(book))
    gate = await hold(ref)
    ending = getattr(ref, how)(timeout=seconds)
    gate.set()
    await ending
    assert book == ["held", how]


# Drain.


async def test_a_drain_handles_what_is_queued_and_takes_no_more(
    system: ActorSystem, records: Any
) -> None:
    class Small(Worker):
        mailbox_size: ClassVar[int] = 2

    book: list[Any] = []
    ref = await system.spawn(lambda: Small(book))
    gate = await hold(ref)
    for number in range(4):  # two of them wait for room
        ref.tell(Note(number))
    ending = ref.drain()
    ref.tell(Note(9))
    assert records.dead() == [(Note(9), "stopped")]  # at once
    gate.set()
    await ending
    assert book == ["held", 0, 1, 2, 3, "drain"]
    assert records.dead() == [(Note(9), "stopped")]


async def test_a_drain_past_its_deadline_is_a_kill(system: ActorSystem, records: Any) -> None:
    book: list[Any] = []
    ref = await spawn(system, book)
    await hold(ref)
    ref.tell(Note(1))
    await ref.drain(timeout=0.03)
    assert book == ["cancelled"]
    assert [reason for _, reason in records.dead()] == ["killed", "killed"]


async def test_a_stop_cuts_a_drain_short(system: ActorSystem, records: Any) -> None:
    book: list[Any] = []
    ref = await spawn(system, book)
    gate = await hold(ref)
    ref.tell(Note(1))
    draining = ref.drain()
    stopping = ref.stop()
    gate.set()
    await draining
    await stopping
    assert book == ["held", "stop"]
    assert records.dead() == [(Note(1), "stopped")]


async def test_what_a_drain_handles_may_spawn_and_join(system: ActorSystem, log: Any) -> None:
    book: list[Any] = []

    async def act(actor: Actor) -> None:
        actor.join("room")
        child = await actor.spawn(lambda: Worker(book, "child "))
        await child.ask(Ready())

    ref = await spawn(system, book)
    gate = await hold(ref)
    ref.tell(Do(act))
    ending = ref.drain()
    gate.set()
    await ending
    assert book == ["held", "did", "child stop", "drain"]
    assert system.members("room") == []
    assert log == []


# Kill.


async def test_a_kill_cancels_the_handler_and_skips_on_stop(
    system: ActorSystem, records: Any
) -> None:
    book: list[Any] = []
    ref = await spawn(system, book)
    await hold(ref)
    ref.tell(Note(1))
    await ref.kill()
    assert book == ["cancelled"]
    assert [reason for _, reason in records.dead()] == ["killed", "killed"]


async def test_a_kill_ends_a_handler_that_swallows_its_cancellation(
    system: ActorSystem,
) -> None:
    class Stubborn(Worker):
        @receive
        async def hold(self, hold: Hold) -> None:
            hold.entered.set()
            try:
                await hold.gate.wait()
            except anyio.get_cancelled_exc_class():
                self.book.append("swallowed")

    book: list[Any] = []
    ref = await system.spawn(lambda: Stubborn(book))
    await hold(ref)
    ref.tell(Note(1))
    await ref.kill()
    assert book == ["swallowed"]


@pytest.mark.parametrize("raises", [False, True])
async def test_an_actor_kills_itself_and_its_children(
    system: ActorSystem, records: Any, log: Any, raises: bool
) -> None:
    book: list[Any] = []

    async def act(actor: Actor) -> None:
        for _ in range(3):
            await actor.spawn(Worker)
        _ = actor.ref.kill()
        if raises:
            raise ValueError("with no await in between")

    ref = await spawn(system, book)
    ref.tell(Do(act))
    await ref.wait()
    assert system.stats().actors == 0
    assert book == ([] if raises else ["did"])
    stopped = [name for moment, name in records.moments if moment == "stopped"]
    assert (len(stopped), stopped[-1]) == (4, ref.name)


async def test_an_actor_that_awaits_its_own_kill_ends(system: ActorSystem) -> None:
    book: list[Any] = []
    ref = await spawn(system, book)

    async def act(actor: Actor) -> None:
        await actor.ref.kill()
        await anyio.sleep_forever()

    ref.tell(Do(act))
    await ref.wait()
    assert book == []


async def test_a_kill_is_repeated_until_it_ends(system: ActorSystem) -> None:
    class Stubborn(Actor):
        @receive
        async def note(self, message: Note) -> None:
            for _ in range(2):
                with contextlib.suppress(BaseException):
                    await anyio.sleep_forever()
            await anyio.sleep_forever()

    ref = await system.spawn(Stubborn)
    ref.tell(Note(1))
    await anyio.wait_all_tasks_blocked()
    with anyio.fail_after(10):
        await ref.kill()


# Ends that come together.


ENDLESS = float("inf")


@BOTH
@pytest.mark.parametrize("how", ["stop", "drain"])
def test_of_several_stops_the_shortest_counts(backend: str, how: str) -> None:
    async def body(kit: TestKit) -> None:
        for first, second in ((600.0, 1.0), (1.0, 600.0), (1.0, ENDLESS), (ENDLESS, 1.0)):
            worker = await kit.spawn(Worker)
            worker.tell(Do(lambda actor: kit.advance(1000)))
            await kit.settle()
            begun = kit.time
            getattr(worker, how)(timeout=first)
            await worker.stop(timeout=second)
            assert 1 <= kit.time - begun <= 1.1

    play(body, Schedule(), backend=backend)


@pytest.mark.parametrize("interrupts_after", [1.0, 600.0, ENDLESS])
async def test_a_stop_takes_over_from_a_drain_that_would_interrupt(
    interrupts_after: float,
) -> None:
    """What was to cut the queue short leaves the handler in hand all the time of the stop."""
    async with TestKit() as kit:
        worker: Any = await kit.spawn(Worker)
        worker.tell(Do(lambda actor: kit.advance(1000)))
        await kit.settle()
        worker._cell.drain_or_interrupt(interrupts_after)
        await worker.stop(timeout=60.0)
        assert 60 <= kit.time <= 60.1


async def test_a_drain_during_an_own_stop_keeps_its_deadline_in_the_next_life() -> None:
    async with TestKit() as kit:
        home = await family(kit, {"a": PERMANENT}, grand=True)
        home.on_stop["a1"] = lambda member: kit.advance(3.0)
        home["a"].tell(Do(stop_itself))
        home["a"].tell(Do(lambda member: kit.advance(1000.0)))
        await kit.settle()
        await home["a"].drain(timeout=5.0)
        assert 5 <= kit.time <= 5.1
        assert home.book == ["-a1 stop", "-a stop", "+a", "+a1"]


@BOTH
def test_what_is_queued_fails_when_the_stop_is_asked_for(backend: str) -> None:
    async def body(kit: TestKit) -> None:
        for how in ("stop", "kill"):
            worker = await kit.spawn(Worker)
            worker.tell(Do(lambda actor: kit.advance(2.0)))
            await kit.settle()
            asked, begun = worker.ask(Ready(), timeout=1.0), kit.time
            getattr(worker, how)()
            with pytest.raises(ActorStopped):
                await asked
            assert kit.time == begun

    play(body, Schedule(), backend=backend)


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("crashes", [False, True])
async def test_a_drain_overtakes_an_own_stop(system: ActorSystem, crashes: bool) -> None:
    seen: list[int] = []
    ends: list[str] = []

    class Torn(Actor):
        async def on_start(self) -> None:
            if crashes and seen:
                self.ref.drain()

        async def on_stop(self, end: End) -> None:
            ends.append(end.how)

        @receive
        async def note(self, note: Note) -> None:
            seen.append(note.number)
            if note.number == 0:
                self.stop()
                if crashes:
                    raise ValueError
                self.ref.drain()

    ref = await system.spawn(Torn, restart=Restart.PERMANENT)
    for number in range(4):
        ref.tell(Note(number))
    await ref.wait()
    assert seen == [0, 1, 2, 3]
    assert ends == ["drain"]  # and no restart in between, which the own stop would have been


# Their deadlines.


@pytest.mark.parametrize("timeout", [None, -1.0, float("nan")])
async def test_an_end_needs_a_time(system: ActorSystem, timeout: Any) -> None:
    ref = await system.spawn(Actor)
    for end in (ref.stop, ref.drain):
        with pytest.raises((TypeError, ValueError)):
            end(timeout=timeout)
    assert ref.alive
    with pytest.raises((TypeError, ValueError)):
        ActorSystem(stop_timeout=timeout)

    class Odd(Actor):
        stop_timeout = timeout

    with pytest.raises((TypeError, ValueError)):
        await system.spawn(Odd)
