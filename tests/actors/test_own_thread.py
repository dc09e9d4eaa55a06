"""What an actor may do is done in the loop's own thread, and refused in any other."""

from collections.abc import Callable
from typing import Any

import anyio.to_thread
import pytest

from actors import Actor, ActorRef, ActorSystem, Message, Request, receive

pytestmark = pytest.mark.anyio


class Tick(Message):
    pass


class Attempt(Request[list[str]]):
    """Do this in another thread; answered by what it raised."""

    what: Callable[[Any], object]


class Desk(Actor):
    @receive
    async def attempt(self, attempt: Attempt) -> list[str]:
        try:
            await anyio.to_thread.run_sync(attempt.what, self)
        except RuntimeError as error:
            return [str(error)]
        return []

    @receive
    async def tick(self, tick: Tick) -> None:
        pass


REFUSED: dict[str, Callable[[Any], object]] = {
    "join": lambda actor: actor.join("topic"),
    "leave": lambda actor: actor.leave("topic"),
    "start_timer": lambda actor: actor.start_timer(Tick(), 0),
    "cancel_timer": lambda actor: actor.cancel_timer(Tick),
    "watch": lambda actor: actor.watch(actor.ref),
    "unwatch": lambda actor: actor.unwatch(actor.ref),
    "stop": lambda actor: actor.stop(),
    "spawn": lambda actor: actor.spawn(Desk).send(None),
    "wait": lambda actor: next(actor.ref.wait().__await__()),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_an_actors_methods_are_refused_in_another_thread(
    system: ActorSystem, name: str
) -> None:
    ref: ActorRef = await system.spawn(Desk)
    assert "own thread" in "".join(await ref.ask(Attempt(REFUSED[name])))
    assert ref.alive
    assert system.topics() == []


async def test_publish_is_for_any_thread(system: ActorSystem) -> None:
    ref: ActorRef = await system.spawn(Desk)
    assert await ref.ask(Attempt(lambda actor: actor.publish("topic", Tick()))) == []
