"""Escalations: what a failure too many ends, and how it goes up from parent to parent."""

import math
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from actors import Actor, ActorSystem, End
from actors.exceptions import IntensityExceeded
from actors.supervision import Intensity
from actors.testing import TestKit
from tests.actors.home import ALL, PERMANENT, TRANSIENT, Home, Member, family, raising
from tests.actors.stateful import Crash, Note

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("log")]


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


async def test_a_parent_that_ends_already_does_not_fail(log: Any) -> None:
    async with TestKit() as kit:
        home = await family(kit, "ab", intensity=Intensity(0, 1))
        home.on_stop["b"] = lambda member: kit.advance(1.0)
        home.on_stop["parent"] = lambda member: kit.advance(4.8)  # of the 5 s that it has
        ending = home.parent.stop()
        await kit.advance(0.5)
        home["a"].tell(Crash())
        await ending
        assert home.book == ["-a crash", "-b stop", "-parent stop"]
        assert home.ends["parent"].how == "stop"
        assert [str(error) for error in kit.crashes] == ["boom"]
        assert [entry["actor"] for entry in log] == ["a"]
