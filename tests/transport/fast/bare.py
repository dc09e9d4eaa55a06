"""A bare ASGI application for the tests' servers: what it does is in the path.

What it received last, and other things of the inside, it tells over HTTP: `/told/{who}` waits for
the event a connection of `?who=` ended with.
"""

import asyncio
import contextlib
import gc
import json
from typing import Any
from urllib.parse import parse_qsl

from transport import _frames as frames

PATIENCE = 20.0

told: dict[str, list[Any]] = {}
changed = asyncio.Condition()
release = asyncio.Event()


async def tell(who: str, what: Any) -> None:
    async with changed:
        told.setdefault(who, []).append(what)
        changed.notify_all()


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while True:
            event = await receive()
            await send({"type": f"{event['type']}.complete"})
            if event["type"] == "lifespan.shutdown":
                return
    _, name, *rest = scope["path"].split("/")
    query = dict(parse_qsl(scope["query_string"].decode()))
    if scope["type"] == "http":
        await answer(name, rest, send)
        return
    conversation = Conversation(scope, receive, send, query)
    assert (await receive())["type"] == "websocket.connect"
    await getattr(conversation, name.replace("-", "_"))(*rest)


async def answer(name: str, rest: list[str], send: Any) -> None:
    body: Any = None
    if name == "told":
        async with asyncio.timeout(PATIENCE), changed:
            await changed.wait_for(lambda: len(told.get(rest[0], ())) >= int(rest[1]))
        body = told[rest[0]]
    elif name == "garbage":
        gc.disable()
        body = gc.collect()
    elif name == "release":
        release.set()
    data = json.dumps(body).encode()
    headers = [(b"content-length", b"%d" % len(data)), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": data})


class Bursts:
    """Takes whole bursts, and writes whole bursts: what an extension would do."""

    def __init__(self) -> None:
        self.stream: Any = None
        self.calls: list[str] = []
        self.gone = asyncio.Event()
        self.paused = asyncio.Event()

    def receive(self, burst: Any) -> None:
        self.calls.append(f"receive {' '.join(burst)}")
        if burst[0].startswith("flood"):
            for _ in range(200):
                self.stream.write(frames.binary(bytes(100_000)))
        elif burst[0] == "close":
            self.stream.close(4000, "asked for")
        elif burst[0] == "abort":
            self.stream.abort()
        else:
            self.stream.write(b"".join(map(frames.text, burst)))

    def pause_writing(self) -> None:
        self.calls.append("pause")
        self.paused.set()

    def resume_writing(self) -> None:
        self.calls.append("resume")

    def disconnect(self, code: int, reason: str) -> None:
        self.calls.append(f"disconnect {code} {reason}".strip())
        self.gone.set()


class Conversation:
    """One WebSocket."""

    def __init__(self, scope: Any, receive: Any, send: Any, query: dict[str, str]) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send
        self.who = query.get("who", "nobody")

    async def accept(self, **more: Any) -> None:
        await self.send({"type": "websocket.accept", **more})

    async def text(self, text: str) -> None:
        await self.send({"type": "websocket.send", "text": text})

    async def echo(self) -> None:
        await self.accept()
        while True:
            event = await self.receive()
            if event["type"] == "websocket.disconnect":
                await tell(self.who, event)
                return
            with contextlib.suppress(OSError):  # it has closed by now
                await self.send({**event, "type": "websocket.send"})

    async def hear(self) -> None:
        """Tell of each event, and after the last what comes when asked once more."""
        await self.accept()
        while True:
            event = await self.receive()
            await tell(self.who, {key: repr(value) for key, value in event.items()})
            if event["type"] == "websocket.disconnect":
                assert await self.receive() == event
                try:
                    await self.text("too late")
                except OSError as error:
                    await tell(self.who, type(error).__name__)
                return

    async def bursts(self) -> None:
        await self.accept()
        while self.scope["query_string"].endswith(b"late"):  # so that something is queued
            await asyncio.sleep(0.01)
            if self.receive.__self__.inbox.waiting:
                break
        inbound = Bursts()
        inbound.stream = self.receive.__self__.stream
        assert self.receive.__self__.attach(inbound) is inbound.stream
        try:
            await self.text("behind the inbound's back")
        except RuntimeError as error:
            await tell("attached", str(error))
        if self.who == "flood":
            await inbound.paused.wait()
            await tell("paused", "")
        await inbound.gone.wait()
        await tell(self.who, inbound.calls)

    async def scoped(self, *_: str) -> None:
        """Send the scope, or most of it."""
        await self.accept()
        scope = {key: value for key, value in self.scope.items() if key != "state"}
        scope["extensions"].pop("greenroom.bursts", None)  # a function
        await self.text(json.dumps(scope, default=lambda value: value.decode("latin-1")))
        await self.receive()

    async def sub(self, chosen: str = "") -> None:
        await self.accept(
            subprotocol=chosen or None, headers=[(b"x-mine", b"one"), (b"x-mine", b"two")]
        )
        await self.receive()

    async def injected(self) -> None:
        await self.accept(headers=[(b"x-mine", b"one\r\nx-evil: two")])

    async def refuse(self) -> None:
        await self.send({"type": "websocket.close", "code": 4000})
        await tell(self.who, (await self.receive())["type"])
        try:
            await self.accept()
        except RuntimeError as error:
            await tell(self.who, str(error))

    async def deny(self, status: str, *parts: str) -> None:
        """A denial in so many parts."""
        headers = [(b"x-why", b"because"), (b"content-type", b"text/plain")]
        start = {"type": "websocket.http.response.start", "status": int(status), "headers": headers}
        await self.send(start)
        for number, part in enumerate(parts, 1):
            await self.send(
                {
                    "type": "websocket.http.response.body",
                    "body": part.encode(),
                    "more_body": number < len(parts),
                }
            )

    async def deny_large(self, size: str) -> None:
        headers = [(b"content-length", size.encode())]
        start = {"type": "websocket.http.response.start", "status": 403, "headers": headers}
        await self.send(start)
        body = "websocket.http.response.body"
        for _ in range(int(size) // 65536):
            await self.send({"type": body, "body": bytes(65536), "more_body": True})
        await self.send({"type": body})

    async def deny_half(self) -> None:
        headers = [(b"content-length", b"10")]
        start = {"type": "websocket.http.response.start", "status": 403, "headers": headers}
        await self.send(start)
        await self.send({"type": "websocket.http.response.body", "body": b"a", "more_body": True})

    async def deny_nothing(self) -> None:
        start = {"type": "websocket.http.response.start", "status": 403, "headers": []}
        await self.send(start)

    async def boom(self) -> None:
        raise ZeroDivisionError

    async def nothing(self) -> None:
        """Return without an answer."""

    async def boom_later(self) -> None:
        await self.accept()
        await self.text("before")
        raise ZeroDivisionError

    async def return_later(self) -> None:
        await self.accept()
        await self.text("before")

    async def close(self, code: str, reason: str = "") -> None:
        await self.accept()
        await self.text("before")
        await self.send({"type": "websocket.close", "code": int(code), "reason": reason})
        await tell(self.who, await self.receive())
        try:
            await self.text("after")
        except RuntimeError as error:
            await tell(self.who, str(error))

    async def slow_accept(self) -> None:
        """Answer when released; tell what comes of it."""
        await tell(self.who, "asked")
        await release.wait()
        try:
            await self.accept()
            while (event := await self.receive())["type"] == "websocket.receive":
                await self.send({**event, "type": "websocket.send"})
        except OSError as error:
            await tell(self.who, type(error).__name__)

    async def undecided(self) -> None:
        """Answer nothing until there is nobody to answer."""
        await tell(self.who, "asked")
        assert (await self.receive())["type"] == "websocket.disconnect"

    async def busy(self) -> None:
        """Receive nothing until released, then echo."""
        await self.accept()
        await self.text("busy")
        await release.wait()
        await self.echo_on()

    async def echo_on(self) -> None:
        while (event := await self.receive())["type"] == "websocket.receive":
            await self.send({**event, "type": "websocket.send"})

    async def flood(self, count: str, size: str) -> None:
        """Send so much; tell whether it could."""
        await self.accept()
        try:
            for _ in range(int(count)):
                await self.send({"type": "websocket.send", "bytes": bytes(int(size))})
            await tell(self.who, "sent")
        except OSError as error:
            await tell(self.who, type(error).__name__)
        await tell(self.who, await self.receive())
