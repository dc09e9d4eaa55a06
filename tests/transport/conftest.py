"""A peer without a network: it drives an application by ASGI, plain or with bursts, in the test's
own loop.

Where a real server and its buffers would make a moment a matter of chance (a send that blocks, a
frame in hand when the client goes), this peer decides it exactly.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
from fastapi import FastAPI
from fastapi.testclient import TestClient

from actors import ActorSystem, DeadLetter, Instrument
from tests.transport.bursting import Bursting
from tests.transport.probe import Probe
from transport import Sockets
from transport.testing import TestServer

PATIENCE = 20.0
"""Seconds anything may take before a test fails."""


class Refused(Exception):
    """The handshake was refused."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


class Peer:
    """One client of an application. What it sends and gets are ASGI events."""

    def __init__(self, app: Any, scope: dict[str, Any]) -> None:
        self.reading = asyncio.Event()  # cleared: sends of the application block
        self.reading.set()
        self.sending = asyncio.Event()  # set while a send of the application blocks
        self.error: Exception | None = None  # raised by sends
        self.cut_short = False  # whether a send that blocked was cancelled
        self.subprotocol: str | None = None
        self._passing: asyncio.Future[Any] | None = None
        self._to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._to_peer: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.task: asyncio.Future[None] = asyncio.ensure_future(
            app(scope, self._to_app.get, self._send)
        )

    async def _send(self, event: Any) -> None:
        if not self.reading.is_set():
            self.sending.set()
            passing = self._passing = asyncio.ensure_future(self.reading.wait())
            try:
                await asyncio.wait([passing])
            except asyncio.CancelledError:
                self.cut_short = True
                raise
            self.sending.clear()
        if self.error is not None:
            raise self.error
        self._to_peer.put_nowait(event)

    def pass_one(self) -> None:
        """Let the send that blocks through, and only that one."""
        assert self._passing is not None
        self._passing.cancel()
        self.sending.clear()

    async def event(self) -> dict[str, Any]:
        """The next thing the application sent; fails if it ended instead."""
        getting = asyncio.ensure_future(self._to_peer.get())
        either: list[asyncio.Future[Any]] = [getting, self.task]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not getting.done():
            getting.cancel()
            self.task.result()
            raise AssertionError("the application ended without another word")
        return getting.result()

    async def open(self) -> None:
        self._to_app.put_nowait({"type": "websocket.connect"})
        event = await self.event()
        if event["type"] == "websocket.http.response.start":
            body = await self.event()
            raise Refused(event["status"], body["body"])
        if event["type"] == "websocket.close":
            raise Refused(403, str(event["code"]).encode())
        assert event["type"] == "websocket.accept"
        self.subprotocol = event["subprotocol"]

    def send(self, message: object) -> None:
        """`str` and `bytes` as they are, anything else as JSON."""
        if isinstance(message, bytes):
            self._to_app.put_nowait({"type": "websocket.receive", "bytes": message})
        else:
            text = message if isinstance(message, str) else json.dumps(message)
            self._to_app.put_nowait({"type": "websocket.receive", "text": text})

    async def data(self) -> str | bytes:
        """The data of the next frame."""
        event = await self.event()
        assert event["type"] == "websocket.send", event
        data: str | bytes = event["text"] if event.get("bytes") is None else event["bytes"]
        return data

    async def receive(self) -> Any:
        """The next frame, from JSON."""
        return json.loads(await self.data())

    async def closed(self) -> tuple[int, str]:
        """The close frame, which must come next, and the application's end after it."""
        event = await self.event()
        assert event["type"] == "websocket.close", event
        await self.task
        return event["code"], event["reason"]

    def waiting(self) -> list[dict[str, Any]]:
        """All that was sent and not received yet."""
        return [self._to_peer.get_nowait() for _ in range(self._to_peer.qsize())]

    async def disconnect(self, code: int = 1000) -> None:
        """Close, and wait for the application to be done with it."""
        self.vanish({"type": "websocket.disconnect", "code": code, "reason": ""})
        await self.task

    def vanish(self, event: dict[str, Any] | None = None) -> None:
        """Be gone; by default as uvicorn reports a lost connection."""
        self._to_app.put_nowait(event or {"type": "websocket.disconnect", "code": 1005})


class Letters(Instrument):
    """Collects dead letters."""

    def __init__(self) -> None:
        self.letters: list[DeadLetter] = []

    def dead_letter(self, letter: DeadLetter) -> None:
        self.letters.append(letter)


class House:
    """An application under its lifespan, and its peers."""

    def __init__(
        self, app: FastAPI, sockets: Sockets, state: dict[str, Any], wire: str = "plain"
    ) -> None:
        self.app = app
        self.asgi: Any = Bursting(app, _actor_ended) if wire == "bursts" else app
        self.sockets = sockets
        self.state = state
        self.peers: list[Peer] = []

    @property
    def system(self) -> ActorSystem:
        return self.sockets.system

    def dial(
        self,
        path: str,
        query: str = "",
        subprotocols: tuple[str, ...] = (),
        *,
        denial: bool = True,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        client: tuple[str, int] | None = ("127.0.0.1", 1),
        extensions: Mapping[str, Any] | None = None,
    ) -> Peer:
        """A peer that has sent its request. `extensions`: of ASGI, besides that for a denial."""
        scope = {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "ws",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(b"host", b"test"), *headers],
            "client": client,
            "server": ("127.0.0.1", 2),
            "subprotocols": list(subprotocols),
            "state": dict(self.state),
            "extensions": {
                **({"websocket.http.response": {}} if denial else {}),
                **(extensions or {}),
            },
        }
        peer = Peer(self.asgi, scope)
        self.peers.append(peer)
        return peer

    async def until(self, condition: Callable[[], object]) -> None:
        """Let everything run until the condition holds."""
        while not condition():  # noqa: ASYNC110  # what the tests wait for tells nobody of itself
            await asyncio.sleep(0)

    async def connect(self, path: str, query: str = "", subprotocols: tuple[str, ...] = ()) -> Peer:
        peer = self.dial(path, query, subprotocols)
        await peer.open()
        return peer


async def _actor_ended(wire: Any) -> None:
    """As a call over plain ASGI does, wait for the actor too."""
    await wire._socket.context.ref.wait()


@asynccontextmanager
async def _open(app: FastAPI, sockets: Sockets, wire: str) -> AsyncIterator[House]:
    async with app.router.lifespan_context(app) as state:
        house = House(app, sockets, dict(state or {}), wire)
        yield house
        for peer in house.peers:
            peer.reading.set()
            if not peer.task.done():
                peer.vanish()
        for result in await asyncio.gather(
            *(peer.task for peer in house.peers), return_exceptions=True
        ):
            assert result is None, result
        stats = house.system.stats()
        letters = sum(number for why, number in stats.dead_letters.items() if why.of_mail)
        assert stats.told == stats.handled + stats.crashed + letters


Test = Callable[[House], Awaitable[None]]


Run = Callable[[FastAPI, Sockets, Test], None]


def _runner(wire: str) -> Run:
    def run(app: FastAPI, sockets: Sockets, test: Test) -> None:
        async def main() -> None:
            async with _open(app, sockets, wire) as opened:
                await test(opened)

        asyncio.run(_bounded(main()))

    return run


@pytest.fixture(params=["plain", "bursts"])
def wire(request: pytest.FixtureRequest) -> str:
    """What the server offers: plain ASGI, or bursts as well. Each test runs over both."""
    kind: str = request.param
    return kind


@pytest.fixture
def house(wire: str) -> Run:
    """Run `test(house)` with the application open; fails if that takes more than `PATIENCE`.

    At the end every peer goes, and the system's counts must add up.
    """
    return _runner(wire)


@pytest.fixture
def plain_house() -> Run:
    """The same over plain ASGI alone: for what is only true of that, which the test says."""
    return _runner("plain")


@pytest.fixture
def both_wires(wire: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Starlette's `TestClient` and our `TestServer` serve applications of FastAPI over either."""
    if wire == "plain":
        return
    for kind in (TestClient, TestServer):

        def served(
            self: Any, app: Any, *args: Any, start: Any = kind.__init__, **options: Any
        ) -> None:
            app = Bursting(app, _actor_ended) if isinstance(app, FastAPI) else app
            start(self, app, *args, **options)

        monkeypatch.setattr(kind, "__init__", served)


async def _bounded(work: Coroutine[Any, Any, None]) -> None:
    async with asyncio.timeout(PATIENCE):
        await work


@pytest.fixture
def letters() -> Letters:
    """An instrument that collects dead letters."""
    return Letters()


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> type[Probe]:
    """The class, with a journal and events that belong to this test alone."""
    monkeypatch.setattr(Probe, "journal", [], raising=False)
    monkeypatch.setattr(Probe, "release", asyncio.Event(), raising=False)
    monkeypatch.setattr(Probe, "busy", asyncio.Event(), raising=False)
    return Probe


@pytest.fixture
def logged() -> Any:
    """What is logged, as a list of events; reaches loggers that were made before."""
    with structlog.testing.capture_logs() as events:
        yield events
