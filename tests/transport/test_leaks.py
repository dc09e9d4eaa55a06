"""What is left of connections that went: nothing."""

import json
import socket
import struct
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from tests.transport.fast.raw import Raw, gone, http

PATIENCE = 20.0
BATCH = 100

RESET = struct.pack("ii", 1, 0)
"""With it, `close` sends a TCP reset instead of saying goodbye."""


@pytest.fixture(
    scope="module", params=["websockets-sansio", "wsproto", "transport.fast:WebSocketProtocol"]
)
def server(request: pytest.FixtureRequest, serve_module: Any) -> Any:
    # Where httptools is installed, uvicorn would take it, which leaves circles behind.
    http = {} if "fast" in request.param else {"http": "h11"}
    return serve_module(
        "applications:app", ws=request.param, log_level="warning", backlog=2 * BATCH, **http
    )


@pytest.fixture(scope="module")
def tasks(server: Any) -> int:
    """Tasks of a server that has no connection."""
    number: int = settled(server)["tasks"]
    return number


def settled(server: Any, tasks: int = 0) -> dict[str, Any]:
    url = f"{server.url}/settled?tasks={tasks}"
    with urllib.request.urlopen(url, timeout=PATIENCE + 10) as response:
        left: dict[str, Any] = json.load(response)
        return left


def dial(server: Any, path: str) -> socket.socket:
    raw = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    raw.sendall(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    return raw


def frame(message: object) -> bytes:
    payload = json.dumps(message).encode()
    assert len(payload) < 126
    return bytes([0x81, 0x80 | len(payload)]) + bytes(4) + payload


def nothing_left(server: Any, tasks: int) -> None:
    left = settled(server, tasks)
    assert (left["actors"], left["members"], left["topics"]) == (0, 0, [])
    assert left["tasks"] <= tasks
    assert left["told"] == left["accounted"]


def test_thousands_of_connections_reset_in_every_state_leave_nothing(
    server: Any, tasks: int
) -> None:
    """Some before the answer came, some idle, some with a message under way, some half a frame."""
    for batch in range(2000 // BATCH):
        raws = [dial(server, f"/named/{batch}-{number}") for number in range(BATCH)]
        for number, raw in enumerate(raws):
            if number % 4:
                assert raw.recv(1000).startswith(b"HTTP/1.1 101")
            if number % 4 == 2:
                raw.sendall(frame({"type": "publish", "text": "to all"}))
            elif number % 4 == 3:
                raw.sendall(frame({"type": "say", "text": "half"})[:-3])
        for raw in raws:
            raw.close()
    nothing_left(server, tasks)
    # The names are free: each can be taken again.
    raws = [dial(server, f"/named/0-{number}") for number in range(BATCH)]
    for raw in raws:
        assert raw.recv(1000).startswith(b"HTTP/1.1 101")
        raw.close()
    nothing_left(server, tasks)
    server.check()
    assert "Traceback" not in server.log()


def asks(raw: Raw, **message: Any) -> None:
    """Ask the actor for something, a close say, and close when the answer is there."""
    raw.say(json.dumps(message))
    raw.frame()
    raw.close()


ENDS: dict[str, Callable[[Raw], None]] = {
    "the client says goodbye": Raw.close,
    "it is gone": lambda raw: raw.socket.shutdown(socket.SHUT_WR),
    "it says what nobody understands": lambda raw: asks(raw, type="what"),
    "the actor closes": lambda raw: asks(raw, type="close", code=4000),
    "the actor stops": lambda raw: asks(raw, type="stop"),
}


@pytest.mark.parametrize("end", ENDS)
def test_no_connection_leaves_circles_to_the_collector(server: Any, tasks: int, end: str) -> None:
    """Its work would take as long as the connection's own. asyncio's transport leaves seven."""

    def live(times: int) -> int:
        for number in range(times):
            with Raw(server, f"/probe?who={number}") as raw:
                raw.opened().say(json.dumps({"type": "say", "text": "a"}))
                assert json.loads(raw.text())["text"] == "a"
                ENDS[end](raw)
                gone(raw)
        nothing_left(server, tasks)
        return int(http(server, "/garbage"))

    live(2)  # what is made once
    assert live(20) < 20 * 10


def test_refused_handshakes_leave_nothing(server: Any, tasks: int) -> None:
    for path, status in (("/picky", b"403"), ("/guarded", b"401"), ("/numbered/x", b"422")):
        for _ in range(20):
            with dial(server, path) as raw:
                assert raw.recv(1000).startswith(b"HTTP/1.1 " + status)
    nothing_left(server, tasks)
