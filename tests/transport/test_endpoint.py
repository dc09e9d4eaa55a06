"""Routes, names and the lifespan, with Starlette's TestClient as the client."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
import structlog
from fastapi import APIRouter, FastAPI, Header, HTTPException, Query
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from actors import Actor, ActorSystem, HandlerError, Message, Request, receive
from transport import (
    CodecError,
    Connection,
    CurrentSystem,
    Json,
    LifespanNotRun,
    MessagePack,
    Raw,
    Settings,
    Sockets,
    Text,
    TransportError,
    endpoint,
    running_system,
)


class Say(Message):
    text: str


class Said(Message):
    who: str
    text: str


class Size(Request[int]):
    pass


class Chat(Connection):
    def __init__(self, client_id: str) -> None:
        self.client_id = client_id

    async def on_connect(self) -> None:
        self.join("lobby")

    @receive
    async def say(self, message: Say) -> None:
        self.publish("lobby", Said(self.path_params["client_id"], message.text))

    @receive
    async def size(self, request: Size) -> int:
        return len(self.members("lobby"))


def application() -> tuple[FastAPI, Sockets]:
    app = FastAPI()
    sockets = Sockets(app)
    sockets.add("/chat/{client_id}", Chat, name="chat/{client_id}")
    return app, sockets


def test_the_sketch_of_the_product() -> None:
    app, _ = application()
    with TestClient(app) as client, client.websocket_connect("/chat/ada") as ada:
        ada.send_json({"type": "say", "text": "alone"})
        assert ada.receive_json() == {"type": "said", "who": "ada", "text": "alone"}
        with client.websocket_connect("/chat/bob") as bob:
            bob.send_json({"type": "say", "text": "hello"})
            for socket in (ada, bob):
                assert socket.receive_json() == {"type": "said", "who": "bob", "text": "hello"}


def test_several_test_clients_in_a_row_on_one_application() -> None:
    app, sockets = application()
    for _ in range(3):
        with TestClient(app) as client, client.websocket_connect("/chat/ada") as ada:
            ada.send_json({"type": "say", "text": "hi"})
            assert ada.receive_json()["text"] == "hi"
        with pytest.raises(LifespanNotRun):
            _ = sockets.system


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
        with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect("/n/seven"):
            pass
        assert refused.value.code == 1008
        assert "number" in str(refused.value.reason)
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


def test_http_routes_tell_ask_and_publish() -> None:
    app, _ = application()

    @app.get("/tell/{name}")
    async def tell(name: str, system: CurrentSystem) -> bool:
        ref = system.find(f"chat/{name}")
        if ref is None:
            return False
        ref.tell(Said("http", "told"))
        return True

    @app.get("/ask/{name}")
    async def ask(name: str, system: CurrentSystem) -> int:
        ref = system.find(f"chat/{name}")
        assert ref is not None
        return await ref.ask(Size())

    @app.get("/publish")
    async def publish(system: CurrentSystem) -> None:
        system.publish("lobby", Said("http", "published"))

    @app.get("/from-a-thread")
    def from_a_thread(system: CurrentSystem) -> int:
        ref = system.find("chat/ada")
        assert ref is not None
        for number in range(100):
            system.publish("lobby", Said("thread", str(number)), exclude=())
        ref.tell(Said("thread", "told"))
        return ref.ask_blocking(Size())

    with TestClient(app) as client, client.websocket_connect("/chat/ada") as ada:
        assert client.get("/tell/ada").json() is True
        assert ada.receive_json() == {"type": "said", "who": "http", "text": "told"}
        assert client.get("/tell/nobody").json() is False
        assert client.get("/ask/ada").json() == 1
        client.get("/publish")
        assert ada.receive_json()["text"] == "published"
        assert client.get("/from-a-thread").json() == 1
        texts = [ada.receive_json()["text"] for _ in range(101)]
        assert texts == [*map(str, range(100)), "told"]


def test_threads_of_ones_own_publish_and_exclude() -> None:
    app, sockets = application()
    with (
        TestClient(app) as client,
        client.websocket_connect("/chat/ada") as ada,
        client.websocket_connect("/chat/bob") as bob,
    ):
        for socket in (ada, bob):  # both have joined
            socket.send_json({"type": "size", "id": 1})
            socket.receive_json()
        system = sockets.system
        ada_ref = system.find("chat/ada")
        assert ada_ref is not None

        def work(name: str) -> None:
            for number in range(50):
                system.publish("lobby", Said(name, str(number)), exclude=ada_ref)

        threads = [threading.Thread(target=work, args=(name,)) for name in "xy"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        heard = [bob.receive_json() for _ in range(100)]
        for name in "xy":  # in order for each thread
            said = [frame["text"] for frame in heard if frame["who"] == name]
            assert said == list(map(str, range(50)))
        system.publish("lobby", Said("x", "end"))
        assert ada.receive_json()["text"] == "end"


def test_a_threads_bad_publish_does_not_stop_the_next() -> None:
    app, sockets = application()
    with (
        structlog.testing.capture_logs() as logged,
        TestClient(app) as client,
        client.websocket_connect("/chat/ada") as ada,
    ):
        ada.send_json({"type": "size", "id": 1})
        ada.receive_json()
        sockets.system.publish("lobby", object())
        sockets.system.publish("lobby", Said("thread", "good"))
        assert ada.receive_json()["text"] == "good"
    assert len(logged) == 1


def test_a_router_with_a_prefix() -> None:
    app = FastAPI()
    sockets = Sockets(app)
    router = APIRouter(prefix="/inside")
    sockets.add("/chat/{client_id}", Chat, router=router)
    app.include_router(router, prefix="/api")
    with TestClient(app) as client, client.websocket_connect("/api/inside/chat/ada") as ada:
        ada.send_json({"type": "say", "text": "hi"})
        assert ada.receive_json()["who"] == "ada"


def test_a_router_that_knows_no_sockets() -> None:
    router = APIRouter(prefix="/inside")
    router.add_api_websocket_route("/chat/{client_id}", endpoint(Chat))
    app = FastAPI()
    Sockets(app)
    app.include_router(router)
    with TestClient(app) as client, client.websocket_connect("/inside/chat/ada") as ada:
        ada.send_json({"type": "say", "text": "hi"})
        assert ada.receive_json()["who"] == "ada"


def test_a_mounted_application_finds_the_outermost_sockets() -> None:
    app, inner = FastAPI(), FastAPI()
    Sockets(app)
    inner.add_api_websocket_route("/chat/{client_id}", endpoint(Chat))

    @inner.get("/size")
    async def size(system: CurrentSystem) -> int:
        return len(system.members("lobby"))

    app.mount("/inner", inner)
    with TestClient(app) as client, client.websocket_connect("/inner/chat/ada") as ada:
        ada.send_json({"type": "say", "text": "hi"})
        assert ada.receive_json()["who"] == "ada"
        assert client.get("/inner/size").json() == 1


def test_a_route_has_settings_of_its_own() -> None:
    app = FastAPI()
    sockets = Sockets(app, settings=Settings(max_size=10_000))
    sockets.add("/wide/{client_id}", Chat)
    sockets.add("/narrow/{client_id}", Chat, settings=Settings(max_size=50))
    frame = {"type": "say", "text": "x" * 100}
    with TestClient(app) as client:
        with client.websocket_connect("/wide/ada") as wide:
            wide.send_json(frame)
            assert wide.receive_json()["text"] == frame["text"]
        with client.websocket_connect("/narrow/ada") as narrow:
            narrow.send_json(frame)
            with pytest.raises(WebSocketDisconnect) as closed:
                narrow.receive_json()
            assert closed.value.code == 1009


def test_the_route_has_the_class_as_its_name() -> None:
    app, _ = application()
    assert app.url_path_for("Chat", client_id="ada") == "/chat/ada"


# The lifespan.


def test_without_a_lifespan_the_error_says_what_to_do() -> None:
    app, sockets = application()

    @app.get("/")
    async def root(system: CurrentSystem) -> None:
        pass

    client = TestClient(app)  # not entered: no lifespan
    for act in (
        lambda: client.websocket_connect("/chat/ada").__enter__(),
        lambda: client.get("/"),
        lambda: sockets.system,
    ):
        with pytest.raises(LifespanNotRun) as caught:
            act()
        assert isinstance(caught.value, RuntimeError | TransportError)
        assert "with TestClient(app) as client" in str(caught.value)
        assert "--lifespan off" in str(caught.value)


def test_without_sockets_on_the_outermost_application_the_error_is_the_same() -> None:
    app, inner = FastAPI(), FastAPI()
    Sockets(inner).add("/chat/{client_id}", Chat)
    app.mount("/inner", inner)
    with TestClient(app) as client, pytest.raises(LifespanNotRun, match="outermost"):
        client.websocket_connect("/inner/chat/ada").__enter__()


def test_two_sockets_on_one_application_are_an_error() -> None:
    app, _ = application()
    with pytest.raises(ValueError, match="already"):
        Sockets(app)


def test_the_system_is_there_in_the_users_lifespan_and_ends_before_its_clean_up() -> None:
    journal: list[str] = []

    class Keeper(Actor):
        async def on_start(self) -> None:
            journal.append("keeper starts")

        async def on_stop(self, end: Any) -> None:
            journal.append("keeper stops")

        @receive
        async def size(self, request: Size) -> int:
            return 42

    class Noted(Chat):
        async def on_disconnect(self, code: int) -> None:
            journal.append("client goes")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, str]]:
        journal.append("opens")
        keeper = await sockets.system.spawn(Keeper, name="keeper")
        assert await keeper.ask(Size()) == 42
        yield {"resource": "pool"}
        assert not keeper.alive
        journal.append("closes")

    app = FastAPI(lifespan=lifespan)
    sockets = Sockets(app)
    sockets.add("/chat/{client_id}", Noted)

    with TestClient(app) as client:
        with client.websocket_connect("/chat/ada") as ada:
            ada.send_json({"type": "size", "id": 1})
            assert ada.receive_json()["value"] == 1
        assert client.app_state["resource"] == "pool"
        journal.append("ends")
    assert journal[:2] == ["opens", "keeper starts"]
    assert journal[-2:] == ["keeper stops", "closes"]
    assert journal.count("client goes") == 1


@pytest.mark.parametrize("when", ["start", "end"])
def test_an_error_in_the_users_lifespan_is_raised_as_it_is(when: str) -> None:
    stopped = []

    class Keeper(Actor):
        async def on_stop(self, end: Any) -> None:
            stopped.append(end.how)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await sockets.system.spawn(Keeper)
        if when == "start":
            raise ZeroDivisionError
        yield
        raise ZeroDivisionError

    app = FastAPI(lifespan=lifespan)
    sockets = Sockets(app)
    with pytest.raises(ZeroDivisionError), TestClient(app):
        pass
    assert stopped == ([] if when == "start" else ["stop"])
    with pytest.raises(LifespanNotRun):
        _ = sockets.system


def test_instruments_reach_the_system(letters: Any) -> None:
    app = FastAPI()
    sockets = Sockets(app, instruments=[letters])
    with TestClient(app) as client:

        async def lose() -> None:
            ref = await sockets.system.spawn(Actor)
            ref.tell("unhandled")
            await ref.drain()

        assert client.portal is not None
        client.portal.call(lose)
    assert [letter.message for letter in letters.letters] == ["unhandled"]


@pytest.mark.parametrize(
    ("argv", "environment", "workers"),
    [
        (["uvicorn", "app:app", "--workers", "2"], {}, 2),
        (["uvicorn", "app:app", "--workers=3"], {}, 3),
        (["gunicorn", "-w", "4", "app:app"], {}, 4),
        (["uvicorn", "app:app"], {"WEB_CONCURRENCY": "5"}, 5),
        (["uvicorn", "app:app", "--workers", "1"], {"WEB_CONCURRENCY": "5"}, None),
        (["uvicorn", "app:app"], {"WEB_CONCURRENCY": "many"}, None),
        (["uvicorn", "app:app", "--workers"], {}, None),
        (["uvicorn", "app:app"], {}, None),
    ],
)
def test_several_workers_are_warned_of(
    monkeypatch: pytest.MonkeyPatch,
    argv: list[str],
    environment: dict[str, str],
    workers: int | None,
) -> None:
    monkeypatch.setattr("sys.argv", argv)
    monkeypatch.delenv("WEB_CONCURRENCY", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    app, _ = application()
    with structlog.testing.capture_logs() as logged, TestClient(app):
        pass
    warned = [entry["workers"] for entry in logged if entry["log_level"] == "warning"]
    assert warned == ([] if workers is None else [workers])


# What cannot be served is an error where the route is added.


def test_codecs_that_do_not_fit_are_refused_where_the_route_is_added() -> None:
    app, sockets = application()
    for options in (
        {"codec": Text()},
        {"codec": [Raw(), MessagePack()]},
        {"codec": [Json(), Json()]},
        {"subprotocols": {"text": Text()}},
    ):
        with pytest.raises(CodecError):
            sockets.add("/wrong", Chat, **options)
    assert [route for route in app.routes if getattr(route, "path", "") == "/wrong"] == []


def test_an_init_with_positional_only_parameters_is_refused() -> None:
    class Positional(Connection):
        def __init__(self, number: int, /) -> None:
            pass

    with pytest.raises(TypeError, match="number"):
        endpoint(Positional)


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


def test_a_handler_that_does_not_resolve_is_refused_where_the_route_is_added() -> None:
    class Late(Connection):
        @receive
        async def late(self, message: "NotThere") -> None:  # type: ignore[name-defined]  # noqa: F821
            pass

    with pytest.raises(HandlerError, match="NotThere"):
        endpoint(Late)


def test_the_dependency_by_its_own_name() -> None:
    app, sockets = application()
    seen: list[ActorSystem] = []

    class Spy(Connection):
        def __init__(self, system: CurrentSystem) -> None:
            seen.append(system)

    sockets.add("/spy", Spy)
    with TestClient(app) as client, client.websocket_connect("/spy"):
        assert seen == [sockets.system]
    assert running_system.__doc__


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


def test_asyncio_debug_finds_nothing(house: Any) -> None:
    async def test(house: Any) -> None:
        asyncio.get_running_loop().set_debug(True)
        peer = await house.connect("/chat/ada")
        peer.send({"type": "say", "text": "a"})
        assert (await peer.receive())["text"] == "a"
        await peer.disconnect()

    house(*application(), test)


def test_while_the_system_ends_a_socket_is_refused_with_503(house: Any) -> None:
    async def test(house: Any) -> None:
        await house.system.stop()
        with pytest.raises(Exception, match="503"):
            await house.connect("/chat/ada")

    house(*application(), test)


def test_a_name_with_a_parameter_that_the_path_lacks_is_an_error() -> None:
    class Named(Connection):
        pass

    sockets = Sockets(FastAPI())
    with pytest.raises(ValueError, match="id"):
        sockets.add("/chat/{client_id}", Named, name="chat/{id}")
    sockets.add("/chat/{number:int}", Named, name="chat/{number}")


def test_a_callback_without_async_is_an_error() -> None:
    with pytest.raises(HandlerError, match="on_connect"):
        type("Plain", (Connection,), {"on_connect": lambda self: None})


def test_a_request_with_an_id_of_its_own_cannot_be_served() -> None:
    class Find(Request[str]):
        id: int

    class Finder(Connection):
        @receive
        async def find_it(self, request: Find) -> str:
            return str(request.id)

    with pytest.raises(CodecError, match="id"):
        Sockets(FastAPI()).add("/find", Finder)


def test_awaiting_a_send_in_on_start_does_not_wait_for_the_accept() -> None:
    class History(Connection):
        async def on_start(self) -> None:
            for number in range(600):
                await self.send(str(number))

    app = FastAPI()
    Sockets(app).add("/history", History)
    with TestClient(app) as client, client.websocket_connect("/history") as socket:
        assert [socket.receive_text() for _ in range(600)] == [str(n) for n in range(600)]
