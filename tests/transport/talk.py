"""An application with a connection for each of what a client may see."""

import time
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException

from actors import Message, Request, receive
from transport import Connection, MessagePack, Raw, Settings, Sockets, Text


class Say(Message):
    text: str


class Said(Message):
    text: str


class Leave(Message):
    code: int


class Boom(Message):
    pass


class Total(Request[int]):
    of: list[int]


class Chat(Connection):
    """One group for all."""

    codes: list[int]
    """What each instance heard in `on_disconnect`, since `application` was called."""

    async def on_connect(self) -> None:
        self.join("all")

    async def on_disconnect(self, code: int) -> None:
        type(self).codes.append(code)

    @receive
    async def say(self, message: Say) -> None:
        self.publish("all", Said(message.text))

    @receive
    async def leave_with(self, message: Leave) -> None:
        self.send(Said("before"))
        self.close(message.code, "bye")

    @receive
    async def boom(self, message: Boom) -> None:
        raise RuntimeError("boom")

    @receive
    async def total(self, request: Total) -> int:
        return sum(request.of)


class Echo(Connection):
    @receive
    async def text(self, message: str) -> None:
        self.send(message)

    @receive
    async def data(self, message: bytes) -> None:
        self.send(message)


class Picky(Connection):
    async def on_start(self) -> None:
        raise HTTPException(409, "taken", headers={"X-Why": "picky"})


def guard(token: str = "") -> Iterator[str]:
    """In threads, as FastAPI runs it, before and after."""
    time.sleep(0.005)
    if not token:
        raise HTTPException(401, "who are you?")
    yield token
    time.sleep(0.005)


class Guarded(Connection):
    def __init__(self, token: Annotated[str, Depends(guard)]) -> None:
        self.token = token

    async def on_connect(self) -> None:
        self.send(Said(self.token))


def application(instruments: Any = (), **settings: Any) -> FastAPI:
    """A new one."""
    Chat.codes = []
    app = FastAPI()
    sockets = Sockets(app, settings=Settings(**settings), instruments=instruments)
    sockets.add("/chat", Chat)
    sockets.add("/packed", Chat, codec=MessagePack())
    sockets.add("/echo", Echo)
    sockets.add("/text", Echo, codec=Text())
    sockets.add("/raw", Echo, codec=Raw())
    sockets.add("/picky", Picky)
    sockets.add("/guarded", Guarded)
    return app
