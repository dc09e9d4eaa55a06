"""Children: they end with their parent and before it, and their ends are their own."""

from typing import Any

import anyio
import pytest

from actors import Actor, ActorRef, ActorSystem
from tests.actors.work import Do
from tests.actors.worker import Parent, Ready, Worker, hold, spawn

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("how", ["stop", "drain"])
async def test_children_end_first_in_reverse_order(system: ActorSystem, how: str) -> None:
    book: list[Any] = []
    ref = await system.spawn(lambda: Parent(book))
    await getattr(ref, how)()
    assert book == ["2 stop", "1 stop", "0 stop", how]


async def test_children_of_a_killed_are_killed(system: ActorSystem, records: Any) -> None:
    book: list[Any] = []
    ref = await system.spawn(lambda: Parent(book), name="parent")
    records.moments.clear()
    await ref.kill()
    assert book == []
    assert [moment for moment, _ in records.moments] == ["stopped"] * 4
    assert records.moments[-1] == ("stopped", "parent")
    names = [name for _, name in records.moments[:3]]
    assert names == sorted(names, reverse=True)


async def test_children_of_a_crashed_end(system: ActorSystem, log: Any) -> None:
    book: list[Any] = []
    ref = await system.spawn(lambda: Parent(book))
    ref.tell(Do(lambda actor: 1 / 0))
    await ref.wait()
    assert book == ["2 stop", "1 stop", "0 stop", "crash"]
    assert system.stats().actors == 0


async def test_a_kill_reaches_the_children_that_a_stop_waits_for(system: ActorSystem) -> None:
    book: list[Any] = []
    children: list[ActorRef] = []

    async def act(actor: Actor) -> None:
        children.append(await actor.spawn(lambda: Worker(book)))
        children.append(await actor.spawn(lambda: Worker(book)))

    ref = await spawn(system, book)
    ref.tell(Do(act))
    await ref.ask(Ready())
    await hold(children[0])
    await hold(children[1])
    book.clear()
    _ = ref.stop()
    await anyio.wait_all_tasks_blocked()
    with anyio.fail_after(3):  # and not their own five seconds each
        await ref.kill()
    assert book == ["cancelled", "cancelled"]


async def test_a_childs_end_is_its_own(system: ActorSystem, log: Any) -> None:
    book: list[Any] = []
    children: list[ActorRef] = []

    async def act(actor: Actor) -> None:
        children.append(await actor.spawn(lambda: Worker(book, "child ")))

    ref = await spawn(system, book)
    ref.tell(Do(act))
    await ref.ask(Ready())
    children[0].tell(Do(lambda actor: 1 / 0))
    await children[0].wait()
    await ref.ask(Ready())
    assert book == ["did", "child crash"]
