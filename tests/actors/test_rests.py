"""Rests: what happens while an actor waits for its restart."""

import math
from typing import Any, ClassVar

import anyio
import pytest

from actors import Actor, ActorRef, ActorSystem, Intensity, NotRunning
from actors.supervision import Backoff, Strategy
from actors.testing import Schedule, TestKit, play
from tests.actors.home import ALL, LONG, ONE, PERMANENT, REST, SOON, family, rests, stop_itself
from tests.actors.stateful import Crash, Note, Seen
from tests.actors.timed import Beep, Book, Desk, fail
from tests.actors.work import Do, Doer, Hold

BOTH = pytest.mark.parametrize("backend", ["asyncio", "trio"])
pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("log")]


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


STEADY = Backoff(1.0, 1.0, jitter=0.0)
FIRST_AT_ONCE = Backoff(0.001, 1000.0, factor=1e6, calm=math.inf)
"""A first restart is all but immediate, the second one will not come."""


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


@pytest.mark.parametrize("how", ["drain", "drain_or_interrupt"])
@pytest.mark.parametrize("mail", [[], [1, 2]])
@pytest.mark.parametrize("strategy", [ONE, ALL])
async def test_a_drain_does_not_wait_for_a_backoff(
    system: ActorSystem, how: str, mail: list[int], strategy: Strategy
) -> None:
    home = await family(system, "ab", strategy, backoff=LONG)
    await rests(home, "b")
    cell: Any = home["b"]._cell
    for number in mail:
        home["b"].tell(Note(number))
    asked = home["b"].ask(Seen())
    getattr(cell, how)(SOON)
    with anyio.fail_after(SOON):
        await home["b"].wait()
    assert await asked == mail  # by a life that has started
    assert home.book == [*(["+a"] if strategy is ALL else []), "+b", "-b drain"]
    assert home["a"].alive


async def test_a_drain_waits_for_the_others_that_it_is_to_start_with() -> None:
    async with TestKit() as kit:
        home = await family(kit, "ab", ALL, backoff=STEADY)
        home["b"].tell(Crash())
        await kit.settle()
        asked = home["a"].ask(Seen())
        await home["a"].drain()
        assert await asked == []
        assert 1.0 <= kit.time <= 1.1
        assert home.book[0] == "+a"
        assert sorted(home.book) == ["+a", "+b", "-a drain"]


async def test_who_crashes_while_it_drains_does_not_rest(system: ActorSystem) -> None:
    home = await family(system, "a", backoff=LONG)
    hold = await home.held("a")
    home["a"].tell(Crash())
    asked = home["a"].ask(Seen())
    ending = home["a"].drain()
    hold.gate.set()
    assert await asked == []
    await ending
    assert home.book == ["+a", "-a drain"]


async def test_a_crash_overtakes_an_own_stop_also_when_another_restart_takes_over() -> None:
    async with TestKit() as kit:
        home = await family(kit, dict.fromkeys("ab", PERMANENT), REST, backoff=STEADY)

        async def stop_and_fail(actor: Actor) -> None:
            actor.stop()
            raise ValueError("after its own stop")

        home["b"].tell(Do(stop_and_fail))
        await kit.settle()
        home["a"].tell(Crash())
        await kit.advance(10.0)
        assert await home.fresh("ab") == "ab"
        assert home.book == ["+a", "+b"]  # and no `on_stop` of a life that has crashed


async def test_a_task_of_a_former_life_starts_nothing_in_the_next() -> None:
    async with TestKit() as kit:
        book, lives = Book(), list[Desk]()
        ref = await kit.spawn(lambda: Desk(book), restart=PERMANENT, backoff=STEADY)
        ref.tell(Do(lives.append))
        ref.tell(Do(fail))
        await kit.settle()  # it rests
        with pytest.raises(NotRunning):
            await lives[0].spawn(Doer)
        lives[0].start_timer(Beep(1), 2.0)
        await kit.advance(10.0)
        ref.tell(Beep(2))
        await kit.settle()
        assert book == [2]


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


@BOTH
def test_who_rests_when_all_restart_waits_until_all_are_gone(backend: str) -> None:
    async def body(kit: TestKit) -> None:
        book: list[tuple[str, float]] = []
        refs: dict[str, ActorRef] = {}

        class Child(Doer):
            def __init__(self, name: str) -> None:
                self.called = name

            async def on_start(self) -> None:
                refs[self.called] = self.ref
                book.append((self.called, kit.time))

        class Parent(Actor):
            strategy = REST
            backoff: ClassVar = Backoff(0.3, 0.3, jitter=0.0)
            intensity = Intensity(10, 5.0)

            async def on_start(self) -> None:
                for name in "abc":
                    await self.spawn(lambda name=name: Child(name), restart=PERMANENT)

        await kit.spawn(Parent)
        book.clear()
        refs["c"].tell(Do(lambda actor: 1 / 0))
        await kit.advance(0.1)
        refs["b"].tell(Do(lambda actor: kit.advance(1.0)))
        await kit.advance(0.05)
        refs["a"].tell(Do(lambda actor: 1 / 0))
        await kit.advance(3.0)
        assert [name for name, _ in book] == ["a", "b", "c"]
        assert all(moment > 1.1 for _, moment in book), "b's old life was still at work"

    play(body, Schedule(), backend=backend)
