"""Routes: where they may be added, and what cannot be served and is refused there."""

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from actors import HandlerError, Request, receive
from tests.transport.chat import Chat, application
from transport import (
    CodecError,
    Connection,
    CurrentSystem,
    Json,
    MessagePack,
    Raw,
    Settings,
    Sockets,
    Text,
    endpoint,
)

pytestmark = pytest.mark.usefixtures("both_wires")


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


def test_a_handler_that_does_not_resolve_is_refused_where_the_route_is_added() -> None:
    class Late(Connection):
        @receive
        async def late(self, message: "NotThere") -> None:  # type: ignore[name-defined]  # noqa: F821
            pass

    with pytest.raises(HandlerError, match="NotThere"):
        endpoint(Late)


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
