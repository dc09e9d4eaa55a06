"""The workers of a pool, the book of what they did, and who watches the pool."""

import math
from collections.abc import Hashable
from typing import Any, ClassVar

import anyio

from actors import (
    Actor,
    ActorRef,
    ActorSystem,
    Directive,
    End,
    Intensity,
    Message,
    Pool,
    Request,
    Routing,
    Terminated,
    receive,
)

IN_TURN, LEAST = Routing.ROUND_ROBIN, Routing.LEAST_LOADED
OFTEN = Intensity(1000, math.inf)
PATIENCE = 20.0
SOON = 2.0
"""Seconds for what must come at once; less than any deadline that would bring it about."""


class Job(Message):
    number: int
    key: Any = None


class Crash(Message):
    error: type[Exception] = ValueError


class Who(Request[ActorRef]):
    key: Any = None


class Seen(Request[list[int]]):
    pass


class Bad(Request[int]):
    pass


class Do(Request[Any]):
    """Await `function(worker)`."""

    function: Any


class Book:
    """What the workers of a pool did."""

    def __init__(self) -> None:
        self.jobs: list[tuple[ActorRef, Job]] = []
        self.ends: list[str] = []

    def numbers(self) -> list[int]:
        return sorted(job.number for _, job in self.jobs)


class Worker(Actor):
    directives: ClassVar = {OSError: Directive.STOP}

    def __init__(self, book: "Book | None" = None) -> None:
        self.book = Book() if book is None else book
        self.seen: list[int] = []

    @receive
    async def job(self, job: Job) -> None:
        self.seen.append(job.number)
        self.book.jobs.append((self.ref, job))

    @receive
    async def crash(self, crash: Crash) -> None:
        raise crash.error("boom")

    @receive
    async def fail(self, request: Bad) -> int:
        raise ValueError("boom")

    @receive
    async def who(self, request: Who) -> ActorRef:
        return self.ref

    @receive
    async def tell_seen(self, request: Seen) -> list[int]:
        return list(self.seen)

    @receive
    async def do(self, request: Do) -> Any:
        return await request.function(self)

    async def on_stop(self, end: End) -> None:
        self.book.ends.append(end.how)


class Hold:
    """Workers that wait in a handler until the gate opens."""

    def __init__(self) -> None:
        self.gate = anyio.Event()
        self.asks: list[Any] = []

    async def __call__(self, ref: ActorRef) -> None:
        entered = anyio.Event()

        async def wait(worker: Actor) -> None:
            entered.set()
            await self.gate.wait()

        self.asks.append(ref.ask(Do(wait)))
        await entered.wait()


def key_of(message: Any) -> Hashable:
    return message.key  # type: ignore[no-any-return]


async def seen(pool: Pool) -> list[list[int]]:
    """What each living worker has handled."""
    return [await ref.ask(Seen()) for ref in pool.refs if ref.alive]


async def watch(system: ActorSystem, pool: Pool) -> list[Terminated]:
    """What somebody is told of the pool's end."""
    notices: list[Terminated] = []

    class Watcher(Actor):
        async def on_start(self) -> None:
            self.watch(pool.supervisor)

        @receive
        async def ended(self, notice: Terminated) -> None:
            notices.append(notice)

    await system.spawn(Watcher)
    return notices


async def idle(pool: Pool) -> None:
    """Each worker waits for mail."""
    for ref in pool.refs:
        await ref.ask(Seen())
    await anyio.wait_all_tasks_blocked()
