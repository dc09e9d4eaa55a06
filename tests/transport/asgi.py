"""Plain ASGI applications, served without a network."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from transport.testing import TestServer

PATIENCE = 20.0

Scope = dict[str, Any]
Asgi = Callable[[Scope, Any, Any], Awaitable[None]]


class Bug(Exception):
    """What they raise."""


def run(test: Callable[[], Awaitable[None]]) -> None:
    """In a loop of its own, with a deadline."""

    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE):
            await test()

    asyncio.run(bounded())


def accepting(then: Callable[[Any, Any], Awaitable[None]]) -> Asgi:
    """A plain ASGI application that accepts, and then does so."""

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        await then(receive, send)

    return app


def plain(app: Asgi, **options: Any) -> TestServer:
    """A server without a lifespan."""
    return TestServer(app, lifespan=False, **options)


def text(size: int) -> dict[str, str]:
    """An event that sends a frame of so many characters."""
    return {"type": "websocket.send", "text": "x" * size}


async def turns(count: int = 20) -> None:
    """Let everything else go on."""
    for _ in range(count):
        await asyncio.sleep(0)
