"""What a second review found; in virtual time where a moment matters."""

import asyncio
from typing import Any, ClassVar

import anyio
import pytest

from actors import (
    DEAD_LETTERS,
    Actor,
    ActorRef,
    ActorStopped,
    ActorSystem,
    AskCycle,
    Backoff,
    Envelope,
    Intensity,
    Message,
    Request,
    Restart,
    Strategy,
    receive,
)
from actors.testing import Schedule, TestKit, play

BOTH = pytest.mark.parametrize("backend", ["asyncio", "trio"])
pytestmark = pytest.mark.usefixtures("log")
LONG = 1000.0


class Note(Message):
    n: int = 0


class Halt(Message):
    pass


class Who(Request[str]):
    pass


class Sleep(Message):
    """Sleep so many virtual seconds."""

    seconds: float


class Sleeper(Actor):
    def __init__(self, kit: TestKit) -> None:
        self.kit = kit

    @receive
    async def sleep(self, message: Sleep) -> None:
        await self.kit.advance(message.seconds)

    @receive
    async def who(self, request: Who) -> str:
        return self.ref.name


# Dead letters.


class Breaks:
    """A lane that delivers nothing."""

    def deliver(self, envelope: Envelope, members: Any, exclude: Any) -> None:
        raise RuntimeError("not for clients")


class Client(Actor):
    def __membership__(self) -> Any:
        return Breaks(), self

    async def on_start(self) -> None:
        self.join(DEAD_LETTERS)

    @receive
    async def note(self, message: Note) -> None:
        await anyio.sleep_forever()


@pytest.mark.anyio
async def test_who_cannot_take_a_dead_letter_ends_like_any_other(system: ActorSystem) -> None:
    stays = await system.spawn(Client)
    for name in ("client", "client"):
        client = await system.spawn(Client, name=name)
        for _ in range(3):
            client.tell(Note())
        await client.kill()
        assert system.find(name) is None
        client.tell(Note())
    assert system.members(DEAD_LETTERS) == [stays]


@pytest.mark.anyio
async def test_no_text_is_the_topic_of_dead_letters(system: ActorSystem) -> None:
    class Guest(Actor):
        async def on_start(self) -> None:
            self.join(str(DEAD_LETTERS.encode(), "utf-8"))

    guest = await system.spawn(Guest)
    assert system.members(DEAD_LETTERS) == []
    assert system.members("greenroom.dead_letters") == [guest]


# Ends.


@BOTH
def test_of_several_stops_the_shortest_counts(backend: str) -> None:
    async def body(kit: TestKit) -> None:
        endless = float("inf")
        for first, second in ((600.0, 1.0), (1.0, 600.0), (1.0, endless), (endless, 1.0)):
            sleeper = await kit.spawn(lambda: Sleeper(kit))
            sleeper.tell(Sleep(LONG))
            await kit.settle()
            begun = kit.time
            sleeper.stop(timeout=first)
            await sleeper.stop(timeout=second)
            assert 1 <= kit.time - begun <= 1.1

    play(body, Schedule(), backend=backend)


@BOTH
def test_the_system_stops_as_soon_as_it_was_told_to(backend: str) -> None:
    async def main() -> float:
        async with TestKit(stop_timeout=0.5) as kit:
            sleeper = await kit.spawn(lambda: Sleeper(kit))
            sleeper.tell(Sleep(LONG))
            await kit.settle()
            sleeper.stop(timeout=600)
        return kit.time

    assert anyio.run(main, backend=backend) < 1


@BOTH
def test_what_is_queued_fails_when_the_stop_is_asked_for(backend: str) -> None:
    async def body(kit: TestKit) -> None:
        for how in ("stop", "kill"):
            sleeper = await kit.spawn(lambda: Sleeper(kit))
            sleeper.tell(Sleep(2.0))
            await kit.settle()
            asked, begun = sleeper.ask(Who(), timeout=1.0), kit.time
            getattr(sleeper, how)()
            with pytest.raises(ActorStopped):
                await asked
            assert kit.time == begun

    play(body, Schedule(), backend=backend)


@pytest.mark.anyio
@pytest.mark.parametrize("timeout", [None, -1.0, float("nan")])
async def test_an_end_needs_a_time(system: ActorSystem, timeout: Any) -> None:
    ref = await system.spawn(Actor)
    for end in (ref.stop, ref.drain):
        with pytest.raises((TypeError, ValueError)):
            end(timeout=timeout)
    assert ref.alive
    with pytest.raises((TypeError, ValueError)):
        ActorSystem(stop_timeout=timeout)

    class Odd(Actor):
        stop_timeout = timeout

    with pytest.raises((TypeError, ValueError)):
        await system.spawn(Odd)


@pytest.mark.anyio
async def test_on_stop_runs_once_when_there_is_no_next_life(system: ActorSystem) -> None:
    ends: list[str] = []
    made: list[Actor] = []

    class Once(Actor):
        async def on_stop(self, end: Any) -> None:
            ends.append(end.how)

        @receive
        async def halt(self, message: Halt) -> None:
            self.stop()

    def make() -> Actor:
        if made:
            raise OSError("no more")
        made.append(Once())
        return made[0]

    ref = await system.spawn(make, restart=Restart.PERMANENT)
    ref.tell(Halt())
    await ref.wait()
    assert ends == ["stop"]


@pytest.mark.anyio
@pytest.mark.parametrize("crashes", [False, True])
async def test_a_drain_overtakes_an_own_stop(system: ActorSystem, crashes: bool) -> None:
    seen: list[int] = []

    class Worker(Actor):
        async def on_start(self) -> None:
            if crashes and seen:
                self.ref.drain()

        @receive
        async def note(self, message: Note) -> None:
            seen.append(message.n)
            if message.n == 0:
                self.stop()
                if crashes:
                    raise ValueError
                self.ref.drain()

    ref = await system.spawn(Worker, restart=Restart.PERMANENT)
    for number in range(4):
        ref.tell(Note(number))
    await ref.wait()
    assert seen == [0, 1, 2, 3]


@BOTH
def test_a_handler_that_swallowed_an_interrupt_leaves_on_stop_its_time(backend: str) -> None:
    async def body(kit: TestKit) -> None:
        stopped: list[str] = []

        class Stubborn(Actor):
            @receive(interruptible=True)
            async def note(self, message: Note) -> None:
                try:
                    await anyio.sleep_forever()
                except anyio.get_cancelled_exc_class():
                    self.stop()
                    raise

            @receive(interrupt=True)
            async def halt(self, message: Halt) -> None:
                pass

            async def on_stop(self, end: Any) -> None:
                await kit.advance(3.0)
                stopped.append(end.how)

        ref = await kit.spawn(Stubborn)
        ref.tell(Note())
        await kit.settle()
        ref.tell(Halt())
        await ref.wait()
        assert stopped == ["stop"]

    play(body, Schedule(), backend=backend)


# Restarts.


@BOTH
def test_who_rests_when_all_restart_waits_until_all_are_gone(backend: str) -> None:
    async def body(kit: TestKit) -> None:
        book: list[tuple[str, float]] = []
        refs: dict[str, ActorRef] = {}

        class Child(Sleeper):
            def __init__(self, name: str) -> None:
                super().__init__(kit)
                self.called = name

            async def on_start(self) -> None:
                refs[self.called] = self.ref
                book.append((self.called, kit.time))

            @receive
            async def crash(self, message: Halt) -> None:
                raise ValueError

        class Parent(Actor):
            strategy = Strategy.REST_FOR_ONE
            backoff: ClassVar = Backoff(0.3, 0.3, jitter=0.0)
            intensity = Intensity(10, 5.0)

            async def on_start(self) -> None:
                for name in "abc":
                    await self.spawn(lambda name=name: Child(name), restart=Restart.PERMANENT)

        await kit.spawn(Parent)
        book.clear()
        refs["c"].tell(Halt())
        await kit.advance(0.1)
        refs["b"].tell(Sleep(1.0))
        await kit.advance(0.05)
        refs["a"].tell(Halt())
        await kit.advance(3.0)
        assert [name for name, _ in book] == ["a", "b", "c"]
        assert all(moment > 1.1 for _, moment in book), "b's old life was still at work"

    play(body, Schedule(), backend=backend)


# Asks and interrupts.


class Asks(Message):
    whom: ActorRef
    how: str


class Generation(Actor):
    """Asks another one, which interrupts it."""

    @receive(interruptible=True)
    async def generate(self, message: Asks) -> None:
        await message.whom.ask(Back(self.ref, message.how), timeout=LONG)

    @receive(interrupt=True)
    async def halt(self, message: Halt) -> None:
        pass

    @receive(interrupt=True)
    async def halt_and_say(self, request: Who) -> str:
        return "halted"


class Back(Request[str]):
    whom: ActorRef
    how: str


class Stopper(Actor):
    def __init__(self, answers: list[Any]) -> None:
        self.answers = answers

    @receive
    async def back(self, request: Back) -> str:
        try:
            if request.how == "tell":
                request.whom.tell(Halt())
            self.answers.append(await request.whom.ask(Who(), timeout=LONG))
        except AskCycle as error:
            self.answers.append(error)
        return ""


@pytest.mark.anyio
@pytest.mark.parametrize("how", ["ask", "tell"])
async def test_who_is_interrupted_waits_for_nobody(system: ActorSystem, how: str) -> None:
    answers: list[Any] = []
    generation = await system.spawn(Generation)
    stopper = await system.spawn(lambda: Stopper(answers))
    generation.tell(Asks(stopper, how))
    while not answers:
        await anyio.lowlevel.checkpoint()
    assert answers == ["halted"]


@BOTH
def test_a_batch_that_a_timer_began_is_interrupted(backend: str) -> None:
    async def body(kit: TestKit) -> None:
        halted: list[float] = []

        class Batches(Actor):
            async def on_start(self) -> None:
                self.start_timer(Note(), 1.0)

            @receive(interruptible=True)
            async def notes(self, messages: list[Note]) -> None:
                await kit.advance(LONG)

            @receive(interrupt=True)
            async def halt(self, message: Halt) -> None:
                halted.append(kit.time)

        ref = await kit.spawn(Batches)
        await kit.advance(2.0)
        ref.tell(Halt())
        await kit.settle()
        assert len(halted) == 1
        assert halted[0] < 2.1, "not when the batch is done"

    play(body, Schedule(), backend=backend)


@pytest.mark.anyio
async def test_two_tasks_may_await_one_ask(system: ActorSystem) -> None:
    gate = anyio.Event()

    class Slow(Actor):
        @receive
        async def who(self, request: Who) -> str:
            await gate.wait()
            return "me"

    asked = (await system.spawn(Slow)).ask(Who(), timeout=LONG)
    answers: list[str] = []

    async def wait() -> None:
        answers.append(await asked)

    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        gate.set()
    assert answers == ["me", "me"]


def test_a_task_factory_that_starts_at_once_starts_no_actor_inside_spawn() -> None:
    class Eager(asyncio.Task[Any]):
        def __init__(self, coroutine: Any, **options: Any) -> None:
            raise AssertionError("an actor's task is the loop's own kind")

    async def main() -> str:
        loop = asyncio.get_running_loop()
        async with ActorSystem() as system:
            loop.set_task_factory(lambda loop, coroutine, **options: Eager(coroutine, loop=loop))
            try:
                ref = await system.spawn(lambda: Stopper([]), name="ann")
            finally:
                loop.set_task_factory(None)
            return ref.name

    assert asyncio.run(main()) == "ann"
