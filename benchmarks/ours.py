"""The same endpoints on Greenroom, with all its defaults, but for how fast a client may be."""

from dataclasses import replace

from fastapi import FastAPI

from actors import Message, receive
from transport import Connection, Rate, Settings, Sockets

ROOM = "benchmark"
FAST = Settings(message_rate=Rate(1e9, burst=1e9))  # counted, and never too fast
SEND_TIMEOUT = 3.0
"""Seconds that a send may take in `stall`."""


class Say(Message):
    """What a client sends."""

    text: str


class Said(Message):
    """What the echo answers."""

    text: str


class Echo(Connection):
    """Answers each message with its text."""

    @receive
    async def say(self, message: Say) -> None:
        self.send(Said(text=message.text))


class Post(Message):
    """What a member sends to the room."""

    content: str
    timestamp: float


class Posted(Message):
    """What every member gets."""

    client_id: str
    content: str
    timestamp: float


class Member(Connection):
    """In the room from the first moment; says what it is told to everybody."""

    async def on_connect(self) -> None:
        self.join(ROOM)

    @receive
    async def post(self, message: Post) -> None:
        self.publish(
            ROOM,
            Posted(
                client_id=self.path_params["client_id"],
                content=message.content,
                timestamp=message.timestamp,
            ),
        )


class Fill(Message):
    """Asks for so many MiB."""

    count: int


class Stalling(Member):
    """A member who may have itself sent more than it reads."""

    @receive
    async def fill(self, message: Fill) -> None:
        for _ in range(message.count):
            self.send(b"." * 2**20)  # not zeros, for which the system takes no memory


echo = FastAPI()
Sockets(echo, settings=FAST).add("/ws/{client_id}", Echo)

large = FastAPI()
"""The echo for messages so large that `byte_rate` would refuse them at that speed."""
Sockets(large, settings=replace(FAST, byte_rate=FAST.message_rate)).add("/ws/{client_id}", Echo)

room = FastAPI()
Sockets(room, settings=FAST).add("/ws/{client_id}", Member)

stall = FastAPI()
Sockets(stall, settings=replace(FAST, send_timeout=SEND_TIMEOUT)).add("/ws/{client_id}", Stalling)
