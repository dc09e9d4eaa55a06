"""Asks in a circle: each actor would wait for the next one's answer until it gives up."""

import asyncio
import re
from collections.abc import Awaitable
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import Actor, ActorCrashed, ActorRef, ActorSystem, AskCycle, Message, Request, receive

LONG = 1000.0
"""Seconds of a timeout that no test lives to see."""


class Pass(Request[list[str]]):
    """Answered with the names of those who were asked in turn."""

    to: tuple[ActorRef, ...]


class PassAside(Request[list[str]]):
    """The same, but asked in a task of the handler's own."""

    to: tuple[ActorRef, ...]


class AskLater(Message):
    whom: ActorRef


class Wait(Message):
    gate: Any


class Link(Actor):
    """Asks the first of `to`, which is to ask the next, and so on."""

    def __init__(self) -> None:
        self.later: Awaitable[list[str]] | None = None

    @receive
    async def hand_on(self, request: Pass) -> list[str]:
        if not request.to:
            return [self.ref.name]
        answer = request.to[0].ask(Pass(request.to[1:]), timeout=LONG)
        return [self.ref.name, *await answer]

    @receive
    async def hand_on_aside(self, request: PassAside) -> list[str]:
        answers: list[str] = []

        async def ask() -> None:
            answers.extend(await request.to[0].ask(Pass(request.to[1:]), timeout=LONG))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
        return [self.ref.name, *answers]

    @receive
    async def wait(self, message: Wait) -> None:
        await message.gate.wait()

    @receive
    async def ask_later(self, message: AskLater) -> None:
        self.later = message.whom.ask(Pass(()), timeout=LONG)


async def links(system: ActorSystem, names: str) -> list[ActorRef]:
    return [await system.spawn(Link, name=name) for name in names]


def cause(error: BaseException) -> BaseException:
    """What was at the bottom of crashes that followed from one another."""
    while isinstance(error, ActorCrashed) and error.__cause__ is not None:
        error = error.__cause__
    return error


@pytest.mark.anyio
async def test_a_cycle_of_two_names_both(system: ActorSystem, log: object) -> None:
    a, b = await links(system, "ab")
    with pytest.raises(ActorCrashed) as crash:
        await a.ask(Pass((b, a)), timeout=LONG)
    error = cause(crash.value)
    assert isinstance(error, AskCycle)
    assert str(error) == "b -> a -> b: each waits for the next one's answer"


@pytest.mark.anyio
async def test_a_cycle_of_four_names_all(system: ActorSystem, log: object) -> None:
    a, b, c, d = await links(system, "abcd")
    with pytest.raises(ActorCrashed) as crash:
        await a.ask(Pass((b, c, d, b)), timeout=LONG)
    assert str(cause(crash.value)).startswith("d -> b -> c -> d: ")


@pytest.mark.anyio
async def test_the_cycle_may_be_caught(system: ActorSystem) -> None:
    class Careful(Link):
        @receive
        async def hand_on(self, request: Pass) -> list[str]:
            try:
                return await super().hand_on(request)
            except AskCycle:
                return ["caught"]

    a = await system.spawn(Careful, name="a")
    b = await system.spawn(Careful, name="b")
    assert await a.ask(Pass((b, a)), timeout=LONG) == ["a", "caught"]
    assert await a.ask(Pass((b,)), timeout=LONG) == ["a", "b"], "nothing is left of it"
    assert system.stats().crashed == 0


@pytest.mark.anyio
async def test_a_line_is_no_cycle(system: ActorSystem) -> None:
    a, b, c = await links(system, "abc")
    for _ in range(2):
        assert await a.ask(Pass((b, c)), timeout=LONG) == ["a", "b", "c"]
        assert await c.ask(Pass((b, a)), timeout=LONG) == ["c", "b", "a"]


@pytest.mark.anyio
async def test_one_that_was_answered_and_has_not_gone_on_yet_is_no_cycle(
    system: ActorSystem,
) -> None:
    a, b = await links(system, "ab")
    gate = anyio.Event()
    b.tell(Wait(gate))
    one = a.ask(Pass((b,)), timeout=LONG)
    await anyio.wait_all_tasks_blocked()
    other = b.ask(Pass((a,)), timeout=LONG)  # b comes to it before a has run again
    gate.set()
    assert await one == ["a", "b"]
    assert await other == ["b", "a"]


@pytest.mark.anyio
async def test_an_ask_that_nobody_awaits_is_no_cycle(system: ActorSystem) -> None:
    a, b = await links(system, "ab")
    a.tell(AskLater(b))
    assert await b.ask(Pass((a,)), timeout=LONG) == ["b", "a"]


@pytest.mark.anyio
async def test_an_ask_of_another_task_does_not_keep_its_actor(system: ActorSystem) -> None:
    """Whether the handler waits for that task cannot be known, so it must not count."""
    a, b = await links(system, "ab")

    class Answers(Link):
        @receive
        async def hand_on(self, request: Pass) -> list[str]:
            with pytest.raises(TimeoutError):
                await request.to[0].ask(Pass(()), timeout=0.05)
            return ["answered"]

    careful = await system.spawn(Answers, name="careful")
    assert await a.ask(PassAside((careful, a)), timeout=LONG) == ["a", "answered"]
    assert await b.ask(PassAside((a,)), timeout=LONG) == ["b", "a"]


@pytest.mark.anyio
async def test_an_ask_to_oneself_fails_at_once(system: ActorSystem, log: object) -> None:
    (a,) = await links(system, "a")
    with pytest.raises(ActorCrashed) as crash:
        await a.ask(Pass((a,)), timeout=LONG)
    assert isinstance(cause(crash.value), AskCycle)
    assert re.search("a asks itself", str(cause(crash.value)))


@given(path=st.lists(st.integers(0, 3), min_size=2, max_size=8))
def test_it_fails_exactly_where_somebody_is_asked_twice(path: list[int]) -> None:
    """The model: asks in a line wait for one another, so the first repetition is a cycle."""

    class Quiet(Link):
        @receive
        async def hand_on(self, request: Pass) -> list[str]:
            try:
                return await super().hand_on(request)
            except AskCycle as error:
                return [self.ref.name, str(error)]

    expected: list[str] = []
    for position, index in enumerate(path):
        name = "abcd"[index]
        if name in expected:
            cycle = expected[expected.index(name) :]
            expected.append(
                f"{name} asks itself, and would wait for ever"
                if path[position - 1] == index
                else " -> ".join([cycle[-1], *cycle]) + ": each waits for the next one's answer"
            )
            break
        expected.append(name)

    async def main() -> None:
        async with ActorSystem() as system:
            refs = [await system.spawn(Quiet, name=name) for name in "abcd"]
            first, *rest = (refs[index] for index in path)
            with anyio.fail_after(10):
                assert await first.ask(Pass(tuple(rest)), timeout=LONG) == expected

    for backend in ("asyncio", "trio"):
        anyio.run(main, backend=backend)


class Halt(Message):
    pass


class Who(Request[str]):
    pass


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_task_made_by_a_handler_is_not_the_actor(system: ActorSystem) -> None:
    """Only asyncio lets a handler make a task that outlives it."""

    class Maker(Actor):
        @receive
        async def note(self, message: Halt) -> None:
            self.task = asyncio.create_task(self.from_outside(self.ref))

        @receive
        async def who(self, request: Who) -> str:
            return self.ref.name

        async def from_outside(self, ref: ActorRef) -> str:
            return await ref.ask(Who(), timeout=5)

    maker = Maker()
    ref = await system.spawn(lambda: maker, name="maker")
    ref.tell(Halt())
    await anyio.wait_all_tasks_blocked()
    assert await maker.task == "maker"


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
