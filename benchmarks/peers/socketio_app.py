"""python-socketio: events over the WebSocket alone, with its own framing on top.

Its own pings are so far apart that none falls into a benchmark, which counts messages.
"""

from typing import Any

import socketio

ROOM = "benchmark"


def _server() -> socketio.AsyncServer:
    return socketio.AsyncServer(
        async_mode="asgi", transports=["websocket"], ping_interval=3600, cors_allowed_origins=[]
    )


_echo, _room = _server(), _server()


@_echo.event
async def say(sid: str, data: dict[str, Any]) -> None:
    """Answer each message with its text."""
    await _echo.emit("said", {"text": data["text"]}, to=sid)


@_room.event
async def connect(sid: str, environ: dict[str, Any]) -> None:
    """In the room from the first moment."""
    await _room.enter_room(sid, ROOM)


@_room.event
async def post(sid: str, data: dict[str, Any]) -> None:
    """Send each message to the whole room."""
    posted = {"client_id": sid, "content": data["content"], "timestamp": data["timestamp"]}
    await _room.emit("posted", posted, room=ROOM)


echo = socketio.ASGIApp(_echo)
room = socketio.ASGIApp(_room)
