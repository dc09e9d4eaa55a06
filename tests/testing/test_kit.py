"""The kit: time that jumps, probes, and what it says of a test that leaves something behind."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import anyio
import pytest
import structlog

from actors import (
    Actor,
    ActorRef,
    AskTimeout,
    Backoff,
    Message,
    Request,
    Restart,
    Terminated,
    receive,
)
from actors.testing import Leak, Probe, Schedule, Stuck, TestKit, play

HOUR = 3600.0
BOTH = pytest.mark.parametrize("backend", ["asyncio", "trio"])


class Ring(Message):
    number: int = 0


class Remind(Message):
    after: float
    every: float | None = None


class Fail(Message):
    pass


class Age(Request[float]):
    pass


async def ask_age(ref: ActorRef) -> None:
    await ref.ask(Age())


class Clock(Actor):
    """Rings at the probe."""

    def __init__(self, kit: TestKit, to: ActorRef) -> None:
        self.kit = kit
        self.to = to

    async def on_start(self) -> None:
        self.born = self.kit.time

    @receive
    async def remind(self, message: Remind) -> None:
        self.start_timer(Ring(), message.after, every=message.every)

    @receive
    async def ring(self, message: Ring) -> None:
        self.to.tell(message)

    @receive
    async def fail(self, message: Fail) -> None:
        raise ValueError("asked to")

    @receive
    async def age(self, request: Age) -> float:
        return self.kit.time - self.born


@BOTH
def test_an_hour_passes_at_once(backend: str) -> None:
    async def body(kit: TestKit) -> None:
        probe = await kit.probe()
        clock = await kit.spawn(lambda: Clock(kit, probe.ref))
        clock.tell(Remind(HOUR))
        await probe.expect_nothing(within=HOUR - 1)
        assert HOUR - 1 <= kit.time <= HOUR - 1 + 1 / 32
        assert await probe.expect(Ring, within=2) == Ring()
        assert HOUR <= kit.time <= HOUR + 1 / 32
        assert await clock.ask(Age()) == kit.time

    begun = time.monotonic()
    play(body, Schedule(), backend=backend)
    assert time.monotonic() - begun < 60, "not an hour"


@BOTH
def test_advancing_takes_all_that_falls_into_it(backend: str) -> None:
    async def body(kit: TestKit) -> None:
        probe = await kit.probe()
        clock = await kit.spawn(lambda: Clock(kit, probe.ref))
        clock.tell(Remind(10, every=10))
        await kit.advance(55)
        assert len(probe.messages) == 5
        await kit.settle()
        assert len(probe.messages) == 5
        assert 55 <= kit.time <= 55 + 1 / 32

    play(body, Schedule(), backend=backend)


@BOTH
def test_time_stands_still_while_a_thread_works_for_the_test(backend: str) -> None:
    async def body(kit: TestKit) -> None:
        probe = await kit.probe()
        clock = await kit.spawn(lambda: Clock(kit, probe.ref))
        clock.tell(Remind(after=10.0, every=10.0))
        for limiter in (None, anyio.CapacityLimiter(1)) if backend == "asyncio" else (None,):
            await anyio.to_thread.run_sync(time.sleep, 0.02, limiter=limiter)
        assert kit.time == 0.0
        await probe.expect(Ring, within=11.0)

    play(body, Schedule(), backend=backend)


@BOTH
def test_timeouts_and_backoff_are_virtual(backend: str) -> None:
    class Sleeper(Actor):
        @receive
        async def age(self, request: Age) -> float:
            await anyio.Event().wait()
            raise AssertionError

    async def body(kit: TestKit) -> None:
        sleeper = await kit.spawn(Sleeper)
        with pytest.raises(AskTimeout):
            await sleeper.ask(Age(), timeout=HOUR)
        assert HOUR <= kit.time <= HOUR + 1 / 32
        sleeper.kill()
        clock = await kit.spawn(
            lambda: Clock(kit, sleeper),
            restart=Restart.TRANSIENT,
            backoff=Backoff(minimum=HOUR, maximum=HOUR),
        )
        failed = kit.time
        clock.tell(Fail())
        assert await clock.ask(Age(), timeout=2 * HOUR) < 1
        assert failed + HOUR <= kit.time <= failed + HOUR + 1
        assert [str(error) for error in kit.crashes] == ["asked to"]

    with structlog.testing.capture_logs():
        play(body, Schedule(), backend=backend)


@BOTH
def test_a_probe_tells_what_did_not_come_as_expected(backend: str) -> None:
    async def body(kit: TestKit) -> None:
        probe = await kit.probe("probe")
        with pytest.raises(AssertionError, match="no Ring came to probe in 3 s"):
            await probe.expect(Ring, within=3)
        assert 3 <= kit.time <= 3 + 1 / 32
        probe.ref.tell(Fail())
        with pytest.raises(AssertionError, match=r"a Ring was to come, not Fail\(\)"):
            await probe.expect(Ring)
        probe.ref.tell(Ring(1))
        with pytest.raises(AssertionError, match=r"nothing was to come, but Ring\(number=1\) did"):
            await probe.expect_nothing()
        assert await probe.expect(Ring) == Ring(1)
        await probe.expect_nothing()

    play(body, Schedule(), backend=backend)


@BOTH
def test_a_probe_answers_watches_and_joins(backend: str) -> None:
    async def body(kit: TestKit) -> None:
        probe = await kit.probe(answers={Age: lambda request: 4.5})
        assert await probe.ref.ask(Age()) == 4.5
        assert await probe.expect(Age) == Age()
        other = await kit.probe()
        probe.watch(other.ref)
        probe.join("bells")
        kit.publish("bells", Ring(3))
        assert await probe.expect(Ring) == Ring(3)
        await other.ref.stop()
        assert (await probe.expect(Terminated)).ref is other.ref

    play(body, Schedule(), backend=backend)


@BOTH
def test_a_probe_without_an_answer_says_so(backend: str) -> None:
    async def body(kit: TestKit) -> None:
        probe = await kit.probe("probe")
        with pytest.raises(Exception, match="probe was given no answer to Age"):
            await probe.ref.ask(Age())

    with structlog.testing.capture_logs():
        play(body, Schedule(), backend=backend)


@BOTH
def test_dead_letters_are_kept(backend: str) -> None:
    async def body(kit: TestKit) -> None:
        probe = await kit.probe()
        await probe.ref.stop()
        probe.ref.tell(Ring(1))
        assert [(each.message, each.target) for each in kit.dead_letters] == [(Ring(1), probe.ref)]

    play(body, Schedule(), backend=backend)


@BOTH
def test_who_waits_for_nothing_is_stuck(backend: str) -> None:
    async def body(kit: TestKit) -> None:
        probe = await kit.probe()
        await probe.ref.wait()

    with pytest.raises(Stuck):
        play(body, Schedule(), backend=backend)


@BOTH
def test_what_the_body_raises_is_raised_as_it_is(backend: str) -> None:
    async def body(kit: TestKit) -> None:
        await kit.probe()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        play(body, Schedule(), backend=backend)


@BOTH
def test_a_cancellation_from_outside_goes_through(backend: str) -> None:
    async def main() -> None:
        with anyio.CancelScope() as scope:
            async with TestKit() as kit:
                await kit.probe()
                scope.cancel()
                await anyio.sleep(1000)
                raise AssertionError
        assert scope.cancelled_caught

    anyio.run(main, backend=backend)


def leave_a_task(probe: Probe, keep: list[Any]) -> None:
    keep.append(asyncio.create_task(anyio.sleep(1000), name="forgotten"))


def leave_a_deadline(probe: Probe, keep: list[Any]) -> None:
    probe.__context__.call_later(HOUR, lambda: None)


@pytest.mark.parametrize(
    ("leave", "says"),
    [(leave_a_task, "the task forgotten"), (leave_a_deadline, "deadline")],
)
def test_what_is_left_behind_is_named(leave: Callable[[Probe, list[Any]], None], says: str) -> None:
    keep: list[Any] = []

    async def body(kit: TestKit) -> None:
        leave(await kit.probe(), keep)

    with pytest.raises(Leak, match=says):
        play(body, Schedule())


@BOTH
def test_nothing_is_left_after_asks_timers_groups_and_names(backend: str) -> None:
    async def body(kit: TestKit) -> None:
        probe = await kit.probe("probe")
        probe.join("bells")
        clock = await kit.spawn(lambda: Clock(kit, probe.ref), name="clock")
        clock.tell(Remind(HOUR, every=1))
        clock.ask(Age())

    play(body, Schedule(), backend=backend)


@BOTH
def test_one_kit_at_a_time(backend: str) -> None:
    async def body(kit: TestKit) -> None:
        with pytest.raises(RuntimeError, match="one TestKit at a time"):
            async with TestKit():
                raise AssertionError

    async def one_after_the_other() -> None:
        for _ in range(2):
            async with TestKit() as kit:
                await kit.probe()

    play(body, Schedule(), backend=backend)
    anyio.run(one_after_the_other, backend=backend)


@BOTH
def test_what_is_due_by_then_comes(backend: str) -> None:
    async def body(kit: TestKit) -> None:
        probe = await kit.probe()
        clock = await kit.spawn(lambda: Clock(kit, probe.ref))
        for _ in range(2):
            clock.tell(Remind(HOUR))
            assert await probe.expect(Ring, within=HOUR) == Ring()
        clock.tell(Remind(HOUR))
        await kit.advance(HOUR)
        assert len(probe.messages) == 1

    play(body, Schedule(), backend=backend)


@BOTH
def test_time_waits_for_tasks_of_a_handlers_own(backend: str) -> None:
    class Sums(Actor):
        def __init__(self, clock: ActorRef) -> None:
            self.clock = clock

        @receive
        async def age(self, request: Age) -> float:
            ages: list[float] = []

            async def ask() -> None:
                ages.append(await self.clock.ask(Age()))

            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(ask)
            return sum(ages)

    async def body(kit: TestKit) -> None:
        probe = await kit.probe()
        clock = await kit.spawn(lambda: Clock(kit, probe.ref))
        sums = await kit.spawn(lambda: Sums(clock))
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(ask_age, sums)
        assert await sums.ask(Age()) == 0
        assert kit.time == 0

    play(body, Schedule(), backend=backend)


@BOTH
def test_a_skip_in_a_body_is_a_skip(backend: str) -> None:
    async def body(kit: TestKit) -> None:
        await kit.probe()
        pytest.skip("not today")

    with pytest.raises(pytest.skip.Exception, match="not today"):
        play(body, Schedule(), backend=backend)
