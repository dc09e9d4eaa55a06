"""What a review found: callbacks in the middle of things, `None`, and other people's tasks."""

import asyncio
import contextlib
import gc
import time
import weakref
from typing import Any, ClassVar

import anyio
import anyio.lowlevel
import pytest

from actors import (
    Actor,
    ActorError,
    ActorRef,
    ActorStopped,
    ActorSystem,
    DeadLetter,
    End,
    HandlerError,
    Instrument,
    Message,
    Overflow,
    Request,
    Restart,
    receive,
)

pytestmark = pytest.mark.anyio


class Note(Message):
    n: int


class Who(Request[str]):
    pass


class Quiet(Actor):
    mailbox_size = 2
    overflow = Overflow.DROP_OLDEST

    async def on_start(self) -> None:
        self.join("ops")

    @receive
    async def note(self, message: Note) -> None:
        await anyio.sleep_forever()

    @receive
    async def letter(self, message: DeadLetter) -> None:
        pass


async def test_an_instrument_may_publish_a_dead_letter() -> None:
    """Dead letters that come of a report are counted and not reported: else it never ends."""

    class Publisher(Instrument):
        system: ActorSystem | None = None
        reported = 0

        def dead_letter(self, letter: DeadLetter) -> None:
            self.reported += 1
            assert self.system is not None
            self.system.publish("ops", letter)

    publisher = Publisher()
    with anyio.fail_after(10):
        async with ActorSystem(instruments=[publisher]) as system:
            publisher.system = system
            refs = [await system.spawn(Quiet) for _ in range(3)]
            for ref in refs:
                for number in range(20):
                    ref.tell(Note(number))
                core: Any = ref
                assert len(core._mailbox.queue) <= Quiet.mailbox_size
            stats = system.stats()
            dead = sum(stats.dead_letters.values())
            assert stats.told == stats.handled + stats.queued + stats.in_hand + dead
            assert 0 < publisher.reported < dead
            publisher.system = None
            for ref in refs:
                ref.kill()
            publisher.system = system


class Nothing(Actor):
    def __init__(self, crash: bool) -> None:
        self.crash = crash

    @receive
    async def nothing(self, message: int | None) -> None:
        if self.crash:
            raise ValueError
        await anyio.sleep_forever()


@pytest.mark.parametrize("crash", [False, True])
async def test_none_is_a_message_like_any_other(system: ActorSystem, crash: bool) -> None:
    ref = await system.spawn(lambda: Nothing(crash))
    ref.tell(None)
    if crash:
        await ref.wait()
        assert (system.stats().told, system.stats().crashed) == (1, 1)
    else:
        await anyio.wait_all_tasks_blocked()
        assert system.stats().in_hand == 1
        await ref.kill()
        assert list(system.stats().dead_letters.values()) == [1]


async def test_a_kill_is_repeated_until_it_ends(system: ActorSystem) -> None:
    class Stubborn(Actor):
        @receive
        async def note(self, message: Note) -> None:
            for _ in range(2):
                with contextlib.suppress(BaseException):
                    await anyio.sleep_forever()
            await anyio.sleep_forever()

    ref = await system.spawn(Stubborn)
    ref.tell(Note(1))
    await anyio.wait_all_tasks_blocked()
    with anyio.fail_after(10):
        await ref.kill()


async def test_one_that_is_late_costs_no_other_its_on_stop() -> None:
    ended: list[str] = []

    class Idle(Actor):
        async def on_stop(self, end: End) -> None:
            ended.append(end.how)

    class Busy(Actor):
        @receive
        async def note(self, message: Note) -> None:
            await anyio.sleep_forever()

    with anyio.fail_after(10):
        async with ActorSystem(stop_timeout=0.1) as system:
            for _ in range(2):
                await system.spawn(Idle)
            for _ in range(2):
                (await system.spawn(Busy)).tell(Note(1))
            await anyio.wait_all_tasks_blocked()
    assert ended == ["stop", "stop"]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_task_made_by_a_handler_is_not_the_actor(system: ActorSystem) -> None:
    """Only asyncio lets a handler make a task that outlives it."""

    class Maker(Actor):
        @receive
        async def note(self, message: Note) -> None:
            self.task = asyncio.create_task(self.from_outside(self.ref))

        @receive
        async def who(self, request: Who) -> str:
            return self.ref.name

        async def from_outside(self, ref: ActorRef) -> str:
            return await ref.ask(Who(), timeout=5)

    maker = Maker()
    ref = await system.spawn(lambda: maker, name="maker")
    ref.tell(Note(1))
    await anyio.wait_all_tasks_blocked()
    assert await maker.task == "maker"


@pytest.mark.parametrize("name", ["join", "stop", "publish", "on_start", "find"])
def test_a_handler_that_would_hide_a_method_is_an_error(name: str) -> None:
    async def handler(self: Actor, message: Note) -> None: ...

    with pytest.raises(HandlerError, match="another name"):
        type("Hiding", (Actor,), {name: receive(handler)})


def test_an_actor_may_have_a_name_of_its_own() -> None:
    class Person(Actor):
        def __init__(self, name: str) -> None:
            self.name = name

    assert Person("ann").name == "ann"


@pytest.mark.parametrize("name", ["on_start", "on_stop", "on_restart"])
def test_a_callback_without_async_is_an_error(name: str) -> None:
    with pytest.raises(HandlerError, match=f"{name} must be an `async def`"):
        type("Plain", (Actor,), {name: lambda self, *arguments: None})


class Do(Message):
    """Have the actor await `function(actor)`."""

    function: Any


class Ready(Request[int]):
    pass


class Does(Actor):
    """Does what it is told to."""

    stop_timeout: ClassVar[float] = 0.02

    @receive
    async def do(self, message: Do) -> None:
        await message.function(self)

    @receive
    async def ready(self, request: Ready) -> int:
        return 1


async def test_a_ref_of_an_actor_that_ended_before_its_spawner_went_on(
    system: ActorSystem, records: Any
) -> None:
    class Brief(Does):
        async def on_start(self) -> None:
            self.stop()

    ref = await system.spawn(Brief)
    ref.tell(1)
    with pytest.raises(ActorStopped):
        await ref.ask(Ready())
    assert records.dead()[0] == (1, "stopped")
    assert records.letters[0].target is ref


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
            parent = await system.spawn(Does)
            child: list[ActorRef] = []

            async def have_child(actor: Actor) -> None:
                child.append(await actor.spawn(Does))

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

    class Stubborn(Does):
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
                assert await ref.ask(Ready()) == 1
            await ref.stop()
    assert swallowed == [how] * 2


async def test_a_threads_ask_that_is_dropped_at_once_fails_with_the_cause(
    system: ActorSystem,
) -> None:
    ref = await system.spawn(Does)
    await ref.kill()

    class Slow(Instrument):
        def dead_letter(self, letter: Any) -> None:
            time.sleep(0.01)  # the thread gets its turn before the loop goes on

    core: Any = system._core
    core.instruments = (Slow(),)

    def ask() -> None:
        with pytest.raises(ActorStopped):
            ref.ask_blocking(Ready())

    for _ in range(3):
        await anyio.to_thread.run_sync(ask)


async def test_a_ref_kept_after_a_crash_keeps_no_state(
    system: ActorSystem, records: Any, log: Any
) -> None:
    alive: list[weakref.ref[Actor]] = []

    async def fail(actor: Actor) -> None:
        alive.append(weakref.ref(actor))
        raise ValueError("boom")

    ref = await system.spawn(Does)
    ref.tell(Do(fail))
    await ref.wait()
    log.clear()  # these keep the error, and so its traceback
    records.errors.clear()
    gc.collect()
    assert alive[0]() is None


async def test_an_ask_awaited_after_its_awaiter_was_cancelled_has_no_reply(
    system: ActorSystem,
) -> None:
    gate = anyio.Event()

    async def wait(actor: Actor) -> None:
        await gate.wait()

    ref = await system.spawn(Does)
    ref.tell(Do(wait))
    asked = ref.ask(Ready(), timeout=1000.0)
    with anyio.move_on_after(0.01):
        await asked
    gate.set()
    with pytest.raises(ActorError, match="given up"):
        await asked
