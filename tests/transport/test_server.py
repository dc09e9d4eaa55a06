"""A real uvicorn in its own process, over both of its WebSocket implementations and ours."""

import json
import re
import socket
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.transport.wire_frames import read

IMPLEMENTATIONS = ["websockets-sansio", "wsproto", "transport.fast:WebSocketProtocol"]
PATIENCE = 20.0
BUSY = 5.0
"""Several times as long as a ping and its answer may take."""


@pytest.fixture(scope="module", params=IMPLEMENTATIONS)
def server(request: pytest.FixtureRequest, serve_module: Any) -> Any:
    return serve_module("applications:app", ws=request.param, env={"DISCONNECT_TIMEOUT": "0.3"})


def http(server: Any, path: str, method: str = "GET") -> Any:
    request = urllib.request.Request(server.url + path, method=method)
    with urllib.request.urlopen(request, timeout=PATIENCE + 10) as response:
        return json.load(response)


def journal(server: Any, who: str, count: int) -> list[str]:
    lines: list[str] = http(server, f"/journal/{who}?count={count}")
    return lines


def receive(client: ClientConnection) -> Any:
    return json.loads(client.recv(timeout=PATIENCE))


def packed(client: ClientConnection) -> Any:
    data = client.recv(timeout=PATIENCE)
    assert isinstance(data, bytes)
    return msgspec.msgpack.decode(data)


def closed(client: ClientConnection) -> tuple[int, str]:
    """The close frame, which must come next."""
    with pytest.raises(ConnectionClosed) as caught:
        client.recv(timeout=PATIENCE)
    assert caught.value.rcvd is not None, "no close frame (1006)"
    return caught.value.rcvd.code, caught.value.rcvd.reason


def read_to_the_end(client: ClientConnection) -> None:
    while True:
        client.recv(timeout=PATIENCE)


def say(client: ClientConnection, text: str) -> None:
    client.send(json.dumps({"type": "say", "text": text}))


def said(text: str, who: str = "nobody") -> dict[str, str]:
    return {"type": "said", "who": who, "text": text}


def abort(client: ClientConnection) -> None:
    """Be gone, by a TCP reset."""
    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    client.socket.shutdown(socket.SHUT_RD)
    client.socket.close()


def test_messages_requests_and_order(server: Any) -> None:
    with connect(server.ws_url + "/probe") as client:
        for number in range(200):
            say(client, str(number))
            client.send(json.dumps({"type": "total", "of": [number], "id": number}))
        for number in range(200):
            assert receive(client) == said(str(number))
            assert receive(client) == {"type": "reply", "id": number, "value": [number]}


def test_messagepack_and_subprotocols(server: Any) -> None:
    with connect(server.ws_url + "/packed") as client:
        client.send(msgspec.msgpack.encode({"type": "say", "text": "a"}))
        assert packed(client) == said("a")
    url = server.ws_url + "/both"
    offered = [Subprotocol(name) for name in ("other", "packed", "json")]
    with connect(url, subprotocols=offered) as client:
        assert client.subprotocol == "packed"
        client.send(msgspec.msgpack.encode({"type": "say", "text": "a"}))
        assert packed(client) == said("a")
    with connect(url) as client:
        assert client.subprotocol is None
        say(client, "a")
        assert receive(client) == said("a")


def test_text_and_bytes_of_any_size(server: Any) -> None:
    with connect(server.ws_url + "/plain", max_size=None) as client:
        for data in ("", b"", "é\U0001f600" * 500, bytes(range(256)) * 70):
            client.send(data)
            assert client.recv(timeout=PATIENCE) == data


def test_fragments_are_one_message(server: Any) -> None:
    with connect(server.ws_url + "/plain") as client:
        client.send(["one ", "two ", "three"])
        assert client.recv(timeout=PATIENCE) == "one two three"


def test_http_and_threads_reach_the_clients(server: Any) -> None:
    with ExitStack() as stack:
        clients = [
            stack.enter_context(connect(f"{server.ws_url}/probe?who=reach-{number}"))
            for number in range(5)
        ]
        for number in range(5):
            journal(server, f"reach-{number}", 1)
        http(server, "/publish/hello?times=50", "POST")
        for client in clients:
            for number in range(50):
                assert receive(client) == said(f"hello {number}", "http")
        named = stack.enter_context(connect(server.ws_url + "/named/ada"))
        http(server, "/tell/named/ada/psst", "POST")
        assert receive(named) == said("psst")


def denial(url: str) -> Any:
    with pytest.raises(InvalidStatus) as caught:
        connect(url).__enter__()
    return caught.value.response


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/guarded", 401, "who are you?"),
        ("/picky", 403, {"why": "picky"}),
    ],
)
def test_a_refusal_is_an_http_response_with_a_body(
    server: Any, path: str, status: int, detail: object
) -> None:
    response = denial(server.ws_url + path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    assert json.loads(response.body) == {"detail": detail}
    if status == 401:
        assert response.headers["www-authenticate"] == "Bearer"


def test_a_taken_name_is_a_409_and_free_again_later(server: Any) -> None:
    with connect(server.ws_url + "/named/bob?who=first-bob"):
        response = denial(server.ws_url + "/named/bob")
        assert response.status_code == 409
        assert "named/bob" in json.loads(response.body)["detail"]
    journal(server, "first-bob", 2)
    http(server, "/settled")
    with connect(server.ws_url + "/named/bob") as client:
        say(client, "again")
        assert receive(client) == said("again")


def test_a_parameter_that_does_not_validate_is_refused(server: Any) -> None:
    response = denial(server.ws_url + "/numbered/seven")
    assert response.status_code == 422
    assert json.loads(response.body)["detail"][0]["loc"] == ["path", "number"]
    assert denial(server.ws_url + "/nowhere").status_code in (403, 404)


def test_close_codes_and_reasons_arrive(server: Any) -> None:
    for code, reason in ((1000, ""), (4001, "mine"), (1012, "é" * 61)):
        with connect(server.ws_url + f"/probe?who=close-{code}") as client:
            client.send(json.dumps({"type": "close", "code": code, "reason": reason}))
            assert receive(client)["text"] == "before"
            assert closed(client) == (code, reason)
        assert journal(server, f"close-{code}", 2) == ["connect", f"disconnect {code}"]
    with connect(server.ws_url + "/probe?who=stop") as client:
        client.send(json.dumps({"type": "stop"}))
        assert receive(client)["text"] == "before"
        assert closed(client) == (1000, "")
    assert journal(server, "stop", 2) == ["connect", "disconnect 1000"]


def test_the_clients_code_arrives(server: Any) -> None:
    for code in (1000, 1001, 3999, 4711):
        with connect(server.ws_url + f"/probe?who=client-{code}") as client:
            client.close(code, "bye")
        assert journal(server, f"client-{code}", 2)[1:] == [f"disconnect {code}"]


def test_a_close_without_a_code_is_1005_and_a_reset_1006(server: Any) -> None:
    with connect(server.ws_url + "/probe?who=empty") as client:
        client.socket.sendall(b"\x88\x80\x00\x00\x00\x00")
        assert journal(server, "empty", 2)[1:] == ["disconnect 1005"]
    client = connect(server.ws_url + "/probe?who=reset")
    journal(server, "reset", 1)
    abort(client)
    assert journal(server, "reset", 2)[1:] == ["disconnect 1006"]


def test_a_crash_goes_on_with_fresh_state_under_the_id_in_the_log(server: Any) -> None:
    with (
        connect(server.ws_url + "/probe?who=crash") as client,
        connect(server.ws_url + "/probe") as other,
    ):
        client.send(json.dumps({"type": "boom"}))
        error = receive(client)
        assert (error["type"], error["code"]) == ("error", "crashed")
        assert "Traceback" not in json.dumps(error)
        say(client, "again")
        assert receive(client) == said("again", "crash")
        say(other, "me too")
        assert receive(other) == said("me too")
        assert server.log().count(error["error_id"]) == 1
        assert journal(server, "crash", 2) == ["connect", "restart"]
        for _ in range(3):
            client.send(json.dumps({"type": "boom"}))
        assert [receive(client)["code"] for _ in range(3)] == ["crashed"] * 3
        assert closed(client) == (1011, "")
        say(other, "still")
        assert receive(other) == said("still")
    lines = journal(server, "crash", 5)
    assert lines == ["connect", "restart", "restart", "restart", "disconnect 1011"]


def test_by_choice_the_first_crash_closes(server: Any) -> None:
    with connect(server.ws_url + "/fragile?who=fragile") as client:
        client.send(json.dumps({"type": "boom"}))
        assert receive(client)["code"] == "crashed"
        assert closed(client) == (1011, "")
    assert journal(server, "fragile", 2)[1:] == ["disconnect 1011"]


def test_a_busy_handler_overloads_only_its_own_mailbox(server: Any) -> None:
    with connect(server.ws_url + "/small?who=busy") as client:
        client.send(json.dumps({"type": "hang"}))
        journal(server, "busy", 2)
        for number in range(10):
            say(client, str(number))
        for _ in range(8):
            assert receive(client)["code"] == "overloaded"
        pong = client.ping()
        assert pong.wait(PATIENCE)  # it reads on, so pongs get through
        abort(client)
    # The handler is interrupted, and `on_disconnect` runs all the same.
    assert journal(server, "busy", 3)[2:] == ["disconnect 1006"]


def test_a_client_that_goes_during_on_start_leaves_nothing(server: Any) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as raw:
        raw.sendall(handshake(server.port, "/probe?who=early&hang=true"))
        assert journal(server, "early", 1) == ["starting"]
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    http(server, "/journal/early%20may%20start/go", "POST")
    left = http(server, "/settled")
    assert (left["actors"], left["members"]) == (0, 0)
    # Whether it was ever accepted is the server's to say; if so, it also went.
    after = journal(server, "early", 1)[1:]
    assert after in ([], ["connect", "disconnect 1006"])


def handshake(port: int, path: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def test_many_clients_talk_at_once(server: Any) -> None:
    def talk(number: int) -> None:
        with connect(server.ws_url + f"/probe?who={number}") as client:
            for turn in range(20):
                say(client, str(turn))
                assert receive(client) == said(str(turn), str(number))

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(talk, range(40)))


@pytest.fixture(params=IMPLEMENTATIONS)
def implementation(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_without_a_lifespan_the_log_says_what_to_do(serve: Any, implementation: str) -> None:
    server = serve("applications:app", ws=implementation, lifespan="off")
    server.harm = ("never awaited",)
    assert denial(server.ws_url + "/probe").status_code == 500
    assert "LifespanNotRun" in server.log()
    assert "--lifespan off" in server.log()


@pytest.mark.parametrize(
    "options", [{"workers": 2}, {"env": {"WEB_CONCURRENCY": "2"}}], ids=["flag", "environment"]
)
def test_several_workers_are_warned_of(serve: Any, options: dict[str, Any]) -> None:
    server = serve("applications:app", **options)
    http(server, "/settled")  # at least one has started
    assert re.search(r"not shared between worker processes.*workers=\S*2", server.log())


def test_one_worker_is_not_warned_of(server: Any) -> None:
    assert "worker processes" not in server.log()


def test_pings_are_answered_while_a_handler_is_busy(serve: Any, implementation: str) -> None:
    """A healthy client behind a busy handler is not closed by the server's keepalive."""
    server = serve("applications:app", ws=implementation, ws_ping_interval=1.0, ws_ping_timeout=1.0)
    with connect(server.ws_url + "/probe?who=busy") as client:
        client.send(json.dumps({"type": "hold"}))
        journal(server, "busy", 2)
        for number in range(3):
            say(client, f"unread {number}")
        with pytest.raises(TimeoutError):
            client.recv(timeout=BUSY)
        http(server, "/journal/gate/open", "POST")
        texts = ["released", *(f"unread {number}" for number in range(3))]
        assert [receive(client) for _ in texts] == [said(text, "busy") for text in texts]


def test_a_client_that_reads_all_the_time_is_kept_however_slowly(
    serve: Any, implementation: str
) -> None:
    """Its window is shut most of the time, for longer than a send may take in all."""
    server = serve("applications:app", ws=implementation, env={"SEND_TIMEOUT": "1.5"})
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    raw.settimeout(PATIENCE)
    with raw:
        raw.connect(("127.0.0.1", server.port))
        raw.sendall(handshake(server.port, "/probe?who=slow"))
        journal(server, "slow", 1)
        payload = json.dumps({"type": "flood", "count": 300, "size": 1000}).encode()
        raw.sendall(b"\x81" + bytes([0x80 | len(payload)]) + bytes(4) + payload)
        pause, until = threading.Event(), time.monotonic() + 4.0
        while time.monotonic() < until:
            assert raw.recv(1000)
            pause.wait(0.02)
        data = b""
        while b'"299"' not in data:
            data += raw.recv(1 << 20)
        assert "aborting the connection" not in server.log()


def test_a_client_that_stops_reading_is_given_up(serve: Any, implementation: str) -> None:
    server = serve(
        "applications:app", ws=implementation, env={"SEND_TIMEOUT": "0.5", "MAX_OUTBOX": "100000"}
    )
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.settimeout(PATIENCE)
    with raw, connect(server.ws_url + "/probe?who=other") as other:
        raw.connect(("127.0.0.1", server.port))
        raw.sendall(handshake(server.port, "/probe?who=stalled"))
        journal(server, "stalled", 1)
        payload = json.dumps({"type": "flood", "count": 1000, "size": 10_000}).encode()
        raw.sendall(b"\x81" + bytes([0x80 | len(payload)]) + bytes(4) + payload)
        assert journal(server, "stalled", 2)[1:] == ["disconnect 1006"]
        say(other, "unharmed")
        assert receive(other) == said("unharmed", "other")
        left = http(server, "/settled?connections=1")
        assert (left["actors"], left["members"]) == (1, 1)
        assert left["dead_letters"]["client_gone"] > 0
        assert "aborting the connection" in server.log()


def test_frames_sent_are_received_or_dead_letters(serve: Any, implementation: str) -> None:
    """Through real buffers: all that a client that closes in the middle did not get is counted."""
    server = serve("applications:app", ws=implementation)
    with connect(server.ws_url + "/probe?who=whole", max_queue=None) as client:
        client.send(json.dumps({"type": "flood", "count": 1000, "size": 100}))
        assert [receive(client)["who"] for _ in range(1000)] == list(map(str, range(1000)))
    left = http(server, "/settled")
    assert left["dead_letters"] == {}
    assert left["told"] == left["accounted"]


def framed(message: object) -> bytes:
    """A client's text frame."""
    payload = json.dumps(message).encode()
    assert len(payload) < 126
    return b"\x81" + bytes([0x80 | len(payload)]) + bytes(4) + payload


def texts(data: bytes) -> list[Any]:
    """The server's text frames after its handshake, from JSON."""
    return [json.loads(it) for code, it, _ in read(data, data.index(b"\r\n\r\n") + 4) if code == 1]


def test_what_is_answered_to_who_has_closed_is_a_dead_letter(
    serve: Any, implementation: str
) -> None:
    """Its close comes behind more messages than its actor handles in a turn."""
    server = serve("applications:app", ws=implementation)
    count = 3000
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as raw:
        raw.sendall(handshake(server.port, "/probe?who=leaves"))
        journal(server, "leaves", 1)
        says = [framed({"type": "say", "text": str(number)}) for number in range(count)]
        raw.sendall(b"".join(says) + b"\x88\x82\0\0\0\0" + (4001).to_bytes(2, "big"))
        data = b""
        while piece := raw.recv(1 << 18):
            data += piece
    assert journal(server, "leaves", 2)[1:] == ["disconnect 4001"]
    left = http(server, "/settled")
    assert len(texts(data)) + sum(left["dead_letters"].values()) == count
    assert left["told"] == left["accounted"]


def test_what_waits_behind_answers_to_pings_goes_out_after_them(serve: Any) -> None:
    """A client that pings and does not read, until the server may write no more; then it reads."""
    server = serve("applications:app", ws=IMPLEMENTATIONS[-1], ws_ping_interval=0)
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.settimeout(PATIENCE)
        raw.connect(("127.0.0.1", server.port))
        raw.sendall(handshake(server.port, "/probe?who=pings"))
        journal(server, "pings", 1)
        ping = b"\x89\xfd" + bytes(4 + 125)
        for _ in range(100):
            raw.sendall(ping * 500)
        raw.sendall(framed({"type": "say", "text": "a"}) + framed({"type": "stop"}))
        journal(server, "pings", 2)
        data = b""
        while b"\x88\x02\x03\xe8" not in data[-4:]:
            data += raw.recv(1 << 18)
    assert [each["text"] for each in texts(data)] == ["a", "before"]


def test_a_socket_refused_by_an_error_of_the_users_is_a_500(
    serve: Any, implementation: str
) -> None:
    server = serve("applications:app", ws=implementation)
    server.harm = ("never awaited", "Task exception")
    assert denial(server.ws_url + "/broken").status_code == 500
    assert server.log().count("Exception in ASGI application") == 1
    with connect(server.ws_url + "/probe") as client:
        say(client, "alive")
        assert receive(client) == said("alive")


def test_publishes_during_a_servers_own_close_harm_nobody(serve: Any, implementation: str) -> None:
    """The server closes for a broken frame while frames go out: the race of `_TOO_LATE`."""
    server = serve("applications:app", ws=implementation)
    stop = threading.Event()

    def publish() -> None:
        while not stop.is_set():
            http(server, "/publish/tick?times=20", "POST")

    publisher = threading.Thread(target=publish)
    publisher.start()
    try:
        for _ in range(30):
            with connect(server.ws_url + "/probe", max_queue=None) as client:
                client.recv(timeout=PATIENCE)
                client.socket.sendall(b"\x83\x80\x00\x00\x00\x00")  # a reserved opcode
                with pytest.raises(ConnectionClosed):
                    read_to_the_end(client)
    finally:
        stop.set()
        publisher.join(PATIENCE)
    assert http(server, "/settled")["actors"] == 0


def test_a_clients_code_is_heard_through_the_traffic(server: Any) -> None:
    """It closes while frames go out to it: the failing send must not hide the code it gave."""
    stop = threading.Event()

    def publish() -> None:
        while not stop.is_set():
            http(server, "/publish/tick?times=50", "POST")

    publisher = threading.Thread(target=publish)
    publisher.start()
    try:
        for number in range(30):
            with connect(f"{server.ws_url}/probe?who=traffic-{number}", max_queue=None) as client:
                client.recv(timeout=PATIENCE)
                client.close(4001)
            assert journal(server, f"traffic-{number}", 2)[1:] == ["disconnect 4001"]
    finally:
        stop.set()
        publisher.join(PATIENCE)
