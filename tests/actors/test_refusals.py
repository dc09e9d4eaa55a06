"""What a transport may declare: an error by which a handler turns its message down."""

from types import MappingProxyType
from typing import Any

import pytest

from actors import Actor, ActorCrashed, ActorSystem, Directive, Message, Request, receive

pytestmark = pytest.mark.anyio


class No(Exception):
    pass


class Say(Message):
    text: str


class Question(Request[int]):
    pass


class Count(Request[int]):
    pass


class Many(Message):
    pass


class Choosy(Actor):
    def __init__(self) -> None:
        self.count = 0
        self.asked: list[bool] = []

    def __refuses__(self, error: Exception, *, asked: bool) -> bool:
        self.asked.append(asked)
        return isinstance(error, No)

    @receive
    async def say(self, message: Say) -> None:
        self.count += 1
        raise No if message.text == "no" else RuntimeError

    @receive
    async def question(self, request: Question) -> int:
        self.count += 1
        raise No("never")

    @receive
    async def many(self, messages: list[Many]) -> None:
        self.count += len(messages)
        raise No

    @receive
    async def answer(self, request: Count) -> int:
        return self.count


async def test_a_refusal_is_no_crash_and_keeps_the_state(
    system: ActorSystem, records: Any, log: Any
) -> None:
    made: list[Choosy] = []

    def factory() -> Choosy:
        made.append(Choosy())
        return made[-1]

    ref = await system.spawn(factory)  # temporary: one crash would end it
    for _ in range(5):
        ref.tell(Say("no"))
    with pytest.raises(No, match="never"):
        await ref.ask(Question())
    for _ in range(3):
        ref.tell(Many())
    assert await ref.ask(Count()) == 9
    assert made[0].asked == [False] * 5 + [True, False]
    assert len(made) == 1
    stats = system.stats()
    assert (stats.handled, stats.crashed, stats.told) == (10, 0, 10)
    assert records.errors == records.letters == []
    assert log == []
    await ref.stop()


async def test_any_other_error_is_a_crash(system: ActorSystem, log: Any) -> None:
    ref = await system.spawn(Choosy)
    ref.tell(Say("yes"))
    await ref.wait()
    assert system.stats().crashed == 1
    assert [entry["event"] for entry in log] == ["actor crashed"]


class Directed(Choosy):
    directives = MappingProxyType({RuntimeError: Directive.STOP})

    def __directive__(self, error: Exception) -> Directive:
        assert super().__directive__(error) is Directive.STOP
        return Directive.RESUME


async def test_what_a_crash_calls_for_may_be_answered_otherwise(
    system: ActorSystem, log: Any
) -> None:
    ref = await system.spawn(Directed)
    ref.tell(Say("yes"))
    assert await ref.ask(Count()) == 1
    assert len(log) == 1
    await ref.stop()


async def test_an_actor_says_nothing_of_it_by_itself(system: ActorSystem, log: Any) -> None:
    class Plain(Actor):
        @receive
        async def question(self, request: Question) -> int:
            raise No

    ref = await system.spawn(Plain)
    with pytest.raises(ActorCrashed):
        await ref.ask(Question())
    await ref.wait()
