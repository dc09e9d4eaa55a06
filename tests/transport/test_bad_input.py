"""What no client should send: each gets an error frame or the right close code, never 1006.

And nothing else on the server notices: after each test another client is still served, and the
log has no traceback of ours.
"""

import json
import socket
import threading
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

PATIENCE = 20.0
DEEP = 15_000


@pytest.fixture(
    scope="module", params=["websockets-sansio", "wsproto", "transport.fast:WebSocketProtocol"]
)
def server(request: pytest.FixtureRequest, serve_module: Any) -> Any:
    return serve_module(
        "applications:app", ws=request.param, ws_max_size=30_000, timeout_keep_alive=1
    )


@pytest.fixture(scope="module")
def witness(server: Any) -> Iterator[ClientConnection]:
    """Another client, connected all the time."""
    with connect(server.ws_url + "/probe?who=witness") as client:
        yield client


@pytest.fixture(autouse=True)
def unharmed(server: Any, witness: ClientConnection) -> Iterator[None]:
    before = server.log()
    yield
    witness.send('{"type":"say","text":"unharmed"}')
    assert receive(witness) == {"type": "said", "who": "witness", "text": "unharmed"}
    new = server.log()[len(before) :]
    # uvicorn itself logs text that is no UTF-8, with its traceback.
    if "Invalid UTF-8 sequence received from client" not in new:
        assert "Traceback" not in new, new
    assert "crashed" not in new, new


def receive(client: ClientConnection) -> Any:
    return json.loads(client.recv(timeout=PATIENCE))


def closed(client: ClientConnection) -> int:
    """The code of the close frame, which must come next."""
    with pytest.raises(ConnectionClosed) as caught:
        client.recv(timeout=PATIENCE)
    assert caught.value.rcvd is not None, "no close frame (1006)"
    return caught.value.rcvd.code


def lives(client: ClientConnection) -> None:
    client.send('{"type":"say","text":"on"}')
    assert receive(client)["text"] == "on"


def name(value: object) -> str:
    return str(value)[:30]


@pytest.mark.parametrize("data", ["", "{}", "[" * DEEP], ids=name)
def test_a_bad_frame_gets_an_error_frame_and_lives_on(server: Any, data: str) -> None:
    """The others that are bad: see `test_bad_frames`."""
    with connect(server.ws_url + "/probe") as client:
        client.send(data)
        assert receive(client)["type"] == "error"
        lives(client)


@pytest.mark.parametrize("data", ["", "[" * DEEP], ids=name)
def test_by_choice_a_bad_frame_closes_with_1008(server: Any, data: str) -> None:
    with connect(server.ws_url + "/strict") as client:
        client.send(data)
        assert receive(client)["type"] == "error"
        assert closed(client) == 1008


def test_the_wrong_kind_of_frame_closes_with_1003(server: Any) -> None:
    for path, data in (("/probe", b"{}"), ("/packed", "{}")):
        with connect(server.ws_url + path) as client:
            client.send(data)
            assert closed(client) == 1003


def test_too_large_closes_with_1009(server: Any) -> None:
    """Ours (20,000 bytes) and the server's (30,000)."""
    for size in (20_001, 30_001):
        for data in ("x" * size, "é" * (size // 2 + 1)):
            with connect(server.ws_url + "/plain") as client:
                client.send(data)
                assert closed(client) == 1009
    with connect(server.ws_url + "/plain") as client:
        client.send("x" * 20_000)
        assert client.recv(timeout=PATIENCE) == "x" * 20_000


def masked(opcode: int, payload: bytes) -> bytes:
    assert len(payload) < 126
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + bytes(4) + payload


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (masked(1, b"\xff\xfe"), 1007),
        (masked(1, b"\xed\xa0\x80"), 1007),  # a surrogate
        (masked(3, b""), 1002),  # a reserved opcode
        (b"\xf1\x80\x00\x00\x00\x00", 1002),  # reserved bits
        (b"\x80\x80\x00\x00\x00\x00", 1002),  # a continuation of nothing
        (b"\x81\x02hi", 1002),  # not masked
        (masked(8, b"\x03"), 1002),  # half a close code
        (masked(8, b"\x03\xed"), 1002),  # 1005 on the wire
    ],
    ids=name,
)
def test_broken_framing_closes_with_the_servers_code(
    server: Any, request: pytest.FixtureRequest, data: bytes, code: int
) -> None:
    who = f"framing-{data.hex()}"
    with connect(f"{server.ws_url}/probe?who={who}") as client:
        client.socket.sendall(data)
        if "wsproto" in request.node.name:
            # uvicorn ends the connection there without a close frame, before we hear of it.
            with pytest.raises(ConnectionClosed):
                client.recv(timeout=PATIENCE)
        else:
            assert closed(client) == code
    url = f"{server.url}/journal/{who}?count=2"
    with urllib.request.urlopen(url, timeout=PATIENCE) as response:
        assert json.load(response) == ["connect", f"disconnect {code}"]


def test_half_a_handshake_harms_nobody(server: Any) -> None:
    for data in (b"", b"GET / HT", b"\x16\x03\x01\x00\xa5", b"GET /probe HTTP/1.1\r\nUpgrade: x"):
        with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as raw:
            raw.sendall(data)


def test_a_flood_of_bad_frames_is_answered_frame_by_frame(server: Any) -> None:
    with connect(server.ws_url + "/probe", max_queue=None) as client:
        for _ in range(500):
            client.send("{")
        for _ in range(500):
            assert receive(client)["code"] == "malformed"
        lives(client)


def test_the_harm_of_the_whole_module(server: Any) -> None:
    server.check()


def test_a_burst_of_bad_frames_costs_a_client_that_reads_nothing(server: Any) -> None:
    """Each is answered, although three times as many are ready at once as its outbox holds."""
    count = 3000
    with connect(server.ws_url + "/probe") as client:

        def send() -> None:
            for _ in range(count):
                client.send("{")

        sending = threading.Thread(target=send)
        sending.start()
        assert {receive(client)["code"] for _ in range(count)} == {"malformed"}
        sending.join(PATIENCE)
        lives(client)
