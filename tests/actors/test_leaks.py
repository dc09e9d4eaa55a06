"""After an actor's end nothing of it is left, however it lived."""

import gc
import sys
import weakref
from collections import Counter
from typing import Any

import anyio
import pytest

from actors import (
    Actor,
    ActorCrashed,
    ActorRef,
    ActorSystem,
    AskTimeout,
    Message,
    Request,
    Restart,
    receive,
)
from tests.actors.work import Do, Doer

pytestmark = pytest.mark.anyio


class Crash(Message):
    pass


class Fail(Request[int]):
    pass


class Wait(Request[int]):
    pass


class Big(Actor):
    async def on_start(self) -> None:
        self.join("room")
        if not self.ref.name.startswith("child"):
            await self.spawn(Big, name=f"child of {self.ref.name}")

    @receive
    async def crash(self, message: Crash) -> None:
        raise ValueError("boom")

    @receive
    async def fail(self, request: Fail) -> int:
        raise ValueError("boom")

    @receive(timeout=1000)
    async def wait(self, request: Wait) -> int:
        await anyio.sleep_forever()
        return 1


async def live(system: ActorSystem, how: str) -> ActorRef:
    ref = await system.spawn(Big, restart=Restart.TRANSIENT)
    if how == "crash":
        for _ in range(4):
            ref.tell(Crash())
        await ref.wait()
    elif how == "failed ask":
        with pytest.raises(ActorCrashed):
            await ref.ask(Fail())
        await ref.stop()
    elif how == "timeout":
        with pytest.raises(AskTimeout):
            await ref.ask(Wait(), timeout=0.02)
        await ref.kill()
    elif how == "cancelled":
        with anyio.move_on_after(0.02):
            await ref.ask(Wait(), timeout=1000)
        await ref.stop(timeout=0.02)
    else:
        await getattr(ref, how)()
    return ref


@pytest.mark.parametrize(
    "how", ["stop", "drain", "kill", "crash", "failed ask", "timeout", "cancelled"]
)
async def test_nothing_is_left_of_a_life(
    system: ActorSystem, log: Any, count_tasks: Any, how: str
) -> None:
    before = count_tasks()
    ref = await live(system, how)
    core: Any = system._core
    assert system.stats().actors == 0
    assert len(core.registry.cells) == 0
    assert system.topics() == []
    assert len(core.deadlines) == 0
    assert core.roots == []
    timer = core.deadlines._timer is not None and count_tasks() > before
    assert count_tasks() - timer == before  # on Trio the store's one timer is a task
    assert not ref.alive


async def test_a_ref_kept_keeps_no_state(system: ActorSystem) -> None:
    made: list[weakref.ref[Actor]] = []

    def make() -> Actor:
        actor = Big()
        made.append(weakref.ref(actor))
        return actor

    ref = await system.spawn(make)
    await ref.stop()
    await anyio.wait_all_tasks_blocked()
    gc.collect()
    assert made[0]() is None
    assert ref.name


async def test_a_ref_kept_after_a_crash_keeps_no_state(
    system: ActorSystem, records: Any, log: Any
) -> None:
    alive: list[weakref.ref[Actor]] = []

    async def fail(actor: Actor) -> None:
        alive.append(weakref.ref(actor))
        raise ValueError("boom")

    ref = await system.spawn(Doer)
    ref.tell(Do(fail))
    await ref.wait()
    log.clear()  # these keep the error, and so its traceback
    records.errors.clear()
    gc.collect()
    assert alive[0]() is None


async def test_a_restart_lets_go_of_the_old_state(
    system: ActorSystem, log: Any, records: Any
) -> None:
    made: list[weakref.ref[Actor]] = []

    class Plain(Actor):
        @receive
        async def crash(self, message: Crash) -> None:
            raise ValueError("boom")

        @receive
        async def fail(self, request: Wait) -> int:
            return 1

    def make() -> Actor:
        actor = Plain()
        made.append(weakref.ref(actor))
        return actor

    ref = await system.spawn(make, restart=Restart.TRANSIENT)
    ref.tell(Crash())
    assert await ref.ask(Wait()) == 1
    log.clear()  # an entry has the error, with its traceback
    records.errors.clear()
    gc.collect()
    assert [actor() is None for actor in made] == [True, False]


async def test_answered_asks_leave_no_deadline_behind(system: ActorSystem) -> None:
    class Quick(Actor):
        @receive
        async def wait(self, request: Wait) -> int:
            return 1

    ref = await system.spawn(Quick)
    for _ in range(300):
        await ref.ask(Wait(), timeout=1000)
    core: Any = system._core
    assert len(core.deadlines) == 0
    assert len(core.deadlines._ticks) < 300  # at most one empty tick for each that has passed


# Many lives, of which none may leave even a little.


class Ping(Request[int]):
    pass


class Brief(Actor):
    """Every third has a child, a watch, a timer and a group."""

    def __init__(self, number: int) -> None:
        self.number = number

    async def on_start(self) -> None:
        if self.number % 3 == 0:
            self.watch(await self.spawn(lambda: Brief(1)))
            self.start_timer(Crash(), 1000)
            self.join("room")

    @receive
    async def crash(self, message: Crash) -> None:
        raise ValueError("boom")

    @receive
    async def ping(self, request: Ping) -> int:
        return self.number


HOWS = ["stop", "drain", "kill", "crash", "restart"]


async def live_briefly(system: ActorSystem, number: int) -> None:
    how = HOWS[number % len(HOWS)]
    restart = Restart.TRANSIENT if how == "restart" else Restart.TEMPORARY
    ref = await system.spawn(lambda: Brief(number), restart=restart)
    if how in ("crash", "restart"):
        ref.tell(Crash())
    if how == "crash":
        await ref.wait()
    elif how == "restart":
        assert await ref.ask(Ping(), timeout=1000) == number
        await ref.stop()
    else:
        await getattr(ref, how)()


def own_objects() -> Counter[str]:
    """The objects of the runtime's own types, and of the actors here."""
    gc.collect()
    kinds = (type(thing) for thing in gc.get_objects())
    names = ((str(kind.__module__), kind.__qualname__) for kind in kinds)  # of Cython's it is none
    return Counter(
        f"{module}.{name}"
        for module, name in names
        if module.partition(".")[0] == "actors" or module == __name__
    )


class Parcel(Message, weakref=True):
    pass


class Question(Request[int], weakref=True):
    pass


class Idle(Actor):
    async def on_start(self) -> None:
        self.seen: list[weakref.ref[Any]] = []
        self.handled = anyio.Event()

    @receive
    async def parcel(self, message: Parcel) -> None:
        self.seen.append(weakref.ref(message))
        self.handled.set()

    @receive
    async def question(self, request: Question) -> int:
        self.seen.append(weakref.ref(request))
        self.handled.set()
        return 1


@pytest.mark.parametrize("how", ["told", "asked"])
async def test_an_idle_actor_keeps_nothing_of_what_it_handled(
    system: ActorSystem, how: str
) -> None:
    idle = Idle()
    ref = await system.spawn(lambda: idle)
    if how == "told":
        ref.tell(Parcel())
    else:
        await ref.ask(Question())
    await idle.handled.wait()
    await anyio.wait_all_tasks_blocked()
    gc.collect()
    (seen,) = idle.seen
    assert seen() is None


@pytest.mark.timeout(120)
async def test_ten_thousand_lives_leave_nothing(
    system: ActorSystem, records: Any, log: Any, count_tasks: Any, anyio_backend: str
) -> None:
    core: Any = system._core

    async def live(numbers: range) -> None:
        for number in numbers:
            await live_briefly(system, number)
            if number % 100 == 0:  # what the tests themselves keep
                log.clear()
                records.moments.clear()
                records.errors.clear()
        for kept in (log, records.moments, records.errors):
            kept.clear()

    def tasks() -> int:
        timer = anyio_backend == "trio" and core.deadlines._timer is not None
        return int(count_tasks()) - timer  # on Trio the store's one timer is a task

    lives = 10_000
    await live(range(300))  # from now on all that is made once is there
    objects, tasks_before, blocks = own_objects(), tasks(), sys.getallocatedblocks()
    await live(range(300, 300 + lives))
    assert own_objects() == objects
    assert tasks() == tasks_before
    # Empty ticks of deadlines that have passed may stay for a while; a life leaves less than that.
    assert sys.getallocatedblocks() - blocks < lives / 2
    assert records.letters == []
    assert system.stats().actors == 0
