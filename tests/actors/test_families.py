"""Families: who is restarted with whom, in which order, and what a failure too many leads to."""

import functools
import math
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors import (
    Actor,
    ActorCrashed,
    ActorRef,
    ActorSystem,
    End,
    Message,
    Request,
    _family,
    _recovery,
    receive,
)
from actors.exceptions import IntensityExceeded
from actors.supervision import Backoff, Directive, Intensity, Restart, Strategy

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("log")]

ONE, ALL, REST = Strategy.ONE_FOR_ONE, Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE
PERMANENT, TRANSIENT, TEMPORARY = Restart.PERMANENT, Restart.TRANSIENT, Restart.TEMPORARY
OFTEN = Intensity(1000, math.inf)
SOON = 2.0
"""Seconds for an answer: less than any deadline that would rescue an actor that is stuck."""
Hook = Callable[[Any], Awaitable[None]]


class Note(Message):
    number: int


class Crash(Message):
    pass


class Do(Message):
    """Await `function(actor)`."""

    function: Any


class Seen(Request[list[int]]):
    pass


class Bad(Request[int]):
    pass


class Hold:
    """A hook that tells when it was entered and waits there until the gate opens."""

    def __init__(self) -> None:
        self.entered, self.gate = anyio.Event(), anyio.Event()

    async def __call__(self, actor: Any) -> None:
        self.entered.set()
        await self.gate.wait()


class Home:
    """A parent, its members, and a book of who started (`+a`) and whose `on_stop` ran (`-a stop`).

    With `grand`, each member has a child (`a1`), whose `on_stop` tells when the member's life ends.
    """

    parent: ActorRef

    def __init__(self, grand: bool) -> None:
        self.grand = grand
        self.book: list[str] = []
        self.refs: dict[str, ActorRef] = {}
        self.on_start: dict[str, Hook] = {}
        self.on_stop: dict[str, Hook] = {}
        self.ends: dict[str, End] = {}
        self.errors: dict[str, Exception] = {}

    def __getitem__(self, name: str) -> ActorRef:
        return self.refs[name]

    async def seen(self, name: str) -> list[int]:
        return await self.refs[name].ask(Seen(), timeout=SOON)

    async def note(self, *names: str) -> None:
        """Give each a state: `[1]`."""
        for name in names:
            self[name].tell(Note(1))
            assert await self.seen(name) == [1]

    async def fresh(self, names: str) -> str:
        """Which of them have lost their state."""
        return "".join([name for name in names if await self.seen(name) == []])

    async def held(self, name: str) -> Hold:
        """That member is in a handler now."""
        hold = Hold()
        self[name].tell(Do(hold))
        await hold.entered.wait()
        return hold


class Member(Actor):
    directives: ClassVar = {
        KeyError: Directive.RESUME,
        OSError: Directive.STOP,
        FileNotFoundError: Directive.RESTART,
    }

    def __init__(self, home: Home, name: str) -> None:
        self.home, self.called = home, name
        self.seen: list[int] = []

    async def on_start(self) -> None:
        home, name = self.home, self.called
        home.book.append(f"+{name}")
        home.refs[name] = self.ref
        if home.grand and len(name) == 1:
            await self.spawn(lambda: Member(home, f"{name}1"))
        if name in home.on_start:
            await home.on_start[name](self)

    async def on_restart(self, error: Exception) -> None:
        self.home.errors[self.called] = error

    async def on_stop(self, end: End) -> None:
        self.home.ends[self.called] = end
        if self.called in self.home.on_stop:
            await self.home.on_stop[self.called](self)
        self.home.book.append(f"-{self.called} {end.how}")

    @receive
    async def note(self, note: Note) -> None:
        self.seen.append(note.number)

    @receive
    async def crash(self, crash: Crash) -> None:
        raise ValueError("boom")

    @receive
    async def do(self, do: Do) -> None:
        await do.function(self)

    @receive
    async def tell_seen(self, request: Seen) -> list[int]:
        return self.seen

    @receive
    async def bad(self, request: Bad) -> int:
        raise KeyError("asked")


async def family(
    system: ActorSystem,
    members: "str | dict[str, Restart]",
    strategy: Strategy = ONE,
    *,
    intensity: Intensity = OFTEN,
    backoff: Backoff | None = None,
    grand: bool = False,
) -> Home:
    """A family under a root of their own, called `parent`; transient members unless told."""
    home = Home(grand)
    types = members if isinstance(members, dict) else dict.fromkeys(members, TRANSIENT)

    class Parent(Member):
        async def on_start(self) -> None:
            home.book.append("+parent")
            for name, restart in types.items():
                factory = functools.partial(Member, home, name)
                await self.spawn(factory, name=name, restart=restart)

    Parent.strategy, Parent.intensity, Parent.backoff = strategy, intensity, backoff
    home.parent = home.refs["parent"] = await system.spawn(
        lambda: Parent(home, "parent"), name="parent", restart=TRANSIENT
    )
    home.book.clear()
    return home


async def stop_itself(actor: Actor) -> None:
    actor.stop()


def raising(error: Exception, times: int = 1) -> Hook:
    """A hook that raises the first times."""
    left = [error] * times

    async def hook(actor: Any) -> None:
        if left:
            raise left.pop()

    return hook


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


# Intensity.


async def test_too_many_restarts_go_up_level_by_level(system: ActorSystem, records: Any) -> None:
    ends: list[End] = []
    crashes = 0

    def level(name: str, child: Callable[[], Actor] | None) -> type[Actor]:
        class Level(Member):
            intensity = Intensity(1, math.inf)

            def __init__(self) -> None:
                super().__init__(Home(grand=False), name)

            async def on_start(self) -> None:
                if child is not None:
                    below = "leaf" if name == "middle" else "middle"
                    await self.spawn(child, name=below, restart=PERMANENT)

            async def on_stop(self, end: End) -> None:
                if name == "root":
                    ends.append(end)

        return Level

    leaf = level("leaf", None)
    root = await system.spawn(
        level("root", level("middle", leaf)),
        name="root",
        restart=TRANSIENT,
        intensity=Intensity(1, math.inf),
    )
    while root.alive:
        found = system.find("leaf")
        if found is not None:
            assert crashes < 8, "the root should have ended"
            found.tell(Crash())
            crashes += 1
        before = len(records.moments)
        await anyio.wait_all_tasks_blocked()
        assert len(records.moments) > before
    await root.wait()
    assert crashes == 8
    count = [records.moments.count(("crashed", name)) for name in ("leaf", "middle", "root")]
    assert count == [8, 4, 2]
    (end,) = ends
    assert end.how == "crash"
    error: Any = end.error
    assert isinstance(error, IntensityExceeded)
    assert isinstance(error.__cause__, IntensityExceeded)
    assert str(error.__cause__.__cause__) == "boom"


async def test_a_failure_too_many_ends_the_others_in_reverse_order(system: ActorSystem) -> None:
    home = await family(system, "abcd", intensity=Intensity(1, math.inf), grand=True)
    home["b"].tell(Crash())
    await home.seen("b")
    home.book.clear()
    home["b"].tell(Crash())
    await home["b"].wait()
    await home.seen("parent")
    others = [entry for entry in home.book if entry[:2] in ("-a", "-c", "-d")]
    assert [entry.split()[0] for entry in others] == ["-d1", "-d", "-c1", "-c", "-a1", "-a"]
    starts = [entry for entry in home.book if entry[0] == "+" and len(entry) == 2]
    assert starts == ["+a", "+b", "+c", "+d"]
    assert home.book.index("+parent") > max(home.book.index("-a stop"), home.book.index("-b crash"))
    assert str(home.errors["parent"].__cause__) == "boom"
    home["b"].tell(Crash())  # and the count begins anew
    assert await home.seen("b") == []
    assert home.book.count("+parent") == 1


async def test_a_failure_too_many_in_a_restart_of_all_starts_nobody(system: ActorSystem) -> None:
    home = await family(system, "abc", ALL, intensity=Intensity(1, math.inf))
    home.on_start["a"] = raising(ValueError("again"))
    home["a"].tell(Crash())
    await home["a"].wait()
    await home.seen("parent")
    ended, begun = home.book[:-4], home.book[-4:]
    assert ended == ["+a", "-a crash", "-c stop", "-b stop"]
    assert begun == ["+parent", "+a", "+b", "+c"]
    assert await home.fresh("abc") == "abc"


async def test_a_group_restart_counts_once(system: ActorSystem) -> None:
    home = await family(system, "abc", ALL, intensity=Intensity(2, math.inf))
    for name in "ca":
        home[name].tell(Crash())
        await home.seen(name)
    assert "+parent" not in home.book
    home["b"].tell(Crash())
    await home["b"].wait()
    await home.seen("parent")
    assert home.book.count("+parent") == 1


async def test_a_busy_parent_fails_after_that_handler(system: ActorSystem, records: Any) -> None:
    home = await family(system, "ab", intensity=Intensity(0, 1))
    hold = await home.held("parent")
    home.parent.tell(Note(1))
    home["a"].tell(Crash())
    await home["a"].wait()
    await anyio.wait_all_tasks_blocked()
    assert home.book == ["-a crash"]
    hold.gate.set()
    assert await home.seen("parent") == [1]  # handled in the next life
    assert home.book == ["-a crash", "-b stop", "+parent", "+a", "+b"]
    assert (system.stats().crashed, records.letters) == (1, [])


# Backoff.

FIRST_AT_ONCE = Backoff(0.001, 1000.0, factor=1e6, calm=math.inf)
"""A first restart is all but immediate, the second one will not come."""
LONG = Backoff(1000.0, 1000.0)


async def rests(home: Home, *names: str) -> None:
    """Crash each, and wait until it waits for its restart."""
    for name in names:
        home[name].tell(Crash())
        await anyio.wait_all_tasks_blocked()


async def test_a_restart_waits_and_mail_is_kept(system: ActorSystem, records: Any) -> None:
    home = await family(system, "ab", backoff=Backoff(0.05, 0.05), grand=True)
    before = anyio.current_time()
    home["a"].tell(Crash())
    await home.note("a")
    assert anyio.current_time() - before >= 0.05
    assert home.book == ["-a1 stop", "+a", "+a1"]
    assert records.letters == []


@pytest.mark.parametrize("how", ["stop", "kill"])
@pytest.mark.parametrize("whose", ["b", "parent"])
@pytest.mark.parametrize("strategy", list(Strategy))
@pytest.mark.parametrize("cause", ["crash", "itself"])
async def test_an_end_during_backoff_is_immediate(
    system: ActorSystem, how: str, whose: str, strategy: Strategy, cause: str
) -> None:
    home = await family(system, dict.fromkeys("abc", PERMANENT), strategy, backoff=LONG)
    home["b"].tell(Crash() if cause == "crash" else Do(stop_itself))
    await anyio.wait_all_tasks_blocked()
    with anyio.fail_after(SOON):
        await getattr(home[whose], how)()
    assert not home["b"].alive
    stops = 1 if how == "stop" or cause == "itself" else 0
    assert home.book.count("-b stop") == stops
    if whose == "b":
        assert await home.fresh("ac") == {ONE: "ac", ALL: "ac", REST: "ac"}[strategy]
        assert ("+a" in home.book, "+c" in home.book) == {
            ONE: (False, False),
            ALL: (True, True),
            REST: (False, True),
        }[strategy]


@pytest.mark.parametrize("resting", ["c", "b"])
async def test_a_group_restart_takes_a_resting_one_along(system: ActorSystem, resting: str) -> None:
    home = await family(system, "abc", REST, backoff=FIRST_AT_ONCE)
    home[resting].tell(Crash())
    await home.seen(resting)
    await rests(home, resting)
    home.book.clear()
    home["a"].tell(Crash())
    assert await home.fresh("abc") == "abc"
    assert home.book == ["+a", "+b", "+c"]


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_an_end_is_immediate_while_others_rest(system: ActorSystem, how: str) -> None:
    home = await family(system, "abc", REST, backoff=LONG)
    await rests(home, "b", "a")
    with anyio.fail_after(SOON):
        await getattr(home["a"], how)()
    assert home.book.count("-a stop") == (how == "stop")


async def test_a_group_restart_meets_one_about_to_rest(system: ActorSystem) -> None:
    home = await family(system, "ab", REST, backoff=Backoff(0.001, 0.001), grand=True)
    home.on_stop["b1"] = hold = Hold()
    home["b"].tell(Crash())
    await hold.entered.wait()
    home["a"].tell(Crash())
    await anyio.wait_all_tasks_blocked()
    hold.gate.set()
    assert await home.fresh("ab") == "ab"
    assert home.book.count("+b") == 1


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


# Trouble.


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


# Against a model, and under a storm.

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
