"""Restarts of several at once, and what may come in the middle: crashes, ends, cancellation."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from actors import Actor, ActorSystem, _family, _recovery
from actors.supervision import Restart, Strategy
from actors.testing import TestKit
from tests.actors.home import (
    ALL,
    LONG,
    PERMANENT,
    REST,
    SOON,
    TEMPORARY,
    TRANSIENT,
    family,
    raising,
    rests,
)
from tests.actors.stateful import Crash
from tests.actors.work import Do, Doer, Hold

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("log")]


@pytest.mark.parametrize("restart", [PERMANENT, TEMPORARY])
async def test_one_crashes_in_its_suspension(system: ActorSystem, restart: Restart) -> None:
    home = await family(system, {"a": PERMANENT, "b": restart}, ALL)
    hold = Hold()

    async def crash(actor: Actor) -> None:
        await hold(actor)
        raise ValueError("late")

    home["b"].tell(Do(crash))
    await hold.entered.wait()
    home["a"].tell(Crash())
    await anyio.wait_all_tasks_blocked()
    hold.gate.set()
    await home.seen("a")
    assert home.book == (["+a", "+b"] if restart is PERMANENT else ["-b crash", "+a"])


@pytest.mark.parametrize("strategy", [ALL, REST])
@pytest.mark.parametrize("first", ["ab", "ba", "ac", "ca", "bc", "cb"])
@pytest.mark.parametrize("grand", [False, True])
async def test_two_crash_at_once(
    system: ActorSystem, strategy: Strategy, first: str, grand: bool
) -> None:
    home = await family(system, "abc", strategy, grand=grand)
    await home.note("a", "b", "c")
    for name in first:
        home[name].tell(Crash())
    for name in first:
        await home.seen(name)
    touched = "abc" if strategy is ALL or "a" in first else "bc"
    assert await home.fresh("abc") == touched
    for name in touched:
        assert 1 <= home.book.count(f"+{name}") <= 2


async def test_a_child_of_a_former_life_is_not_the_next_ones(system: ActorSystem) -> None:
    home = await family(system, "ab", ALL)
    former: list[Actor] = []
    home["a"].tell(Do(former.append))
    hold = await home.held("b")
    await rests(home, "a")  # it waits until b is gone
    child = await former[0].spawn(Doer)
    hold.gate.set()
    assert await home.fresh("ab") == "ab"
    assert not child.alive


async def test_another_crashes_while_the_children_end(system: ActorSystem) -> None:
    home = await family(system, "abc", ALL, grand=True)
    home.on_stop["a1"] = hold = Hold()
    home["a"].tell(Crash())
    await hold.entered.wait()
    home["b"].tell(Crash())
    await anyio.wait_all_tasks_blocked()
    hold.gate.set()
    assert await home.fresh("abc") == "abc"


async def test_two_wait_for_a_restart_of_others_to_be_over(system: ActorSystem) -> None:
    home = await family(system, "abcd", REST)
    home.on_start["d"] = hold = Hold()
    home["c"].tell(Crash())
    await hold.entered.wait()
    await rests(home, "a", "b")
    hold.gate.set()
    assert await home.fresh("abcd") == "abcd"


@pytest.mark.parametrize("name", ["a", "b", "c"])
async def test_a_start_fails_in_a_restart_of_all(system: ActorSystem, name: str) -> None:
    home = await family(system, "abc", ALL)
    home.on_start[name] = raising(ValueError("not yet"), 2)
    home["b"].tell(Crash())
    assert await home.fresh("abc") == "abc"
    assert home.book[-3:] == ["+a", "+b", "+c"]
    assert home.book.count(f"+{name}") == 3
    assert str(home.errors[name]) == "not yet"


@pytest.mark.parametrize("how", ["stop", "kill"])
@pytest.mark.parametrize("where", ["handler", "on_start"])
@pytest.mark.parametrize("whose", ["b", "parent"])
async def test_an_end_in_the_middle_of_a_restart_of_all(
    system: ActorSystem, how: str, where: str, whose: str
) -> None:
    home = await family(system, "abc", ALL)
    if where == "handler":
        hold = await home.held("c")
    else:
        home.on_start["a"] = hold = Hold()
    await rests(home, "b")
    assert hold.entered.is_set()
    ending = getattr(home[whose], how)()
    if how == "kill":
        with anyio.fail_after(SOON):
            await ending
    hold.gate.set()
    with anyio.fail_after(SOON):
        await ending
    assert not home["b"].alive
    if whose == "parent":
        assert system.stats().actors == 0
        return
    assert await home.fresh("c") == "c"
    await home.seen("a")
    await home.note("a")
    home["c"].tell(Crash())  # and the family is as before
    await home.seen("c")
    assert await home.fresh("ac") == "ac"


async def test_a_temporary_one_crashes_in_a_restart_that_is_killed(system: ActorSystem) -> None:
    home = await family(system, {"a": TRANSIENT, "b": TEMPORARY, "c": TRANSIENT}, ALL)
    hold = await home.held("c")
    await rests(home, "a", "b")
    await home["a"].kill()
    hold.gate.set()
    with anyio.fail_after(SOON):
        await home["b"].wait()
    assert await home.seen("c") == []


async def test_one_stopped_in_its_suspension_is_gone_before_the_next(system: ActorSystem) -> None:
    home = await family(system, "abc", ALL)
    await home.note("b")
    hold = await home.held("c")
    await rests(home, "a")
    ending = home["c"].stop()
    await anyio.wait_all_tasks_blocked()
    assert await home.seen("b") == [1]
    assert home.book == []
    hold.gate.set()
    await ending
    await home.seen("a")
    assert await home.fresh("ab") == "ab"


async def test_a_handler_that_never_ends_is_cancelled_by_its_deadline(
    system: ActorSystem, records: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (_family, _recovery):
        monkeypatch.setattr(module, "STOP_TIMEOUT", 0.02)
    home = await family(system, {"a": TRANSIENT, "b": TRANSIENT, "c": TEMPORARY}, ALL)
    holds = [await home.held(name) for name in "bc"]
    home["a"].tell(Crash())
    assert await home.fresh("ab") == "ab"
    assert home.book == ["+a", "+b"]  # the temporary one was killed
    assert not home["c"].alive
    assert [reason for _, reason in records.dead()] == ["killed", "interrupted"]
    assert len(holds) == 2


async def test_one_suspended_in_its_on_start_that_hangs_in_on_restart_is_cancelled() -> None:
    async with TestKit() as kit:
        home = await family(kit, "ab", REST)

        async def hang(member: Any) -> None:
            del home.on_restart["b"]
            await kit.advance(1000.0)

        home.on_start["b"] = lambda member: kit.advance(1.0)
        home.on_restart["b"] = hang
        home["b"].tell(Crash())
        await kit.advance(0.5)
        home["a"].tell(Crash())
        await kit.advance(10.0)
        assert await home.fresh("ab") == "ab"
        assert kit.time < 20.0
        assert home.book == ["+b", "+a", "+b"]


@pytest.mark.parametrize("where", ["handler", "on_start", "rest"])
async def test_outer_cancellation_in_the_middle(
    nothing_left: Callable[[ActorSystem, int], None],
    count_tasks: Callable[[], int],
    where: str,
) -> None:
    before = count_tasks()
    with anyio.fail_after(SOON), anyio.CancelScope() as scope:
        async with ActorSystem() as system:
            home = await family(system, "abc", ALL, backoff=LONG if where == "rest" else None)
            if where == "on_start":
                home.on_start["b"] = Hold()
            elif where == "handler":
                await home.held("c")
            await rests(home, "b")
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    nothing_left(system, before)
