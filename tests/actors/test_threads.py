"""From other threads: tell, publish and end; the same results, in order, and one wake-up."""

import threading
from typing import Any

import anyio
import pytest
from anyio import to_thread

from actors import Actor, ActorRef, ActorStopped, ActorSystem, Envelope, MailboxFull, NotRunning
from tests.actors.threads import (
    LONG,
    Big,
    Double,
    DroppingNewest,
    DroppingOldest,
    InThread,
    Log,
    Note,
    Refusing,
    Seen,
    Small,
    in_thread,
)
from tests.actors.work import hold

pytestmark = pytest.mark.anyio


# Telling.


async def test_each_thread_is_heard_in_its_order(system: ActorSystem) -> None:
    refs = [await system.spawn(Big) for _ in range(2)]
    for ref in refs:
        await ref.ask(Seen())

    def tell(thread: int) -> None:
        for number in range(1000):
            for ref in refs:
                ref.tell(Note(thread, number))
            if number % 100 == 0:
                assert refs[0].ask_blocking(Double(number)) == 2 * number

    async with anyio.create_task_group() as tasks:
        for thread in range(4):
            tasks.start_soon(to_thread.run_sync, tell, thread)
    for ref in refs:
        seen = await ref.ask(Seen())
        assert len(seen) == 4000
        for thread in range(4):
            mine = [note.number for note in seen if note.thread == thread]
            assert mine == list(range(1000))


async def test_tell_publish_and_ask_of_one_thread_keep_their_order(system: ActorSystem) -> None:
    class Member(Big):
        async def on_start(self) -> None:
            self.join("room")

    ref = await system.spawn(Member)

    def act() -> list[Note]:
        for number in range(0, 100, 2):
            ref.tell(Note(0, number))
            system.publish("room", Note(0, number + 1))
        return ref.ask_blocking(Seen())

    assert [note.number for note in await to_thread.run_sync(act)] == list(range(100))


async def test_a_burst_wakes_the_loop_once(system: ActorSystem) -> None:
    ref = await system.spawn(Log)
    core: Any = system._core
    wakes: list[int] = []
    wake = core.inlet._wake

    def counting() -> None:
        wakes.append(1)
        wake()

    core.inlet._wake = counting

    def tell() -> None:
        for number in range(500):
            ref.tell(Note(0, number))
        system.publish("nobody here", Note(0, 0))

    in_thread(tell)
    in_thread(tell)
    assert len(wakes) == 1
    assert system.stats().told == 0
    await anyio.wait_all_tasks_blocked()
    assert system.stats().handled == 1000
    in_thread(tell)
    assert len(wakes) == 2


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_burst_is_one_call_soon_threadsafe(
    system: ActorSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    loop = asyncio.get_running_loop()
    calls: list[Any] = []
    real = loop.call_soon_threadsafe

    def counting(*arguments: Any, **options: Any) -> Any:
        calls.append(arguments)
        return real(*arguments, **options)

    monkeypatch.setattr(loop, "call_soon_threadsafe", counting)
    ref = await system.spawn(Log)
    in_thread(lambda: [ref.tell(Note(0, number)) for number in range(100)])
    assert len(calls) == 1


@pytest.mark.parametrize("kind", [Small, Refusing])
async def test_a_full_mailbox_is_an_error_at_once(
    system: ActorSystem, records: Any, kind: type[Log]
) -> None:
    ref = await system.spawn(kind)
    held = await hold(ref)
    told: list[int] = []

    def tell() -> None:
        for number in range(5):
            ref.tell(Note(0, number))
            told.append(number)

    with pytest.raises(MailboxFull):  # although nothing has come in yet
        in_thread(tell)
    assert told == [0, 1, 2]
    await anyio.wait_all_tasks_blocked()
    with pytest.raises(MailboxFull):
        in_thread(lambda: ref.ask_blocking(Double(1)))
    assert system.stats().refused == 2
    assert system.stats().queued == 3
    held.gate.set()
    await anyio.wait_all_tasks_blocked()
    in_thread(lambda: ref.tell(Note(0, 3)))  # there is room again
    await anyio.wait_all_tasks_blocked()
    assert [note.number for note in await ref.ask(Seen())] == [0, 1, 2, 3]
    assert records.letters == []


@pytest.mark.parametrize(
    ("kind", "kept"), [(DroppingNewest, [0, 1, 2]), (DroppingOldest, [2, 3, 4])]
)
async def test_dropping_policies_drop_for_threads_too(
    system: ActorSystem, records: Any, kind: type[Log], kept: list[int]
) -> None:
    ref = await system.spawn(kind)
    held = await hold(ref)
    in_thread(lambda: [ref.tell(Note(0, number)) for number in range(5)])
    held.gate.set()
    await anyio.wait_all_tasks_blocked()
    assert [note.number for note in await ref.ask(Seen())] == kept
    assert len(records.letters) == 2


@pytest.mark.parametrize("kind", [Small, Refusing])
async def test_what_a_thread_was_granted_is_not_lost_to_the_loops_own_tells(
    system: ActorSystem, unaccounted: Any, kind: type[Log]
) -> None:
    ref = await system.spawn(kind)
    held = await hold(ref)
    in_thread(lambda: [ref.tell(Note(1, number)) for number in range(3)])
    for number in range(3):  # the loop is first, though the thread told earlier
        ref.tell(Note(0, number))
    await anyio.wait_all_tasks_blocked()
    stats = system.stats()
    assert unaccounted(stats) == 0
    assert stats.told == 7
    assert stats.refused == 0
    held.gate.set()


# Publishing.


async def test_publish_from_a_thread(system: ActorSystem) -> None:
    class Member(Log):
        async def on_start(self) -> None:
            self.join("room")

    one, two, three = [await system.spawn(Member) for _ in range(3)]

    def publish() -> None:
        system.publish("room", Note(0, 0))
        system.publish("room", Note(0, 1), exclude=two)
        excluded = [one]
        system.publish("room", Note(0, 2), exclude=(ref for ref in (one, three)))
        system.publish("room", Note(0, 3), exclude=excluded)
        excluded.append(two)  # too late to matter

    in_thread(publish)
    await anyio.wait_all_tasks_blocked()
    seen = [[note.number for note in await ref.ask(Seen())] for ref in (one, two, three)]
    assert seen == [[0, 1], [0, 2, 3], [0, 1, 3]]


async def test_an_actors_own_publish_works_from_its_threads(system: ActorSystem) -> None:
    class Member(Log):
        async def on_start(self) -> None:
            self.join("room")

    ref = await system.spawn(Member)
    publishing: set[int] = set()
    core: Any = system._core
    publish = core.groups.publish

    def noting(*arguments: Any) -> None:
        publishing.add(threading.get_ident())
        publish(*arguments)

    core.groups.publish = noting

    def act(actor: Actor) -> None:
        actor.publish("room", Note(0, 1))
        actor.ref.tell(Note(0, 2))

    await ref.ask(InThread(act))
    await anyio.wait_all_tasks_blocked()
    assert [note.number for note in await ref.ask(Seen())] == [1, 2]
    assert publishing == {core.thread}


async def test_a_publish_that_fails_holds_up_nobody(system: ActorSystem, log: Any) -> None:
    class Failing:
        def deliver(self, envelope: Envelope, members: Any) -> None:
            raise ValueError("cannot be encoded")

    class Odd(Log):
        async def on_start(self) -> None:
            self.join("room")

        def __membership__(self) -> tuple[Any, Any]:
            return Failing(), self

    ref = await system.spawn(Odd)

    def act() -> None:
        ref.tell(Note(0, 0))
        system.publish("room", Note(0, 1))
        ref.tell(Note(0, 2))

    in_thread(act)
    await anyio.wait_all_tasks_blocked()
    assert [note.number for note in await ref.ask(Seen())] == [0, 2]
    assert [entry["event"] for entry in log] == ["a thread's call failed"]


# Ends.


@pytest.mark.parametrize("how", ["stop", "drain", "kill"])
async def test_a_thread_may_end_an_actor(system: ActorSystem, how: str) -> None:
    ended: list[object] = []

    class Member(Log):
        async def on_start(self) -> None:
            self.join("room")

    ref = await system.spawn(Member)
    in_thread(lambda: [ref.tell(Note(0, 1)), ended.append(getattr(ref, how)())])
    assert system.members("room") == [ref]  # nothing happens in the thread itself
    await ref.wait()
    assert (system.members("room"), ref.alive, len(ended)) == ([], False, 1)


async def test_a_threads_tell_to_the_ended_is_a_dead_letter(
    system: ActorSystem, records: Any, unaccounted: Any
) -> None:
    ref = await system.spawn(Refusing)
    await ref.stop()
    in_thread(lambda: [ref.tell(Note(0, number)) for number in range(5)])
    await anyio.wait_all_tasks_blocked()
    assert records.dead() == [(Note(0, number), "stopped") for number in range(5)]
    assert unaccounted(system.stats()) == 0


async def test_what_is_staged_at_the_end_is_a_dead_letter_or_refused(
    anyio_backend: str, records: Any, unaccounted: Any
) -> None:
    async with ActorSystem(instruments=[records]) as system:
        ref = await system.spawn(Log)
        await system.stop()
        in_thread(lambda: ref.tell(Note(0, 1)))  # the loop has no turn before the end
    assert records.dead() == [(Note(0, 1), "stopped")]
    assert unaccounted(system.stats()) == 0
    for work in (
        lambda: ref.tell(Note(0, 2)),
        lambda: system.publish("room", Note(0, 2)),
        lambda: ref.ask_blocking(Double(2), timeout=LONG),
    ):
        with pytest.raises(NotRunning):
            in_thread(work)


async def test_threads_that_ask_during_the_systems_end(
    anyio_backend: str, nothing_left: Any, count_tasks: Any
) -> None:
    asking = threading.Event()
    before = count_tasks()
    ended: list[str] = []
    system = ActorSystem()

    def ask(ref: ActorRef) -> None:
        try:
            while True:
                ref.ask_blocking(Double(1), timeout=LONG)
                asking.set()
        except (ActorStopped, NotRunning) as error:
            ended.append(type(error).__name__)

    async with anyio.create_task_group() as tasks:
        with anyio.fail_after(4):  # it waits for no ask's timeout
            async with system:
                ref = await system.spawn(Log)
                for _ in range(3):
                    tasks.start_soon(to_thread.run_sync, ask, ref)
                await to_thread.run_sync(asking.wait)
    assert len(ended) == 3
    nothing_left(system, before)
