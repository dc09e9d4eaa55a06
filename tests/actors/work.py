"""Work that a test gives an actor, and that it does for better or worse."""

import inspect
from collections.abc import Callable
from typing import Any

import anyio

from actors import Actor, ActorRef, Message, receive

Work = Callable[[Any], Any]


class Do(Message):
    """Have the actor call `work` with itself, and await what that returns if it can be awaited."""

    work: Work


class Doer(Actor):
    @receive
    async def do(self, do: Do) -> None:
        result = do.work(self)
        if inspect.isawaitable(result):
            await result


class Hold:
    """Work that says when it is in hand, and goes on when the gate opens."""

    def __init__(self, first: Work | None = None, last: Work | None = None) -> None:
        self.first, self.last = first, last
        self.entered, self.gate = anyio.Event(), anyio.Event()

    async def __call__(self, actor: Any) -> None:
        if self.first is not None:
            self.first(actor)
        self.entered.set()
        await self.gate.wait()
        if self.last is not None:
            self.last(actor)


async def hold(ref: ActorRef, first: Work | None = None, last: Work | None = None) -> Hold:
    """Have the actor do the first, wait for the gate, and do the last."""
    held = Hold(first, last)
    ref.tell(Do(held))
    await held.entered.wait()
    return held
