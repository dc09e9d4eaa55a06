"""A server's end under odd conditions, without a server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import APIRouter, Depends, FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.transport.asgi import turns
from tests.transport.conftest import Refused
from tests.transport.probe import Probe, say
from transport import Connection, Drain, Sockets
from transport._opening import Openings


class RefusedError(Exception):
    """What comes of who is cut short."""


class Starting(Probe):
    """Does not get to its end."""

    async def on_start(self) -> None:
        await super().on_start()
        await self.release.wait()


def served(kind: type[Probe], **plan: Any) -> tuple[FastAPI, Sockets]:
    app = FastAPI()
    sockets = Sockets(app, drain=Drain(**{"timeout": 5.0, "spread": 0.0, **plan}))
    sockets.add("/probe", kind)
    return app, sockets


def test_who_is_still_starting_is_refused_at_once(house: Any, probe: Any) -> None:
    """A start that hangs would keep the server from its end, and would be refused after it."""

    async def test(house: Any) -> None:
        peer = house.dial("/probe")
        opening = asyncio.ensure_future(peer.open())
        await house.until(lambda: probe.journal)
        await house.sockets.drain()
        with pytest.raises(Refused) as caught:
            await opening
        assert caught.value.status == 503
        assert probe.journal == ["start"]
        assert house.system.stats().actors == 0
        assert house.sockets.connections == 0

    house(*served(Starting), test)


def test_a_drain_goes_on_when_who_began_it_gives_up(house: Any, probe: Any) -> None:
    """By hand, with a deadline that is too short; then the server's own waits for the rest."""

    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "wait"})
        await probe.busy.wait()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(house.sockets.drain(), 0.01)
        peer.send(say("still there"))
        waiting = asyncio.ensure_future(house.sockets.drain())
        await asyncio.sleep(0.01)
        assert not waiting.done()
        probe.release.set()
        assert (await peer.receive())["text"] == "released"
        assert (await peer.closed())[0] == 1001
        await waiting

    house(*served(Probe), test)


def test_anybody_may_hurry(house: Any, probe: Any) -> None:
    """Also who came second."""

    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "wait"})
        await probe.busy.wait()
        first = asyncio.ensure_future(house.sockets.drain())
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await house.sockets.drain(lambda: True)
        await first
        assert ("disconnect", 1001) not in probe.journal
        await house.until(lambda: not house.sockets.connections)

    house(*served(Probe, timeout=60.0), test)


@pytest.mark.parametrize("included", [False, True], ids=["the application's", "a router's"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_dependency_that_hangs_keeps_nobody(house: Any, when: str, included: bool) -> None:
    """One that waits for a database that is down, say, on its way in or out."""
    hangs = asyncio.Event()

    async def session() -> AsyncIterator[None]:
        if when == "before":
            hangs.set()
            await asyncio.Event().wait()
        yield
        hangs.set()
        await asyncio.Event().wait()

    async def test(house: Any) -> None:
        peer = house.dial("/session")
        opening = asyncio.ensure_future(peer.open())
        await hangs.wait()
        try:
            await house.sockets.drain()
            assert opening.done()
            with pytest.raises(Refused) as caught:
                await opening
            assert caught.value.status == 503
        finally:
            peer.task.cancel()
            await asyncio.wait([peer.task, opening])
            house.peers.clear()

    app, sockets = served(Probe)
    router = APIRouter() if included else None
    sockets.add("/session", Connection, router=router, dependencies=[Depends(session)])
    if router is not None:
        app.include_router(router)
    house(app, sockets, test)


@pytest.mark.parametrize("outside", [False, True], ids=["by the drain", "by the server too"])
def test_who_is_cut_short_is_refused_unless_it_is_cancelled_anyway(outside: bool) -> None:
    def refuse() -> None:
        raise RefusedError

    openings = Openings(refuse)

    async def opens() -> None:
        with openings.begin():
            await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.ensure_future(opens())
        await asyncio.sleep(0)
        assert openings.cut_short()
        if outside:
            task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() == outside
        assert outside or isinstance(task.exception(), RefusedError)
        assert task.cancelling() == outside
        assert not openings.cut_short()

    asyncio.run(main())


def test_who_is_killed_while_it_is_accepted_is_closed(house: Any, probe: Any) -> None:
    """By a middleware that takes its time, until the drain can wait no longer."""
    held, release = asyncio.Event(), asyncio.Event()

    class Holds:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            async def slow(event: Message) -> None:
                if event["type"] == "websocket.accept":
                    held.set()
                    await release.wait()
                await send(event)

            await self.app(scope, receive, slow)

    async def test(house: Any) -> None:
        peer = house.dial("/probe")
        opening = asyncio.ensure_future(peer.open())
        await held.wait()
        await house.sockets.drain()
        release.set()
        await opening
        assert (await peer.closed())[0] == 1001
        await peer.task
        assert house.sockets.connections == 0

    app, sockets = served(Probe, timeout=0.1)
    app.add_middleware(Holds)
    house(app, sockets, test)


class Closing:
    """A server's transport that it has closed."""

    def abort(self) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return True


def test_whom_the_server_answered_itself_is_not_refused_once_more(house: Any, probe: Any) -> None:
    """uvicorn says 500 to who comes when the drain is over; a second answer would be an error in
    its log, and so would be to return before it knows that the connection is gone."""

    async def test(house: Any) -> None:
        await house.sockets.drain()
        peer = house.dial("/probe")
        peer.transport = Closing()
        peer.error = AssertionError("it was answered already")
        await house.until(lambda: house.sockets.refused.get("drain"))
        await turns()
        assert not peer.task.done()
        peer.vanish()
        await peer.task
        assert peer.waiting() == []

    house(*served(Probe), test)
