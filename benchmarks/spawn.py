"""Whole lives, one after the other: start, handle one message, stop.

The floor is a bare task with an `asyncio.Queue` of its own that ends at a sentinel, and is awaited;
the same under an `asyncio.TaskGroup`, which one would rather write, takes part; so do an anyio task
with a stream, and Pykka, whose every actor is a thread. Ours spawns an
actor with all its defaults, tells it the message, and drains it: registered, supervised, and gone
without a trace when the drain returns.

It is fair in that each life handles its message before it ends, which is checked, and that nobody
starts the next life before the last one is over.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from time import perf_counter

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream

from actors import Actor, ActorSystem, Message, receive

from . import child
from .options import Options, parse
from .report import show
from .rounds import Contender, Figure

FIGURE = Figure("spawned, told once, ended", "lives/s")
CAPACITY = 1024


class Hello(Message):
    """The one message of a life."""


class Heard:
    """Counts the messages of all lives."""

    def __init__(self) -> None:
        self.count = 0

    def rate(self, lives: int, begun: float) -> float:
        """Lives a second since `begun`; raises when a message was not handled."""
        took = perf_counter() - begun
        if self.count != lives:
            raise AssertionError(f"{self.count} of {lives} lives handled their message")
        return lives / took


async def live(queue: "asyncio.Queue[Hello | None]", heard: Heard) -> None:
    """The floor's actor."""
    while True:
        message = await queue.get()
        if message is None:
            return
        heard.count += 1


class Echo(Actor):
    """The same as an actor."""

    def __init__(self, heard: Heard) -> None:
        self.heard = heard

    @receive
    async def hello(self, message: Hello) -> None:
        self.heard.count += 1


async def task(lives: int) -> float:
    heard, message = Heard(), Hello()
    begun = perf_counter()
    for _ in range(lives):
        queue = asyncio.Queue[Hello | None](CAPACITY)
        running = asyncio.create_task(live(queue, heard))
        await queue.put(message)
        await queue.put(None)
        await running
    return heard.rate(lives, begun)


async def task_of_group(lives: int) -> float:
    heard, message = Heard(), Hello()
    async with asyncio.TaskGroup() as group:
        begun = perf_counter()
        for _ in range(lives):
            queue = asyncio.Queue[Hello | None](CAPACITY)
            running = group.create_task(live(queue, heard))
            await queue.put(message)
            await queue.put(None)
            await running
        return heard.rate(lives, begun)


async def stream(lives: int) -> float:
    heard, message = Heard(), Hello()

    async def listen(receiver: MemoryObjectReceiveStream[Hello], gone: anyio.Event) -> None:
        async with receiver:
            async for _ in receiver:
                heard.count += 1
        gone.set()

    begun = perf_counter()
    async with anyio.create_task_group() as group:
        for _ in range(lives):
            sender, receiver = anyio.create_memory_object_stream[Hello](CAPACITY)
            gone = anyio.Event()
            group.start_soon(listen, receiver, gone)
            async with sender:
                await sender.send(message)
            await gone.wait()
    return heard.rate(lives, begun)


async def pykka(live: Callable[..., float], lives: int) -> float:
    return live(Hello(), Heard(), lives)


async def ours(lives: int) -> float:
    heard, message = Heard(), Hello()
    async with ActorSystem() as system:
        begun = perf_counter()
        for _ in range(lives):
            ref = await system.spawn(partial(Echo, heard))
            ref.tell(message)
            await ref.drain()
        return heard.rate(lives, begun)


def main(options: Options) -> None:
    """Measure and print."""
    lives = 300 if options.quick else 20_000

    def play(measurement: child.Measurement) -> Mapping[str, float]:
        return {FIGURE.name: child.measure(measurement, lives)}

    notes: list[str] = []
    peers = child.peer(
        "Pykka, an actor", "benchmarks.peers.pykka_actors:live", "pykka", options, notes
    )
    show(
        "spawn",
        options,
        [FIGURE],
        [
            Contender("a task and asyncio.Queue", partial(play, task)),
            Contender("the same in a TaskGroup", partial(play, task_of_group)),
            Contender("an anyio task and stream", partial(play, stream)),
            *(Contender(name, partial(play, partial(pykka, live))) for name, live in peers.items()),
            Contender("greenroom, an actor", partial(play, ours)),
        ],
        notes,
    )


if __name__ == "__main__":
    main(parse("spawn", __doc__))
