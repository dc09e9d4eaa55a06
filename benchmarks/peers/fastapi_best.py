"""FastAPI as fast as one gets it by hand: typed JSON by msgspec, a room's message encoded once."""

import msgspec
from fastapi import FastAPI, WebSocket, WebSocketDisconnect


class Say(msgspec.Struct, tag="say"):
    """What a client sends."""

    text: str


class Said(msgspec.Struct, tag="echo"):
    """What the echo answers."""

    text: str


class Post(msgspec.Struct, tag="post"):
    """What a member sends to the room."""

    content: str
    timestamp: float


class Posted(msgspec.Struct, tag="message"):
    """What every member gets."""

    client_id: str
    content: str
    timestamp: float


_encode = msgspec.json.Encoder().encode
_say = msgspec.json.Decoder(Say).decode
_post = msgspec.json.Decoder(Post).decode

echo = FastAPI()
room = FastAPI()
_members: dict[str, WebSocket] = {}


@echo.websocket("/ws/{client_id}")
async def echo_websocket(websocket: WebSocket, client_id: str) -> None:
    """Answer each message with its text."""
    await websocket.accept()
    try:
        while True:
            message = _say(await websocket.receive_text())
            await websocket.send_text(_encode(Said(message.text)).decode())
    except WebSocketDisconnect:
        pass


@room.websocket("/ws/{client_id}")
async def room_websocket(websocket: WebSocket, client_id: str) -> None:
    """Send each message to the whole room."""
    await websocket.accept()
    _members[client_id] = websocket
    try:
        while True:
            post = _post(await websocket.receive_text())
            text = _encode(Posted(client_id, post.content, post.timestamp)).decode()
            for member in list(_members.values()):
                await member.send_text(text)
    except WebSocketDisconnect:
        pass
    finally:
        del _members[client_id]
