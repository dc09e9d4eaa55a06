"""What came first on a connection: a handshake goes to our protocol, all else to uvicorn's HTTP."""

from typing import Any

import pytest

from tests.transport.fast.raw import Raw, request
from tests.transport.wire_frames import TEXT, frame

FAST = "transport.fast:WebSocketProtocol"
SLOWLY = frame(TEXT, b"a") + frame(TEXT, b"b")


@pytest.fixture(scope="module")
def server(serve_module: Any) -> Any:
    return serve_module("bare:app", ws=FAST)


@pytest.fixture(scope="module")
def h11(serve_module: Any) -> Any:
    return serve_module("bare:app", ws=FAST, http="h11")


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def test_requests_are_answered_one_after_the_other(server: Any) -> None:
    with Raw(server) as raw:
        raw.send(get("/echo").replace(b"Host", b"Upgrade-Insecure-Requests: 1\r\nHost"))
        assert (raw.answer().status, raw.rest()) == (200, b"null")


def test_a_request_may_have_a_body_and_come_bit_by_bit(server: Any) -> None:
    sent = get("/echo").replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\nabc")
    with Raw(server) as raw:
        for piece in (sent[:1], sent[1:30], sent[30:]):  # it answers without the body's end
            raw.send(piece)
        assert (raw.answer().status, raw.rest()) == (200, b"null")


@pytest.mark.parametrize("cut", [1, 40, -4, -1])
def test_a_handshake_may_come_bit_by_bit(server: Any, cut: int) -> None:
    sent = request("/echo")
    with Raw(server) as raw:
        raw.send(sent[:cut])
        with Raw(server, "/echo").opened():  # by now the first piece was read
            raw.send(sent[cut:] + SLOWLY)
        assert [raw.opened().text(), raw.text()] == ["a", "b"]


def test_what_comes_with_the_handshake_is_not_lost(server: Any) -> None:
    with Raw(server) as raw:
        raw.send(request("/echo") + SLOWLY[:-1])
        assert raw.opened().text() == "a"
        raw.send(SLOWLY[-1:])
        assert raw.text() == "b"


REFUSED = {
    "no upgrade": request("/echo", Connection="close"),
    "another upgrade": request("/echo", Upgrade="h2c"),
    "two upgrades": request("/echo", Upgrade="h2c, websocket"),
    "two headers for it": request("/echo", X_Two="").replace(b"X-Two:", b"Upgrade: h2c"),
    "two connections": request("/echo", X_Two="").replace(b"X-Two:", b"Connection: keep-alive"),
    "no target": request(""),
    "another version": request("/echo", Sec_WebSocket_Version="8"),
    "no key": request("/echo", Sec_WebSocket_Key=None),
    "no host": request("/echo", Host=None),
    "two hosts": request("/echo").replace(b"Host:", b"Host: other\r\nHost:"),
    "another method": request("/echo").replace(b"GET", b"PUT"),
    "an old HTTP": request("/echo").replace(b"1.1", b"1.0"),
    "a bare line feed": request("/echo", X_Two="a\nX-Three: b"),
    "a zero": request("/echo", X_Two="a\0b"),
    "a header that is none": request("/echo", X_Two="a").replace(b"X-Two", b"X Two"),
    "no HTTP": b"\x16\x03\x01 upgrade\r\n\r\n",
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_handshake_is_answered_as_uvicorn_does(server: Any, h11: Any, what: str) -> None:
    answers = []
    for each in (server, h11):
        with Raw(each) as raw:
            raw.send(REFUSED[what])
            answer = raw.answer()
            headers = [(name, value) for name, value in answer.headers if name != "date"]
            length = answer.all("content-length")
            body = raw.rest() if "close" in answer.all("connection") or length else b""
            answers.append((answer.status, headers, body))
    assert answers[0] == answers[1]


def test_another_protocol_for_websockets_gets_it_from_uvicorn(serve: Any) -> None:
    server = serve("bare:app", ws="websockets-sansio", http="transport.fast:HTTPProtocol")
    with Raw(server, "/echo", Sec_WebSocket_Extensions="permessage-deflate") as raw:
        assert raw.answer().all("sec-websocket-extensions") != []


def test_who_says_nothing_is_closed_at_the_servers_end(serve: Any) -> None:
    server = serve("bare:app", ws=FAST)
    with Raw(server) as quiet, Raw(server) as gone, Raw(server, "/echo").opened():
        gone.socket.close()
        server.terminate()
        assert quiet.rest() == b""
