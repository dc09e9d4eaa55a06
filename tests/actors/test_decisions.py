"""Supervision's decisions, without a loop: against a naive model, and rule by rule."""

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors import Intensity, Restart
from actors.supervision import Action, Backoff, Decision, Directive, Strategy, Supervisor
from tests.actors.supervisor import (
    BY_ITSELF,
    OFTEN,
    PERMANENT,
    RESTART,
    RESUME,
    STOP,
    TEMPORARY,
    TRANSIENT,
    family,
    supervisor,
)

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


@settings(deadline=None)
@given(intensity=intensities, moments=st.lists(gaps, max_size=40).map(itertools.accumulate))
def test_every_window_agrees_with_the_model(intensity: Intensity, moments: Iterator[float]) -> None:
    one, model = supervisor(intensity=intensity), Model(Strategy.ONE_FOR_ONE, intensity, None)
    for now in moments:
        action = one.decide("a", family(TRANSIENT), now, RESTART).action
        expected, *_ = model.decide(0, [(0, TRANSIENT)], Fraction(now), RESTART, 0.0)
        assert action.value == expected


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


def test_a_child_nobody_knows_is_an_error_and_changes_nothing() -> None:
    once = supervisor(intensity=Intensity(1))
    with pytest.raises(KeyError):
        once.decide("b", family(PERMANENT), 0.0, RESTART)
    assert once.decide("a", family(PERMANENT), 0.0, RESTART).action is Action.RESTART


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
