"""Exploration: it finds races that the loop's own order hides, and replays what it found."""

import re
from typing import Any

import anyio
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from actors import Actor, ActorRef, ActorSystem, Message, Request, receive
from actors.testing import Schedule, TestKit, explore, play, schedules

BOTH = pytest.mark.parametrize("backend", ["asyncio", "trio"])


class Letter(Message):
    pass


class Close(Message):
    pass


class Go(Message):
    pass


class Find(Request[ActorRef | None]):
    pass


class Session(Actor):
    def __init__(self, post: list[str]) -> None:
        self.post = post

    @receive
    async def letter(self, message: Letter) -> None:
        self.post.append("read")

    @receive
    async def close(self, message: Close) -> None:
        self.stop()


class Desk(Actor):
    def __init__(self, session: ActorRef) -> None:
        self.session = session

    @receive
    async def find_session(self, request: Find) -> ActorRef | None:
        return self.session if self.session.alive else None


class Visitor(Actor):
    """Checks that the session lives, then puts: between the two it may end."""

    def __init__(self, desk: ActorRef, post: list[str]) -> None:
        self.desk = desk
        self.post = post

    @receive
    async def go(self, message: Go) -> None:
        session = await self.desk.ask(Find())
        if session is None:
            self.post.append("refused")
        else:
            session.tell(Letter())


class Closer(Actor):
    """Takes its time: in the loop's own order the visitor is always faster."""

    def __init__(self, desk: ActorRef) -> None:
        self.desk = desk

    @receive
    async def go(self, message: Go) -> None:
        for _ in range(3):
            session = await self.desk.ask(Find())
        if session is not None:
            session.tell(Close())


async def post_office(system: ActorSystem) -> list[str]:
    """What became of the one letter."""
    post: list[str] = []
    session = await system.spawn(lambda: Session(post))
    desk = await system.spawn(lambda: Desk(session))
    visitor = await system.spawn(lambda: Visitor(desk, post))
    closer = await system.spawn(lambda: Closer(desk))
    visitor.tell(Go())
    closer.tell(Go())
    await session.wait()
    await visitor.drain()
    return post


async def no_letter_is_lost(kit: TestKit) -> None:
    assert await post_office(kit), "the letter was lost"


@BOTH
def test_a_plain_test_does_not_find_the_race(backend: str) -> None:
    async def main() -> None:
        async with ActorSystem() as system:
            for _ in range(200):
                assert await post_office(system)

    anyio.run(main, backend=backend)


@BOTH
def test_exploration_finds_it_and_replays_it(backend: str) -> None:
    with pytest.raises(AssertionError, match="the letter was lost") as found:
        explore(no_letter_is_lost, runs=200, backend=backend)
    (note,) = found.value.__notes__
    seed = int(re.findall(r"seed=(\d+)", note)[0])
    assert seed > 0, "the loop's own order does not show it"
    for _ in range(3):
        with pytest.raises(AssertionError, match="the letter was lost"):
            explore(no_letter_is_lost, seed=seed, backend=backend)


@BOTH
def test_hypothesis_makes_what_it_finds_simpler(backend: str) -> None:
    def loses(schedule: Schedule) -> bool:
        try:
            play(no_letter_is_lost, schedule, backend=backend)
        except AssertionError:
            return True
        return False

    simplest = find(
        schedules(),
        loses,
        settings=settings(
            max_examples=500,
            deadline=None,
            database=None,
            derandomize=True,
            phases=set(Phase) - {Phase.explain},
        ),
    )
    choices: list[int] = simplest._choices
    assert loses(Schedule(choices))
    assert choices, "the loop's own order does not show it"
    assert not loses(Schedule(choices[:-1])), "each choice of it is needed"
    assert sum(choice > 0 for choice in choices) <= 8, "of the 60 that were drawn"


@BOTH
def test_what_a_body_starts_itself_is_replayed_too(backend: str) -> None:
    """Trio would run its tasks by chance."""

    def order(seed: int) -> str:
        marks: list[str] = []

        async def mark(name: str) -> None:
            for _ in range(3):
                await anyio.lowlevel.checkpoint()
                marks.append(name)

        async def body(kit: TestKit) -> None:
            async with anyio.create_task_group() as tasks:
                for name in "abcdef":
                    tasks.start_soon(mark, name)

        play(body, Schedule(seed=seed), backend=backend)
        return "".join(marks)

    for seed in (1, 2):
        assert len({order(seed) for _ in range(10)}) == 1
    assert (order(1) != order(2)) == (backend == "trio"), "a seed is an order of these as well"


@BOTH
@given(seed=st.integers(1, 2**32))
@settings(max_examples=20, deadline=None)
def test_a_seed_is_one_order(backend: str, seed: int) -> None:
    class Mover(Actor):
        def __init__(self, name: str, trace: list[str]) -> None:
            self.trace = trace
            self.mark = name

        @receive
        async def go(self, message: Go) -> None:
            self.trace.append(self.mark)

    def trace() -> list[str]:
        trace: list[str] = []

        async def body(kit: TestKit) -> None:
            def mover(name: str) -> Any:
                return lambda: Mover(name, trace)

            movers = [await kit.spawn(mover(name)) for name in "abcdef"]
            for each in movers:
                each.tell(Go())
            for each in movers:
                await each.drain()

        play(body, Schedule(seed=seed), backend=backend)
        return trace

    once = trace()
    assert sorted(once) == list("abcdef")
    assert trace() == once


def test_seeds_differ() -> None:
    orders: set[str] = set()

    async def body(kit: TestKit) -> None:
        order: list[str] = []

        class Mover(Actor):
            def __init__(self, mark: str) -> None:
                self.mark = mark

            @receive
            async def go(self, message: Go) -> None:
                order.append(self.mark)

        movers = [await kit.spawn(lambda mark=mark: Mover(mark)) for mark in "abc"]
        for each in movers:
            each.tell(Go())
        for each in movers:
            await each.drain()
        orders.add("".join(order))

    explore(body, runs=60)
    assert orders == {"abc", "acb", "bac", "bca", "cab", "cba"}


def test_at_least_one_run() -> None:
    with pytest.raises(ValueError, match="at least 1 run"):
        explore(no_letter_is_lost, runs=0)


def test_a_schedule_shows_how_to_make_it() -> None:
    assert repr(Schedule()) == "Schedule()"
    assert repr(Schedule([1, 2])) == "Schedule([1, 2])"
    assert repr(Schedule(seed=3)) == "Schedule(seed=3)"
