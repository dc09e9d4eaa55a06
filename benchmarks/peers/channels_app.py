"""Django Channels: JSON consumers; rooms by the channel layer in memory; under uvicorn."""

from typing import Any

from django.conf import settings

settings.configure(
    SECRET_KEY="a benchmark has no secrets",
    CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
)

from channels.generic.websocket import AsyncJsonWebsocketConsumer  # noqa: E402
from channels.routing import URLRouter  # noqa: E402
from django.urls import path  # noqa: E402

ROOM = "benchmark"


class Echo(AsyncJsonWebsocketConsumer):
    """Answers each message with its text."""

    async def receive_json(self, content: dict[str, Any], **kwargs: Any) -> None:
        await self.send_json({"type": "said", "text": content["text"]})


class Member(AsyncJsonWebsocketConsumer):
    """In the room from the first moment; says what it is told to everybody."""

    groups = [ROOM]  # noqa: RUF012  # the base class has it so

    async def receive_json(self, content: dict[str, Any], **kwargs: Any) -> None:
        posted = {
            "type": "posted",
            "client_id": self.scope["url_route"]["kwargs"]["client_id"],
            "content": content["content"],
            "timestamp": content["timestamp"],
        }
        await self.channel_layer.group_send(ROOM, posted)

    async def posted(self, event: dict[str, Any]) -> None:
        """What the group hears goes to the client."""
        await self.send_json(event)


echo = URLRouter([path("ws/<client_id>", Echo.as_asgi())])
room = URLRouter([path("ws/<client_id>", Member.as_asgi())])
