"""The backoff, without a loop: how long each restart is put off."""

import math
import weakref
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.supervision import Backoff, Strategy
from tests.actors.supervisor import (
    BY_ITSELF,
    PERMANENT,
    RESTART,
    RESUME,
    TRANSIENT,
    family,
    no_random,
    supervisor,
)


def delays(backoff: Backoff, failures: list[float], chance: float = 0.5) -> list[float]:
    """What one child that fails at those times waits."""
    one = supervisor(backoff=backoff, random=lambda: chance)
    return [one.decide("a", family(PERMANENT), now, RESTART).delay for now in failures]


def test_the_delay_doubles_from_the_minimum_to_the_maximum() -> None:
    backoff = Backoff(minimum=0.5, maximum=5.0, factor=2.0, jitter=0)
    assert delays(backoff, [0.0] * 6) == [0.5, 1, 2, 4, 5, 5]


def test_without_a_backoff_there_is_no_delay_and_nothing_is_left_to_chance() -> None:
    assert supervisor(random=no_random).decide("a", family(PERMANENT), 0.0, RESTART).delay == 0


def test_the_jitter_spreads_to_either_side_within_the_bounds() -> None:
    backoff = Backoff(minimum=1.0, maximum=16.0, factor=4.0, jitter=0.25)
    assert delays(backoff, [0.0] * 4, chance=0.0) == [1, 3, 12, 12]
    assert delays(backoff, [0.0] * 4, chance=0.5) == [1.125, 4, 14, 14]
    assert delays(backoff, [0.0] * 4, chance=1.0) == [1.25, 5, 16, 16]
    rounded = Backoff(minimum=0.3, maximum=0.9, factor=4.0, jitter=1)
    assert rounded.delay(2, 1.0) == 0.9 < 0.3 + (0.9 - 0.3)


@pytest.mark.parametrize(
    ("calm", "quiet", "delay"),
    [
        (None, 7.875, 2),  # by default it is the maximum
        (None, 8.0, 1),
        (3.0, 2.875, 2),
        (3.0, 3.0, 1),
        (0.0, 0.0, 1),
        (math.inf, 1e12, 2),
    ],
)
def test_calm_resets_it_counted_from_when_the_restart_was_due(
    calm: float | None, quiet: float, delay: float
) -> None:
    backoff = Backoff(minimum=1.0, maximum=8.0, jitter=0, calm=calm)
    assert delays(backoff, [0.0, 1.0 + quiet]) == [1, delay]


def test_a_long_delay_is_no_calm() -> None:
    backoff = Backoff(minimum=4.0, maximum=4.0, factor=1.0, jitter=0, calm=4.0)
    one = supervisor(backoff=backoff, random=lambda: 0.5)
    for nth in range(1, 5):  # each time it crashes as soon as it is up
        one.decide("a", family(PERMANENT), 4.0 * nth, RESTART)
        assert one._rows["a"] == (nth, 4.0 * (nth + 1))


def test_each_child_has_a_row_of_its_own_whoever_restarts_it() -> None:
    backoff = Backoff(minimum=1.0, maximum=64.0, jitter=0)
    group = supervisor(Strategy.ONE_FOR_ALL, backoff=backoff, random=lambda: 0.5)
    children = family(PERMANENT, PERMANENT)
    waited = [group.decide(child, children, 0.0, RESTART).delay for child in "aaabab"]
    assert waited == [1, 2, 4, 1, 8, 2]


def test_only_restarts_count_in_the_row_those_after_ending_by_itself_too() -> None:
    backoff = Backoff(minimum=1.0, maximum=64.0, jitter=0)
    one = supervisor(backoff=backoff, random=lambda: 0.5)
    ways = [RESTART, RESUME, BY_ITSELF, RESUME, RESTART]
    waited = [one.decide("a", family(PERMANENT), 0.0, way).delay for way in ways]
    assert waited == [1, 0, 2, 0, 4]


class Child:
    """Something that a weak reference can watch."""


@pytest.mark.parametrize("way", ["forget", "end"])
def test_a_child_that_is_gone_is_forgotten(way: str) -> None:
    backoff = Backoff(minimum=1.0, maximum=64.0, jitter=0)
    one = supervisor(backoff=backoff, random=lambda: 0.5)
    child = Child()
    watch = weakref.ref(child)
    assert [one.decide(child, {child: TRANSIENT}, 0.0, RESTART).delay for _ in "12"] == [1, 2]
    assert watch() in one._rows
    if way == "forget":
        one.forget(child)
    else:
        one.decide(child, {child: TRANSIENT}, 0.0, BY_ITSELF)
    assert one.decide(child, {child: TRANSIENT}, 0.0, RESTART).delay == 1  # a row of its own anew
    one.forget(child)
    one.forget(child)  # twice is fine
    del child
    assert watch() is None


seconds = st.just(0.0) | st.floats(1e-9, 1e9)


@settings(deadline=None)
@given(
    bounds=st.tuples(seconds, seconds).map(sorted),
    factor=st.floats(1, 1e6),
    jitter=st.floats(0, 1),
    nth=st.integers(1, 50) | st.integers(1, 10**18),
    chance=st.floats(0, 1),
)
def test_no_delay_is_out_of_bounds_or_overflows(
    bounds: list[float], factor: float, jitter: float, nth: int, chance: float
) -> None:
    minimum, maximum = bounds
    delay = Backoff(minimum, maximum, factor, jitter).delay(nth, chance)
    assert minimum <= delay <= maximum
    plain = Backoff(minimum, maximum, factor, jitter=0).delay(nth, chance)
    assert plain * (1 - jitter) * (1 - 1e-12) <= delay <= plain * (1 + jitter) * (1 + 1e-12)
    if nth <= 50:
        exact = min(Fraction(maximum), Fraction(minimum) * Fraction(factor) ** (nth - 1))
        assert plain == pytest.approx(float(exact), rel=1e-12, abs=0)
    later = Backoff(minimum, maximum, factor, jitter=0).delay(nth + 1, chance)
    assert later >= plain


def test_a_very_long_row_waits_the_maximum_but_zero_stays_zero() -> None:
    assert Backoff(minimum=0.1, maximum=10.0, jitter=0).delay(10**18, 0.5) == 10.0
    assert Backoff(minimum=0.0, maximum=10.0, jitter=0.5).delay(10**18, 0.5) == 0.0
    assert Backoff(minimum=0.1, maximum=10.0, factor=1, jitter=0).delay(10**18, 0.5) == 0.1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("minimum", value) for value in (-0.1, math.nan, math.inf)),
        *(("maximum", value) for value in (0.05, math.nan, math.inf)),
        *(("factor", value) for value in (0.5, math.nan, math.inf)),
        *(("jitter", value) for value in (-0.1, 1.5, math.nan)),
        *(("calm", value) for value in (-1.0, math.nan)),
    ],
)
def test_a_backoff_must_make_sense(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"^{field} must be .*, not {value}$"):
        Backoff(**{field: value})


def test_a_backoff_may_be_at_its_limits() -> None:
    assert Backoff(minimum=0, maximum=0, factor=1, jitter=0, calm=0).delay(9, 0.5) == 0
    assert Backoff(minimum=2, maximum=2, factor=1, jitter=1, calm=math.inf).delay(9, 0.5) == 2
