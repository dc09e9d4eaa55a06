"""Questions to one actor, one after the other: the round trip.

The floor is a bare Future that goes with the message through an `asyncio.Queue(1024)`; the task
behind it sets the result. It has no deadline: asked of a dead task, it waits for ever. With
`asyncio.timeout` around the wait it is what one would rather write. anyio has no future: there a
stream of one goes with the message. Pykka's actor has a thread of its own. Ours is
`await ref.ask(Get())` with the default deadline and all else that an ask promises.

It is fair in that all send the same prebuilt message to a handler that counts and answers with the
count, found in a dict by the message's type; and in that each answer is checked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from time import perf_counter
from typing import Any

import anyio
import anyio.streams.memory

from actors import Actor, ActorSystem, Request, receive

from . import child
from .options import Options, parse
from .report import show
from .rounds import Contender, Figure

FIGURE = Figure("asked one after the other", "asks/s")
CAPACITY = 1024
DEADLINE = 5.0


class Get(Request[int]):
    """How many times were you asked?"""


class Other(Request[int]):
    """Never sent: it gives the dispatch something to choose from."""


async def ask_in_turn(ask: Callable[[Get], Awaitable[int]], count: int) -> float:
    """Ask `count` times; returns asks a second."""
    message = Get()
    begun = perf_counter()
    for number in range(1, count + 1):
        if await ask(message) != number:
            raise AssertionError("a wrong answer")
    return count / (perf_counter() - begun)


class Desk:
    """The floor: a queue of messages, each with the Future of its answer."""

    def __init__(self) -> None:
        self.asked = 0
        self.queue = asyncio.Queue[tuple[Any, asyncio.Future[int]]](CAPACITY)
        self.handlers: Mapping[type[Any], Callable[[Any], Awaitable[int]]] = {
            Get: self.get,
            Other: self.other,
        }

    async def get(self, message: Get) -> int:
        self.asked += 1
        return self.asked

    async def other(self, message: Other) -> int:
        return -1

    async def serve(self) -> None:
        """Answer what comes, for ever."""
        while True:
            message, future = await self.queue.get()
            future.set_result(await self.handlers[type(message)](message))

    async def ask(self, message: Get) -> int:
        """Wait for the answer."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        await self.queue.put((message, future))
        return await future

    async def ask_in_time(self, message: Get) -> int:
        """Wait for the answer, but not for ever."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(DEADLINE):
            await self.queue.put((message, future))
            return await future


class DeskActor(Actor):
    """The same handlers as an actor."""

    def __init__(self) -> None:
        self.asked = 0

    @receive
    async def get(self, message: Get) -> int:
        self.asked += 1
        return self.asked

    @receive
    async def other(self, message: Other) -> int:
        return -1


async def future(count: int) -> float:
    desk = Desk()
    task = asyncio.create_task(desk.serve())
    try:
        return await ask_in_turn(desk.ask, count)
    finally:
        task.cancel()


async def future_in_time(count: int) -> float:
    desk = Desk()
    task = asyncio.create_task(desk.serve())
    try:
        return await ask_in_turn(desk.ask_in_time, count)
    finally:
        task.cancel()


async def stream(count: int) -> float:
    desk = Desk()
    sender, receiver = anyio.create_memory_object_stream[
        tuple[Any, anyio.streams.memory.MemoryObjectSendStream[int]]
    ](CAPACITY)

    async def serve() -> None:
        async for message, answer in receiver:
            answer.send_nowait(await desk.handlers[type(message)](message))
            answer.close()

    async def ask(message: Get) -> int:
        answer, answered = anyio.create_memory_object_stream[int](1)
        with answered, anyio.fail_after(DEADLINE):
            await sender.send((message, answer))
            return await answered.receive()

    rate = 0.0
    async with receiver, anyio.create_task_group() as group:
        group.start_soon(serve)
        async with sender:
            rate = await ask_in_turn(ask, count)
    return rate


async def pykka(ask: Callable[..., float], count: int) -> float:
    return ask((Get, Other), Get(), count, DEADLINE)


async def ours(count: int) -> float:
    async with ActorSystem() as system:
        ref = await system.spawn(DeskActor)
        return await ask_in_turn(ref.ask, count)


def main(options: Options) -> None:
    """Measure and print."""
    count = 1000 if options.quick else 60_000

    def play(measurement: child.Measurement) -> Mapping[str, float]:
        return {FIGURE.name: child.measure(measurement, count)}

    notes: list[str] = []
    peers = child.peer("Pykka, ask", "benchmarks.peers.pykka_actors:ask", "pykka", options, notes)
    show(
        "ask",
        options,
        [FIGURE],
        [
            Contender("asyncio.Queue and Future", partial(play, future)),
            Contender("the same with asyncio.timeout", partial(play, future_in_time)),
            Contender("anyio streams, with a deadline", partial(play, stream)),
            *(Contender(name, partial(play, partial(pykka, ask))) for name, ask in peers.items()),
            Contender("greenroom, ask", partial(play, ours)),
        ],
        notes,
    )


if __name__ == "__main__":
    main(parse("ask", __doc__))
