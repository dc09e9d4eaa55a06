"""Messages told to one actor: in its own loop, and from four OS threads.

The floor is what one would write by hand: a task that takes from an `asyncio.Queue(1024)` and
awaits the handler that a dict holds for the message's type. An anyio memory stream of the same size
takes part in the loop, and Pykka, whose actor has a thread of its own and is told by another. Ours
is `await ref.tell(message)` to an actor with all its defaults. From
threads, `loop.call_soon_threadsafe(queue.put_nowait, message)` stands against a plain `ref.tell`.

It is fair in that all handle the same prebuilt messages of three types in handlers with the same
bodies, that the sum they come to is checked, and that the clock stops when the last message has
been handled. A thread has at most 200 messages on the way and then waits until the oldest 100 are
handled: 800 in all against a bound of 1024, so nobody's memory grows and nobody's bound is hit.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import perf_counter
from typing import Any

import anyio

from actors import Actor, ActorSystem, Message, receive

from . import child
from .options import Options, parse
from .report import show
from .rounds import Contender, Figure

IN_LOOP = Figure("told in the loop", "messages/s")
FROM_THREADS = Figure("told from four threads", "messages/s")

CAPACITY = 1024
THREADS = 4
CHUNK = 100
ON_THE_WAY = 2  # chunks of one thread


class Add(Message):
    """One of three."""

    n: int


class Take(Message):
    """Two of three."""

    n: int


class Mark(Message):
    """The last of a chunk, and which thread told it."""

    thread: int


def chunk(thread: int) -> list[Message]:
    """A hundred messages; the numbers in them come to `WORTH`."""
    body = [Take(n=1) if number % 3 else Add(n=5) for number in range(CHUNK - 1)]
    return [*body, Mark(thread=thread)]


WORTH = 33 * 5 - 66 * 1


class Tally:
    """What the handlers of every contender work on."""

    def __init__(self, chunks: int) -> None:
        self.total = 0
        self.windows = [threading.Semaphore(ON_THE_WAY) for _ in range(THREADS)]
        self._chunks = self._due = chunks
        self._done = asyncio.Event()

    def mark(self, thread: int) -> None:
        self.windows[thread].release()
        self._due -= 1
        if not self._due:
            self._done.set()

    async def done(self) -> None:
        """Wait for the last message, then check what all of them came to."""
        await self._done.wait()
        if self.total != self._chunks * WORTH:
            raise AssertionError(f"handled {self.total} of {self._chunks * WORTH}")


async def tell_here(tell: Callable[[Any], Awaitable[object]], tally: Tally, chunks: int) -> float:
    """Tell that many chunks in this task; returns messages a second."""
    messages = chunk(0)
    begun = perf_counter()
    for _ in range(chunks):
        for message in messages:
            await tell(message)
    await tally.done()
    return chunks * CHUNK / (perf_counter() - begun)


async def tell_from_threads(tell: Callable[[Any], object], tally: Tally, chunks: int) -> float:
    """Tell that many chunks from four threads; returns messages a second."""

    def work(thread: int, share: int) -> None:
        messages, window = chunk(thread), tally.windows[thread]
        for _ in range(share):
            if not window.acquire(timeout=30.0):
                raise TimeoutError("nothing was handled for 30 s")
            for message in messages:
                tell(message)

    loop = asyncio.get_running_loop()
    threads = ThreadPoolExecutor(THREADS)
    try:
        begun = perf_counter()
        shares = [chunks // THREADS + (number < chunks % THREADS) for number in range(THREADS)]
        await asyncio.gather(
            *(loop.run_in_executor(threads, work, *each) for each in enumerate(shares))
        )
        await tally.done()
        return chunks * CHUNK / (perf_counter() - begun)
    finally:
        threads.shutdown(wait=False)


class Account:
    """The handlers of the floor."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.handlers: Mapping[type[Message], Callable[[Any], Awaitable[None]]] = {
            Add: self.add,
            Take: self.take,
            Mark: self.mark,
        }

    async def add(self, message: Add) -> None:
        self.tally.total += message.n

    async def take(self, message: Take) -> None:
        self.tally.total -= message.n

    async def mark(self, message: Mark) -> None:
        self.tally.mark(message.thread)

    async def serve(self, queue: "asyncio.Queue[Message]") -> None:
        """Handle what comes, for ever."""
        while True:
            message = await queue.get()
            await self.handlers[type(message)](message)


class AccountActor(Actor):
    """The same handlers as an actor."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally

    @receive
    async def add(self, message: Add) -> None:
        self.tally.total += message.n

    @receive
    async def take(self, message: Take) -> None:
        self.tally.total -= message.n

    @receive
    async def mark(self, message: Mark) -> None:
        self.tally.mark(message.thread)


async def queue_here(chunks: int) -> float:
    tally, queue = Tally(chunks), asyncio.Queue[Message](CAPACITY)
    task = asyncio.create_task(Account(tally).serve(queue))
    try:
        return await tell_here(queue.put, tally, chunks)
    finally:
        task.cancel()


async def queue_from_threads(chunks: int) -> float:
    tally, queue = Tally(chunks), asyncio.Queue[Message](CAPACITY)
    task = asyncio.create_task(Account(tally).serve(queue))
    into_loop: Any = asyncio.get_running_loop().call_soon_threadsafe  # too generic for partial
    try:
        return await tell_from_threads(partial(into_loop, queue.put_nowait), tally, chunks)
    finally:
        task.cancel()


async def stream_here(chunks: int) -> float:
    tally = Tally(chunks)
    handlers = Account(tally).handlers
    sender, receiver = anyio.create_memory_object_stream[Message](CAPACITY)

    async def serve() -> None:
        async for message in receiver:
            await handlers[type(message)](message)

    rate = 0.0
    async with receiver, anyio.create_task_group() as group:
        group.start_soon(serve)
        async with sender:
            rate = await tell_here(sender.send, tally, chunks)
    return rate


async def pykka(tell: Callable[..., float], chunks: int) -> float:
    return tell((Add, Take, Mark), chunk(0), chunks, WORTH)


async def ours_here(chunks: int) -> float:
    tally = Tally(chunks)
    async with ActorSystem() as system:
        ref = await system.spawn(partial(AccountActor, tally))
        return await tell_here(ref.tell, tally, chunks)


async def ours_from_threads(chunks: int) -> float:
    tally = Tally(chunks)
    async with ActorSystem() as system:
        ref = await system.spawn(partial(AccountActor, tally))
        return await tell_from_threads(ref.tell, tally, chunks)


def main(options: Options) -> None:
    """Measure and print."""
    here, threaded = (200, 100) if options.quick else (4000, 2000)

    def play(
        in_loop: child.Measurement, from_threads: child.Measurement | None = None
    ) -> Mapping[str, float]:
        figures = {IN_LOOP.name: child.measure(in_loop, here)}
        if from_threads is not None:
            figures[FROM_THREADS.name] = child.measure(from_threads, threaded)
        return figures

    notes: list[str] = []
    peers = child.peer(
        "Pykka, an actor", "benchmarks.peers.pykka_actors:tell", "pykka", options, notes
    )
    show(
        "mailbox",
        options,
        [IN_LOOP, FROM_THREADS],
        [
            Contender("a task and asyncio.Queue", partial(play, queue_here, queue_from_threads)),
            Contender("a task and an anyio stream", partial(play, stream_here)),
            *(Contender(name, partial(play, partial(pykka, tell))) for name, tell in peers.items()),
            Contender("greenroom, an actor", partial(play, ours_here, ours_from_threads)),
        ],
        notes,
    )


if __name__ == "__main__":
    main(parse("mailbox", __doc__))
