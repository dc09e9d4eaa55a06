"""Litestar: WebSocket listeners; rooms by its channels plugin with the backend in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, WebSocket, websocket_listener
from litestar.channels import ChannelsPlugin
from litestar.channels.backends.memory import MemoryChannelsBackend
from litestar.params import FromPath

ROOM = "benchmark"


@websocket_listener("/ws/{client_id:str}")
async def _echo(data: dict[str, Any]) -> dict[str, Any]:
    return {"type": "said", "text": data["text"]}


_channels = ChannelsPlugin(MemoryChannelsBackend(), channels=[ROOM])


@asynccontextmanager
async def _member(socket: WebSocket[Any, Any, Any]) -> AsyncIterator[None]:
    async with (
        _channels.start_subscription(ROOM) as subscriber,
        subscriber.run_in_background(socket.send_text, join=False),
    ):
        yield


@websocket_listener("/ws/{client_id:str}", connection_lifespan=_member)
async def _room(data: dict[str, Any], client_id: FromPath[str]) -> None:
    posted = {
        "type": "posted",
        "client_id": client_id,
        "content": data["content"],
        "timestamp": data["timestamp"],
    }
    _channels.publish(posted, ROOM)


echo = Litestar([_echo], openapi_config=None)
room = Litestar([_room], plugins=[_channels], openapi_config=None)
