"""The application that the tests' servers run, in a process of their own.

What a test wants to know of the inside it asks over HTTP: `/journal/{who}` waits until enough has
happened, `/settled` until nothing is left of connections that went.
"""

import asyncio
import gc
import os
from typing import Any

import msgspec
from fastapi import Depends, FastAPI, HTTPException

from actors import DeadLetter, Instrument, Message, Request, receive
from transport import (
    Connection,
    CurrentSystem,
    Drain,
    Json,
    MessagePack,
    OnCrash,
    OnInvalid,
    Settings,
    Sockets,
)

PATIENCE = 20.0


class Say(Message):
    text: str


class Loud(Message):
    """Has a rule of its own."""

    text: str

    def __post_init__(self) -> None:
        assert self.text.isupper()


class Number(Message):
    value: int | float


class Said(Message):
    who: str
    text: str


class Publish(Message):
    text: str


class Flood(Message):
    count: int
    size: int = 10


class Boom(Message):
    pass


class Hang(Message):
    pass


class Hold(Message):
    """Keep the handler busy until the journal of `gate` has a line."""


class Close(Message):
    code: int
    reason: str = ""


class Stop(Message):
    pass


class Total(Request[Any]):
    of: list[Any]


class Private(Message):
    text: str


class Journal:
    """What happened to whom. Waiting for it is an event, not a sleep."""

    def __init__(self) -> None:
        self._lines: dict[str, list[str]] = {}
        self._changed = asyncio.Condition()

    async def note(self, who: str, line: str) -> None:
        async with self._changed:
            self._lines.setdefault(who, []).append(line)
            self._changed.notify_all()

    async def lines(self, who: str, count: int) -> list[str]:
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(lambda: len(self._lines.get(who, ())) >= count)
        return self._lines.get(who, [])


class Counts(Instrument):
    """Dead letters by reason, and connections that ended."""

    def __init__(self) -> None:
        self.reasons: dict[str, int] = {}

    def dead_letter(self, letter: DeadLetter) -> None:
        self.reasons[letter.reason] = self.reasons.get(letter.reason, 0) + 1


journal = Journal()
counts = Counts()


class Probe(Connection):
    """Does what the tests ask for; `who` is its name in the journal."""

    def __init__(self, who: str = "nobody", hang: bool = False) -> None:
        self.who = who
        self.slow_start = hang

    async def on_start(self) -> None:
        if self.slow_start:
            await journal.note(self.who, "starting")
            await journal.lines(self.who + " may start", 1)

    async def on_connect(self) -> None:
        self.join("all")
        await journal.note(self.who, "connect")

    async def on_restart(self, error: Exception) -> None:
        await journal.note(self.who, "restart")

    async def on_drain(self) -> None:
        self.send(Said(self.who, "draining"))

    async def on_disconnect(self, code: int) -> None:
        await journal.note(self.who, f"disconnect {code}")

    @receive
    async def say(self, message: Say) -> None:
        self.send(Said(self.who, message.text))

    @receive
    async def loud(self, message: Loud) -> None:
        self.send(message)

    @receive
    async def number(self, message: Number) -> None:
        self.send(message)

    @receive
    async def spread(self, message: Publish) -> None:
        self.publish("all", Said(self.who, message.text))

    @receive
    async def flood(self, message: Flood) -> None:
        for number in range(message.count):
            self.send(Said(str(number), "x" * message.size))

    @receive
    async def boom(self, message: Boom) -> None:
        raise RuntimeError("boom")

    @receive
    async def hang(self, message: Hang) -> None:
        await journal.note(self.who, "hang")
        await asyncio.Event().wait()

    @receive
    async def hold(self, message: Hold) -> None:
        await journal.note(self.who, "held")
        await journal.lines("gate", 1)
        self.send(Said(self.who, "released"))

    @receive
    async def close_it(self, message: Close) -> None:
        self.send(Said(self.who, "before"))
        self.close(message.code, message.reason)

    @receive
    async def stop_it(self, message: Stop) -> None:
        self.send(Said(self.who, "before"))
        self.stop()

    @receive
    async def total(self, request: Total) -> Any:
        return request.of

    @receive(wire=False)
    async def private(self, message: Private) -> None:
        self.send(Said(self.who, message.text))


class Anything(Connection):
    """Takes and returns any object or array."""

    @receive
    async def say(self, message: Say) -> None:
        self.send(Said("anything", message.text))

    @receive
    async def anything(self, message: dict | list) -> None:  # type: ignore[type-arg]
        self.send({"got": message})


class Plain(Connection):
    """Text and bytes."""

    @receive
    async def text(self, message: str) -> None:
        self.send(message)

    @receive
    async def raw(self, message: bytes) -> None:
        self.send(message)


class Small(Probe):
    mailbox_size = 2


class Picky(Connection):
    async def on_start(self) -> None:
        raise HTTPException(403, {"why": "picky"})


async def refuse() -> None:
    raise HTTPException(401, "who are you?", headers={"www-authenticate": "Bearer"})


async def break_down() -> None:
    raise ZeroDivisionError


class Numbered(Connection):
    def __init__(self, number: int) -> None:
        pass


settings = Settings(
    max_size=20_000,
    disconnect_timeout=float(os.environ.get("DISCONNECT_TIMEOUT", "5")),
    send_timeout=float(os.environ.get("SEND_TIMEOUT", "10")),
    max_outbox=int(os.environ.get("MAX_OUTBOX", "1024")),
    message_rate=None,  # the tests flood
    max_depth=256,
)

app = FastAPI()
drain = Drain(
    timeout=float(os.environ.get("DRAIN_TIMEOUT", "5")),
    spread=float(os.environ.get("DRAIN_SPREAD", "2")),
    code=1012 if "DRAIN_RESTART" in os.environ else 1001,
)
sockets = Sockets(app, settings=settings, instruments=[counts], drain=drain)
sockets.add("/probe", Probe)
sockets.add("/named/{client_id}", Probe, name="named/{client_id}")
sockets.add("/packed", Probe, codec=MessagePack())
sockets.add("/both", Probe, subprotocols={"json": Json(), "packed": MessagePack()})
sockets.add("/anything", Anything, codec=[Json(), MessagePack()])
sockets.add("/plain", Plain)
sockets.add("/small", Small)
sockets.add("/strict", Probe, settings=Settings(on_invalid=OnInvalid.CLOSE))
sockets.add("/fragile", Probe, settings=Settings(on_crash=OnCrash.CLOSE))
sockets.add("/picky", Picky)
sockets.add("/guarded", Probe, dependencies=[Depends(refuse)])
sockets.add("/broken", Probe, dependencies=[Depends(break_down)])
sockets.add("/numbered/{number}", Numbered)


@app.get("/journal/{who}")
async def read_journal(who: str, count: int = 0) -> list[str]:
    return await journal.lines(who, count)


@app.post("/journal/{who}/{line}")
async def write_journal(who: str, line: str) -> None:
    await journal.note(who, line)


@app.post("/publish/{text}")
async def publish(text: str, system: CurrentSystem, times: int = 1) -> None:
    for number in range(times):
        system.publish("all", Said("http", text if times == 1 else f"{text} {number}"))


@app.post("/tell/{name:path}/{text}")
def tell(name: str, text: str, system: CurrentSystem) -> None:
    """From a thread of the pool."""
    ref = system.find(name)
    if ref is None:
        raise HTTPException(404)
    ref.tell(Private(text))


class State(msgspec.Struct):
    """What there is of connections."""

    actors: int
    members: int
    tasks: int
    topics: list[str]


def state(system: Any) -> State:
    return State(
        actors=system.stats().actors,
        members=len(system.members("all")),
        tasks=len(asyncio.all_tasks()),
        topics=system.topics(),
    )


@app.get("/settled")
async def settled(system: CurrentSystem, connections: int = 0, tasks: int = 0) -> dict[str, Any]:
    """Wait until that many connections are left, and no more than so many tasks (0: any number).

    How things are then, or after `PATIENCE`.
    """
    end = asyncio.get_running_loop().time() + PATIENCE
    while asyncio.get_running_loop().time() < end:
        now = state(system)
        if now.actors == now.members == connections and (not tasks or now.tasks <= tasks):
            break
        await asyncio.sleep(0.01)
    stats = system.stats()
    return {
        **msgspec.to_builtins(state(system)),
        "told": stats.told,
        "accounted": stats.handled
        + stats.crashed
        + stats.queued
        + stats.in_hand
        + sum(number for reason, number in stats.dead_letters.items() if reason.of_mail),
        "dead_letters": counts.reasons,
    }


@app.get("/garbage")
async def garbage() -> int:
    """Objects that only the collector could free since this was asked last, or ever."""
    gc.disable()
    return gc.collect()
