"""Who gets in, and how much of them, in memory."""

import asyncio
import json
from typing import Annotated, Any

import pytest
import structlog
from fastapi import APIRouter, Depends, FastAPI
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient
from starlette.exceptions import HTTPException
from starlette.testclient import WebSocketDenialResponse

from tests.transport import guarded
from transport import Connection, Rate, Settings, Sockets, endpoint


def origin(value: str) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"origin", value.encode()),)


async def refused(peer: Any) -> tuple[int, Any]:
    """Status and body of the refusal that must come."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  # `Refused`
        await peer.open()
    refusal: Any = caught.value
    return refusal.status, json.loads(refusal.body)


async def lives(peer: Any) -> None:
    peer.send({"type": "say", "text": "alive"})
    assert await peer.receive() == {"type": "said", "text": "alive"}


def test_a_page_of_another_origin_is_refused_before_anything_runs(house: Any) -> None:
    async def test(house: Any) -> None:
        guarded.admitted.clear()
        with structlog.testing.capture_logs() as logs:
            peer = house.dial("/guest", headers=origin("https://evil.com"))
            status, body = await refused(peer)
        assert status == 403
        assert "https://evil.com" in body["detail"]
        (line,) = logs
        assert (line["log_level"], line["origin"]) == ("warning", "https://evil.com")
        assert "Settings(origins=" in line["event"]
        assert guarded.admitted == []
        assert house.sockets.refused == {"origins": 1}
        peer = house.dial("/guest", headers=origin("http://test"))
        await peer.open()
        assert guarded.admitted == ["here"]

    house(*guarded.build(), test)


@pytest.mark.parametrize("how", ["by `Sockets`", "by `endpoint`"])
def test_what_a_router_serves_has_the_gate_too(house: Any, how: str) -> None:
    admitted: list[str] = []

    async def session() -> str:
        admitted.append("here")
        return "session"

    class Member(Connection):
        def __init__(self, session: Annotated[str, Depends(session)]) -> None:
            self.session = session

    async def test(house: Any) -> None:
        with structlog.testing.capture_logs():
            peer = house.dial("/member", headers=origin("https://evil.com"))
            assert (await refused(peer))[0] == 403
        assert admitted == []
        await house.dial("/member", headers=origin("http://test")).open()
        assert admitted == ["here"]
        assert house.sockets.refused == {"origins": 1}

    app, router = FastAPI(), APIRouter()
    sockets = Sockets(app)
    if how == "by `Sockets`":
        sockets.add("/member", Member, router=router, dependencies=[Depends(session)])
    else:
        router.add_api_websocket_route("/member", endpoint(Member))
    app.include_router(router)
    house(app, sockets, test)


def test_a_route_widens_it_for_itself(house: Any) -> None:
    async def test(house: Any) -> None:
        with structlog.testing.capture_logs():
            for path, sent, allowed in (
                ("/guest", "https://a.example.com", False),
                ("/listed", "https://a.example.com", True),
                ("/listed", "https://aexample.com", False),
                ("/listed", "null", False),
                ("/anybody", "https://evil.com", True),
                ("/anybody", "null", True),
            ):
                peer = house.dial(path, headers=origin(sent))
                if allowed:
                    await peer.open()
                    await lives(peer)
                else:
                    assert (await refused(peer))[0] == 403

    house(*guarded.build(), test)


def test_what_is_shown_of_an_origin_is_bounded(house: Any) -> None:
    async def test(house: Any) -> None:
        with structlog.testing.capture_logs() as logs:
            peer = house.dial("/guest", headers=origin("x" * 10_000))
            _, body = await refused(peer)
        assert len(body["detail"]) < 300
        assert len(logs[0]["origin"]) == 200

    house(*guarded.build(), test)


def test_a_router_that_knows_of_no_sockets_is_watched_as_well(house: Any) -> None:
    app = FastAPI()
    sockets = Sockets(app)
    app.add_api_websocket_route("/guest", endpoint(guarded.Guest))
    mounted = FastAPI()
    mounted.add_api_websocket_route("/guest", endpoint(guarded.Guest))
    app.mount("/inner", mounted)

    async def test(house: Any) -> None:
        with structlog.testing.capture_logs():
            for path in ("/guest", "/inner/guest"):
                peer = house.dial(path, headers=origin("https://evil.com"))
                assert (await refused(peer))[0] == 403
                await house.connect(path)

    house(app, sockets, test)


def test_so_many_connections_and_no_more(house: Any) -> None:
    async def test(house: Any) -> None:
        peers = [await house.connect("/guest") for _ in range(3)]
        assert house.sockets.connections == 3
        for path in ("/guest", "/user"):  # for all routes together
            status, body = await refused(house.dial(path, client=("192.0.2.1", 1)))
            assert (status, body["limit"]) == (503, "max_connections")
            assert 1 <= body["retry_after"] <= 10
        await peers[0].disconnect()
        assert house.sockets.connections == 2
        await lives(await house.connect("/guest"))
        assert house.sockets.refused == {"max_connections": 2}

    house(*guarded.build(max_connections=3), test)


def test_so_many_from_one_address_and_no_more(house: Any) -> None:
    async def test(house: Any) -> None:
        def dial(host: str) -> Any:
            return house.dial("/guest", client=(host, 5))

        for host in ("192.0.2.1", "192.0.2.1", "2001:db8::1", "2001:db8::2", "192.0.2.2"):
            await dial(host).open()
        for host in ("192.0.2.1", "::ffff:192.0.2.1", "2001:db8::3"):
            status, body = await refused(dial(host))
            assert (status, body["limit"]) == (429, "max_connections_per_client")
            assert 1 <= body["retry_after"] <= 10
        await dial("2001:db8:0:1::3").open()
        for _ in range(4):  # a unix socket has no addresses
            await house.dial("/guest", client=None).open()
        await house.peers[0].disconnect()
        await dial("192.0.2.1").open()

    house(*guarded.build(max_connections_per_client=2), test)


def test_who_is_refused_or_fails_takes_no_place(house: Any) -> None:
    async def test(house: Any) -> None:
        for path in ("/shy", "/unknown", "/user"):
            for _ in range(3):
                assert (await refused(house.dial(path)))[0] in (401, 403)
        assert house.sockets.connections == 0
        await lives(await house.connect("/guest"))

    house(*guarded.build(max_connections=1), test)


def test_a_server_without_http_responses_closes_instead(house: Any) -> None:
    """Whoever refuses it: the gate, a dependency, `on_start`, a limit."""

    async def test(house: Any) -> None:
        with structlog.testing.capture_logs():
            for peer in (
                house.dial("/guest", headers=origin("https://evil.com"), denial=False),
                house.dial("/unknown", denial=False),
                house.dial("/shy", denial=False),
            ):
                assert await refused(peer) == (403, 1008)
                await peer.task
            await house.connect("/guest")
            assert await refused(house.dial("/guest", denial=False)) == (403, 1008)

    house(*guarded.build(max_connections=1), test)


def test_an_applications_own_handler_makes_the_response() -> None:
    app = FastAPI()

    async def teapot(request: Any, error: Any) -> JSONResponse:
        return JSONResponse({"mine": error.detail}, 418)

    app.add_exception_handler(HTTPException, teapot)
    Sockets(app).add("/shy", guarded.Shy)

    @app.get("/http")
    async def http() -> None:
        raise HTTPException(403, "no")

    with TestClient(app) as client:
        with pytest.raises(WebSocketDenialResponse) as caught:
            client.websocket_connect("/shy").__enter__()
        assert (caught.value.status_code, caught.value.json()) == (418, {"mine": {"why": "shy"}})
        assert client.get("/http").json() == {"mine": "no"}


async def flood(peer: Any, count: int, size: int = 1) -> None:
    for _ in range(count):
        peer.send({"type": "say", "text": "x" * size})


@pytest.mark.parametrize(
    ("path", "size", "limit", "passed"),
    [("/slow", 1, "message_rate", 5), ("/thin", 72, "byte_rate", 3)],
)
def test_a_flood_is_refused_and_the_client_told_once(
    house: Any, path: str, size: int, limit: str, passed: int
) -> None:
    """At most one frame for as many as come within a second, and in the end each is told of."""

    async def test(house: Any) -> None:
        peer = await house.connect(path)
        await flood(peer, 50, size)
        frames: list[Any] = []
        told = 0
        while told < 50 - passed:
            frame = await peer.receive()
            frames.append(frame)
            if frame["type"] == "error":
                assert (frame["code"], frame["limit"]) == ("too_fast", limit)
                assert 0 <= frame["retry_after"] <= 1
                told += int(frame["detail"].partition(" ")[0])
        assert [frame["type"] for frame in frames].count("said") == passed
        assert len(frames) == passed + 2
        assert told == 50 - passed
        assert house.sockets.refused == {limit: told}
        # It has waited as long as it was told to.
        await lives(peer)
        assert peer.waiting() == []

    house(*guarded.build(), test)


def test_a_flood_keeps_nobody_from_their_turn(house: Any) -> None:
    async def test(house: Any) -> None:
        peer, other = await house.connect("/slow"), await house.connect("/guest")
        await flood(peer, 5000)
        began = asyncio.get_running_loop().time()
        await lives(other)
        assert asyncio.get_running_loop().time() - began < 0.1
        assert house.sockets.refused.get("message_rate", 0) < 4000

    house(*guarded.build(), test)


def test_by_choice_a_flood_closes_with_1008(house: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/closing")
        await flood(peer, 50)
        while (event := await peer.event())["type"] == "websocket.send":
            assert json.loads(event["text"])["type"] == "said"
        assert event["code"] == 1008
        assert "2 messages a second" in event["reason"]

    house(*guarded.build(), test)


def test_without_a_rate_nothing_is_refused(house: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/guest")
        for _ in range(10):
            await flood(peer, 50)
            assert {(await peer.receive())["type"] for _ in range(50)} == {"said"}

    house(*guarded.build(settings=Settings(message_rate=None, byte_rate=None)), test)


def test_without_a_word_about_it_there_is_a_rate() -> None:
    assert Settings().message_rate == Rate(100, burst=200)
    assert Settings().byte_rate == Rate(1024 * 1024, burst=4 * 1024 * 1024)
