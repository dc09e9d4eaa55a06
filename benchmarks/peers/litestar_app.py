"""Litestar: typed WebSocket listeners; rooms by its channels plugin with the backend in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from litestar import Litestar, WebSocket, websocket_listener
from litestar.channels import ChannelsPlugin
from litestar.channels.backends.memory import MemoryChannelsBackend

ROOM = "benchmark"


class Say(msgspec.Struct, tag="say"):
    """What a client sends."""

    text: str


class Said(msgspec.Struct, tag="said"):
    """What the echo answers."""

    text: str


class Post(msgspec.Struct, tag="post"):
    """What a member sends to the room."""

    content: str
    timestamp: float


class Posted(msgspec.Struct, tag="posted"):
    """What every member gets."""

    client_id: str
    content: str
    timestamp: float


@websocket_listener("/ws/{client_id:str}")
async def _echo(data: Say) -> Said:
    return Said(data.text)


_channels = ChannelsPlugin(MemoryChannelsBackend(), channels=[ROOM])


@asynccontextmanager
async def _member(socket: WebSocket[Any, Any, Any]) -> AsyncIterator[None]:
    async with (
        _channels.start_subscription(ROOM) as subscriber,
        subscriber.run_in_background(socket.send_text, join=False),
    ):
        yield


@websocket_listener("/ws/{client_id:str}", connection_lifespan=_member)
async def _room(data: Post, client_id: str) -> None:
    _channels.publish(Posted(client_id, data.content, data.timestamp), ROOM)


echo = Litestar([_echo], openapi_config=None)
room = Litestar([_room], plugins=[_channels], openapi_config=None)
