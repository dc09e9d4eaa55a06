"""Cancellation from outside: of the block of the system, or of an actor's own task."""

import asyncio
import contextlib
import sys
from typing import Any, ClassVar

import anyio
import pytest

from actors import (
    Actor,
    ActorRef,
    ActorStopped,
    ActorSystem,
    End,
    Instrument,
    NotRunning,
    Restart,
    receive,
)
from tests.actors.work import Do, Doer
from tests.actors.worker import Hold, Note, Parent, Ready, Worker, hold

pytestmark = pytest.mark.anyio


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


LONG = 1000.0
"""A timeout that no test waits for."""


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


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_one_that_a_stranger_cancels_twice_leaves_no_children(system: ActorSystem) -> None:
    async def work(actor: Actor) -> None:
        try:
            await asyncio.sleep(LONG)
        finally:
            await gate.wait()

    async def have_children(actor: Actor) -> None:
        tasks.append(asyncio.current_task())
        for _ in range(3):
            child = await actor.spawn(Doer)
            child.tell(Do(work))

    gate, tasks = anyio.Event(), list[Any]()
    ref = await system.spawn(Doer)
    ref.tell(Do(have_children))
    for _ in range(2):
        await anyio.wait_all_tasks_blocked()
        tasks[0].cancel()
    await ref.wait()
    gate.set()
    await anyio.wait_all_tasks_blocked()
    assert system.stats().actors == 0


class Hurried(Worker):
    stop_timeout: ClassVar[float] = 0.02


async def test_an_outer_cancellation_comes_once(anyio_backend: str) -> None:
    """A second one would cut off whatever the first set going in a `finally`."""
    book: list[str] = []
    entered = anyio.Event()

    async def work(actor: Actor) -> None:
        entered.set()
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):  # asyncio needs none, Trio does
                for _ in range(5):
                    await anyio.lowlevel.checkpoint()
            book.append("cleaned up")

    async def plainly(actor: Actor) -> None:
        entered.set()
        try:
            await asyncio.sleep(1000)
        finally:
            for _ in range(5):
                await asyncio.sleep(0)
            book.append("cleaned up")

    with anyio.CancelScope() as scope:
        async with ActorSystem() as system:
            parent = await system.spawn(Hurried)
            child: list[ActorRef] = []

            async def have_child(actor: Actor) -> None:
                child.append(await actor.spawn(Hurried))

            parent.tell(Do(have_child))
            await parent.ask(Ready())
            for ref in (parent, *child):
                ref.tell(Do(plainly if anyio_backend == "asyncio" else work))
                await entered.wait()
                entered = anyio.Event()
            scope.cancel()
            await anyio.sleep_forever()
    assert book == ["cleaned up"] * 2


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("how", ["outer", "on_stop", "timeout", "interrupt"])
async def test_whoever_swallows_a_cancellation_and_waits_again_is_cancelled_again(  # noqa: C901
    anyio_backend: str, how: str, monkeypatch: pytest.MonkeyPatch, log: Any
) -> None:
    monkeypatch.setattr("actors._ending.CANCEL_AGAIN", 0.02)
    monkeypatch.setattr("actors._task.CANCEL_AGAIN", 0.02)
    entered = anyio.Event()
    swallowed: list[str] = []

    async def swallow(actor: Actor) -> None:
        entered.set()
        for _ in range(2):
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                swallowed.append(how)
        await asyncio.sleep(1000)

    class Stubborn(Hurried):
        async def on_stop(self, end: End) -> None:
            if how == "on_stop":
                await swallow(self)

        @receive(timeout=0.02)
        async def late(self, message: int) -> None:
            await swallow(self)

        @receive(interruptible=True)
        async def long(self, message: str) -> None:
            await swallow(self)

        @receive(interrupt=True)
        async def halt(self, message: float) -> None:
            pass

    with anyio.fail_after(5), anyio.CancelScope() as scope:
        async with ActorSystem() as system:
            ref = await system.spawn(Stubborn, restart=Restart.TRANSIENT)
            if how == "outer":
                ref.tell(Do(swallow))
                await entered.wait()
                scope.cancel()
                await anyio.sleep_forever()
            elif how == "timeout":
                ref.tell(1)
            elif how == "interrupt":
                ref.tell("")
                await entered.wait()
                ref.tell(1.0)
            if how != "on_stop":
                await ref.ask(Ready())
            await ref.stop()
    assert swallowed == [how] * 2


class Told(Instrument):
    """The ends and the dead letters, in order."""

    def __init__(self) -> None:
        self.moments: list[str] = []

    def stopped(self, ref: Any) -> None:
        self.moments.append(f"{ref.name} ended")

    def dead_letter(self, letter: Any) -> None:
        self.moments.append(f"{letter.target.name}: {letter.reason.value}")


class Shielded(Actor):
    """Has some clean-up to do that nothing may cut short."""

    def __init__(self, moments: list[str]) -> None:
        self.moments = moments

    @receive
    async def note(self, note: Note) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                for _ in range(10):
                    await anyio.lowlevel.checkpoint()
            self.moments.append("unwound")


class Sheltering(Doer):
    def __init__(self, moments: list[str]) -> None:
        self.moments = moments

    async def on_start(self) -> None:
        child = await self.spawn(lambda: Shielded(self.moments), name="child")
        child.tell(Note(1))
        child.tell(Note(1))


async def test_a_parent_waits_for_a_childs_shielded_clean_up(anyio_backend: str) -> None:
    told = Told()
    with anyio.fail_after(10), anyio.CancelScope() as scope:
        async with ActorSystem(instruments=[told]) as system:
            await system.spawn(lambda: Sheltering(told.moments), name="parent")
            await anyio.wait_all_tasks_blocked()
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert told.moments[-4:] == ["unwound", "child: killed", "child ended", "parent ended"]
    assert told.moments[:-4] == ["child: killed"]  # what was queued


class Burst(BaseException):
    """What no supervision deals with."""


def burst(actor: Any) -> None:
    raise Burst


@pytest.mark.parametrize("where", ["handler", "on_start", "on_stop"])
async def test_what_is_no_exception_ends_all_and_children_first(
    anyio_backend: str, where: str
) -> None:
    class Bursting(Sheltering):
        async def on_start(self) -> None:
            await super().on_start()
            if where == "on_start":
                await anyio.wait_all_tasks_blocked()
                raise Burst

        async def on_stop(self, end: End) -> None:
            raise Burst

        def __ended__(self, end: End | None) -> None:
            told.moments.append(f"ended by {'a kill' if end is None else end.how}")

    told = Told()

    async def run() -> None:
        async with ActorSystem(instruments=[told]) as system:
            ref = await system.spawn(lambda: Bursting(told.moments), name="parent")
            await anyio.wait_all_tasks_blocked()
            if where == "handler":
                ref.tell(Do(burst))
            else:
                child = system.find("child")
                assert child is not None
                await child.kill()  # else the stop would wait for it
                ref.stop()
            await anyio.sleep_forever()

    with anyio.fail_after(10), pytest.raises(BaseExceptionGroup) as raised:
        await run()
    assert raised.group_contains(Burst)
    ends = [moment for moment in told.moments if "ended" in moment]
    # Of a parent that has not started no end is reported.
    told_of = [] if where == "on_start" else ["parent ended"]
    assert ends == ["child ended", "ended by a kill", *told_of]
    assert told.moments.index("unwound") < told.moments.index("child ended")


def test_an_exit_in_one_actors_handler_ends_every_parent_after_its_children() -> None:
    """On asyncio it leaves the loop at once, which is then run again to cancel every task."""

    def leave(actor: Any) -> None:
        sys.exit(3)

    async def main() -> None:
        async with ActorSystem(instruments=[told]) as system:
            await system.spawn(lambda: Sheltering(told.moments), name="parent")
            ref = await system.spawn(Doer, name="exits")
            await anyio.wait_all_tasks_blocked()
            ref.tell(Do(leave))
            await anyio.sleep_forever()

    told = Told()
    with pytest.raises(SystemExit):
        asyncio.run(main())
    assert told.moments[-3:] == ["child: killed", "child ended", "parent ended"]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_kill_as_a_timeout_of_the_handlers_own_fires_is_heeded_soon(
    system: ActorSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The timeout cancels the handler first, and takes that for its own, which it is not."""
    monkeypatch.setattr("actors._ending.CANCEL_AGAIN", LONG)

    async def work(actor: Actor) -> None:
        try:
            async with asyncio.timeout(None) as timeout:
                timeouts.append(timeout)
                await asyncio.sleep(LONG)
        except TimeoutError:
            await asyncio.sleep(2)

    timeouts: list[asyncio.Timeout] = []
    ref = await system.spawn(Doer)
    ref.tell(Do(work))
    await anyio.wait_all_tasks_blocked()
    loop = asyncio.get_running_loop()
    timeouts[0].reschedule(loop.time())
    loop.call_soon(ref.kill)
    with anyio.fail_after(1):
        await ref.wait()


async def test_what_is_spawned_while_it_unwinds_does_not_outlive_it(anyio_backend: str) -> None:
    ref = None
    with anyio.fail_after(10), anyio.CancelScope() as scope:
        async with ActorSystem() as system:
            try:
                scope.cancel()
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.wait_all_tasks_blocked()
                    with contextlib.suppress(NotRunning):  # Trio's actors have heard of it by now
                        ref = await system.spawn(Actor)
    assert ref is None or not ref.alive
    assert system.stats().actors == 0
