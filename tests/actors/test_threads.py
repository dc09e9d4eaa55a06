"""From other threads: tell, publish, ask; the same results, in order, and one wake-up."""

import sys
import threading
from collections import Counter
from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any, ClassVar

import anyio
import pytest
from anyio import to_thread

from actors import (
    Actor,
    ActorCrashed,
    ActorError,
    ActorRef,
    ActorStopped,
    ActorSystem,
    AskTimeout,
    Envelope,
    Intensity,
    MailboxFull,
    Message,
    NotRunning,
    Overflow,
    Request,
    Restart,
    receive,
)
from actors import _inlet as inlet_module
from actors._inlet import Inlet, Run
from actors.mailbox import Mailbox

pytestmark = pytest.mark.anyio

LONG = 1000.0
"""A timeout that no test waits for."""


class Note(Message):
    thread: int
    number: int


class Hold(Message):
    entered: Any
    gate: Any


class Seen(Request[list[Note]]):
    pass


class Double(Request[int]):
    number: int


class Fail(Request[int]):
    pass


class Do(Request[None]):
    """Call `function(actor)` in a thread."""

    function: Any


class Log(Actor):
    def __init__(self) -> None:
        self.seen: list[Note] = []
        self.threads: set[int] = set()

    @receive
    async def note(self, note: Note) -> None:
        assert threading.get_ident() == self.__cell__.core.thread  # type: ignore[union-attr]
        self.seen.append(note)

    @receive
    async def hold(self, hold: Hold) -> None:
        hold.entered.set()
        await hold.gate.wait()

    @receive
    async def tell_seen(self, request: Seen) -> list[Note]:
        return list(self.seen)

    @receive
    async def double(self, request: Double) -> int:
        return 2 * request.number

    @receive
    async def fail(self, request: Fail) -> int:
        raise ValueError("no")

    @receive
    async def do(self, request: Do) -> None:
        await to_thread.run_sync(request.function, self)


class Small(Log):
    mailbox_size: ClassVar[int] = 3


class Refusing(Small):
    overflow: ClassVar[Overflow] = Overflow.FAIL


class DroppingNewest(Small):
    overflow: ClassVar[Overflow] = Overflow.DROP_NEWEST


class DroppingOldest(Small):
    overflow: ClassVar[Overflow] = Overflow.DROP_OLDEST


class Big(Log):
    mailbox_size: ClassVar[int] = 100_000


async def hold(ref: ActorRef) -> anyio.Event:
    entered, gate = anyio.Event(), anyio.Event()
    ref.tell(Hold(entered, gate))
    await entered.wait()
    return gate


def in_thread(work: Callable[[], object]) -> None:
    """Run it to its end in a thread, while this one, the loop's, stands still."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


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
    gate = await hold(ref)
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
    gate.set()
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
    gate = await hold(ref)
    in_thread(lambda: [ref.tell(Note(0, number)) for number in range(5)])
    gate.set()
    await anyio.wait_all_tasks_blocked()
    assert [note.number for note in await ref.ask(Seen())] == kept
    assert len(records.letters) == 2


@pytest.mark.parametrize("kind", [Small, Refusing])
async def test_what_a_thread_was_granted_is_not_lost_to_the_loops_own_tells(
    system: ActorSystem, unaccounted: Any, kind: type[Log]
) -> None:
    ref = await system.spawn(kind)
    gate = await hold(ref)
    in_thread(lambda: [ref.tell(Note(1, number)) for number in range(3)])
    for number in range(3):  # the loop is first, though the thread told earlier
        ref.tell(Note(0, number))
    await anyio.wait_all_tasks_blocked()
    stats = system.stats()
    assert unaccounted(stats) == 0
    assert stats.told == 7
    assert stats.refused == 0
    gate.set()


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

    await ref.ask(Do(act))
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


# Asking.


async def test_ask_blocking(system: ActorSystem, log: Any) -> None:
    ref = await system.spawn(Log)
    assert await to_thread.run_sync(lambda: ref.ask_blocking(Double(4))) == 8
    with pytest.raises(ActorCrashed, match="ValueError: no"):
        await to_thread.run_sync(lambda: ref.ask_blocking(Fail(), timeout=LONG))
    with pytest.raises(ActorStopped):  # and to the dead
        await to_thread.run_sync(lambda: ref.ask_blocking(Double(4), timeout=LONG))
    core: Any = system._core
    assert len(core.deadlines) == 0


async def test_ask_blocking_times_out(system: ActorSystem, records: Any) -> None:
    ref = await system.spawn(Log)
    gate = await hold(ref)
    with pytest.raises(AskTimeout, match="Double within"):
        await to_thread.run_sync(lambda: ref.ask_blocking(Double(4), timeout=0.03))
    gate.set()
    assert await ref.ask(Double(1)) == 2
    assert records.dead() == [(Double(4), "abandoned")]


async def test_ask_blocking_of_a_loop_that_stands_still(
    system: ActorSystem, records: Any, unaccounted: Any
) -> None:
    ref = await system.spawn(Log)
    await ref.ask(Seen())
    with pytest.raises(AskTimeout, match="did not respond"):
        in_thread(lambda: ref.ask_blocking(Double(4), timeout=0.01))
    await anyio.wait_all_tasks_blocked()
    assert records.dead() == [(Double(4), "abandoned")]
    assert unaccounted(system.stats()) == 0


async def test_ask_blocking_when_the_actor_stops(system: ActorSystem) -> None:
    ref = await system.spawn(Log)
    gate = await hold(ref)
    asking = threading.Event()

    def ask() -> None:
        asking.set()
        with pytest.raises(ActorStopped):
            ref.ask_blocking(Double(1), timeout=LONG)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(to_thread.run_sync, ask)
        await to_thread.run_sync(asking.wait)
        _ = ref.stop()
        gate.set()


@pytest.mark.parametrize("timeout", [0, -5, float("inf")])
async def test_ask_blocking_checks_its_timeout(system: ActorSystem, timeout: float) -> None:
    ref = await system.spawn(Log)
    with pytest.raises(ValueError, match="finite"):
        in_thread(lambda: ref.ask_blocking(Double(1), timeout=timeout))


async def test_each_ask_belongs_to_its_own_kind_of_thread(system: ActorSystem) -> None:
    ref = await system.spawn(Log)
    with pytest.raises(RuntimeError, match="would block"):
        ref.ask_blocking(Double(1))
    with pytest.raises(RuntimeError, match="ask_blocking"):
        in_thread(lambda: ref.ask(Double(1)))


class Question(Request[int]):
    number: int
    what: str


class Frail(Actor):
    """Does what it is asked to, for better or worse."""

    mailbox_size: ClassVar[int] = 4

    @receive
    async def answer(self, question: Question) -> int:
        if question.what == "crash":
            raise ValueError("boom")
        if question.what == "stop":
            self.stop()
        if question.what == "wait":
            await anyio.sleep(0.002)
        return question.number


class Storm:
    """Questions to a few actors that crash, stop and are killed meanwhile, and what came of each.

    An actor that has ended is replaced, by the loop.
    """

    def __init__(self, system: ActorSystem, seed: int) -> None:
        self.system = system
        self.random = Random(seed)
        self.refs: list[ActorRef] = []
        self.outcomes: dict[int, str] = {}

    async def spawn(self) -> ActorRef:
        often = Intensity(10_000, LONG)
        return await self.system.spawn(Frail, restart=Restart.TRANSIENT, intensity=often)

    async def begin(self) -> None:
        self.refs += [await self.spawn() for _ in range(4)]

    def draw(self, random: Random, number: int) -> tuple[ActorRef, Question, float]:
        """Whom to ask, what, and with which timeout; some actors end first."""
        ref = random.choice(self.refs)
        if random.random() < 0.03:
            _ = ref.kill() if random.random() < 0.5 else ref.stop(timeout=0.001)
        what = random.choices(["reply", "wait", "crash", "stop"], [70, 20, 6, 4])[0]
        return ref, Question(number, what), random.choice([LONG, LONG, LONG, 0.001])

    def note(self, number: int, outcome: int | ActorError) -> None:
        assert number not in self.outcomes
        if isinstance(outcome, int):
            assert outcome == number  # the answer to this very question
        self.outcomes[number] = "answer" if isinstance(outcome, int) else type(outcome).__name__

    def ask_in_thread(self, numbers: range, seed: int) -> None:
        random = Random(seed)
        for number in numbers:
            ref, question, timeout = self.draw(random, number)
            try:
                self.note(number, ref.ask_blocking(question, timeout=timeout))
            except ActorError as error:
                self.note(number, error)

    async def ask(self, number: int) -> None:
        ref, question, timeout = self.draw(self.random, number)
        try:
            self.note(number, await ref.ask(question, timeout=timeout))
        except ActorError as error:
            self.note(number, error)

    async def ask_in_loop(self, numbers: range) -> None:
        """Several at a time; here the ended are replaced as well."""
        for first in range(numbers.start, numbers.stop, 5):
            async with anyio.create_task_group() as tasks:
                for number in range(first, min(first + 5, numbers.stop)):
                    tasks.start_soon(self.ask, number)
            for index, ref in enumerate(self.refs):
                if not ref.alive:
                    self.refs[index] = await self.spawn()
            await anyio.sleep(0.001)


@pytest.mark.parametrize("seed", range(3))
async def test_each_of_a_thousand_asks_in_a_storm_is_answered_or_fails(
    system: ActorSystem, records: Any, log: Any, unaccounted: Any, seed: int
) -> None:
    storm = Storm(system, seed)
    await storm.begin()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(storm.ask_in_loop, range(200))
        for thread in range(4):
            numbers = range(200 + 200 * thread, 400 + 200 * thread)
            tasks.start_soon(to_thread.run_sync, storm.ask_in_thread, numbers, 10 * seed + thread)
    assert sorted(storm.outcomes) == list(range(1000))
    counts = Counter(storm.outcomes.values())
    assert min(counts[kind] for kind in ("answer", "ActorCrashed", "ActorStopped")) > 0, counts
    for ref in storm.refs:
        await ref.stop()
    await anyio.wait_all_tasks_blocked()
    stats = system.stats()
    assert unaccounted(stats) == 0
    assert (stats.queued, stats.in_hand, stats.actors) == (0, 0, 0)
    # Each was told, refused, or given up while it waited for room.
    assert 1000 - counts["AskTimeout"] <= stats.told + stats.refused <= 1000
    assert stats.crashed == len(records.errors) >= counts["ActorCrashed"]
    core: Any = system._core
    assert len(core.deadlines) == 0


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


# The inlet itself.


def test_the_inlet_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inlet_module, "STAGED_LIMIT", 3)
    done: list[int] = []
    inlet = Inlet(lambda transfer: lambda: None)
    for number in range(3):
        inlet.call(lambda number=number: done.append(number))
    with pytest.raises(MailboxFull):
        inlet.call(lambda: done.append(3))
    inlet.transfer()
    assert done == [0, 1, 2]


def test_the_inlet_of_a_closed_loop_refuses_each_time() -> None:
    def waker(transfer: Callable[[], object]) -> Callable[[], None]:
        def wake() -> None:
            raise RuntimeError("the loop is closed")

        return wake

    unused: Any = None
    address = SimpleNamespace(_mailbox=Mailbox(10, Overflow.WAIT, unused, unused))
    telling, calling = Inlet(waker), Inlet(waker)
    for _ in range(3):
        with pytest.raises(NotRunning):
            telling.tell(address, "message")
        with pytest.raises(NotRunning):
            calling.call(lambda: None)


class Staging:
    """An inlet whose loop wakes when the test says so, and one mailbox."""

    def __init__(self) -> None:
        self.wakes = 0
        unused: Any = None
        self.mailbox = Mailbox(1000, Overflow.WAIT, lambda *drop: None, unused)
        self.address = SimpleNamespace(_mailbox=self.mailbox)
        self.inlet = Inlet(self._waker)

    def _waker(self, transfer: Callable[[], object]) -> Callable[[], None]:
        def wake() -> None:
            self.wakes += 1

        return wake

    def tell(self, message: object) -> None:
        self.inlet.tell(self.address, message)

    def come_late(self, run: Run, message: object) -> None:
        """A thread that looked at the run while it was the current one, and appends only now."""
        run.messages.append(message)
        assert self.inlet.run is not run
        self.inlet.rescue(run)

    def settle(self) -> list[object]:
        self.inlet.transfer()
        assert self.mailbox.staged == self.mailbox.transferred == self.mailbox.told
        return list(self.mailbox.queue)


def test_a_message_that_joins_a_run_after_its_transfer_is_transferred_next() -> None:
    staging = Staging()
    staging.tell("first")
    run = staging.inlet.run
    assert staging.settle() == ["first"]
    assert staging.wakes == 1
    staging.come_late(run, "late")
    assert staging.wakes == 2
    assert staging.settle() == ["first", "late"]
    assert staging.settle() == ["first", "late"]


def test_a_message_that_joins_a_run_after_its_end_goes_with_it() -> None:
    staging = Staging()
    staging.tell("first")
    run = staging.inlet.run
    staging.inlet.call(lambda: None)  # ends the run
    staging.come_late(run, "late")
    assert staging.mailbox.staged == 2  # it takes room from now on
    staging.tell("next")
    assert staging.settle() == ["first", "late", "next"]
    assert staging.wakes == 1


def test_what_a_thread_tells_after_a_late_message_does_not_overtake_it() -> None:
    staging = Staging()
    staging.tell("first")
    run = staging.inlet.run
    assert staging.settle() == ["first"]
    staging.tell("another thread's")
    staging.come_late(run, "late")
    staging.tell("next")
    assert staging.settle() == ["first", "another thread's", "late", "next"]


def test_two_late_messages_are_each_transferred_once() -> None:
    staging = Staging()
    staging.tell("first")
    run = staging.inlet.run
    assert staging.settle() == ["first"]
    run.messages.append("late")  # its thread stands before `rescue`
    staging.come_late(run, "later")
    staging.inlet.rescue(run)
    assert staging.settle() == ["first", "late", "later"]


def test_a_thread_that_appends_as_its_run_is_transferred_has_its_message_rescued() -> None:
    staging = Staging()
    target: Any = SimpleNamespace(mailbox=staging.mailbox, name="target")
    ref = ActorRef(target, staging.inlet, thread=-1)  # whoever tells is another thread
    ref.tell("first")

    class Slow(list[object]):
        def append(self, message: object) -> None:
            staging.inlet.transfer()  # the loop comes between the look and the append
            super().append(message)

    staging.inlet.run.messages = Slow(staging.inlet.run.messages)
    ref.tell("late")
    assert staging.settle() == ["first", "late"]


class Roomy(Log):
    mailbox_size: ClassVar[int] = 20_000


async def test_threads_that_join_runs_without_a_lock_lose_nothing(system: ActorSystem) -> None:
    """Often switched, so that many a thread stands between its look at the run and its append."""
    ref = await system.spawn(Roomy)

    def work(thread: int) -> None:
        for number in range(3000):
            ref.tell(Note(thread, number))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        async with anyio.create_task_group() as group:
            for thread in range(6):
                group.start_soon(to_thread.run_sync, work, thread)
    finally:
        sys.setswitchinterval(interval)
    seen = await ref.ask(Seen())
    for thread in range(6):
        assert [note.number for note in seen if note.thread == thread] == list(range(3000))
