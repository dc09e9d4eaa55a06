"""Lives: start, the three ends, children, cancellation from outside."""

import asyncio
from typing import Any, ClassVar

import anyio
import pytest

from actors import (
    Actor,
    ActorRef,
    ActorStopped,
    ActorSystem,
    End,
    Message,
    NameTaken,
    NotRunning,
    Request,
    Restart,
    StopTimeout,
    receive,
)

pytestmark = pytest.mark.anyio

LONG = 1000.0
"""A timeout that no test waits for."""


class Note(Message):
    number: int


class Hold(Message):
    """Stay in the handler until the gate opens."""

    entered: Any
    gate: Any


class Do(Message):
    """Call `function(actor)`, and await what it returns."""

    function: Any


class Ready(Request[None]):
    pass


class Worker(Actor):
    """Writes its life into `book`."""

    def __init__(self, book: list[Any] | None = None, label: str = "") -> None:
        self.book: list[Any] = [] if book is None else book
        self.label = label

    @receive
    async def note(self, note: Note) -> None:
        self.book.append(note.number)

    @receive
    async def hold(self, hold: Hold) -> None:
        hold.entered.set()
        try:
            await hold.gate.wait()
        except BaseException as error:
            self.book.append("cancelled")
            raise error
        self.book.append("held")

    @receive
    async def do(self, do: Do) -> None:
        awaitable = do.function(self)
        if awaitable is not None:
            await awaitable
        self.book.append("did")

    @receive
    async def ready(self, request: Ready) -> None:
        pass

    async def on_stop(self, end: End) -> None:
        self.book.append(f"{self.label}{end.how}")


async def hold(ref: ActorRef) -> anyio.Event:
    """Have the actor busy until the event is set."""
    entered, gate = anyio.Event(), anyio.Event()
    ref.tell(Hold(entered, gate))
    await entered.wait()
    return gate


async def spawn(system: ActorSystem, book: list[Any], **options: Any) -> ActorRef:
    return await system.spawn(lambda: Worker(book), **options)


# Starting.


async def test_on_start_comes_before_the_first_message(system: ActorSystem) -> None:
    class Slow(Worker):
        async def on_start(self) -> None:
            self.ref.tell(Note(1))
            await anyio.lowlevel.checkpoint()
            self.book.append("started")
            assert self.find("slow") is None  # not before it has started

    book: list[Any] = []
    ref = await system.spawn(lambda: Slow(book), name="slow")
    assert system.find("slow") is ref
    await ref.ask(Ready())
    assert book == ["started", 1]


@pytest.mark.parametrize("parked", [False, True])
@pytest.mark.parametrize("ended", ["", "stop", "drain", "kill"])
async def test_when_on_start_raises_spawn_raises_and_nothing_is_left(
    system: ActorSystem, records: Any, parked: bool, ended: str
) -> None:
    stopped: list[End] = []

    class Failing(Worker):
        async def on_start(self) -> None:
            self.join("room")
            self.ref.tell(Note(1))
            await self.spawn(Worker)
            if parked:
                await anyio.lowlevel.checkpoint()
            if ended:
                getattr(self.ref, ended)()
            raise LookupError("not today")

        async def on_stop(self, end: End) -> None:
            stopped.append(end)

    with pytest.raises(LookupError, match="not today"):
        await system.spawn(Failing, name="it")
    assert stopped == []  # it never started
    assert system.stats().actors == 0
    assert system.members("room") == []
    assert system.find("it") is None
    assert records.dead() == [(Note(1), "stopped" if ended == "stop" else "killed")]
    assert ("stopped", "it") not in records.moments
    await system.spawn(Worker, name="it")


async def test_a_ref_that_outlives_a_failed_on_start_is_harmless(system: ActorSystem) -> None:
    refs: list[ActorRef] = []

    class Failing(Worker):
        async def on_start(self) -> None:
            refs.append(self.ref)
            raise LookupError("not today")

    with pytest.raises(LookupError):
        await system.spawn(Failing)
    (ref,) = refs
    core: Any = system._core
    for end in (ref.drain, ref.stop, ref.kill, ref.wait):
        await end()
        assert len(core.deadlines) == 0
    with pytest.raises(ActorStopped):
        await ref.ask(Ready(), timeout=LONG)


async def test_when_the_constructor_or_the_factory_fails_nothing_is_left(
    system: ActorSystem,
) -> None:
    def fail() -> Actor:
        raise LookupError("no")

    class Unattachable(Worker):
        def __attach__(self, context: Any) -> None:
            raise NotRunning("spawn it otherwise")

    class Empty(Worker):
        mailbox_size: ClassVar[int] = 0

    no_actor: Any = object
    for factory, error in (
        (fail, LookupError),
        (Unattachable, NotRunning),
        (no_actor, TypeError),
        (Empty, ValueError),
    ):
        with pytest.raises(error):
            await system.spawn(factory, name="it")
        assert system.stats().actors == 0
    await system.spawn(Worker, name="it")


async def test_names(system: ActorSystem) -> None:
    ref = await system.spawn(Worker, name="one")
    assert (ref.name, system.find("one")) == ("one", ref)
    with pytest.raises(NameTaken, match="one"):
        await system.spawn(Worker, name="one")
    with pytest.raises(ValueError, match="empty"):
        await system.spawn(Worker, name="")
    taken = await system.spawn(Worker, name="Worker-1")
    others = [await system.spawn(Worker) for _ in range(3)]
    assert len({ref, taken, *others}) == 5
    assert len({ref.name, taken.name, *(other.name for other in others)}) == 5
    await ref.stop()
    assert system.find("one") is None
    again = await system.spawn(Worker, name="one")
    assert again is not ref


async def test_spawn_that_is_cancelled_in_on_start_leaves_nothing(
    system: ActorSystem, count_tasks: Any
) -> None:
    begun = anyio.Event()

    class Endless(Worker):
        async def on_start(self) -> None:
            begun.set()
            await anyio.sleep_forever()

    before = count_tasks()
    async with anyio.create_task_group() as tasks:

        async def spawn_it() -> None:
            await system.spawn(Endless, name="it")

        tasks.start_soon(spawn_it)
        await begun.wait()
        tasks.cancel_scope.cancel()
    await anyio.wait_all_tasks_blocked()
    assert system.stats().actors == 0
    assert count_tasks() == before
    await system.spawn(Worker, name="it")


async def test_spawn_that_is_cancelled_before_on_start_does_not_run_it(
    system: ActorSystem,
) -> None:
    begun: list[str] = []

    class Endless(Worker):
        async def on_start(self) -> None:
            begun.append("on_start")
            await anyio.sleep_forever()

    with anyio.CancelScope() as scope:
        scope.cancel()
        await system.spawn(Endless)
    await anyio.wait_all_tasks_blocked()
    assert system.stats().actors == 0


async def test_an_actor_has_no_context_before_its_spawn() -> None:
    worker = Worker()
    with pytest.raises(NotRunning, match="not __init__"):
        worker.join("room")
    with pytest.raises(NotRunning):
        _ = worker.ref


async def test_a_system_is_entered_once_and_runs_in_between(anyio_backend: str) -> None:
    system = ActorSystem()
    with pytest.raises(NotRunning):
        await system.spawn(Worker)
    async with system:
        ref = await system.spawn(Worker)
    assert not ref.alive
    with pytest.raises(NotRunning):
        await system.spawn(Worker)
    with pytest.raises(NotRunning, match="once"):
        await system.__aenter__()


# Stop.


async def test_a_stop_lets_at_most_the_current_handler_run(
    system: ActorSystem, records: Any
) -> None:
    book: list[Any] = []
    ref = await spawn(system, book)
    gate = await hold(ref)
    ref.tell(Note(1))
    ending = ref.stop()
    ref.tell(Note(2))
    assert not ref.alive
    gate.set()
    await ending
    assert book == ["held", "stop"]
    assert sorted(records.dead(), key=str) == [(Note(1), "stopped"), (Note(2), "stopped")]


async def test_a_stop_past_its_deadline_is_a_kill(system: ActorSystem, records: Any) -> None:
    book: list[Any] = []
    ref = await spawn(system, book)
    await hold(ref)
    await ref.stop(timeout=0.03)
    assert book == ["cancelled"]  # and no on_stop
    assert [reason for _, reason in records.dead()] == ["killed"]


async def test_an_actor_stops_itself(system: ActorSystem) -> None:
    book: list[Any] = []
    ref = await spawn(system, book)
    ref.tell(Do(lambda actor: actor.stop()))
    ref.tell(Note(1))
    await ref.wait()
    assert book == ["did", "stop"]


@pytest.mark.parametrize("how", ["stop", "drain"])
async def test_awaiting_the_own_end_in_the_own_handler_returns_at_once(
    system: ActorSystem, how: str
) -> None:
    book: list[Any] = []
    ref = await spawn(system, book)
    ref.tell(Do(lambda actor: getattr(actor.ref, how)()))
    await ref.wait()
    assert book == ["did", how]


async def test_an_infinite_deadline_never_passes(system: ActorSystem) -> None:
    class Patient(Worker):
        stop_timeout: ClassVar[float] = float("inf")

    book: list[Any] = []
    ref = await system.spawn(lambda: Patient(book))
    gate = await hold(ref)
    ending = ref.stop(timeout=float("inf"))
    gate.set()
    await ending
    assert book == ["held", "stop"]


# Drain.


async def test_a_drain_handles_what_is_queued_and_takes_no_more(
    system: ActorSystem, records: Any
) -> None:
    class Small(Worker):
        mailbox_size: ClassVar[int] = 2

    book: list[Any] = []
    ref = await system.spawn(lambda: Small(book))
    gate = await hold(ref)
    for number in range(4):  # two of them wait for room
        ref.tell(Note(number))
    ending = ref.drain()
    ref.tell(Note(9))
    assert records.dead() == [(Note(9), "stopped")]  # at once
    gate.set()
    await ending
    assert book == ["held", 0, 1, 2, 3, "drain"]
    assert records.dead() == [(Note(9), "stopped")]


async def test_a_drain_past_its_deadline_is_a_kill(system: ActorSystem, records: Any) -> None:
    book: list[Any] = []
    ref = await spawn(system, book)
    await hold(ref)
    ref.tell(Note(1))
    await ref.drain(timeout=0.03)
    assert book == ["cancelled"]
    assert [reason for _, reason in records.dead()] == ["killed", "killed"]


async def test_a_stop_cuts_a_drain_short(system: ActorSystem, records: Any) -> None:
    book: list[Any] = []
    ref = await spawn(system, book)
    gate = await hold(ref)
    ref.tell(Note(1))
    draining = ref.drain()
    stopping = ref.stop()
    gate.set()
    await draining
    await stopping
    assert book == ["held", "stop"]
    assert records.dead() == [(Note(1), "stopped")]


async def test_what_a_drain_handles_may_spawn_and_join(system: ActorSystem, log: Any) -> None:
    book: list[Any] = []

    async def act(actor: Actor) -> None:
        actor.join("room")
        child = await actor.spawn(lambda: Worker(book, "child "))
        await child.ask(Ready())

    ref = await spawn(system, book)
    gate = await hold(ref)
    ref.tell(Do(act))
    ending = ref.drain()
    gate.set()
    await ending
    assert book == ["held", "did", "child stop", "drain"]
    assert system.members("room") == []
    assert log == []


# Kill.


async def test_a_kill_cancels_the_handler_and_skips_on_stop(
    system: ActorSystem, records: Any
) -> None:
    book: list[Any] = []
    ref = await spawn(system, book)
    await hold(ref)
    ref.tell(Note(1))
    await ref.kill()
    assert book == ["cancelled"]
    assert [reason for _, reason in records.dead()] == ["killed", "killed"]


async def test_a_kill_ends_a_handler_that_swallows_its_cancellation(
    system: ActorSystem,
) -> None:
    class Stubborn(Worker):
        @receive
        async def hold(self, hold: Hold) -> None:
            hold.entered.set()
            try:
                await hold.gate.wait()
            except anyio.get_cancelled_exc_class():
                self.book.append("swallowed")

    book: list[Any] = []
    ref = await system.spawn(lambda: Stubborn(book))
    await hold(ref)
    ref.tell(Note(1))
    await ref.kill()
    assert book == ["swallowed"]


@pytest.mark.parametrize("raises", [False, True])
async def test_an_actor_kills_itself_and_its_children(
    system: ActorSystem, records: Any, log: Any, raises: bool
) -> None:
    book: list[Any] = []

    async def act(actor: Actor) -> None:
        for _ in range(3):
            await actor.spawn(Worker)
        _ = actor.ref.kill()
        if raises:
            raise ValueError("with no await in between")

    ref = await spawn(system, book)
    ref.tell(Do(act))
    await ref.wait()
    assert system.stats().actors == 0
    assert book == ([] if raises else ["did"])
    stopped = [name for moment, name in records.moments if moment == "stopped"]
    assert (len(stopped), stopped[-1]) == (4, ref.name)


async def test_an_actor_that_awaits_its_own_kill_ends(system: ActorSystem) -> None:
    book: list[Any] = []
    ref = await spawn(system, book)

    async def act(actor: Actor) -> None:
        await actor.ref.kill()
        await anyio.sleep_forever()

    ref.tell(Do(act))
    await ref.wait()
    assert book == []


async def test_a_kill_in_on_start_ends_the_spawn(system: ActorSystem) -> None:
    class Killed(Worker):
        async def on_start(self) -> None:
            _ = self.ref.kill()
            await anyio.sleep_forever()

    with pytest.raises(ActorStopped, match="on_start"):
        await system.spawn(Killed)
    assert system.stats().actors == 0


# on_stop.


@pytest.mark.parametrize("how", ["stop", "drain", "kill"])
async def test_on_stop_runs_once_however_often_it_is_ended(system: ActorSystem, how: str) -> None:
    book: list[Any] = []
    ref = await spawn(system, book)
    for _ in range(3):
        _ = getattr(ref, how)()
    await getattr(ref, how)()
    for end in (ref.stop, ref.drain, ref.kill, ref.wait):
        await end()
    assert book == ([] if how == "kill" else [how])


async def test_waiting_for_an_end_returns_after_on_stop_and_the_cleanup(
    system: ActorSystem,
) -> None:
    on_stop, gate = anyio.Event(), anyio.Event()

    class Slow(Worker):
        async def on_stop(self, end: End) -> None:
            on_stop.set()
            await gate.wait()
            self.book.append("done")

    book: list[Any] = []
    ref = await system.spawn(lambda: Slow(book), name="slow")
    waited = []

    async def wait() -> None:
        await ref.wait()
        waited.append((list(book), system.find("slow"), system.stats().actors))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        _ = ref.stop()
        await on_stop.wait()
        await anyio.wait_all_tasks_blocked()
        assert waited == []
        gate.set()
    assert waited == [(["done"], None, 0)] * 2
    await ref.wait()


async def test_a_cancelled_wait_harms_nobody(system: ActorSystem) -> None:
    book: list[Any] = []
    ref = await spawn(system, book)
    with anyio.move_on_after(0.01):
        await ref.wait()
    assert ref.alive
    await ref.stop()
    assert book == ["stop"]


async def test_on_stop_hears_of_a_crash(system: ActorSystem, log: Any) -> None:
    class Curious(Worker):
        async def on_stop(self, end: End) -> None:
            self.book.append((end.how, str(end.error)))

    book: list[Any] = []
    ref = await system.spawn(lambda: Curious(book))
    ref.tell(Do(lambda actor: 1 / 0))
    await ref.wait()
    assert book == [("crash", "division by zero")]


async def test_on_stop_that_raises_is_reported_and_harms_nobody(
    system: ActorSystem, records: Any, log: Any
) -> None:
    class Bad(Worker):
        async def on_stop(self, end: End) -> None:
            raise LookupError("in on_stop")

    other = await system.spawn(Worker)
    ref = await system.spawn(Bad, name="bad")
    await ref.stop()
    assert [str(error) for error in records.errors] == ["in on_stop"]
    assert [entry["event"] for entry in log] == ["on_stop failed"]
    assert system.find("bad") is None
    await other.ask(Ready())


@pytest.mark.parametrize("swallows", [False, True])
async def test_on_stop_that_hangs_is_cancelled_and_reported(
    system: ActorSystem, records: Any, log: Any, swallows: bool
) -> None:
    class Hanging(Worker):
        stop_timeout: ClassVar[float] = 0.03

        async def on_stop(self, end: End) -> None:
            try:
                await anyio.sleep_forever()
            except anyio.get_cancelled_exc_class():
                if not swallows:
                    raise

    ref = await system.spawn(Hanging)
    await ref.stop()
    (error,) = records.errors
    assert isinstance(error, StopTimeout)
    assert [entry["event"] for entry in log] == ["on_stop failed"]


async def test_a_kill_reaches_on_stop(system: ActorSystem, records: Any) -> None:
    begun = anyio.Event()

    class Hanging(Worker):
        async def on_stop(self, end: End) -> None:
            begun.set()
            await anyio.sleep_forever()

    ref = await system.spawn(Hanging)
    _ = ref.stop()
    await begun.wait()
    await ref.kill()
    assert records.errors == []


async def test_in_on_stop_the_groups_are_left_and_no_child_can_be_spawned(
    system: ActorSystem,
) -> None:
    class Member(Worker):
        async def on_start(self) -> None:
            self.join("one")
            self.join("two")

        async def on_stop(self, end: End) -> None:
            self.book.append((self.groups, self.members("one")))
            with pytest.raises(NotRunning):
                await self.spawn(Worker)

    book: list[Any] = []
    ref = await system.spawn(lambda: Member(book))
    assert system.members("one") == [ref]
    await ref.stop()
    assert book == [(("one", "two"), [])]


# Children.


class Parent(Worker):
    async def on_start(self) -> None:
        for number in range(3):
            await self.spawn(lambda number=number: Worker(self.book, f"{number} "))


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


# The system's end.


async def test_leaving_stops_all_the_last_started_first(anyio_backend: str) -> None:
    book: list[Any] = []
    async with ActorSystem() as system:
        for number in range(3):
            await system.spawn(lambda number=number: Worker(book, f"{number} "))
    assert book == ["2 stop", "1 stop", "0 stop"]


async def test_leaving_kills_those_that_are_left_at_the_deadline(
    anyio_backend: str, nothing_left: Any, count_tasks: Any
) -> None:
    before = count_tasks()
    book: list[Any] = []
    with anyio.fail_after(4):
        async with ActorSystem(stop_timeout=0.05) as system:
            for _ in range(3):
                await hold(await spawn(system, book))
    assert book == ["cancelled"] * 3
    nothing_left(system, before)


async def test_the_deadline_of_leaving_is_one_for_all(anyio_backend: str) -> None:
    with anyio.fail_after(5):  # and not a tenth of a second for each
        async with ActorSystem(stop_timeout=0.1) as system:
            for _ in range(200):
                await hold(await spawn(system, []))


async def test_nothing_is_spawned_while_the_system_stops(system: ActorSystem) -> None:
    await system.stop()
    with pytest.raises(NotRunning):
        await system.spawn(Worker)


async def test_an_exception_in_the_block_comes_out_as_itself(
    anyio_backend: str, nothing_left: Any, count_tasks: Any
) -> None:
    before = count_tasks()
    book: list[Any] = []
    system = ActorSystem()

    async def fail() -> None:
        async with system:
            await hold(await spawn(system, book))
            await system.spawn(lambda: Parent(book))
            raise LookupError("as itself")

    with pytest.raises(LookupError, match="as itself"):
        await fail()
    assert book == ["cancelled"]
    nothing_left(system, before)


class Unwilling(Worker):
    """Does what it should not when it is cancelled."""

    how: ClassVar[str]

    @receive
    async def hold(self, hold: Hold) -> None:
        hold.entered.set()
        try:
            await hold.gate.wait()
        except anyio.get_cancelled_exc_class():
            if self.how == "raise":
                raise ValueError("instead of the cancellation") from None
            if self.how == "spawn":
                await self.spawn(Worker)
            if self.how == "ask":
                await self.ref.ask(Ready())
            if self.how == "reraise":
                raise


@pytest.mark.parametrize("how", ["reraise", "swallow", "raise", "spawn", "ask"])
@pytest.mark.parametrize("restart", [Restart.TEMPORARY, Restart.TRANSIENT])
@pytest.mark.parametrize("where", ["body", "leaving", "both"])
async def test_outer_cancellation_unwinds_everything(
    anyio_backend: str,
    nothing_left: Any,
    count_tasks: Any,
    log: Any,
    how: str,
    restart: Restart,
    where: str,
) -> None:
    class Member(Unwilling):
        async def on_start(self) -> None:
            self.join("room")
            self.child = await self.spawn(Child, restart=restart)
            await self.spawn(Worker)
            await hold(self.child)

    class Child(Unwilling):
        pass

    Member.how = Child.how = how
    before = count_tasks()
    system = ActorSystem()
    refs: list[ActorRef] = []
    with anyio.fail_after(10), anyio.CancelScope() as scope:
        async with system:
            refs.append(await system.spawn(lambda: Member([]), restart=restart))
            refs.append(await system.spawn(Worker))
            await hold(refs[0])
            refs[0].tell(Note(1))
            if where != "body":
                scope.deadline = anyio.current_time() + 0.02
            if where != "leaving":
                scope.cancel()
                await anyio.sleep_forever()
    assert scope.cancelled_caught
    nothing_left(system, before)
    for ref in refs:
        assert not ref.alive
        for end in (ref.wait, ref.stop, ref.drain, ref.kill):
            await end()


async def test_what_was_spawned_and_never_began_unwinds_as_well(
    anyio_backend: str, nothing_left: Any, count_tasks: Any
) -> None:
    before = count_tasks()
    system = ActorSystem()
    with anyio.CancelScope() as scope:
        async with system:
            try:
                scope.cancel()
                await anyio.sleep_forever()
            finally:
                ref = await system.spawn(Worker, name="it")
                ref.tell(Note(1))
                asked = ref.ask(Ready(), timeout=LONG)
    assert scope.cancelled_caught
    nothing_left(system, before)
    with pytest.raises(ActorStopped):
        await asked
    await ref.wait()


async def test_a_spawner_outside_hears_of_the_systems_cancellation(
    anyio_backend: str, nothing_left: Any
) -> None:
    class Endless(Worker):
        async def on_start(self) -> None:
            await anyio.sleep_forever()

    system = ActorSystem()
    heard: list[Exception] = []
    entered = anyio.Event()
    scope = anyio.CancelScope()

    async def own() -> None:
        with scope:
            async with system:
                entered.set()
                await anyio.sleep_forever()

    async def spawn_it(factory: type[Actor]) -> None:
        try:
            await system.spawn(factory)
        except (ActorStopped, NotRunning) as error:
            heard.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(own)
        await entered.wait()
        tasks.start_soon(spawn_it, Endless)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(spawn_it, Endless)
        scope.cancel()
    assert len(heard) == 2


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_task_cancelled_by_a_stranger_takes_its_children_along(
    system: ActorSystem, log: Any
) -> None:
    """Only asyncio lets anybody cancel any task."""
    book: list[Any] = []
    ref = await system.spawn(lambda: Parent(book))

    async def act(actor: Actor) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await anyio.sleep_forever()

    ref.tell(Do(act))
    await ref.wait()
    await anyio.wait_all_tasks_blocked()
    assert system.stats().actors == 0
    assert (book, log) == ([], [])  # it is no crash


async def test_the_moments_of_a_life_are_reported(
    system: ActorSystem, records: Any, log: Any
) -> None:
    ref = await system.spawn(Worker, name="it", restart=Restart.TRANSIENT)
    ref.tell(Do(lambda actor: 1 / 0))
    await ref.ask(Ready())
    await ref.stop()
    assert records.moments == [
        ("spawned", "it"),
        ("crashed", "it"),
        ("restarted", "it"),
        ("stopped", "it"),
    ]


class Alarm(BaseException):
    """What no supervision may catch."""


class Raise(Message):
    error: Any


class Raiser(Actor):
    @receive
    async def fail(self, message: Raise) -> None:
        raise message.error


class Sleeper(Actor):
    cancelled: ClassVar[int] = 0

    @receive
    async def sleep(self, message: Raise) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            Sleeper.cancelled += 1


async def test_what_is_no_exception_ends_the_system_and_is_raised(
    anyio_backend: str, nothing_left: Any, count_tasks: Any
) -> None:
    """As a task group has it: the others are cancelled, and the block raises it in a group."""
    before, Sleeper.cancelled = count_tasks(), 0
    system = ActorSystem()

    async def run() -> None:
        async with system:
            sleeper = await system.spawn(Sleeper)
            sleeper.tell(Raise(None))
            raiser = await system.spawn(Raiser)
            raiser.tell(Raise(Alarm("all out")))
            await anyio.sleep_forever()

    with pytest.raises(BaseExceptionGroup) as caught:
        await run()
    alarms, rest = caught.value.split(Alarm)
    assert alarms is not None
    assert rest is None
    assert Sleeper.cancelled == 1
    nothing_left(system, before)
