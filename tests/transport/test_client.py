"""The client without a network: what it asks, says and hears."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, WebSocket

from tests.transport.asgi import Scope, plain, run
from tests.transport.talk import Chat, Leave, Said, Say, application
from transport import CurrentSystem, ErrorFrame, MessagePack, Raw, Reply, Sockets, Text
from transport.testing import Denied, TestServer

pytestmark = pytest.mark.usefixtures("both_wires")


def test_messages_go_there_and_back_in_the_tests_own_loop() -> None:
    async def test() -> None:
        async with TestServer(application()) as server:
            ann, bob = await server.connect("/chat"), await server.connect("/chat")
            await ann.send(Say("hello"))
            for client in (ann, bob):
                assert await client.receive(Said) == Said("hello")
            await bob.send_json({"type": "say", "text": "hi"})
            assert await bob.receive() == {"type": "said", "text": "hi"}
            assert await ann.receive_json() == {"type": "said", "text": "hi"}
            await ann.send_json({"type": "total", "of": [1, 2], "id": 7})
            assert await ann.receive(Reply) == Reply(id=7, value=3)
            assert len(server.system.members("all")) == 2
            assert len(asyncio.all_tasks()) > 2  # the application's are this loop's

    run(test)


def test_frames_go_through_the_codec_that_was_given() -> None:
    async def test() -> None:
        async with TestServer(application()) as server:
            packed = await server.connect("/packed", codec=MessagePack())
            await packed.send(Say("hello"))
            assert await packed.receive() == {"type": "said", "text": "hello"}
            await packed.send(Say("hello"))
            assert await packed.receive(Said) == Said("hello")
            echo = await server.connect("/echo")
            await echo.send_text("a")
            await echo.send_bytes(b"b")
            await echo.send("c")
            await echo.send(b"d")
            assert await echo.receive_text() == "a"
            assert await echo.receive_bytes() == b"b"
            assert (await echo.receive_text(), await echo.receive_bytes()) == ("c", b"d")
            words = await server.connect("/text", codec=Text())
            await words.send("{")
            assert await words.receive() == "{"
            await words.send("{")
            assert await words.receive(str) == "{"
            raw = await server.connect("/raw", codec=Raw())
            await raw.send(b"{")
            assert await raw.receive(bytes) == b"{"
            with pytest.raises(TypeError):
                await raw.send(Say("a raw socket carries none"))

    run(test)


def test_the_lifespan_runs_once_for_all_clients() -> None:
    journal: list[str] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[dict[str, int]]:
        journal.append("start")
        yield {"answer": 42}
        journal.append("end")

    app = FastAPI(lifespan=lifespan)
    Sockets(app).add("/chat", Chat)

    @app.websocket("/state")
    async def state(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_json(websocket.state.answer)

    async def test() -> None:
        async with TestServer(app) as server:
            for _ in range(3):
                await server.connect("/chat")
                assert await (await server.connect("/state")).receive_json() == 42
            assert journal == ["start"]
        assert journal == ["start", "end"]

    run(test)


def test_http_calls_reach_the_same_application() -> None:
    app = application()

    @app.post("/say/{words}")
    async def say(words: str, system: CurrentSystem) -> int:
        system.publish("all", Said(words))
        return len(system.members("all"))

    async def test() -> None:
        async with TestServer(app) as server:
            client = await server.connect("/chat")
            await client.send(Say("in"))
            await client.receive(Said)
            transport = httpx2.ASGITransport(app=server)
            async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
                assert (await http.post("/say/hello")).json() == 1
            assert await client.receive(Said) == Said("hello")

    run(test)


def test_what_a_client_asks_with_is_in_the_scope() -> None:
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await receive()
        await send(
            {
                "type": "websocket.accept",
                "subprotocol": "b",
                "headers": [(b"X-Answer", b"42")],
            }
        )

    async def test() -> None:
        async with plain(app) as server:
            client = await server.connect(
                "/caf%C3%A9?token=a%20b",
                headers={"Authorization": "Bearer x"},
                subprotocols=["a", "b"],
                origin="https://example.com",
                client=("203.0.113.1", 5000),
                scheme="wss",
            )
            assert client.subprotocol == "b"
            assert client.headers == {"x-answer": "42"}
            await server.connect(
                "/",
                headers=[("host", "own"), ("x", "1"), ("x", "2")],
                subprotocols=["b"],
                client=None,
            )
        first, second = scopes
        assert (first["path"], first["raw_path"]) == ("/café", b"/caf%C3%A9")
        assert first["query_string"] == b"token=a%20b"
        assert (first["client"], first["scheme"]) == (("203.0.113.1", 5000), "wss")
        assert first["subprotocols"] == ["a", "b"]
        headers = dict(first["headers"])
        assert headers[b"authorization"] == b"Bearer x"
        assert headers[b"origin"] == b"https://example.com"
        assert headers[b"host"] == b"testserver"
        assert headers[b"sec-websocket-protocol"] == b"a, b"
        assert first["extensions"] == {"websocket.http.response": {}}
        assert second["client"] is None
        assert [value for name, value in second["headers"] if name == b"host"] == [b"own"]
        assert [value for name, value in second["headers"] if name == b"x"] == [b"1", b"2"]

    run(test)


def test_a_denial_is_raised_with_its_status_headers_and_body() -> None:
    async def test() -> None:
        async with TestServer(application()) as server:
            with pytest.raises(Denied) as denied:
                await server.connect("/picky")
            assert denied.value.status == 409
            assert denied.value.json() == {"detail": "taken"}
            assert denied.value.headers["x-why"] == "picky"
            with pytest.raises(Denied) as denied:
                await server.connect("/guarded")
            assert denied.value.status == 401
            with pytest.raises(Denied) as denied:
                await server.connect("/nowhere")
            assert denied.value.status == 403  # a bare close
            with pytest.raises(Denied) as denied:
                await server.connect("/picky", extensions={})
            assert (denied.value.status, denied.value.body) == (403, b"")
            client = await server.connect("/guarded?token=a")
            assert await client.receive(Said) == Said("a")

    run(test)


def test_a_denial_may_come_in_parts() -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.http.response.start", "status": 418})
        await send({"type": "websocket.http.response.body", "body": b"tea", "more_body": True})
        await send({"type": "websocket.http.response.body", "body": b"pot"})
        assert await receive() == {"type": "websocket.disconnect", "code": 1006}

    async def test() -> None:
        async with plain(app) as server:
            with pytest.raises(Denied) as denied:
                await server.connect("/")
            assert (denied.value.status, denied.value.body) == (418, b"teapot")

    run(test)


def test_a_handshake_without_an_answer_says_so() -> None:
    events: list[Any] = []

    async def silent(scope: Scope, receive: Any, send: Any) -> None:
        events.append(await receive())
        events.append(await receive())

    async def ends(scope: Scope, receive: Any, send: Any) -> None:
        pass

    async def test() -> None:
        async with plain(silent) as server:
            with pytest.raises(AssertionError, match=r"/slow: .* took 0.05 s without accepting"):
                await server.connect("/slow", timeout=0.05)
        # It heard of the client's giving up.
        assert events[1] == {"type": "websocket.disconnect", "code": 1006}
        async with plain(ends) as server:
            with pytest.raises(AssertionError, match="ended without accepting"):
                await server.connect("/")

    run(test)


def test_a_subprotocol_that_was_not_offered_is_an_error_as_in_a_browser() -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept", "subprotocol": "c"})

    async def test() -> None:
        async with plain(app) as server:
            with pytest.raises(AssertionError, match="'c' was accepted, but was not offered"):
                await server.connect("/", subprotocols=["a", "b"])

    run(test)


def test_a_wait_has_a_deadline_that_harms_nobody() -> None:
    async def test() -> None:
        async with TestServer(application(), timeout=0.02) as server:
            client = await server.connect("/chat")
            with pytest.raises(AssertionError, match=r"Said was to come within 0.02 s; nothing"):
                await client.receive(Said)
            for value in ("a", "b"):
                await client.send(Say(value))
                assert (await client.receive(Said, timeout=1.0)).text == value
            with pytest.raises(AssertionError, match=r"0.01 s; so far 2 came, .*\"b\""):
                await client.receive_json(timeout=0.01)
            with pytest.raises(AssertionError, match="a close was to come within"):
                await client.receive_close()
            with pytest.raises(AssertionError, match="the application was to end within"):
                await client.ended()
            await client.send(Say("c"))  # and it goes on
            assert (await client.receive(Said, timeout=1.0)).text == "c"

    run(test)


def test_what_comes_instead_is_shown() -> None:
    async def test() -> None:
        async with TestServer(application()) as server:
            client = await server.connect("/chat")
            await client.send_text("{")
            with pytest.raises(AssertionError, match=r"Said was to come, not .*malformed"):
                await client.receive(Said)
            await client.send_text("{")
            assert (await client.receive(ErrorFrame)).code == "malformed"
            await client.send(Say("x" * 500))
            with pytest.raises(
                AssertionError, match=r"a close was to come, not .{200,220} \(\d+ long\)"
            ):
                await client.receive_close()
            with pytest.raises(AssertionError, match="a binary frame was to come, not"):
                await client.receive_bytes()
            echo = await server.connect("/echo")
            await echo.send_bytes(b"\x00")
            with pytest.raises(AssertionError, match="a text frame was to come, not"):
                await echo.receive_text()
            await echo.send_bytes(b"\x00")
            with pytest.raises(AssertionError, match="Said was to come, not"):
                await echo.receive(Said)
            await echo.send_text("no JSON")
            with pytest.raises(AssertionError, match="JSON was to come, not 'no JSON'"):
                await echo.receive_json()
            await client.send(Leave(4001))
            assert (await client.receive(Said)).text == "before"
            with pytest.raises(
                AssertionError, match=r"Said was to come, but .* closed: 4001 'bye'"
            ):
                await client.receive(Said)

    run(test)


def test_nothing_is_received_when_nothing_comes() -> None:
    async def test() -> None:
        async with TestServer(application()) as server:
            client = await server.connect("/chat")
            await client.receive_nothing(within=0.02)
            await client.send(Say("a"))
            with pytest.raises(AssertionError, match=r"nothing was to come, but .* did"):
                await client.receive_nothing()
            assert await client.receive(Said) == Said("a")  # it may still be received
            await client.send(Leave(4001))
            await client.receive(Said)
            with pytest.raises(AssertionError, match=r"nothing was to come, but .* 4001"):
                await client.receive_nothing()

    run(test)


def test_the_applications_close_is_received_behind_what_came_before() -> None:
    async def test() -> None:
        async with TestServer(application()) as server:
            client = await server.connect("/chat")
            assert client.closed is None
            await client.send(Leave(4001))
            assert await client.receive(Said) == Said("before")
            assert await client.receive_close() == (4001, "bye")
            assert await client.receive_close() == (4001, "bye") == client.closed
            await client.ended()
            assert Chat.codes == [4001]
            with pytest.raises(AssertionError, match=r"a frame was to be sent, but .* 4001"):
                await client.send(Say("too late"))

    run(test)


@pytest.mark.parametrize(("code", "heard"), [(1000, 1000), (4002, 4002), (None, 1005)])
def test_the_clients_close_is_heard_behind_what_was_sent_before(
    code: int | None, heard: int
) -> None:
    async def test() -> None:
        async with TestServer(application()) as server:
            witness, client = await server.connect("/chat"), await server.connect("/chat")
            await client.send(Say("the last word"))
            await client.close(code, "bye")
            await client.close(4999)
            await client.ended()
            assert client.closed == (heard, "bye")
            assert Chat.codes == [heard]
            assert await witness.receive(Said) == Said("the last word")

    run(test)


def test_a_client_that_vanishes_is_a_lost_connection() -> None:
    async def test() -> None:
        async with TestServer(application()) as server:
            client = await server.connect("/chat")
            await client.send(Say("a"))
            await client.receive(Said)
            client.vanish()
            await client.ended()
            assert await client.receive_close() == (1006, "")
            assert Chat.codes == [1006]

    run(test)


def test_an_application_may_be_served_again() -> None:
    app = application()

    async def test() -> None:
        for _ in range(2):
            async with TestServer(app) as server:
                client = await server.connect("/chat")
                await client.send(Say("again"))
                assert await client.receive(Said) == Said("again")
            with pytest.raises(RuntimeError, match="once"):
                await server.__aenter__()
            with pytest.raises(RuntimeError, match="inside"):
                await server.connect("/chat")
        with pytest.raises(RuntimeError, match="inside"):
            await TestServer(app).connect("/chat")
        names = {re.sub(r"\d+", "", task.get_name()) for task in asyncio.all_tasks()}
        assert names == {"Task-"}

    run(test)
