"""An application whose doors are watched, for tests in memory and for a server of its own."""

import os
from typing import Any

from fastapi import Depends, FastAPI, HTTPException

from actors import Message, Request, receive
from transport import (
    BearerToken,
    Connection,
    Json,
    MessagePack,
    OnCrash,
    OnFlood,
    Rate,
    Settings,
    Sockets,
)


class Say(Message):
    text: str


class Said(Message):
    text: str


class Count(Message):
    """Answered with how many have come."""


class Counted(Message):
    count: int


class Refuse(Message):
    status: int
    detail: Any = "no"


class Find(Request[int]):
    """What is found is not there."""


class Join(Message):
    topic: str


class Publish(Message):
    topic: str
    text: str


class Expire(Message):
    seconds: float | None


class Boom(Message):
    pass


class Guest(Connection):
    def __init__(self) -> None:
        self.count = 0

    def may_join(self, topic: str) -> bool:
        return not topic.startswith("secret")

    def may_publish(self, topic: str, message: object) -> bool:
        return topic != "news" and message != Said("shit")

    @receive
    async def say(self, message: Say) -> None:
        self.send(Said(message.text))

    @receive
    async def add(self, message: Count) -> None:
        self.count += 1
        self.send(Counted(self.count))

    @receive
    async def refuse(self, message: Refuse) -> None:
        raise HTTPException(message.status, message.detail)

    @receive
    async def find_nothing(self, request: Find) -> int:
        raise HTTPException(404, "there is none")

    @receive
    async def come_in(self, message: Join) -> None:
        self.join(message.topic)
        self.send(Said(f"in {message.topic}"))

    @receive
    async def spread(self, message: Publish) -> None:
        self.publish(message.topic, Said(message.text))

    @receive
    async def end_soon(self, message: Expire) -> None:
        self.send(Said("so be it"))
        self.expire(message.seconds)

    @receive
    async def boom(self, message: Boom) -> None:
        raise RuntimeError("boom")


class Unwelcome(Guest):
    async def on_connect(self) -> None:
        raise HTTPException(403, "not you")


class Shy(Guest):
    async def on_start(self) -> None:
        raise HTTPException(403, {"why": "shy"}, headers={"x-why": "shy"})


class User(Guest):
    def __init__(self, token: BearerToken) -> None:
        super().__init__()
        self.token = token

    async def on_connect(self) -> None:
        headers = " ".join(f"{name}={value}" for name, value in self.handshake.headers.items())
        self.send(Said(f"{self.token} | {self.handshake.scope['subprotocols']} | {headers}"))


admitted: list[str] = []
"""Dependencies that ran."""


async def note() -> None:
    admitted.append("here")


async def unknown() -> None:
    raise HTTPException(401, "who are you?", headers={"www-authenticate": "Bearer"})


def build(**options: Any) -> tuple[FastAPI, Sockets]:
    """The application; options are those of `Sockets`."""
    app = FastAPI()
    sockets = Sockets(app, **options)
    sockets.add("/guest", Guest, dependencies=[Depends(note)])
    sockets.add("/listed", Guest, settings=Settings(origins=("https://*.example.com",)))
    sockets.add("/anybody", Guest, settings=Settings(origins=("*",)))
    sockets.add("/user", User)
    sockets.add("/packed", User, subprotocols={"json": Json(), "packed": MessagePack()})
    sockets.add("/slow", Guest, settings=Settings(message_rate=Rate(2, burst=5)))
    sockets.add("/thin", Guest, settings=Settings(byte_rate=Rate(100, burst=300)))
    closing = Settings(message_rate=Rate(2, burst=5), on_flood=OnFlood.CLOSE)
    sockets.add("/closing", Guest, settings=closing)
    sockets.add("/unwelcome", Unwelcome)
    sockets.add("/shy", Shy)
    sockets.add("/unknown", Guest, dependencies=[Depends(unknown)])
    sockets.add("/resume", Guest, settings=Settings(on_crash=OnCrash.RESUME))
    sockets.add("/few", Guest, settings=Settings(max_groups=3))
    return app, sockets


def number(name: str) -> int | None:
    return int(os.environ[name]) if name in os.environ else None


app, _ = build(
    max_connections=number("MAX_CONNECTIONS"),
    max_connections_per_client=number("MAX_PER_CLIENT"),
)
