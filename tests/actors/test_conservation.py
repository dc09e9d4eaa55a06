"""Nothing vanishes: whatever happens, each message told has one fate, and the counts say so."""

from collections import Counter
from contextlib import suppress
from typing import Any, ClassVar

import anyio
import pytest
import structlog
from hypothesis import event, given, settings
from hypothesis import strategies as st

from actors import (
    Actor,
    ActorError,
    ActorRef,
    ActorSystem,
    DeadLetter,
    Instrument,
    Intensity,
    MailboxFull,
    Overflow,
    Reason,
    Request,
    Restart,
    receive,
)
from actors._deadlines import TICK

ACTORS = 3


class Job(Request[int]):
    """Told or asked."""

    number: int
    source: str
    what: str
    target: int


class Alien(Request[int]):
    """Nobody handles it."""

    number: int


class World(Instrument):
    """Some actors, and what became of each message, counted without the system's help."""

    def __init__(self) -> None:
        self.gate = anyio.Event()
        self.refs: list[ActorRef] = []
        self.numbers = 0
        self.refused = 0
        self.fates: dict[int, list[str]] = {}
        self.gave_up: set[int] = set()
        self.begun: dict[tuple[str, int], list[int]] = {}

    def new(self, source: str, index: int, what: str) -> Any:
        self.numbers += 1
        self.fates[self.numbers] = []
        if what == "alien":
            return Alien(self.numbers)
        return Job(self.numbers, source, what, self.life(index))

    def life(self, index: int) -> int:
        """Another number for each actor that has had this index."""
        return id(self.refs[index])

    def refuse(self, message: Any) -> None:
        self.refused += 1
        del self.fates[message.number]

    def tell(self, source: str, index: int, what: str) -> Any:
        message = self.new(source, index, what)
        try:
            return message.number, self.refs[index].tell(message)
        except MailboxFull:
            self.refuse(message)
            return None

    async def await_place(self, number: int, place: Any, scope: anyio.CancelScope) -> None:
        with scope:
            await place
        if scope.cancelled_caught:
            self.gave_up.add(number)

    async def await_answer(self, number: int, asked: Any, scope: anyio.CancelScope) -> None:
        with scope:
            try:
                assert await asked == number
            except TimeoutError:
                self.gave_up.add(number)
            except ActorError:
                pass
        if scope.cancelled_caught:
            self.gave_up.add(number)

    def dead_letter(self, letter: DeadLetter) -> None:
        message: Any = letter.message
        if letter.reason is not Reason.LATE:
            self.fates[message.number].append("dead")


class Member(Actor):
    mailbox_size: ClassVar[int] = 2

    def __init__(self, world: World, index: int) -> None:
        self.world = world
        self.index = index

    async def on_start(self) -> None:
        self.join("all")

    @receive
    async def job(self, job: Job) -> int:
        fates = self.world.fates[job.number]
        self.world.begun.setdefault((job.source, job.target), []).append(job.number)
        if job.what == "crash":
            fates.append("crashed")
            raise ValueError("boom")
        if job.what == "hold":
            await self.world.gate.wait()
        elif job.what == "yield":
            await anyio.lowlevel.checkpoint()
        elif job.what == "stop":
            self.stop()
        elif job.what == "kill":
            _ = self.ref.kill()
        elif job.what == "forward":
            self.world.tell(str(id(self.ref)), (self.index + 1) % ACTORS, "note")
        elif job.what == "inward":
            self.world.tell(str(id(self.ref)), self.index, "note")
        fates.append("handled")
        return job.number


class Failing(Member):
    overflow: ClassVar[Overflow] = Overflow.FAIL


class DroppingNewest(Member):
    overflow: ClassVar[Overflow] = Overflow.DROP_NEWEST


class DroppingOldest(Member):
    overflow: ClassVar[Overflow] = Overflow.DROP_OLDEST


kinds = st.sampled_from([Member, Failing, DroppingNewest, DroppingOldest])
indexes = st.integers(0, ACTORS - 1)
whats = st.sampled_from(
    ["note", "note", "yield", "hold", "crash", "forward", "inward", "alien", "stop", "kill"]
)
steps = st.one_of(
    st.tuples(st.just("tell"), indexes, whats),
    st.tuples(st.just("tell"), indexes, whats),
    st.tuples(st.just("tell and wait"), indexes, whats),
    st.tuples(st.just("ask"), indexes, whats),
    st.tuples(st.just("ask in haste"), indexes, whats),
    st.tuples(st.just("cancel"), st.integers(0, 5)),
    st.tuples(st.just("publish"), indexes, whats),
    st.tuples(st.just("end"), indexes, st.sampled_from(["stop", "drain", "kill"])),
    st.tuples(st.just("turn")),
    st.tuples(st.just("open")),
    st.tuples(st.just("tick")),
    st.tuples(st.just("respawn"), indexes, kinds),
)


class Driver:
    """Does the steps of a program."""

    def __init__(self, world: World, system: ActorSystem, tasks: Any) -> None:
        self.world = world
        self.system = system
        self.tasks = tasks
        self.scopes: list[anyio.CancelScope] = []

    async def spawn(self, kind: type[Member], index: int) -> ActorRef:
        return await self.system.spawn(
            lambda: kind(self.world, index),
            restart=Restart.TRANSIENT if index else Restart.TEMPORARY,
            intensity=Intensity(restarts=2, seconds=1000),
        )

    async def do(self, what: str, *details: Any) -> None:
        step = getattr(self, what.replace(" ", "_"))(*details)
        if step is not None:
            await step

    def tell(self, index: int, what: str) -> None:
        self.world.tell("driver", index, what)

    def tell_and_wait(self, index: int, what: str) -> None:
        told = self.world.tell("driver", index, what)
        if told is not None:
            self.scopes.append(anyio.CancelScope())
            self.tasks.start_soon(self.world.await_place, *told, self.scopes[-1])

    def ask(self, index: int, what: str, timeout: float = 1000.0) -> None:
        message = self.world.new("driver", index, what)
        try:
            asked = self.world.refs[index].ask(message, timeout=timeout)
        except MailboxFull:
            self.world.refuse(message)
        else:
            self.scopes.append(anyio.CancelScope())
            self.tasks.start_soon(self.world.await_answer, message.number, asked, self.scopes[-1])

    def ask_in_haste(self, index: int, what: str) -> None:
        self.ask(index, what, timeout=0.001)

    def cancel(self, index: int) -> None:
        """Cancel one that waits for its place, or for its answer."""
        if index < len(self.scopes):
            self.scopes[-1 - index].cancel()

    def publish(self, index: int, what: str) -> None:
        # One message for several members would need a fate for each: publish to one.
        ref = self.world.refs[index]
        if ref in self.system.members("all"):
            others = [other for other in self.world.refs if other is not ref]
            message = self.world.new("publisher", index, what)
            self.system.publish("all", message, exclude=others)

    def end(self, index: int, how: str) -> None:
        getattr(self.world.refs[index], how)()

    async def turn(self) -> None:
        await anyio.lowlevel.checkpoint()

    async def tick(self) -> None:
        """The asks in haste expire."""
        await anyio.sleep(1.2 * TICK)

    def open(self) -> None:
        self.world.gate.set()
        self.world.gate = anyio.Event()

    async def respawn(self, index: int, kind: type[Member]) -> None:
        if not self.world.refs[index].alive:
            self.world.refs[index] = await self.spawn(kind, index)

    async def leave(self, how: str, scope: Any) -> None:
        if how == "raise":
            raise LookupError
        if how == "cancel":
            scope.cancel()
            await anyio.sleep_forever()
        if how == "settle":
            self.world.gate.set()
            await anyio.wait_all_tasks_blocked()


async def run_steps(
    members: list[type[Member]], program: list[Any], unaccounted: Any, leave: str
) -> None:
    world = World()
    system = ActorSystem(instruments=[world], stop_timeout=0.02)
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            with suppress(LookupError), anyio.CancelScope() as scope:
                async with system:
                    driver = Driver(world, system, tasks)
                    for index, kind in enumerate(members):
                        world.refs.append(await driver.spawn(kind, index))
                    for step in program:
                        await driver.do(*step)
                        assert unaccounted(system.stats()) == 0, step
                    await driver.leave(leave, scope)
    check(world, system, unaccounted)


def check(world: World, system: ActorSystem, unaccounted: Any) -> None:
    """The world and the system agree on what became of all that was told."""
    stats = system.stats()
    assert unaccounted(stats) == 0
    assert (stats.queued, stats.in_hand, stats.actors) == (0, 0, 0)
    fates = {number: fate for number, fate in world.fates.items() if fate}
    assert all(len(fate) == 1 for fate in fates.values()), fates
    without = set(world.fates) - set(fates)
    assert without <= world.gave_up  # those gave up while they waited for room
    counts = Counter(fate[0] for fate in fates.values())
    dead = sum(number for why, number in stats.dead_letters.items() if why.of_mail)
    assert (stats.told, stats.refused) == (len(fates), world.refused)
    assert (stats.handled, stats.crashed, dead) == (
        counts["handled"],
        counts["crashed"],
        counts["dead"],
    )
    for pair, numbers in world.begun.items():
        assert numbers == sorted(numbers), pair
    for reason in stats.dead_letters:
        event(reason)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@given(
    members=st.lists(kinds, min_size=ACTORS, max_size=ACTORS),
    program=st.lists(steps, min_size=15, max_size=50),
    leave=st.sampled_from(["stop", "settle", "raise", "cancel"]),
)
@settings(max_examples=100, deadline=None)
def test_each_message_has_one_fate(
    backend: str,
    members: list[type[Member]],
    program: list[Any],
    leave: str,
    unaccounted: Any,
) -> None:
    with structlog.testing.capture_logs():
        anyio.run(run_steps, members, program, unaccounted, leave, backend=backend)
