"""What an application sees of the client without a network is what uvicorn shows it of a real one.

Each scene is played twice, over a socket and without, and the application's notes are compared.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.transport.asgi import Scope, plain, run
from transport.testing import Client, Denied

Notes = list[Any]
Part = Callable[["Scene", Any, Any], Awaitable[None]]
Act = Callable[[Any], Awaitable[None]]

BYE = {"type": "websocket.close", "code": 4001, "reason": "bye"}
HELLO = {"type": "websocket.send", "text": "hello"}
ACCEPT = {"type": "websocket.accept"}
START = {"type": "websocket.http.response.start", "status": 409, "headers": [(b"x-a", b"b")]}
BODY = {"type": "websocket.http.response.body", "body": b"no"}


class Scene:
    """An application that notes what comes of each thing it does."""

    def __init__(self, part: Part) -> None:
        self.notes: Notes = []
        self.over = asyncio.Event()
        self._part = part

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        try:
            await self._part(self, receive, send)
        finally:
            self.over.set()

    async def hear(self, receive: Any) -> None:
        """Receive an event."""
        self.notes.append(dict(await receive()))

    async def say(self, send: Any, *events: dict[str, Any]) -> None:
        """Send each, and note what that raises."""
        for event in events:
            try:
                await send(event)
                self.notes.append("sent")
            except (OSError, RuntimeError) as error:
                self.notes.append((type(error).__name__, str(error)))


async def opened(scene: Scene, receive: Any, send: Any) -> None:
    await scene.hear(receive)
    await scene.say(send, ACCEPT)


async def talks_until_lost(scene: Scene, receive: Any, send: Any) -> None:
    await opened(scene, receive, send)
    for _ in range(3):
        await scene.hear(receive)
    await scene.say(send, HELLO, {"type": "websocket.send", "bytes": b"", "text": None})
    await scene.hear(receive)
    await scene.say(send, HELLO, BYE)


async def talks(scene: Scene, receive: Any, send: Any) -> None:
    await talks_until_lost(scene, receive, send)
    await scene.hear(receive)  # after the close the connection's loss
    await scene.say(send, HELLO)


async def closes(scene: Scene, receive: Any, send: Any) -> None:
    await opened(scene, receive, send)
    await scene.say(send, HELLO, BYE, HELLO, BYE)
    await scene.hear(receive)
    await scene.hear(receive)
    await scene.say(send, HELLO)


async def closes_without_a_word(scene: Scene, receive: Any, send: Any) -> None:
    await opened(scene, receive, send)
    await scene.say(send, {"type": "websocket.close"})
    await scene.hear(receive)


async def refuses(scene: Scene, receive: Any, send: Any) -> None:
    await scene.hear(receive)
    await scene.say(send, HELLO, BYE)
    await scene.hear(receive)


async def denies(scene: Scene, receive: Any, send: Any) -> None:
    await scene.hear(receive)
    await scene.say(send, {**START, "status": 42}, START, ACCEPT, {**BODY, "more_body": True})
    await scene.say(send, BODY)
    await scene.hear(receive)


async def accepts_twice(scene: Scene, receive: Any, send: Any) -> None:
    await opened(scene, receive, send)
    await scene.say(send, ACCEPT, START, HELLO)
    await scene.hear(receive)


async def leaves(scene: Scene, receive: Any, send: Any) -> None:
    await opened(scene, receive, send)


async def aborts(scene: Scene, receive: Any, send: Any) -> None:
    await opened(scene, receive, send)
    transport = receive.__self__.transport
    scene.notes.append(transport.is_closing())
    transport.abort()
    scene.notes.append(transport.is_closing())
    await scene.hear(receive)
    await scene.say(send, HELLO)


async def talk(client: Any) -> None:
    """Three frames there, two back."""
    for data in ("a", b"b", ""):
        await client.send(data)
    if isinstance(client, Client):
        assert (await client.receive_text(), await client.receive_bytes()) == ("hello", b"")
    else:
        assert [await client.recv(), await client.recv()] == ["hello", b""]


async def talk_and_close(client: Any) -> None:
    await talk(client)
    await client.close(4002, "enough")


async def close_without_a_code(client: Any) -> None:
    await talk(client)
    if isinstance(client, Client):
        await client.close(None)
    else:
        client.protocol.send_close()
        for data in client.protocol.data_to_send():
            client.transport.write(data)


async def vanish(client: Any) -> None:
    await talk(client)
    if isinstance(client, Client):
        client.vanish()
    else:
        client.transport.abort()


async def close(client: Any) -> None:
    await client.close()


async def stay(client: Any) -> None:
    pass


SCENES: dict[str, tuple[Part, Act]] = {
    "the client closes": (talks, talk_and_close),
    "the client closes without a code": (talks, close_without_a_code),
    "the client vanishes": (talks_until_lost, vanish),
    "the application closes": (closes, stay),
    "the application closes without a code": (closes_without_a_word, stay),
    "the application closes before it accepts": (refuses, stay),
    "the application denies": (denies, stay),
    "the application accepts twice": (accepts_twice, close),
    "the application leaves": (leaves, stay),
    "the application aborts": (aborts, stay),
}


async def over_a_socket(scene: Scene, act: Act) -> Any:
    config = Config(scene, ws="websockets-sansio", lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    protocol: Any = config.http_protocol_class
    server = await asyncio.get_running_loop().create_server(
        lambda: protocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    async with server:
        port = server.sockets[0].getsockname()[1]
        try:
            async with connect(f"ws://127.0.0.1:{port}/", proxy=None) as client:
                await act(client)
                with contextlib.suppress(ConnectionClosed):
                    await client.recv()
                    await client.recv()
        except InvalidStatus as error:
            response = error.response
            return response.status_code, response.headers.get("x-a"), response.body
        await scene.over.wait()
        heard = client.protocol.close_rcvd
        return (1006, "") if heard is None else (heard.code, heard.reason)


async def without_one(scene: Scene, act: Act) -> Any:
    async with plain(scene) as server:
        try:
            client = await server.connect("/")
        except Denied as denied:
            return denied.status, denied.headers.get("x-a"), denied.body
        await act(client)
        await client.ended()
        with contextlib.suppress(AssertionError):  # it is closed
            await client.receive_text()
        return await client.receive_close()


@pytest.mark.parametrize("name", SCENES)
def test_a_scene_is_the_same_as_over_a_socket(name: str) -> None:
    part, act = SCENES[name]

    async def test() -> None:
        real, ours = Scene(part), Scene(part)
        by_socket = await over_a_socket(real, act)
        assert await without_one(ours, act) == by_socket
        await real.over.wait()
        assert ours.notes == real.notes
        assert len(real.notes) > 1

    run(test)
