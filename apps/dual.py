"""The dual queues: mailbox in, outbox out, and a background thread that sends to all."""

import time
from typing import Any

from actors import Message, receive
from transport import Connection

SUBSCRIBERS = "dual"


class Welcome(Message):
    message: str


class Echo(Message):
    original: Any
    timestamp: float


class Background(Message):
    count: int
    timestamp: float


class Dual(Connection):
    """`/ws/simple/{client_id}`."""

    async def on_connect(self) -> None:
        self.join(SUBSCRIBERS)
        self.send(Welcome(f"Client {self.path_params['client_id']} connected"))

    @receive
    async def echo(
        self, message: dict[str, Any] | list[Any] | str | int | float | bool | None
    ) -> None:
        self.send(Echo(message, time.time()))


def background(count: int) -> Background:
    """What the thread publishes; its first is number 1, as in the tutorial."""
    return Background(count + 1, time.time())
