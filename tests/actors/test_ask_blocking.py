"""Asking from other threads: each is answered or fails, in a storm too."""

import threading
import time
from collections import Counter
from random import Random
from typing import Any, ClassVar

import anyio
import pytest
from anyio import to_thread

from actors import (
    Actor,
    ActorCrashed,
    ActorError,
    ActorRef,
    ActorStopped,
    ActorSystem,
    AskTimeout,
    Instrument,
    Intensity,
    Request,
    Restart,
    receive,
)
from tests.actors.threads import LONG, Double, Fail, Log, Seen, in_thread
from tests.actors.work import hold

pytestmark = pytest.mark.anyio


async def test_ask_blocking(system: ActorSystem, log: Any) -> None:
    ref = await system.spawn(Log)
    assert await to_thread.run_sync(lambda: ref.ask_blocking(Double(4))) == 8
    with pytest.raises(ActorCrashed, match="ValueError: no"):
        await to_thread.run_sync(lambda: ref.ask_blocking(Fail(), timeout=LONG))
    with pytest.raises(ActorStopped):  # and to the dead
        await to_thread.run_sync(lambda: ref.ask_blocking(Double(4), timeout=LONG))
    core: Any = system._core
    assert len(core.deadlines) == 0


async def test_ask_blocking_times_out(system: ActorSystem, records: Any) -> None:
    ref = await system.spawn(Log)
    held = await hold(ref)
    with pytest.raises(AskTimeout, match="Double within"):
        await to_thread.run_sync(lambda: ref.ask_blocking(Double(4), timeout=0.03))
    held.gate.set()
    assert await ref.ask(Double(1)) == 2
    assert records.dead() == [(Double(4), "abandoned")]


async def test_ask_blocking_of_a_loop_that_stands_still(
    system: ActorSystem, records: Any, unaccounted: Any
) -> None:
    ref = await system.spawn(Log)
    await ref.ask(Seen())
    with pytest.raises(AskTimeout, match="did not respond"):
        in_thread(lambda: ref.ask_blocking(Double(4), timeout=0.01))
    await anyio.wait_all_tasks_blocked()
    assert records.dead() == [(Double(4), "abandoned")]
    assert unaccounted(system.stats()) == 0


async def test_ask_blocking_when_the_actor_stops(system: ActorSystem) -> None:
    ref = await system.spawn(Log)
    held = await hold(ref)
    asking = threading.Event()

    def ask() -> None:
        asking.set()
        with pytest.raises(ActorStopped):
            ref.ask_blocking(Double(1), timeout=LONG)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(to_thread.run_sync, ask)
        await to_thread.run_sync(asking.wait)
        _ = ref.stop()
        held.gate.set()


@pytest.mark.parametrize("timeout", [0, -5, float("inf")])
async def test_ask_blocking_checks_its_timeout(system: ActorSystem, timeout: float) -> None:
    ref = await system.spawn(Log)
    with pytest.raises(ValueError, match="finite"):
        in_thread(lambda: ref.ask_blocking(Double(1), timeout=timeout))


async def test_each_ask_belongs_to_its_own_kind_of_thread(system: ActorSystem) -> None:
    ref = await system.spawn(Log)
    with pytest.raises(RuntimeError, match="would block"):
        ref.ask_blocking(Double(1))
    with pytest.raises(RuntimeError, match="ask_blocking"):
        in_thread(lambda: ref.ask(Double(1)))


async def test_a_threads_ask_that_is_dropped_at_once_fails_with_the_cause(
    system: ActorSystem,
) -> None:
    ref = await system.spawn(Log)
    await ref.kill()

    class Slow(Instrument):
        def dead_letter(self, letter: Any) -> None:
            time.sleep(0.01)  # the thread gets its turn before the loop goes on

    core: Any = system._core
    core.instruments = (Slow(),)

    def ask() -> None:
        with pytest.raises(ActorStopped):
            ref.ask_blocking(Double(1))

    for _ in range(3):
        await to_thread.run_sync(ask)


class Question(Request[int]):
    number: int
    what: str


class Frail(Actor):
    """Does what it is asked to, for better or worse."""

    mailbox_size: ClassVar[int] = 4

    @receive
    async def answer(self, question: Question) -> int:
        if question.what == "crash":
            raise ValueError("boom")
        if question.what == "stop":
            self.stop()
        if question.what == "wait":
            await anyio.sleep(0.002)
        return question.number


class Storm:
    """Questions to a few actors that crash, stop and are killed meanwhile, and what came of each.

    An actor that has ended is replaced, by the loop.
    """

    def __init__(self, system: ActorSystem, seed: int) -> None:
        self.system = system
        self.random = Random(seed)
        self.refs: list[ActorRef] = []
        self.outcomes: dict[int, str] = {}

    async def spawn(self) -> ActorRef:
        often = Intensity(10_000, LONG)
        return await self.system.spawn(Frail, restart=Restart.TRANSIENT, intensity=often)

    async def begin(self) -> None:
        self.refs += [await self.spawn() for _ in range(4)]

    def draw(self, random: Random, number: int) -> tuple[ActorRef, Question, float]:
        """Whom to ask, what, and with which timeout; some actors end first."""
        ref = random.choice(self.refs)
        if random.random() < 0.03:
            _ = ref.kill() if random.random() < 0.5 else ref.stop(timeout=0.001)
        what = random.choices(["reply", "wait", "crash", "stop"], [70, 20, 6, 4])[0]
        return ref, Question(number, what), random.choice([LONG, LONG, LONG, 0.001])

    def note(self, number: int, outcome: int | ActorError) -> None:
        assert number not in self.outcomes
        if isinstance(outcome, int):
            assert outcome == number  # the answer to this very question
        self.outcomes[number] = "answer" if isinstance(outcome, int) else type(outcome).__name__

    def ask_in_thread(self, numbers: range, seed: int) -> None:
        random = Random(seed)
        for number in numbers:
            ref, question, timeout = self.draw(random, number)
            try:
                self.note(number, ref.ask_blocking(question, timeout=timeout))
            except ActorError as error:
                self.note(number, error)

    async def ask(self, number: int) -> None:
        ref, question, timeout = self.draw(self.random, number)
        try:
            self.note(number, await ref.ask(question, timeout=timeout))
        except ActorError as error:
            self.note(number, error)

    async def ask_in_loop(self, numbers: range) -> None:
        """Several at a time; here the ended are replaced as well."""
        for first in range(numbers.start, numbers.stop, 5):
            async with anyio.create_task_group() as tasks:
                for number in range(first, min(first + 5, numbers.stop)):
                    tasks.start_soon(self.ask, number)
            for index, ref in enumerate(self.refs):
                if not ref.alive:
                    self.refs[index] = await self.spawn()
            await anyio.sleep(0.001)


@pytest.mark.parametrize("seed", range(3))
async def test_each_of_a_thousand_asks_in_a_storm_is_answered_or_fails(
    system: ActorSystem, records: Any, log: Any, unaccounted: Any, seed: int
) -> None:
    storm = Storm(system, seed)
    await storm.begin()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(storm.ask_in_loop, range(200))
        for thread in range(4):
            numbers = range(200 + 200 * thread, 400 + 200 * thread)
            tasks.start_soon(to_thread.run_sync, storm.ask_in_thread, numbers, 10 * seed + thread)
    assert sorted(storm.outcomes) == list(range(1000))
    counts = Counter(storm.outcomes.values())
    assert min(counts[kind] for kind in ("answer", "ActorCrashed", "ActorStopped")) > 0, counts
    for ref in storm.refs:
        await ref.stop()
    await anyio.wait_all_tasks_blocked()
    stats = system.stats()
    assert unaccounted(stats) == 0
    assert (stats.queued, stats.in_hand, stats.actors) == (0, 0, 0)
    # Each was told, refused, or given up while it waited for room.
    assert 1000 - counts["AskTimeout"] <= stats.told + stats.refused <= 1000
    assert stats.crashed == len(records.errors) >= counts["ActorCrashed"]
    core: Any = system._core
    assert len(core.deadlines) == 0
