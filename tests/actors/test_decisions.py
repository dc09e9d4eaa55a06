"""Supervision's decisions, without a loop: against a naive model, and rule by rule."""

import itertools
import math
import weakref
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors import HandlerTimeout, Intensity, Restart
from actors.supervision import (
    Action,
    Backoff,
    Decision,
    Directive,
    Strategy,
    Supervisor,
    directive_for,
)

PERMANENT, TRANSIENT, TEMPORARY = Restart.PERMANENT, Restart.TRANSIENT, Restart.TEMPORARY
RESTART, RESUME, STOP = Directive.RESTART, Directive.RESUME, Directive.STOP
BY_ITSELF = None
OFTEN = Intensity(restarts=1000)


def no_random() -> float:
    raise AssertionError("without a backoff there is no chance")


def supervisor(
    strategy: Strategy = Strategy.ONE_FOR_ONE,
    intensity: Intensity = OFTEN,
    backoff: Backoff | None = None,
    random: Callable[[], float] = no_random,
) -> Supervisor[Any]:
    return Supervisor(strategy, intensity, backoff, random)


def family(*restarts: Restart) -> dict[str, Restart]:
    """Children called a, b, c in order of start."""
    return dict(zip("abcdefgh", restarts, strict=False))


# The model: all that ever happened is kept, and looked through anew each time. Numbers are exact,
# for every time is a multiple of a half, and coarse, so that limits are met.

CHANCES = [0.0, 0.25, 0.5, 0.875]
halves = st.integers(0, 16).map(lambda number: number / 2)
intensities = st.builds(
    Intensity, restarts=st.integers(0, 4), seconds=halves.filter(lambda seconds: seconds > 0)
)


@st.composite
def backoffs(draw: st.DrawFn) -> Backoff:
    minimum, more = draw(halves), draw(halves)
    return Backoff(
        minimum=minimum,
        maximum=minimum + more,
        factor=draw(st.sampled_from([1, 1.5, 2, 4])),
        jitter=draw(st.sampled_from([0, 0.25, 0.5, 1])),
        calm=draw(st.none() | halves | st.just(math.inf)),
    )


class Model:
    def __init__(self, strategy: Strategy, intensity: Intensity, backoff: Backoff | None) -> None:
        self.strategy = strategy
        self.intensity = intensity
        self.backoff = backoff
        self.restarts: list[Fraction] = []
        self.failures: dict[int, list[tuple[Fraction, Fraction]]] = {}  # when, and the delay

    def restarted(self, restart: Restart, directive: Directive | None) -> bool:
        return (restart, directive) in [
            (PERMANENT, RESTART),
            (PERMANENT, BY_ITSELF),
            (TRANSIENT, RESTART),
        ]

    def full(self, now: Fraction) -> bool:
        recent = [time for time in self.restarts if now - time < Fraction(self.intensity.seconds)]
        return len(recent) + 1 > self.intensity.restarts

    def nth(self, child: int, now: Fraction) -> int:
        assert self.backoff is not None
        calm = self.backoff.maximum if self.backoff.calm is None else self.backoff.calm
        nth, next_failure = 1, now
        for when, delay in reversed(self.failures.get(child, [])):
            if next_failure - (when + delay) >= calm:
                break
            nth, next_failure = nth + 1, when
        return nth

    def delay(self, child: int, now: Fraction, chance: float) -> Fraction:
        if self.backoff is None:
            return Fraction(0)
        minimum, maximum = Fraction(self.backoff.minimum), Fraction(self.backoff.maximum)
        middle = minimum
        for _ in range(self.nth(child, now) - 1):
            middle = min(maximum, middle * Fraction(self.backoff.factor))
        spread = middle * Fraction(self.backoff.jitter)
        low, high = max(minimum, middle - spread), min(maximum, middle + spread)
        delay = low + (high - low) * Fraction(chance)
        self.failures.setdefault(child, []).append((now, delay))
        return delay

    def decide(
        self,
        child: int,
        children: list[tuple[int, Restart]],
        now: Fraction,
        directive: Directive | None,
        chance: float,
    ) -> tuple[str, list[int], list[int], Fraction]:
        names = [name for name, _ in children]
        index = names.index(child)
        if directive is RESUME:
            return "resume", [], [], Fraction(0)
        if not self.restarted(children[index][1], directive):
            return "end", [], [], Fraction(0)
        if self.full(now):
            return "escalate", names[::-1], [], Fraction(0)
        self.restarts.append(now)
        start: list[int] = []
        stop: list[int] = []
        for place, (name, restart) in enumerate(children):
            touched = {
                Strategy.ONE_FOR_ONE: place == index,
                Strategy.ONE_FOR_ALL: True,
                Strategy.REST_FOR_ONE: place >= index,
            }[self.strategy]
            if touched and place != index:
                stop.insert(0, name)
            if touched and restart in (PERMANENT, TRANSIENT):
                start.append(name)
        return "restart", stop, start, self.delay(child, now, chance)


class Parent:
    """Carries out what is decided, and compares it with the model's."""

    def __init__(self, strategy: Strategy, intensity: Intensity, backoff: Backoff | None) -> None:
        self.policy = (strategy, intensity, backoff)
        self.now = 0.0
        self.chance = 0.0
        self.spawned = 0
        self.begin()

    def begin(self) -> None:
        self.supervisor: Supervisor[int] = Supervisor(*self.policy, lambda: self.chance)
        self.model = Model(*self.policy)
        self.children: dict[int, Restart] = {}

    def spawn(self, restart: Restart) -> None:
        self.spawned += 1
        self.children[self.spawned] = restart

    def end(self, child: int) -> None:
        del self.children[child]
        self.supervisor.forget(child)
        self.model.failures.pop(child, None)

    def fail(self, child: int, directive: Directive | None) -> None:
        before = dict(self.children)
        decision = self.supervisor.decide(child, self.children, self.now, directive)
        assert self.children == before  # only read
        assert self.model.decide(
            child, list(before.items()), Fraction(self.now), directive, self.chance
        ) == as_the_model_says_it(decision)
        if decision.action is Action.ESCALATE:
            self.begin()
        elif decision.action is Action.END:
            self.end(child)
        for each in set(decision.stop) - set(decision.start):
            self.children.pop(each, None)


def as_the_model_says_it(decision: Decision[int]) -> tuple[str, list[int], list[int], Fraction]:
    stop, start = list(decision.stop), list(decision.start)
    return decision.action.value, stop, start, Fraction(decision.delay)


gaps = st.sampled_from([0, 0, 0, 0.5, 1, 2, 4])
steps = st.tuples(
    gaps,
    st.sampled_from([0, 0, 0, 1, 2]),
    st.sampled_from([RESTART] * 9 + [RESUME, STOP, BY_ITSELF, "end"]),
    st.sampled_from(CHANCES),
    st.sampled_from([PERMANENT, TRANSIENT, TEMPORARY]),
)
"""When, which child, what happens to it; the jitter; the type of a child that is spawned."""


@settings(max_examples=200, deadline=None)
@given(
    strategy=st.sampled_from(Strategy),
    intensity=st.just(OFTEN) | intensities,
    backoff=st.none() | backoffs(),
    life=st.lists(steps, min_size=15, max_size=45),
)
def test_a_parents_life_agrees_with_the_model(
    strategy: Strategy,
    intensity: Intensity,
    backoff: Backoff | None,
    life: list[tuple[float, int, Any, float, Restart]],
) -> None:
    parent = Parent(strategy, intensity, backoff)
    for gap, place, what, parent.chance, restart in life:
        parent.now += gap
        while len(parent.children) < 3:
            parent.spawn(restart)
        child = list(parent.children)[place]
        if what == "end":
            parent.end(child)
        else:
            parent.fail(child, what)


# Which failures lead to a restart, and whom it touches.


@pytest.mark.parametrize(
    ("restart", "directive", "action"),
    [
        (PERMANENT, RESTART, Action.RESTART),
        (PERMANENT, BY_ITSELF, Action.RESTART),
        (PERMANENT, STOP, Action.END),
        (PERMANENT, RESUME, Action.RESUME),
        (TRANSIENT, RESTART, Action.RESTART),
        (TRANSIENT, BY_ITSELF, Action.END),
        (TRANSIENT, STOP, Action.END),
        (TRANSIENT, RESUME, Action.RESUME),
        (TEMPORARY, RESTART, Action.END),
        (TEMPORARY, BY_ITSELF, Action.END),
        (TEMPORARY, STOP, Action.END),
        (TEMPORARY, RESUME, Action.RESUME),
    ],
)
@pytest.mark.parametrize("strategy", Strategy)
def test_what_becomes_of_the_child_by_type_and_directive(
    strategy: Strategy, restart: Restart, directive: Directive | None, action: Action
) -> None:
    children = family(PERMANENT, restart, PERMANENT)
    decision = supervisor(strategy).decide("b", children, 0.0, directive)
    assert decision.action is action
    if action is not Action.RESTART:
        assert decision == Decision(action)  # nobody else is touched


@pytest.mark.parametrize(
    ("strategy", "stop", "start"),
    [
        (Strategy.ONE_FOR_ONE, "", "c"),
        (Strategy.REST_FOR_ONE, "fed", "cef"),
        (Strategy.ONE_FOR_ALL, "fedba", "bcef"),
    ],
)
def test_a_restart_stops_in_reverse_and_starts_in_order_all_but_temporary_siblings(
    strategy: Strategy, stop: str, start: str
) -> None:
    children = family(TEMPORARY, PERMANENT, TRANSIENT, TEMPORARY, PERMANENT, TRANSIENT)
    decision = supervisor(strategy).decide("c", children, 0.0, RESTART)
    assert decision == Decision(Action.RESTART, tuple(stop), tuple(start))


@pytest.mark.parametrize("strategy", Strategy)
def test_every_small_family_agrees_with_the_model(strategy: Strategy) -> None:
    """All families of up to four, each of their children failing in each way."""
    checked = 0
    for size in range(1, 5):
        for restarts in itertools.product(Restart, repeat=size):
            children = dict(enumerate(restarts))
            for child, directive in itertools.product(children, [*Directive, BY_ITSELF]):
                for intensity in (OFTEN, Intensity(restarts=0)):
                    decision = supervisor(strategy, intensity).decide(
                        child, children, 0.0, directive
                    )
                    expected = Model(strategy, intensity, None).decide(
                        child, list(children.items()), Fraction(0), directive, 0.0
                    )
                    assert as_the_model_says_it(decision) == expected
                    checked += 1
    assert checked == sum(3**size * size * 4 * 2 for size in range(1, 5))


def test_a_child_nobody_knows_is_an_error_and_changes_nothing() -> None:
    once = supervisor(intensity=Intensity(1))
    with pytest.raises(KeyError):
        once.decide("b", family(PERMANENT), 0.0, RESTART)
    assert once.decide("a", family(PERMANENT), 0.0, RESTART).action is Action.RESTART


# The intensity.


@pytest.mark.parametrize(
    ("last", "action"), [(4.875, Action.ESCALATE), (5.0, Action.RESTART), (5.125, Action.RESTART)]
)
def test_a_restart_exactly_so_long_ago_no_longer_counts(last: float, action: Action) -> None:
    often = supervisor(intensity=Intensity(restarts=2, seconds=5.0))
    children = family(TRANSIENT)
    for now in (0.0, 1.0):
        assert often.decide("a", children, now, RESTART).action is Action.RESTART
    assert often.decide("a", children, last, RESTART).action is action


def test_the_window_slides() -> None:
    often = supervisor(intensity=Intensity(restarts=2, seconds=5.0))
    moments = {0.0: True, 4.0: True, 5.0: True, 8.875: False, 9.0: True, 9.5: False, 10.0: True}
    actions = [often.decide("a", family(TRANSIENT), now, RESTART).action for now in moments]
    assert actions == [
        Action.RESTART if restarted else Action.ESCALATE for restarted in moments.values()
    ]


@settings(deadline=None)
@given(intensity=intensities, moments=st.lists(gaps, max_size=40).map(itertools.accumulate))
def test_every_window_agrees_with_the_model(intensity: Intensity, moments: Iterator[float]) -> None:
    one, model = supervisor(intensity=intensity), Model(Strategy.ONE_FOR_ONE, intensity, None)
    for now in moments:
        action = one.decide("a", family(TRANSIENT), now, RESTART).action
        expected, *_ = model.decide(0, [(0, TRANSIENT)], Fraction(now), RESTART, 0.0)
        assert action.value == expected


def test_an_escalation_stops_all_children_in_reverse_the_failed_one_included() -> None:
    for strategy in Strategy:
        children = family(TRANSIENT, TEMPORARY, PERMANENT)
        decision = supervisor(strategy, Intensity(restarts=0)).decide("b", children, 0.0, RESTART)
        assert decision == Decision(Action.END)  # temporary: no restart, so no escalation
        decision = supervisor(strategy, Intensity(restarts=0)).decide("a", children, 0.0, RESTART)
        assert decision == Decision(Action.ESCALATE, ("c", "b", "a"))


@pytest.mark.parametrize("strategy", Strategy)
def test_the_children_share_one_window_and_a_group_takes_one_place(strategy: Strategy) -> None:
    children = family(PERMANENT, TRANSIENT, PERMANENT)
    twice = supervisor(strategy, Intensity(restarts=2, seconds=5.0))
    assert twice.decide("a", children, 0.0, RESTART).action is Action.RESTART
    assert twice.decide("b", children, 0.0, RESTART).action is Action.RESTART
    assert twice.decide("c", children, 0.0, RESTART).action is Action.ESCALATE


@pytest.mark.parametrize("restart", Restart)
@pytest.mark.parametrize("directive", [*Directive, BY_ITSELF])
def test_a_restart_takes_a_place_and_nothing_else_does(
    restart: Restart, directive: Directive | None
) -> None:
    once = supervisor(intensity=Intensity(restarts=1, seconds=5.0))
    children = family(restart, PERMANENT)
    restarted = once.decide("a", children, 0.0, directive).action is Action.RESTART
    followed = once.decide("b", children, 0.0, RESTART).action
    assert followed is (Action.ESCALATE if restarted else Action.RESTART)


def test_without_room_what_is_no_restart_does_not_escalate() -> None:
    never = supervisor(intensity=Intensity(restarts=0))
    children = family(TRANSIENT)
    assert never.decide("a", children, 0.0, RESUME) == Decision(Action.RESUME)
    assert never.decide("a", children, 0.0, BY_ITSELF) == Decision(Action.END)
    assert never.decide("a", children, 0.0, STOP) == Decision(Action.END)


def test_an_intensity_may_never_forget() -> None:
    once = supervisor(intensity=Intensity(restarts=1, seconds=math.inf))
    assert once.decide("a", family(TRANSIENT), 0.0, RESTART).action is Action.RESTART
    assert once.decide("a", family(TRANSIENT), 1e12, RESTART).action is Action.ESCALATE


def test_the_window_holds_no_more_than_it_needs() -> None:
    long = supervisor(intensity=Intensity(restarts=3, seconds=1.0))
    for now in range(100):
        assert long.decide("a", family(TRANSIENT), float(now), RESTART).action is Action.RESTART
        assert len(long._times) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("restarts", value) for value in (-1, math.nan, math.inf, -math.inf)),
        *(("seconds", value) for value in (0, -1.0, math.nan)),
    ],
)
def test_an_intensity_must_make_sense(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{field} must be .*, not {value}$"):
        Intensity(**{field: value})


def test_an_intensity_may_be_the_least() -> None:
    assert Intensity(restarts=False).restarts == 0
    assert Intensity(restarts=10**400).restarts == 10**400
    assert Intensity(seconds=5e-324).seconds > 0


# The backoff.


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


# Directives.


class Root(Exception):
    pass


class Left(Root):
    pass


class Right(Root, LookupError):
    pass


class Both(Left, Right):
    pass


KINDS = [Exception, LookupError, Root, Left, Right, Both]


@settings(deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    directives=st.dictionaries(st.sampled_from(KINDS), st.sampled_from(Directive)),
)
def test_the_nearest_class_says_what_an_error_calls_for(
    kind: type[Exception], directives: dict[type[Exception], Directive]
) -> None:
    error = kind()
    near = [each for each in directives if isinstance(error, each)]
    near.sort(key=kind.mro().index)
    assert directive_for(error, directives) is (directives[near[0]] if near else RESTART)


@pytest.mark.parametrize(
    ("error", "directive"),
    [
        (KeyError(), RESUME),  # a LookupError
        (HandlerTimeout(), STOP),  # an ActorError first, but a TimeoutError, an OSError too
        (ValueError(), RESTART),
        (ExceptionGroup("of a task group", [KeyError()]), RESTART),
    ],
)
def test_what_some_errors_call_for(error: Exception, directive: Directive) -> None:
    directives = {LookupError: RESUME, OSError: STOP}
    assert directive_for(error, directives) is directive


# The parts.


def test_supervisors_are_small_and_do_not_share() -> None:
    one, other = supervisor(intensity=Intensity(1)), supervisor(intensity=Intensity(1))
    assert not hasattr(one, "__dict__")
    assert one.decide("a", family(PERMANENT), 0.0, RESTART).action is Action.RESTART
    assert other.decide("a", family(PERMANENT), 0.0, RESTART).action is Action.RESTART


def test_a_supervisor_by_default() -> None:
    plain: Supervisor[str] = Supervisor()
    children = family(PERMANENT, PERMANENT)
    for _ in range(3):
        assert plain.decide("a", children, 0.0, RESTART) == Decision(Action.RESTART, start=("a",))
    assert plain.decide("a", children, 0.0, RESTART).action is Action.ESCALATE
    jittered: Supervisor[str] = Supervisor(backoff=Backoff(minimum=1.0, jitter=0.5))
    assert 1.0 <= jittered.decide("a", children, 0.0, RESTART).delay < 1.5


@pytest.mark.parametrize("restart", Restart)
def test_an_actor_on_its_own(restart: Restart) -> None:
    alone: Supervisor[str] = Supervisor(intensity=Intensity(restarts=1, seconds=5.0))
    decisions = [alone.decide("a", {"a": restart}, now, RESTART) for now in (0.0, 4.0, 5.0)]
    granted = [decision.action is Action.RESTART for decision in decisions]
    assert granted == ([False] * 3 if restart is TEMPORARY else [True, False, True])
