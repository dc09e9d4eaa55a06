"""Watches: who hears of whose end, when, and how often."""

from typing import Any, ClassVar

import anyio
import pytest

from actors import (
    ActorRef,
    ActorSystem,
    DeadLetter,
    Message,
    Overflow,
    Restart,
    Terminated,
    receive,
)
from tests.actors.watcher import Note, Seen, Watcher, does
from tests.actors.work import Do, Doer, hold
from transport import Connection
from transport.endpoint import _wire_types

pytestmark = pytest.mark.anyio

CRASH = ValueError("a crash")
ENDS = ["drain", "stop", "kill", "crash"]


def fail(actor: Any) -> None:
    raise CRASH


class Urgent(Message):
    number: int


async def end(ref: ActorRef, how: str) -> Terminated:
    """End it so, and say what its watchers should hear."""
    if how == "crash":
        ref.tell(Do(fail))
        await ref.wait()
        return Terminated(ref, "crash", CRASH)
    await getattr(ref, how)()
    return Terminated(ref, how)  # type: ignore[arg-type]


async def watching(system: ActorSystem, *refs: ActorRef, **more: Any) -> ActorRef:
    """A watcher of these."""
    book: list[Any] = []
    watcher = await system.spawn(lambda: Watcher(book), **more)
    await does(watcher, lambda actor: [actor.watch(ref) for ref in refs])
    return watcher


@pytest.mark.parametrize("how", ENDS)
async def test_a_watcher_hears_once_of_an_end_and_how_it_was(
    system: ActorSystem, log: Any, how: str
) -> None:
    ref = await system.spawn(Doer)
    watcher = await watching(system, ref, ref)
    await does(watcher, lambda actor: actor.watch(ref))
    told = system.stats().told
    notice = await end(ref, how)
    assert await watcher.ask(Seen()) == [notice]
    assert system.stats().told == told + 1 + (how == "crash")  # a notice is no message
    assert watcher._cell._watched == {}  # type: ignore[attr-defined]


async def test_an_actor_that_stops_itself_or_is_killed_after_its_deadline(
    system: ActorSystem,
) -> None:
    one, other = await system.spawn(Doer), await system.spawn(Doer)
    watcher = await watching(system, one, other)
    one.tell(Do(lambda actor: actor.stop()))
    await one.wait()
    await hold(other)
    await other.stop(timeout=0)
    assert await watcher.ask(Seen()) == [Terminated(one, "stop"), Terminated(other, "kill")]


@pytest.mark.parametrize("how", ENDS)
async def test_a_watch_on_a_dead_actor_answers_at_once_and_each_time(
    system: ActorSystem, log: Any, how: str
) -> None:
    ref = await system.spawn(Doer)
    await end(ref, how)
    notice = Terminated(ref, how)  # type: ignore[arg-type]  # the error is not kept for latecomers
    watcher = await watching(system, ref, ref)
    assert await watcher.ask(Seen()) == [notice]
    await does(watcher, lambda actor: actor.watch(ref))
    assert await watcher.ask(Seen()) == [notice, notice]


class LastWords(Doer):
    """Tells three last things as it ends."""

    to: ClassVar[ActorRef]

    async def on_stop(self, end: Any) -> None:
        for number in (1, 2, 3):
            self.to.tell(Note(number))


class Small(Watcher):
    mailbox_size: ClassVar[int] = 1


class Refusing(Watcher):
    mailbox_size: ClassVar[int] = 3
    overflow: ClassVar[Overflow] = Overflow.FAIL


class Laned(Watcher):
    @receive(priority=1)
    async def urgent(self, urgent: Urgent) -> None:
        self.book.append(f"urgent {urgent.number}")


class SmallLaned(Laned):
    mailbox_size: ClassVar[int] = 1


@pytest.mark.parametrize("cls", [Watcher, Small, Refusing, Laned, SmallLaned])
@pytest.mark.parametrize("how", ["drain", "stop", "crash"])
async def test_a_notice_comes_behind_all_that_was_told_before_and_needs_no_room(
    system: ActorSystem, log: Any, cls: type[Watcher], how: str
) -> None:
    book: list[Any] = []
    watcher = LastWords.to = await system.spawn(lambda: cls(book))
    ref = await system.spawn(LastWords)
    await does(watcher, lambda actor: actor.watch(ref))
    held = await hold(watcher)
    notice = await end(ref, how)
    if issubclass(cls, Laned):
        watcher.tell(Urgent(4))  # told later, so it does not overtake the notice
    held.gate.set()
    await watcher.drain()
    assert book[:4] == [1, 2, 3, notice]
    assert book[4:] == (["urgent 4"] if issubclass(cls, Laned) else [])
    assert system.stats().dead_letters == {}


async def test_a_notice_behind_waiting_tellers_comes_though_they_give_up(
    system: ActorSystem,
) -> None:
    book: list[Any] = []
    watcher = await system.spawn(lambda: Small(book))
    ref = await system.spawn(Doer)
    await does(watcher, lambda actor: actor.watch(ref))
    held = await hold(watcher)
    watcher.tell(Note(1))

    async def tell(number: int) -> None:
        with scopes[number - 2]:
            await watcher.tell(Note(number))

    scopes = [anyio.CancelScope(), anyio.CancelScope()]
    async with anyio.create_task_group() as group:
        for number in (2, 3):
            group.start_soon(tell, number)
        await anyio.wait_all_tasks_blocked()
        notice = await end(ref, "stop")
        scopes[0].cancel()
        await anyio.wait_all_tasks_blocked()
        held.gate.set()
    assert await watcher.ask(Seen()) == [1, 3, notice]


@pytest.mark.parametrize("queued", [False, True])
async def test_after_unwatch_no_notice_comes_not_even_a_queued_one(
    system: ActorSystem, queued: bool
) -> None:
    ref, other = await system.spawn(Doer), await system.spawn(Doer)
    watcher = await watching(system, ref, other)
    if queued:
        held = await hold(watcher, last=lambda actor: actor.unwatch(ref))
        await ref.stop()
        held.gate.set()
    else:
        await does(watcher, lambda actor: (actor.unwatch(ref), actor.unwatch(ref)))
        assert not ref._cell._watchers  # type: ignore[attr-defined]
        await ref.stop()
    assert await watcher.ask(Seen()) == []
    await does(watcher, lambda actor: actor.watch(ref))
    await other.stop()
    assert await watcher.ask(Seen()) == [Terminated(ref, "stop"), Terminated(other, "stop")]


async def test_unwatching_and_watching_again_with_a_notice_queued_gives_one(
    system: ActorSystem,
) -> None:
    ref = await system.spawn(Doer)
    watcher = await watching(system, ref)
    held = await hold(watcher, last=lambda actor: (actor.unwatch(ref), actor.watch(ref)))
    notice = await end(ref, "stop")
    held.gate.set()
    assert await watcher.ask(Seen()) == [notice]
    assert await watcher.ask(Seen()) == [notice]


async def test_a_restart_is_no_end_and_keeps_the_watches_of_either(
    system: ActorSystem, records: Any, log: Any
) -> None:
    ref = await system.spawn(Doer, restart=Restart.PERMANENT)
    another = await system.spawn(Doer)
    watcher = await watching(system, ref, another, restart=Restart.TRANSIENT)
    await does(ref, fail)
    await does(ref, lambda actor: actor.stop())  # and starts again, being permanent
    await does(ref, lambda actor: None)
    assert await watcher.ask(Seen()) == []
    held = await hold(watcher, last=fail)
    queued = await end(another, "stop")
    held.gate.set()
    assert await watcher.ask(Seen()) == [queued]
    notice = await end(ref, "kill")
    assert await watcher.ask(Seen()) == [queued, notice]
    assert records.moments.count(("restarted", watcher.name)) == 1


class Checking(Watcher):
    """Looks around in the very handler that hears."""

    @receive
    async def ended(self, notice: Terminated) -> None:
        names = [self.find(name) for name in ("name", "child")]
        again = await self.spawn(Doer, name="name")
        alive = notice.ref.alive
        self.book.append((notice.how, names, self.members("room"), again.alive, alive))


@pytest.mark.parametrize("how", ENDS)
async def test_all_of_the_dead_is_gone_before_its_watcher_hears(
    system: ActorSystem, log: Any, how: str
) -> None:
    class Host(Doer):
        async def on_start(self) -> None:
            self.join("room")
            await self.spawn(Doer, name="child")

        async def on_stop(self, end: Any) -> None:
            await anyio.sleep(0.01)

    book: list[Any] = []
    ref = await system.spawn(Host, name="name")
    watcher = await system.spawn(lambda: Checking(book))
    await does(watcher, lambda actor: actor.watch(ref))
    assert system.members("room") == [ref]
    await end(ref, how)
    assert await watcher.ask(Seen()) == [(how, [None, None], [], True, False)]


async def test_an_actor_cannot_watch_itself(system: ActorSystem) -> None:
    def work(actor: Any) -> None:
        with pytest.raises(ValueError, match="cannot watch itself"):
            actor.watch(actor.ref)
        actor.unwatch(actor.ref)

    ref = await watching(system)
    await does(ref, work)
    assert await ref.ask(Seen()) == []


async def test_without_a_handler_a_notice_is_ignored(
    system: ActorSystem, records: Any, unaccounted: Any
) -> None:
    ref, watcher = await system.spawn(Doer), await system.spawn(Doer)
    await does(watcher, lambda actor: actor.watch(ref))
    await ref.kill()
    await does(watcher, lambda actor: None)
    assert records.letters == []
    assert system.stats().handled == system.stats().told == 2
    assert ("crashed", watcher.name) not in records.moments


async def test_a_crash_at_a_notice_is_one_and_no_message(
    system: ActorSystem, log: Any, unaccounted: Any
) -> None:
    class Failing(Watcher):
        @receive
        async def ended(self, notice: Terminated) -> None:
            raise CRASH

    ref, watcher = await system.spawn(Doer), await system.spawn(lambda: Failing([]))
    await does(watcher, lambda actor: actor.watch(ref))
    outer = await watching(system, watcher)
    await ref.stop()
    await watcher.wait()
    assert await outer.ask(Seen()) == [Terminated(watcher, "crash", CRASH)]
    assert unaccounted(system.stats()) == 0


@pytest.mark.parametrize("how", ENDS)
async def test_a_watcher_that_ended_first_leaves_nothing_behind(
    system: ActorSystem, records: Any, log: Any, how: str
) -> None:
    ref = await system.spawn(Doer)
    watcher = await watching(system, ref)
    assert len(ref._cell._watchers) == 1  # type: ignore[attr-defined]
    await end(watcher, how)
    assert not ref._cell._watchers  # type: ignore[attr-defined]

    class Failing(Watcher):
        async def on_start(self) -> None:
            self.watch(ref)
            fail(self)

    with pytest.raises(ValueError, match="a crash"):
        await system.spawn(lambda: Failing([]))
    assert not ref._cell._watchers  # type: ignore[attr-defined]
    await ref.stop()
    assert records.letters == []


async def test_a_watcher_that_is_ending_hears_no_more(system: ActorSystem, records: Any) -> None:
    ref, dead = await system.spawn(Doer), await system.spawn(Doer)
    await dead.stop()
    watcher = await watching(system, ref)
    held = await hold(watcher, last=lambda actor: actor.watch(dead))
    ended = watcher.drain()
    await ref.stop()
    held.gate.set()
    await ended
    assert records.letters == []
    assert not watcher._cell._watched  # type: ignore[attr-defined]


async def test_parents_and_children_may_watch_one_another(
    system: ActorSystem, records: Any, log: Any
) -> None:
    parent = await watching(system)
    children: list[ActorRef] = []

    async def work(actor: Any) -> None:
        for _ in range(2):
            child = await actor.spawn(lambda: Watcher([]))
            actor.watch(child)
            await does(child, lambda child: child.watch(parent))
            children.append(child)

    await does(parent, work)
    notice = await end(children[0], "crash")
    assert await parent.ask(Seen()) == [notice]
    watcher = await watching(system, parent, children[1])
    await parent.stop()
    assert await watcher.ask(Seen()) == [
        Terminated(children[1], "stop"),
        Terminated(parent, "stop"),
    ]
    assert records.letters == []


async def test_many_watchers_hear_each_once_and_of_one_another(system: ActorSystem) -> None:
    ref = await system.spawn(Doer)
    watchers = [await watching(system, ref) for _ in range(100)]
    await does(watchers[0], lambda actor: actor.watch(watchers[1]))
    await does(watchers[1], lambda actor: actor.watch(watchers[0]))
    notice = await end(ref, "kill")
    assert [await watcher.ask(Seen()) for watcher in watchers] == [[notice]] * 100
    await watchers[1].stop()
    assert await watchers[0].ask(Seen()) == [notice, Terminated(watchers[1], "stop")]


def test_what_the_runtime_tells_is_not_open_to_clients() -> None:
    class Told(Connection):
        @receive
        async def note(self, note: Note) -> None: ...
        @receive
        async def ended(self, notice: Terminated) -> None: ...
        @receive
        async def letter(self, letter: DeadLetter) -> None: ...

    assert _wire_types(Told) == [Note]
