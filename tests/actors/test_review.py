"""What a review found: callbacks in the middle of things, `None`, and other people's tasks."""

import asyncio
import contextlib
from typing import Any

import anyio
import pytest

from actors import (
    Actor,
    ActorRef,
    ActorSystem,
    DeadLetter,
    End,
    HandlerError,
    Instrument,
    Message,
    Overflow,
    Request,
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
