"""Families: who is restarted with whom, in which order, and after which errors."""

from typing import Any

import anyio
import pytest

from actors import Actor, ActorCrashed, ActorSystem
from actors.supervision import Restart, Strategy
from tests.actors.home import (
    ALL,
    ONE,
    PERMANENT,
    REST,
    TEMPORARY,
    TRANSIENT,
    Bad,
    Home,
    Member,
    family,
    raising,
    rests,
    stop_itself,
)
from tests.actors.stateful import Crash, Note
from tests.actors.work import Do, Hold

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("log")]


# Strategies.


@pytest.mark.parametrize(
    ("strategy", "fresh", "book"),
    [
        (ONE, "b", "-b1 +b +b1"),
        (ALL, "abc", "-b1 -c1 -a1 +a +a1 +b +b1 +c +c1"),
        (REST, "bc", "-b1 -c1 +b +b1 +c +c1"),
    ],
)
async def test_who_is_fresh_and_in_which_order(
    system: ActorSystem, strategy: Strategy, fresh: str, book: str
) -> None:
    home = await family(system, "abc", strategy, grand=True)
    await home.note("a", "b", "c")
    home["b"].tell(Crash())
    await home.seen("b")  # it is the one that restarts the others
    assert await home.fresh("abc") == fresh
    assert "".join(sorted(home.errors)) == fresh
    assert " ".join(home.book).replace(" stop", "") == book


@pytest.mark.parametrize("strategy", [ALL, REST])
async def test_each_is_gone_before_the_next(system: ActorSystem, strategy: Strategy) -> None:
    home = await family(system, "abc", strategy, grand=True)
    await home.note("b", "c")
    home.on_stop["c1"] = hold = Hold()
    home["a"].tell(Crash())
    await hold.entered.wait()
    await anyio.wait_all_tasks_blocked()
    assert await home.seen("b") == [1]
    assert home.book == ["-a1 stop"]
    hold.gate.set()
    await home.seen("a")
    assert await home.fresh("bc") == "bc"


async def test_each_start_is_awaited_before_the_next(system: ActorSystem) -> None:
    home = await family(system, "abc", ALL)
    for name in "abc":
        home.on_start[name] = Hold()
    home["b"].tell(Crash())
    for number, name in enumerate("abc"):
        hold: Any = home.on_start[name]
        await hold.entered.wait()
        await anyio.wait_all_tasks_blocked()
        assert home.book == ["+a", "+b", "+c"][: number + 1]
        hold.gate.set()
    assert await home.fresh("abc") == "abc"


async def test_mail_ref_name_and_groups_are_kept(system: ActorSystem, records: Any) -> None:
    async def join(actor: Actor) -> None:
        actor.join("room")

    home = await family(system, "abc", ALL)
    refs = dict(home.refs)
    for name in "abc":
        home[name].tell(Do(join))
    holds = [await home.held(name) for name in "cb"]
    await rests(home, "a")
    for name in "abc":
        home[name].tell(Note(2))
    for hold in holds:
        hold.gate.set()
        await anyio.wait_all_tasks_blocked()
    assert [await home.seen(name) for name in "abc"] == [[2]] * 3
    assert home.refs == refs
    assert [system.find(name) for name in "abc"] == [refs[name] for name in "abc"]
    assert set(system.members("room")) == {refs[name] for name in "abc"}
    assert records.letters == []
    assert home.book == ["+a", "+b", "+c"]


async def test_temporary_bystanders_of_a_group_restart_stay_down(system: ActorSystem) -> None:
    types = {"a": PERMANENT, "b": TEMPORARY, "c": TRANSIENT, "d": PERMANENT, "e": TEMPORARY}
    home = await family(system, types, ALL)
    home["c"].tell(Crash())
    await home.seen("c")
    assert home.book == ["-e stop", "-b stop", "+a", "+c", "+d"]
    assert system.find("b") is system.find("e") is None
    assert await home.fresh("acd") == "acd"


# Restart types.


@pytest.mark.parametrize(
    ("restart", "how", "again"),
    [
        (PERMANENT, "crash", True),
        (PERMANENT, "itself", True),
        (PERMANENT, "stop", False),
        (PERMANENT, "drain", False),
        (PERMANENT, "kill", False),
        (TRANSIENT, "crash", True),
        (TRANSIENT, "itself", False),
        (TEMPORARY, "crash", False),
        (TEMPORARY, "itself", False),
    ],
)
@pytest.mark.parametrize("root", [False, True])
async def test_after_what_it_comes_back(
    system: ActorSystem, restart: Restart, how: str, again: bool, root: bool
) -> None:
    if root:
        home = Home(grand=False)
        await system.spawn(lambda: Member(home, "a"), name="a", restart=restart)
        home.book.clear()
    else:
        home = await family(system, {"a": restart})
    await home.note("a")
    if how in ("crash", "itself"):
        home["a"].tell(Crash() if how == "crash" else Do(stop_itself))
        home["a"].tell(Note(2))
    else:
        await getattr(home["a"], how)()
    if again:
        assert await home.seen("a") == [2]
        assert home.book == (["+a"] if how == "crash" else ["-a stop", "+a"])
        assert home.errors.keys() == ({"a"} if how == "crash" else set())
    else:
        await home["a"].wait()
        name = {"itself": "stop"}.get(how, how)
        assert home.book == ([] if how == "kill" else [f"-a {name}"])
        assert system.find("a") is None


async def test_children_end_before_the_on_stop_of_an_own_stop(system: ActorSystem) -> None:
    home = await family(system, {"a": PERMANENT}, grand=True)
    home["a"].tell(Do(stop_itself))
    await home.seen("a")
    assert home.book == ["-a1 stop", "-a stop", "+a", "+a1"]


@pytest.mark.parametrize("then", ["twice", "crash", "suspended"])
async def test_an_own_stop_ends_one_life_only(system: ActorSystem, then: str) -> None:
    home = await family(system, {"a": PERMANENT, "b": PERMANENT}, ALL)

    async def act(actor: Actor) -> None:
        if then == "suspended":
            home["b"].tell(Crash())
            await anyio.wait_all_tasks_blocked()
        actor.stop()
        if then == "twice":
            actor.stop()
        if then == "crash":
            raise ValueError("boom")

    home["a"].tell(Do(act))
    await home.seen("a")
    await home.seen("b")
    await anyio.wait_all_tasks_blocked()
    assert home.book.count("+a") == home.book.count("+b") == 1
    assert home.book.count("-a stop") <= 1


async def test_an_own_stop_is_heeded_though_the_handler_is_to_be_resumed(
    system: ActorSystem,
) -> None:
    home = await family(system, {"a": PERMANENT})

    async def act(actor: Actor) -> None:
        actor.stop()
        raise KeyError("which directs to resume")

    home["a"].tell(Do(act))
    home["a"].tell(Note(1))
    assert await home.seen("a") == [1]
    assert home.book == ["-a stop", "+a"]


async def test_a_stop_during_an_own_stop_runs_no_second_on_stop(system: ActorSystem) -> None:
    home = await family(system, {"a": PERMANENT})
    home.on_stop["a"] = hold = Hold()
    home["a"].tell(Do(stop_itself))
    await hold.entered.wait()
    ending = home["a"].stop()
    hold.gate.set()
    await ending
    assert home.book == ["-a stop"]


async def test_the_deadline_of_an_own_stop_is_not_the_next_lifes(
    system: ActorSystem, records: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Member, "stop_timeout", 0.02)
    home = await family(system, {"a": PERMANENT})
    home["a"].tell(Do(stop_itself))
    hold = await home.held("a")
    with anyio.move_on_after(0.08):
        await home["a"].wait()
    hold.gate.set()
    assert await home.seen("a") == []
    assert records.letters == []


async def test_a_sibling_crashes_during_the_on_stop_of_an_own_stop(system: ActorSystem) -> None:
    home = await family(system, {"a": PERMANENT, "b": PERMANENT}, ALL)
    home.on_stop["a"] = hold = Hold()
    home["a"].tell(Do(stop_itself))
    await hold.entered.wait()
    home["b"].tell(Crash())
    await anyio.wait_all_tasks_blocked()
    hold.gate.set()
    assert await home.fresh("ab") == "ab"
    assert home.book.count("-a stop") == 1


# Directives.


async def test_resume_drops_the_message_alone(system: ActorSystem, records: Any) -> None:
    home = await family(system, "ab", ALL, grand=True)
    await home.note("a", "b")
    with pytest.raises(ActorCrashed) as caught:
        await home["a"].ask(Bad())
    assert isinstance(caught.value.__cause__, KeyError)
    home["a"].tell(Bad())
    assert await home.fresh("ab") == ""
    assert (home.book, system.stats().crashed, records.letters) == ([], 2, [])


@pytest.mark.parametrize(
    ("error", "book"),
    [
        (PermissionError(), ["-a crash"]),  # stop, by OSError
        (FileNotFoundError(), ["+a", "+b"]),  # restart, of its own
        (KeyError(), []),
        (LookupError(), ["+a", "+b"]),  # resume is for KeyError alone
    ],
)
async def test_the_nearest_type_directs(
    system: ActorSystem, error: Exception, book: list[str]
) -> None:
    home = await family(system, {"a": PERMANENT, "b": PERMANENT}, ALL)
    await home.note("b")
    home["a"].tell(Do(raising(error)))
    if book == ["-a crash"]:
        await home["a"].wait()
        assert home.ends["a"].error is error
    else:
        await home.seen("a")
    assert home.book == book
    assert await home.fresh("b") == ("b" if "+b" in book else "")


@pytest.mark.parametrize("whose", ["a", "b"])
async def test_a_failed_restart_cannot_resume(system: ActorSystem, whose: str) -> None:
    home = await family(system, "ab", ALL)
    home.on_start[whose] = raising(KeyError("in on_start"))
    home["a"].tell(Crash())
    assert await home.fresh("ab") == "ab"
    assert home.book == (["+a", "+a", "+b"] if whose == "a" else ["+a", "+b", "+a", "+b"])
