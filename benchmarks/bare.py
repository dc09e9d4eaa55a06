"""The same endpoints as plain ASGI: no framework, no JSON. The ceiling on that server."""

from typing import Any


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Send each text back as it is."""
    if scope["type"] == "lifespan":
        return await _live(receive, send)
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        event = await receive()
        if event["type"] == "websocket.disconnect":
            return None
        await send({"type": "websocket.send", "text": event["text"]})


_members: list[Any] = []


async def room(scope: Any, receive: Any, send: Any) -> None:
    """Send each text to every connection, one after the other."""
    if scope["type"] == "lifespan":
        return await _live(receive, send)
    await receive()
    await send({"type": "websocket.accept"})
    _members.append(send)
    try:
        while True:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                return None
            message = {"type": "websocket.send", "text": event["text"]}
            for member in _members:
                await member(message)
    finally:
        _members.remove(send)


async def _live(receive: Any, send: Any) -> None:
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return
