"""The intensity, without a loop: how many restarts in which time are too many."""

import math
from typing import Any

import pytest

from actors import Intensity, Restart
from actors.supervision import Action, Decision, Directive, Strategy
from tests.actors.supervisor import (
    BY_ITSELF,
    PERMANENT,
    RESTART,
    RESUME,
    STOP,
    TEMPORARY,
    TRANSIENT,
    family,
    supervisor,
)


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
