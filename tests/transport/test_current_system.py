"""The system outside of connections: in HTTP routes, constructors and threads of one's own."""

import threading

import pytest
import structlog
from fastapi.testclient import TestClient

from actors import ActorSystem
from tests.transport.chat import Said, Size, application
from transport import Connection, CurrentSystem, running_system

pytestmark = pytest.mark.usefixtures("both_wires")


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
