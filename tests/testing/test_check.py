"""`check_actor` passes what keeps the runtime's promises, and finds each way of breaking them."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import hypothesis
import pytest
import structlog
from anyio import to_thread
from hypothesis import strategies as st

from actors import Actor, ActorRef, Message, Overflow, Request, Told, receive
from actors.mailbox import DONE, Mailbox
from actors.testing import Schedule, check_actor, play
from actors.testing._check import Pass, Settle, Step, Tell, _Trial

BOTH = pytest.mark.parametrize("backend", ["asyncio", "trio"])
SAME = hypothesis.settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=50,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],  # a minute less than to shrink
)


class Add(Message):
    n: int


class Double(Message):
    pass


class Total(Request[int]):
    pass


class Counter(Actor):
    def __init__(self) -> None:
        self.total = 0

    @receive
    async def add(self, message: Add) -> None:
        self.total += message.n

    @receive
    async def double(self, messages: list[Double]) -> None:
        self.total *= 2 ** len(messages)

    @receive
    async def tell_total(self, request: Total) -> int:
        return self.total


class Picky(Counter):
    @receive
    async def add(self, message: Add) -> None:
        if message.n > 100:
            raise ValueError("too much")
        await super().add(message)


class Small(Counter):
    mailbox_size = 2
    overflow = Overflow.DROP_OLDEST


class Strict(Counter):
    mailbox_size = 1
    overflow = Overflow.FAIL


class Ranked(Counter):
    @receive(priority=1)
    async def tell_total(self, request: Total) -> int:
        return self.total

    @receive(interrupt=True)
    async def double_at_once(self, message: Double) -> None:
        self.total *= 2

    double = None  # type: ignore[assignment]


@pytest.fixture(autouse=True)
def quiet() -> Any:
    with structlog.testing.capture_logs():
        yield


@BOTH
@pytest.mark.parametrize("kind", [Counter, Small, Strict, Ranked])
def test_it_passes_what_is_right(kind: type[Actor], backend: str) -> None:
    check_actor(kind, backend=backend, settings=SAME)


@BOTH
def test_a_crash_that_is_allowed_loses_nothing(backend: str) -> None:
    check_actor(Picky, allow=(ValueError,), backend=backend, settings=SAME)


def test_a_crash_that_is_not_allowed_is_raised() -> None:
    with pytest.raises(AssertionError, match="a handler raised ValueError"):
        check_actor(Picky, settings=SAME)


def test_an_invariant_is_checked() -> None:
    with pytest.raises(AssertionError, match="the invariant does not hold"):
        check_actor(Counter, invariant=lambda counter: counter.total < 1000, settings=SAME)


def test_overrides_reach_the_messages() -> None:
    seen: set[int] = set()

    class Seeing(Counter):
        @receive
        async def add(self, message: Add) -> None:
            seen.add(message.n)

    check_actor(Seeing, overrides={int: st.just(7)}, settings=SAME)
    assert seen == {7}


async def really_sleep() -> None:
    await anyio.sleep(0.05)


async def use_a_thread() -> None:
    await to_thread.run_sync(time.sleep, 0.05)


async def wait_in_a_child() -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.sleep, 0.05)


@BOTH
@pytest.mark.parametrize(
    ("wait", "where"),
    [
        (really_sleep, r"really_sleep waits .* at test_check.py:\d+: `await anyio.sleep\(0.05\)`"),
        (use_a_thread, r"use_a_thread waits .* `await to_thread.run_sync\(time.sleep, 0.05\)`"),
        (wait_in_a_child, r"wait_in_a_child waits .* `async with anyio.create_task_group\(\)"),
    ],
)
def test_who_waits_outside_of_the_clock_is_told_so(
    wait: Callable[[], Awaitable[None]], where: str, backend: str
) -> None:
    class Sleepy(Counter):
        at_rest = True

        @receive
        async def add(self, message: Add) -> None:
            self.at_rest = False
            try:
                await wait()
            finally:
                self.at_rest = True

    with pytest.raises(AssertionError, match=where):
        check_actor(Sleepy, invariant=lambda sleepy: sleepy.at_rest, backend=backend, settings=SAME)


@BOTH
@pytest.mark.parametrize("step", [Pass(10.0), Settle()])
def test_it_is_told_where_time_passes_or_all_rest(step: Step, backend: str) -> None:
    class Sleepy(Counter):
        @receive
        async def add(self, message: Add) -> None:
            await really_sleep()

    def run() -> None:
        trial = _Trial(Sleepy, Sleepy, (), None, [Tell(0, Add(1)), step], "kill")
        play(trial.run, Schedule(), backend=backend)

    with pytest.raises(AssertionError, match="really_sleep waits outside"):
        run()


@BOTH
def test_who_waits_in_the_kits_clock_is_not(backend: str) -> None:
    class Slow(Actor):
        """Answers late: its own mail has to wait for an hour."""

        async def on_start(self) -> None:
            self.start_timer(Double(), 2.0)

        @receive
        async def double(self, message: Double) -> None:
            self.stop()

    class Waiting(Counter):
        @receive
        async def add(self, message: Add) -> None:
            slow = await self.spawn(Slow)
            await slow.wait()

        @receive
        async def tell_total(self, request: Total) -> int:
            slow = await self.spawn(Slow)
            async with anyio.create_task_group() as tasks:  # not parked itself, but they are
                tasks.start_soon(wait_for, slow)
                tasks.start_soon(wait_for, slow)
            return self.total

    check_actor(Waiting, backend=backend, settings=SAME)


async def wait_for(ref: ActorRef) -> None:
    await ref.wait()


def put_in_front(mailbox: Mailbox, message: object) -> Told:
    mailbox.told += 1
    mailbox.queue.appendleft(message)
    mailbox.wake()
    return DONE


def put_but_not_behind_others(mailbox: Mailbox, message: object) -> Told:
    return DONE if mailbox.queue else mailbox.put(message)


def put_twice(mailbox: Mailbox, message: object) -> Told:
    mailbox.queue.append(message)
    return mailbox.put(message)


@pytest.mark.parametrize(
    ("put", "says"),
    [
        (put_in_front, "was handled before"),
        (put_but_not_behind_others, "nobody knows what became of"),
        (put_twice, "accounted for"),
    ],
)
def test_a_broken_runtime_is_found(
    put: Callable[[Mailbox, object], Told], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell = ActorRef.tell

    def broken(ref: ActorRef, message: object) -> Told:
        return put(ref._mailbox, message) if ref.name.startswith("Counter") else tell(ref, message)

    monkeypatch.setattr(ActorRef, "tell", broken)
    with pytest.raises(AssertionError, match=says):
        check_actor(Counter, settings=SAME)
