"""Token buckets and headcounts against models of them."""

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import Intensity
from transport import Rate, Settings
from transport.limits import Headcount, Meter, Window, client_of, size_of


class Bucket:
    """The token bucket as books have it, without rounding."""

    def __init__(self, per_second: int, burst: int) -> None:
        self.per_second, self.burst = per_second, burst
        self.level, self.at = Fraction(burst), Fraction(0)

    def fill(self, now: Fraction) -> None:
        self.level = min(Fraction(self.burst), self.level + (now - self.at) * self.per_second)
        self.at = now

    def has(self, cost: int) -> bool:
        return self.level >= min(cost, self.burst)


RATES = st.tuples(st.sampled_from([1, 2, 4, 8, 64]), st.integers(1, 9))
# In eighths of a second, with which floats reckon exactly.
STEPS = st.lists(st.tuples(st.integers(0, 24), st.integers(0, 12)), max_size=60)


@given(RATES, RATES, STEPS)
def test_a_meter_is_two_token_buckets(
    messages: tuple[int, int], bytes_: tuple[int, int], steps: list[tuple[int, int]]
) -> None:
    meter = Meter(Rate(*messages), Rate(*bytes_))
    first, second = Bucket(*messages), Bucket(*bytes_)
    now = Fraction(0)
    for wait, size in steps:
        now += Fraction(wait, 8)
        for bucket in (first, second):
            bucket.fill(now)
        admitted = first.has(1) and second.has(size)
        assert meter.admits("x" * size, float(now)) is admitted
        if admitted:
            first.level -= 1
            second.level -= size
            continue
        excess = meter.excess("x" * size, float(now))
        late = (1 - first.level) / first.per_second
        late_bytes = (min(size, second.burst) - second.level) / second.per_second
        if late != late_bytes:
            assert excess.limit == ("message_rate" if late > late_bytes else "byte_rate")
        assert excess.retry_after == pytest.approx(float(max(late, late_bytes)), abs=1e-5)


@given(
    RATES,
    st.tuples(st.sampled_from([1, 8, 64]), st.integers(1, 60)),
    st.lists(
        st.tuples(st.integers(0, 24), st.lists(st.integers(0, 12), min_size=1, max_size=6)),
        max_size=20,
    ),
    st.sampled_from(["x", "é", b"x"]),
)
def test_a_burst_counts_as_its_messages(
    messages: tuple[int, int],
    bytes_: tuple[int, int],
    steps: list[tuple[int, list[int]]],
    letter: str | bytes,
) -> None:
    """All at once or none: and then one by one, as where one of them alone is larger than that."""
    meter, plain = (Meter(Rate(*messages), Rate(*bytes_)) for _ in range(2))
    now = 0.0
    for wait, sizes in steps:
        now += wait / 8
        burst = [letter * size for size in sizes]
        at_once = meter.admits_all(burst, now)
        each = [plain.admits(data, now) for data in burst]
        if not at_once:
            assert [meter.admits(data, now) for data in burst] == each
            assert not all(each) or max(map(size_of, burst)) > bytes_[1]
        else:
            assert all(each)


@given(RATES, STEPS)
def test_whoever_comes_back_when_told_to_is_admitted(
    rate: tuple[int, int], steps: list[tuple[int, int]]
) -> None:
    meter, now = Meter(Rate(*rate), Rate(*rate)), 1000.0
    for wait, size in steps:
        now += wait / 8
        if not meter.admits(bytes(size), now):
            now += meter.excess(bytes(size), now).retry_after
            assert meter.admits(bytes(size), now)
        now += meter.wait(now)
        assert meter.admits("", now)


def test_the_burst_at_once_and_then_the_rate() -> None:
    meter = Meter(Rate(100, burst=200), None)
    now = 123_456.789
    assert sum(meter.admits("x", now) for _ in range(1000)) == 200
    assert sum(meter.admits("x", now + 1) for _ in range(1000)) == 100
    assert sum(meter.admits("x", now + 3600) for _ in range(1000)) == 200


def test_bytes_are_counted_not_characters() -> None:
    for data in ("é" * 5, b"x" * 10, "\ud800" * 3 + "x"):
        assert size_of(data) == 10
        meter = Meter(None, Rate(1, burst=10))
        assert meter.admits(data, 0.0)
        assert not meter.admits("x", 0.5)
        assert meter.excess("x", 0.5).limit == "byte_rate"


def test_what_is_larger_than_the_burst_needs_a_full_bucket_and_is_made_up_for() -> None:
    meter = Meter(None, Rate(10, burst=10))
    assert meter.admits("x" * 100, 0.0)
    assert not meter.admits("", 8.9)
    assert meter.admits("", 9.1)
    assert not meter.admits("x" * 100, 9.5)
    assert meter.admits("x" * 100, 10.1)


def test_what_is_not_bounded_is_not_refused() -> None:
    meter = Meter(None, None)
    assert all(meter.admits("x" * 1000, 0.0) for _ in range(1000))
    assert meter.wait(0.0) == 0


@pytest.mark.parametrize(
    ("per_second", "burst"),
    [(0, 1), (-1, 1), (math.inf, 1), (math.nan, 1), (1, 0.5), (1, math.inf), (1, math.nan)],
)
def test_a_rate_out_of_bounds_is_refused(per_second: float, burst: float) -> None:
    with pytest.raises(ValueError, match=r"per_second|burst"):
        Rate(per_second, burst=burst)


@pytest.mark.parametrize("wrong", [{"max_depth": 0}, {"max_depth": 257}, {"max_groups": 0}])
def test_settings_out_of_bounds_are_refused(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(ValueError, match=name):
        Settings(**wrong)


CLIENTS = st.sampled_from([None, "a", "b", "c"])


@given(
    st.none() | st.integers(1, 4),
    st.none() | st.integers(1, 3),
    st.lists(st.tuples(st.booleans(), CLIENTS), max_size=40),
)
def test_a_headcount_counts(
    total: int | None, each: int | None, steps: list[tuple[bool, str | None]]
) -> None:
    headcount = Headcount(total, each)
    inside: list[str | None] = []
    for comes, client in steps:
        limit = headcount.full(client)
        if total is not None and len(inside) >= total:
            assert limit == "max_connections"
        elif client is not None and each is not None and inside.count(client) >= each:
            assert limit == "max_connections_per_client"
        else:
            assert limit is None
        if comes and limit is None:
            headcount.enter(client)
            inside.append(client)
        elif not comes and client in inside:
            headcount.leave(client)
            inside.remove(client)
        assert headcount.count == len(inside)
        # Bounded: who is gone is forgotten.
        assert len(headcount._by_client) <= len(set(inside))


@pytest.mark.parametrize("wrong", [(0, None), (None, 0), (-1, 1)])
def test_a_headcount_out_of_bounds_is_refused(wrong: tuple[int | None, int | None]) -> None:
    with pytest.raises(ValueError, match="max_connections"):
        Headcount(*wrong)


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.2", "192.0.2.2"),
        ("127.0.0.1", "127.0.0.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("2001:DB8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("nonsense", "nonsense"),
        ("testclient", "testclient"),
    ],
)
def test_by_what_a_client_is_counted(host: str, client: str) -> None:
    assert client_of((host, 1)) == client_of((host, 0)) == client


def test_without_an_address_there_is_no_telling() -> None:
    assert client_of(None) is None  # a unix socket


def test_a_window_slides() -> None:
    window = Window(Intensity(2, 5.0))
    assert [window.takes(at) for at in (0.0, 1.0, 4.9, 5.0, 5.5, 6.0)] == [
        True,
        True,
        False,
        True,
        False,
        True,
    ]
