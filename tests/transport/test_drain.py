"""The drain: its plan, its deadline, and what it asks of each socket; without a server."""

import asyncio
import itertools
import math
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transport import Drain
from transport.drain import LAST_WORDS, drain
from transport.outbox import Close


class Leaver:
    """A socket that goes when it is told, or never."""

    def __init__(self, roster: "Leavers", *, stalled: bool = False) -> None:
        self.roster = roster
        self.stalled = stalled
        self.heard: list[Any] = []

    def warn(self) -> None:
        self.heard.append("warn")

    def go_away(self, close: Close, timeout: float) -> None:
        self.heard.append((close, timeout))
        if not self.stalled:
            self.roster.gone(self)

    def kill(self) -> None:
        self.heard.append("kill")


class Leavers:
    def __init__(self, count: int, stalled: int = 0) -> None:
        leavers = [Leaver(self, stalled=number < stalled) for number in range(count)]
        self.everybody = leavers
        self.open = set(leavers)
        self.went: list[Leaver] = []
        self.empty = asyncio.Event()

    @property
    def all(self) -> set[Leaver]:
        return self.open

    def gone(self, leaver: Leaver) -> None:
        self.open.discard(leaver)
        self.went.append(leaver)
        if not self.open:
            self.empty.set()

    async def emptied(self) -> None:
        if self.open:
            await self.empty.wait()


class Clock(asyncio.SelectorEventLoop):
    """A loop whose time is that of its next timer: nothing is waited for."""

    now = 0.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        ready: Any = self._ready  # type: ignore[attr-defined]
        timers: Any = self._scheduled  # type: ignore[attr-defined]
        if not ready and timers:
            self.now = max(self.now, timers[0].when())
        super()._run_once()  # type: ignore[misc]


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> float:
    """The seconds it took, by the clock of its loop."""
    with asyncio.Runner(loop_factory=Clock) as runner:
        runner.run(main())
        return runner.get_loop().time()


def never() -> bool:
    return False


def test_each_is_warned_then_told_to_go_with_its_own_time_to_come_back() -> None:
    async def main() -> None:
        roster = Leavers(50)
        await drain(Drain(timeout=8.0, retry_after=(2.0, 6.0)), roster, never)
        reasons: set[str] = set()
        for leaver in roster.everybody:
            assert leaver.heard[0] == "warn"
            ((close, left),) = leaver.heard[1:]
            assert close.code == 1001
            assert 2.0 <= float(close.reason.split()[2]) <= 6.0
            assert 0 < left <= 8.0 - LAST_WORDS
            reasons.add(close.reason)
        assert len(reasons) > 10

    assert run(main) == pytest.approx(0.49)


def test_who_goes_first_is_a_matter_of_chance() -> None:
    async def main() -> None:
        roster = Leavers(50)
        await drain(Drain(), roster, never)
        assert roster.went != roster.everybody

    run(main)


def test_past_the_deadline_what_is_left_is_killed() -> None:
    async def main() -> None:
        roster = Leavers(10, stalled=3)
        await drain(Drain(timeout=4.0, spread=1.0), roster, never)
        assert sum(leaver.heard[-1] == "kill" for leaver in roster.everybody) == 3
        assert {leaver for leaver in roster.everybody if leaver.heard[-1] == "kill"} == roster.open

    assert run(main) == pytest.approx(4.0)


def test_a_hurry_ends_it_at_once() -> None:
    async def main() -> None:
        roster = Leavers(10, stalled=10)
        looks = itertools.count()
        await drain(Drain(timeout=60.0), roster, lambda: next(looks) == 20)
        assert all(leaver.heard[-1] == "kill" for leaver in roster.everybody)

    assert run(main) == pytest.approx(2.0)


def test_without_sockets_it_is_over_at_once() -> None:
    assert run(lambda: drain(Drain(), Leavers(0), never)) == 0.0


@given(
    st.floats(0.1, 100.0),
    st.floats(0.0, 1.0),
    st.integers(1, 5000),
)
def test_the_moments_are_spread_evenly_within_the_spread(
    timeout: float, share: float, sockets: int
) -> None:
    plan = Drain(timeout=timeout, spread=timeout * share)
    moments = plan.moments(sockets)
    assert len(moments) == sockets
    assert moments == sorted(moments)
    assert moments[0] == 0.0
    assert moments[-1] <= min(plan.spread, max(0.0, timeout - LAST_WORDS), sockets / 100)
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert max(gaps, default=0.0) - min(gaps, default=0.0) < 1e-9


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 0},
        {"timeout": math.inf},
        {"timeout": math.nan},
        {"spread": -1},
        {"spread": math.inf},
        {"code": 1000},
        {"retry_after": (2, 1)},
        {"retry_after": (-1, 1)},
        {"retry_after": (0, math.inf)},
    ],
    ids=repr,
)
def test_a_plan_out_of_bounds_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Drain(**options)
