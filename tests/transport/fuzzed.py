"""The application that is fuzzed, in a process of its own."""

import asyncio
import gc
from typing import Annotated, Any

import msgspec
from fastapi import FastAPI

from actors import Message, Request, receive
from tests.transport.oracle import BURST, MAX_DEPTH, MAX_SIZE
from transport import (
    Connection,
    CurrentSystem,
    Json,
    MessagePack,
    OnInvalid,
    Rate,
    Raw,
    Settings,
    Sockets,
    Text,
)
from transport._socket import Socket
from transport.outbox import Outbox


class Said(Message):
    value: Any


class Say(Message):
    text: str


class Number(Message):
    value: int | float


class Point(msgspec.Struct):
    x: int
    y: int


class Draw(Message):
    points: list[Point]
    label: str | None = None


class Level(Message):
    value: Annotated[int, msgspec.Meta(ge=0, le=100)]


class Count(Request[int]):
    of: list[bool]


codes: dict[str, int] = {}
"""With which code each connection ended, by its name."""


class Fuzzed(Connection):
    """Answers each message that it takes."""

    def __init__(self, who: str) -> None:
        self.who = who

    async def on_connect(self) -> None:
        self.join("all")

    async def on_disconnect(self, code: int) -> None:
        codes[self.who] = code

    @receive
    async def say(self, message: Say) -> None:
        self.send(Said(message.text))

    @receive
    async def number(self, message: Number) -> None:
        self.send(Said("number"))

    @receive
    async def draw(self, message: Draw) -> None:
        self.send(Said(len(message.points)))

    @receive
    async def level(self, message: Level) -> None:
        self.send(Said(message.value))

    @receive
    async def count(self, request: Count) -> int:
        return len(request.of)


class Plain(Connection):
    """Returns text and bytes as they are."""

    def __init__(self, who: str) -> None:
        self.who = who

    async def on_disconnect(self, code: int) -> None:
        codes[self.who] = code

    @receive
    async def text(self, message: str) -> None:
        self.send(message)

    @receive
    async def data(self, message: bytes) -> None:
        self.send(message)


OF_A_SOCKET = {Fuzzed, Plain, Socket, Outbox}
"""What there is one of for each connection."""

free: dict[str, Any] = {
    "max_size": MAX_SIZE,
    "max_depth": MAX_DEPTH,
    "byte_rate": None,
    "message_rate": None,
}
app = FastAPI()
sockets = Sockets(app, settings=Settings(**free))
sockets.add("/json", Fuzzed)
sockets.add("/packed", Fuzzed, codec=MessagePack())
sockets.add("/both", Fuzzed, codec=[Json(), MessagePack()])
sockets.add("/plain", Plain, codec=[Text(), Raw()])
sockets.add("/strict", Fuzzed, settings=Settings(**{**free, "on_invalid": OnInvalid.CLOSE}))
sockets.add(
    "/slow", Fuzzed, settings=Settings(**{**free, "message_rate": Rate(0.001, burst=BURST)})
)


@app.get("/codes")
async def read_codes() -> dict[str, int]:
    return codes


@app.get("/tasks")
async def tasks() -> int:
    return len(asyncio.all_tasks())


@app.get("/left")
async def left(system: CurrentSystem, tasks: int) -> dict[str, int]:
    """All of it is 0 when nothing is left; `tasks`: how many there are without a connection."""
    gc.collect()
    stats = system.stats()
    dead = sum(number for reason, number in stats.dead_letters.items() if reason.of_mail)
    return {
        "connections": sockets.connections,
        "actors": stats.actors,
        "members": len(system.members("all")),
        "unaccounted": stats.told
        - (stats.handled + stats.crashed + stats.queued + stats.in_hand + dead),
        "crashed": stats.crashed,
        "tasks": max(0, len(asyncio.all_tasks()) - tasks),
        "objects": sum(type(each) in OF_A_SOCKET for each in gc.get_objects()),
    }
