"""The endpoint: parameters, names and refusals, with Starlette's TestClient as the client."""

import asyncio
import threading
from typing import Annotated, Any

import pytest
import structlog
from fastapi import FastAPI, Header, HTTPException, Query
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse

from actors import receive
from tests.transport.chat import Say, application
from tests.transport.probe import Probe, Said, said
from tests.transport.probe import application as probe_application
from transport import Connection, Sockets, endpoint

pytestmark = pytest.mark.usefixtures("both_wires")


def test_the_sketch_of_the_product() -> None:
    app, _ = application()
    with TestClient(app) as client, client.websocket_connect("/chat/ada") as ada:
        ada.send_json({"type": "say", "text": "alone"})
        assert ada.receive_json() == {"type": "said", "who": "ada", "text": "alone"}
        with client.websocket_connect("/chat/bob") as bob:
            bob.send_json({"type": "say", "text": "hello"})
            for socket in (ada, bob):
                assert socket.receive_json() == {"type": "said", "who": "bob", "text": "hello"}


def test_the_wire_is_the_fastest_that_the_server_offers(house: Any, probe: Any, wire: str) -> None:
    class Wired(Probe):
        async def on_connect(self) -> None:
            assert self.__socket__ is not None
            self.send(Said(type(self.__socket__._wire).__name__))

    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        expected = {"plain": "PlainWire", "bursts": "BurstWire"}
        assert await peer.receive() == said(expected[wire])

    house(*probe_application(Wired), test)


def test_parameters_of_the_class_are_parameters_of_the_route() -> None:
    class Params(Connection):
        def __init__(
            self,
            number: int,
            path: str,
            limit: int = 10,
            tag: Annotated[list[str] | None, Query()] = None,
            x_token: Annotated[str, Header()] = "none",
            *,
            flag: bool = False,
        ) -> None:
            self.got = {
                "number": number,
                "path": path,
                "limit": limit,
                "tag": tag,
                "token": x_token,
                "flag": flag,
            }

        async def on_connect(self) -> None:
            self.send(self.got)
            headers = self.handshake.headers
            self.send({"agent": headers["user-agent"], "params": dict(self.path_params)})

    app = FastAPI()
    Sockets(app).add("/p/{number}/{path:path}", Params)
    with TestClient(app) as client:
        with client.websocket_connect(
            "/p/7/a/b?limit=3&tag=x&tag=y&flag=true",
            headers={"x-token": "secret", "user-agent": "me"},
        ) as socket:
            assert socket.receive_json() == {
                "number": 7,
                "path": "a/b",
                "limit": 3,
                "tag": ["x", "y"],
                "token": "secret",
                "flag": True,
            }
            got = socket.receive_json()
            assert got["agent"] == "me"
            assert got["params"] == {"number": "7", "path": "a/b"}
        with client.websocket_connect("/p/1/x") as socket:
            got = socket.receive_json()
            assert (got["limit"], got["tag"], got["token"], got["flag"]) == (
                10,
                None,
                "none",
                False,
            )


def test_a_parameter_that_does_not_validate_is_refused_before_the_accept() -> None:
    started = []

    class Numbered(Connection):
        def __init__(self, number: int) -> None:
            started.append(number)

    app = FastAPI()
    Sockets(app).add("/n/{number}", Numbered)
    with TestClient(app) as client:
        with (
            pytest.raises(WebSocketDenialResponse) as refused,
            client.websocket_connect("/n/seven"),
        ):
            pass
        assert refused.value.status_code == 422
        assert refused.value.json()["detail"][0]["loc"] == ["path", "number"]
        assert started == []


@pytest.mark.parametrize("where", ["init", "on_start"])
def test_an_http_exception_before_the_accept_is_an_http_denial(where: str) -> None:
    def refuse(place: str) -> None:
        if place == where:
            raise HTTPException(418, {"why": where}, headers={"x-why": where})

    class Picky(Connection):
        def __init__(self) -> None:
            refuse("init")

        async def on_start(self) -> None:
            self.join("pickies")
            refuse("on_start")

    app = FastAPI()
    sockets = Sockets(app)
    sockets.add("/picky", Picky, name="picky")
    with TestClient(app) as client:
        for _ in range(2):  # the name is free again
            with (
                pytest.raises(WebSocketDenialResponse) as refused,
                client.websocket_connect("/picky"),
            ):
                pass
            assert refused.value.status_code == 418
            assert refused.value.json() == {"detail": {"why": where}}
            assert refused.value.headers["x-why"] == where
        assert sockets.system.stats().actors == 0
        assert sockets.system.topics() == []


def test_a_taken_name_is_refused_with_409() -> None:
    app, sockets = application()
    with TestClient(app) as client, client.websocket_connect("/chat/ada"):
        assert sockets.system.find("chat/ada") is not None
        with (
            pytest.raises(WebSocketDenialResponse) as refused,
            client.websocket_connect("/chat/ada"),
        ):
            pass
        assert refused.value.status_code == 409
        assert "chat/ada" in refused.value.json()["detail"]
        with client.websocket_connect("/chat/bob"):
            pass


def test_without_a_denial_extension_the_socket_is_refused_all_the_same(house: Any) -> None:
    async def test(house: Any) -> None:
        await house.connect("/chat/ada")
        peer = house.dial("/chat/ada", denial=False)
        with pytest.raises(Exception, match="1008"):
            await peer.open()

    house(*application(), test)


def test_a_name_with_braces_in_a_parameter_is_only_a_name() -> None:
    app, sockets = application()
    with TestClient(app) as client, client.websocket_connect("/chat/{client_id}{0}"):
        assert sockets.system.find("chat/{client_id}{0}") is not None


def test_an_init_with_open_parameters_is_served_without_them() -> None:
    class Open(Connection):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.got = (args, kwargs)

        async def on_connect(self) -> None:
            self.send([list(self.got[0]), self.got[1]])

    app = FastAPI()
    Sockets(app).add("/open", Open)
    with TestClient(app) as client, client.websocket_connect("/open?a=1") as socket:
        assert socket.receive_json() == [[], {}]


def test_a_restart_fills_in_the_same_parameters() -> None:
    class Fragile(Connection):
        def __init__(self, client_id: str) -> None:
            self.client_id = client_id
            self.count = 0

        @receive
        async def say(self, message: Say) -> None:
            self.count += 1
            if message.text == "boom":
                raise RuntimeError
            self.send([self.client_id, self.count])

    app = FastAPI()
    Sockets(app).add("/f/{client_id}", Fragile)
    with (
        structlog.testing.capture_logs(),
        TestClient(app) as client,
        client.websocket_connect("/f/ada") as socket,
    ):
        for text in ("a", "boom", "b"):
            socket.send_json({"type": "say", "text": text})
        assert socket.receive_json() == ["ada", 1]
        assert socket.receive_json()["code"] == "crashed"
        assert socket.receive_json() == ["ada", 1]


def test_nothing_of_a_request_is_shared_between_connections() -> None:
    app, _ = application()
    with TestClient(app) as client:
        sockets = [client.websocket_connect(f"/chat/{name}").__enter__() for name in "abc"]
        try:
            for name, socket in zip("abc", sockets, strict=True):
                socket.send_json({"type": "say", "text": name})
            for socket in sockets:
                said = [socket.receive_json() for _ in "abc"]
                assert sorted(frame["who"] + frame["text"] for frame in said) == ["aa", "bb", "cc"]
        finally:
            for socket in reversed(sockets):
                socket.__exit__(None, None, None)


def test_on_disconnect_hears_the_test_clients_close() -> None:
    heard: list[int] = []
    done = threading.Event()

    class Last(Connection):
        async def on_disconnect(self, code: int) -> None:
            heard.append(code)
            done.set()

    app = FastAPI()
    Sockets(app).add("/last", Last)
    with TestClient(app) as client:
        with client.websocket_connect("/last"):
            pass
        assert done.wait(10)
        with client.websocket_connect("/last") as socket:
            done.clear()
            socket.close(4321)
            assert done.wait(10)
    assert heard == [1000, 4321]


def test_awaiting_a_send_in_on_start_does_not_wait_for_the_accept() -> None:
    class History(Connection):
        async def on_start(self) -> None:
            for number in range(600):
                await self.send(str(number))

    app = FastAPI()
    Sockets(app).add("/history", History)
    with TestClient(app) as client, client.websocket_connect("/history") as socket:
        assert [socket.receive_text() for _ in range(600)] == [str(n) for n in range(600)]


def test_asyncio_debug_finds_nothing(house: Any, caplog: Any) -> None:
    async def test(house: Any) -> None:
        loop = asyncio.get_running_loop()
        loop.set_debug(True)  # calls from other threads, and what is not awaited, raise then
        loop.slow_callback_duration = 60.0  # how busy the machine is is nobody's fault
        peer = await house.connect("/chat/ada")
        peer.send({"type": "say", "text": "a"})
        assert (await peer.receive())["text"] == "a"
        await peer.disconnect()

    house(*application(), test)
    assert [record for record in caplog.records if record.name == "asyncio"] == []


def test_a_name_that_a_path_leaves_empty_is_not_found() -> None:
    app = FastAPI()
    Sockets(app).add("/files/{rest:path}", Connection, name="{rest}")
    with TestClient(app) as client:
        with (
            pytest.raises(WebSocketDenialResponse) as refused,
            client.websocket_connect("/files/"),
        ):
            pass
        assert refused.value.status_code == 404
        with client.websocket_connect("/files/a/b"):
            pass


def test_a_name_that_the_path_does_not_have_is_named() -> None:
    """`Sockets.add` raises at once; an endpoint does not know of its path before."""
    app = FastAPI()
    Sockets(app)
    app.add_api_websocket_route("/files", endpoint(Connection, name="{nope}"))
    with (
        TestClient(app) as client,
        pytest.raises(LookupError, match=r"the name '\{nope\}': '/files' has no nope"),
        client.websocket_connect("/files"),
    ):
        pass


def test_a_mounted_applications_own_sockets_are_warned_of(logged: Any) -> None:
    app, inner = FastAPI(), FastAPI(title="the inner one")
    Sockets(app)
    Sockets(inner)
    app.mount("/inner", inner)
    with TestClient(app):
        (warning,) = logged
        assert "no use" in warning["event"]
        assert warning["application"] == "the inner one"
