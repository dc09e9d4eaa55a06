"""The store of deadlines, and the deadlines of handlers."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import (
    Actor,
    ActorCrashed,
    ActorRef,
    ActorSystem,
    HandlerError,
    HandlerTimeout,
    Message,
    Request,
    Restart,
    receive,
)
from actors._deadlines import TICK, Deadline, Deadlines


class FakeTimer:
    def __init__(self, when: float, function: Callable[[], object]) -> None:
        self.when = when
        self.function = function
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeLoop:
    """A clock by hand, and the timers set on it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[FakeTimer] = []

    def call_later(self, delay: float, function: Callable[[], object]) -> FakeTimer:
        timer = FakeTimer(self.now + delay, function)
        self.timers.append(timer)
        return timer

    def advance(self, seconds: float) -> None:
        """Let time pass, and fire what is due in its order."""
        end = self.now + seconds
        while True:
            self.timers = [timer for timer in self.timers if not timer.cancelled]
            due = [timer for timer in self.timers if timer.when <= end]
            if not due:
                break
            timer = min(due, key=lambda timer: timer.when)
            self.timers.remove(timer)
            self.now = max(self.now, timer.when)
            timer.function()
        self.now = end


def make() -> tuple[Deadlines, FakeLoop]:
    loop = FakeLoop()
    return Deadlines(lambda: loop.now, loop.call_later), loop


add = st.tuples(st.just("add"), st.floats(0, 3))
cancel = st.tuples(st.just("cancel"), st.integers(0, 20))
advance = st.tuples(st.just("advance"), st.floats(0, 2))


@given(st.lists(st.one_of(add, cancel, advance), max_size=40))
def test_never_early_late_by_a_tick_at_most_and_none_after_its_cancellation(
    steps: list[Any],
) -> None:
    deadlines, loop = make()
    set_: list[tuple[Deadline, float]] = []
    fired: dict[int, float] = {}
    cancelled: dict[int, float] = {}
    for what, number in steps:
        if what == "add":
            index = len(set_)
            deadline = Deadline(
                deadlines, number, lambda index=index: fired.setdefault(index, loop.now)
            )
            set_.append((deadline, loop.now + number))
        elif what == "cancel" and number < len(set_):
            set_[number][0].cancel()
            cancelled.setdefault(number, loop.now)
        elif what == "advance":
            loop.advance(number)
        pending = [
            index for index in range(len(set_)) if index not in fired and index not in cancelled
        ]
        assert len(deadlines) == len(pending)
        assert len([timer for timer in loop.timers if not timer.cancelled]) <= 1
    loop.advance(10)
    assert len(deadlines) == 0
    assert not [timer for timer in loop.timers if not timer.cancelled]
    for index, (deadline, due) in enumerate(set_):
        assert deadline.fired == (index in fired)
        if index in fired:
            assert due <= fired[index] + 1e-6
            assert fired[index] <= due + 2 * TICK
        else:
            assert index in cancelled


def test_one_that_raises_does_not_keep_the_others_from_expiring(log: Any) -> None:
    deadlines, loop = make()
    fired = []

    def fail() -> None:
        raise ValueError("no")

    Deadline(deadlines, 1.0, fail)
    Deadline(deadlines, 1.0, lambda: fired.append("same tick"))
    Deadline(deadlines, 1.5, lambda: fired.append("later"))
    loop.advance(3)
    assert fired == ["same tick", "later"]
    assert [entry["event"] for entry in log] == ["a deadline raised"]


def test_what_expires_may_cancel_others_and_add_new_ones() -> None:
    deadlines, loop = make()
    fired = []

    def first() -> None:
        fired.append("first")
        second.cancel()
        Deadline(deadlines, 0.0, lambda: fired.append("third"))

    Deadline(deadlines, 1.0, first)
    second = Deadline(deadlines, 1.0, lambda: fired.append("second"))
    loop.advance(2)
    assert fired == ["first", "third"]


def test_after_the_close_nothing_expires_and_no_timer_is_left() -> None:
    deadlines, loop = make()
    fired = []
    Deadline(deadlines, 1.0, lambda: fired.append("before"))
    deadlines.close()
    Deadline(deadlines, 1.0, lambda: fired.append("after")).cancel()
    Deadline(deadlines, 1.0, lambda: fired.append("after"))
    loop.advance(2)
    assert fired == []
    assert len(deadlines) == 0


@pytest.mark.parametrize("seconds", [float("inf"), 1e308, 2e9])
def test_one_in_the_distant_future_never_expires(seconds: float) -> None:
    deadlines, loop = make()
    deadline = Deadline(deadlines, seconds, lambda: None)
    loop.advance(1e6)
    assert not deadline.fired
    deadline.cancel()


# Handlers with a deadline.


class Slow(Message):
    pass


class SlowAsk(Request[int]):
    pass


class Quick(Request[int]):
    pass


class Swallow(Message):
    pass


class Timed(Actor):
    def __init__(self) -> None:
        self.left: list[str] = []

    @receive(timeout=0.03)
    async def slow(self, message: Slow) -> None:
        await anyio.sleep_forever()

    @receive(timeout=0.03)
    async def slow_ask(self, request: SlowAsk) -> int:
        await anyio.sleep_forever()
        return 1

    @receive(timeout=1000)
    async def quick(self, request: Quick) -> int:
        await anyio.lowlevel.checkpoint()
        return 7

    @receive(timeout=0.03)
    async def swallow(self, message: Swallow) -> None:
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            pass


def deadlines_of(system: ActorSystem) -> int:
    core: Any = system._core
    return len(core.deadlines)


@pytest.mark.anyio
async def test_a_handler_in_time_leaves_no_deadline(system: ActorSystem) -> None:
    ref = await system.spawn(Timed)
    assert await ref.ask(Quick()) == 7
    assert deadlines_of(system) == 0


@pytest.mark.anyio
@pytest.mark.parametrize("message", [Slow(), Swallow()])
async def test_past_its_deadline_it_is_cancelled_and_has_crashed(
    system: ActorSystem, records: Any, log: Any, message: Message
) -> None:
    ref = await system.spawn(Timed, restart=Restart.TRANSIENT)
    ref.tell(message)
    assert await ref.ask(Quick()) == 7
    (error,) = records.errors
    assert isinstance(error, HandlerTimeout)
    assert isinstance(error, TimeoutError)
    assert "took more than 0.03 s" in str(error)
    assert system.stats().crashed == 1
    assert records.letters == []
    assert deadlines_of(system) == 0


@pytest.mark.anyio
async def test_a_deadline_that_comes_as_the_handler_goes_on_cancels_nothing_later(
    system: ActorSystem, log: Any
) -> None:
    gate = anyio.Event()

    class Late(Timed):
        @receive(timeout=0.03)
        async def slow(self, message: Slow) -> None:
            await gate.wait()

    ref: Any = await system.spawn(Late, restart=Restart.TRANSIENT)
    ref._cell.call_later(0.03, gate.set)  # in the same tick as the deadline, and before it
    ref.tell(Slow())
    assert await ref.ask(Quick()) == 7


@pytest.mark.anyio
async def test_the_asker_hears_of_the_deadline(system: ActorSystem, log: Any) -> None:
    ref = await system.spawn(Timed)
    with pytest.raises(ActorCrashed, match="slow_ask took more") as caught:
        await ref.ask(SlowAsk(), timeout=1000)
    assert isinstance(caught.value.__cause__, HandlerTimeout)


@pytest.mark.anyio
async def test_a_kill_while_it_runs_is_a_kill(system: ActorSystem, records: Any, log: Any) -> None:
    entered = anyio.Event()

    class Entered(Actor):
        @receive(timeout=1000)
        async def slow(self, message: Slow) -> None:
            entered.set()
            await anyio.sleep_forever()

    ref = await system.spawn(Entered)
    ref.tell(Slow())
    await entered.wait()
    await ref.kill()
    assert records.dead() == [(Slow(), "killed")]
    assert log == []
    assert deadlines_of(system) == 0


@pytest.mark.anyio
async def test_a_kill_reaches_a_handler_that_went_on_after_its_deadline(
    system: ActorSystem, records: Any
) -> None:
    went_on = anyio.Event()

    class Stubborn(Actor):
        @receive(timeout=0.01)
        async def slow(self, message: Slow) -> None:
            try:
                await anyio.sleep_forever()
            except anyio.get_cancelled_exc_class():
                went_on.set()
            await anyio.sleep_forever()

    ref: ActorRef = await system.spawn(Stubborn)
    ref.tell(Slow())
    await went_on.wait()
    await ref.stop(timeout=0.03)
    assert not ref.alive


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_handlers_deadline_is_above_0(timeout: float) -> None:
    with pytest.raises(HandlerError, match="above 0"):
        receive(timeout=timeout)
