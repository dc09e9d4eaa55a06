"""Families in a storm of crashes and ends: they do as a model does, and nobody gets stuck."""

from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors import ActorRef, ActorSystem
from actors.supervision import Backoff, Restart, Strategy
from tests.actors.home import (
    ALL,
    PERMANENT,
    REST,
    SOON,
    TEMPORARY,
    TRANSIENT,
    Home,
    family,
    stop_itself,
)
from tests.actors.stateful import Crash, Note
from tests.actors.work import Do

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("log")]

NAMES = "abcd"
FAMILIES = st.lists(st.sampled_from(list(Restart)), min_size=2, max_size=4)
HOWS = ["crash", "itself", "stop", "kill"]
STEPS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(HOWS)), max_size=8)


def step_model(
    lives: dict[str, int], types: dict[str, Restart], strategy: Strategy, name: str, how: str
) -> None:
    """Who lives after that, and in which life of its own."""
    restart = types[name]
    if how not in {PERMANENT: ("crash", "itself"), TRANSIENT: ("crash",)}.get(restart, ()):
        del lives[name]
        return
    for other in list(lives):
        if other == name or strategy is ALL or (strategy is REST and other > name):
            if types[other] is TEMPORARY:
                del lives[other]
            else:
                lives[other] += 1


def act(ref: ActorRef, how: str) -> None:
    if how in ("crash", "itself"):
        ref.tell(Crash() if how == "crash" else Do(stop_itself))
    else:
        getattr(ref, how)()


@settings(max_examples=40, deadline=None)
@given(restarts=FAMILIES, strategy=st.sampled_from(list(Strategy)), steps=STEPS)
def test_a_family_does_as_the_model_does(
    unaccounted: Any, restarts: list[Restart], strategy: Strategy, steps: list[tuple[str, str]]
) -> None:
    async def main() -> None:
        async with ActorSystem() as system:
            types = dict(zip(NAMES, restarts, strict=False))
            home = await family(system, types, strategy)
            lives = dict.fromkeys(types, 0)
            for name, how in steps:
                if name not in lives:
                    continue
                act(home[name], how)
                home[name].tell(Note(1))
                step_model(lives, types, strategy, name, how)
                await (home.seen(name) if name in lives else home[name].wait())
                alive = {each for each in types if home[each].alive}
                assert alive == {each for each in types if system.find(each)} == set(lives)
                assert {each: home.book.count(f"+{each}") for each in lives} == lives
        assert unaccounted(system.stats()) == 0
        assert all(home.book.count(f"-{each} stop") <= lives.get(each, 9) + 1 for each in types)

    anyio.run(main)


STORMS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(["crash", *HOWS]), st.integers(0, 4)),
    min_size=2,
    max_size=10,
)


async def weather(home: Home, types: Any, storm: Any, turns: list[int]) -> None:
    async def slow(actor: Any) -> None:
        for _ in range(turns[NAMES.index(actor.called[0])]):
            await anyio.lowlevel.checkpoint()

    for name in types:
        for each in (name, f"{name}1"):
            home.on_start[each] = home.on_stop[each] = slow
    storm = [step for step in storm if step[0] in types]
    for name, how, gap in storm:
        act(home[name], how)
        home[name].tell(Note(1))
        for _ in range(gap):
            await anyio.lowlevel.checkpoint()
    ended = {name for name, how, _ in storm if how in ("stop", "kill")}
    for name, restart in types.items():
        if restart is PERMANENT and name not in ended:
            await home.seen(name)
    with anyio.fail_after(SOON):
        await home.parent.stop()
    for name in types:  # no life has two
        stops = home.book.count(f"-{name} stop") + home.book.count(f"-{name} crash")
        assert stops <= 1 + home.book.count(f"+{name}")


@settings(max_examples=100, deadline=None)
@given(
    restarts=st.lists(st.sampled_from([PERMANENT, *Restart]), min_size=2, max_size=4),
    strategy=st.sampled_from([ALL, REST]),
    storm=STORMS,
    turns=st.lists(st.integers(0, 4), min_size=4, max_size=4),
    options=st.fixed_dictionaries(
        {"grand": st.booleans(), "backoff": st.sampled_from([None, Backoff(0.001, 0.001)])}
    ),
    backend=st.sampled_from(["asyncio", "trio"]),
)
def test_nobody_gets_stuck_in_a_storm(
    unaccounted: Any,
    restarts: list[Restart],
    strategy: Strategy,
    storm: Any,
    turns: list[int],
    options: Any,
    backend: str,
) -> None:
    async def main() -> None:
        async with ActorSystem() as system:
            types = dict(zip(NAMES, restarts, strict=False))
            home = await family(system, types, strategy, **options)
            await weather(home, types, storm, turns)
        assert unaccounted(system.stats()) == 0

    anyio.run(main, backend=backend)
