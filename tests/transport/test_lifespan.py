"""The lifespan: the system is there from the application's start to its end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
from fastapi import FastAPI
from fastapi.testclient import TestClient

from actors import Actor, receive
from tests.transport.chat import Chat, Size, application
from transport import CurrentSystem, LifespanNotRun, Sockets, TransportError

pytestmark = pytest.mark.usefixtures("both_wires")


def test_several_test_clients_in_a_row_on_one_application() -> None:
    app, sockets = application()
    for _ in range(3):
        with TestClient(app) as client, client.websocket_connect("/chat/ada") as ada:
            ada.send_json({"type": "say", "text": "hi"})
            assert ada.receive_json()["text"] == "hi"
        with pytest.raises(LifespanNotRun):
            _ = sockets.system


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


def test_while_the_system_ends_a_socket_is_refused_with_503(house: Any) -> None:
    async def test(house: Any) -> None:
        await house.system.stop()
        with pytest.raises(Exception, match="503"):
            await house.connect("/chat/ada")

    house(*application(), test)


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
