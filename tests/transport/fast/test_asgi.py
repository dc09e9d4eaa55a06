"""An ordinary ASGI server, for an application that is none of ours: what it is given and what
becomes of what it does."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.transport.fast.raw import Raw, http, request, told
from tests.transport.wire_frames import BINARY, CLOSE, PING, PONG, TEXT, frame

FAST = "transport.fast:WebSocketProtocol"
FRONT = "transport.fast:HTTPProtocol"
LATE = "Unexpected ASGI message 'websocket.send', after sending 'websocket.close'."


@pytest.fixture(
    scope="module", params=[(FRONT, "asyncio"), ("h11", "asyncio"), (FRONT, "uvloop")], ids=str
)
def server(request: pytest.FixtureRequest, serve_module: Any) -> Any:
    http, loop = request.param
    server = serve_module("bare:app", ws=FAST, header="x-default:yes", http=http, loop=loop)
    server.harm = tuple(each for each in server.harm if "ASGI application" not in each)
    return server


@pytest.fixture(scope="module")
def sansio(serve_module: Any) -> Any:
    return serve_module("bare:app", ws="websockets-sansio")


def test_the_scope_is_as_uvicorns_own_has_it(server: Any, sansio: Any) -> None:
    scopes = []
    for each in (server, sansio):
        with Raw(
            each, "/scoped/%C3%A9%20b?q=%20&r", Sec_WebSocket_Protocol="a, b", X_Two="é"
        ) as raw:
            scope = json.loads(raw.opened().text())
            assert scope.pop("client")[1] == raw.socket.getsockname()[1]
            assert scope.pop("server") == ["127.0.0.1", each.port]
            scopes.append(scope)
    assert scopes[0] == scopes[1]


def test_what_the_application_accepts_with_is_answered(server: Any) -> None:
    with Raw(server, "/sub/b", Sec_WebSocket_Protocol="a, b") as raw:
        answer = raw.answer()
        assert answer.status == 101
        assert answer.all("sec-websocket-accept") == ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]
        assert answer.all("sec-websocket-protocol") == ["b"]
        assert answer.all("x-mine") == ["one", "two"]
        assert answer.all("x-default") == ["yes"]
        assert answer.all("server") == ["uvicorn"]
        assert len(answer.all("date")) == 1
    with Raw(server, "/sub", Sec_WebSocket_Protocol="a, b") as raw:
        assert raw.answer().all("sec-websocket-protocol") == []


def test_compression_is_declined(server: Any) -> None:
    with Raw(server, "/echo", Sec_WebSocket_Extensions="permessage-deflate") as raw:
        assert raw.answer().all("sec-websocket-extensions") == []
        raw.say("plain")
        assert raw.text() == "plain"


def test_a_header_cannot_smuggle_another(server: Any) -> None:
    with Raw(server, "/injected") as raw:
        answer = raw.answer()
        assert (answer.status, answer.all("x-evil")) == (500, [])


def test_a_close_before_the_accept_is_a_403(server: Any) -> None:
    with Raw(server, "/refuse?who=refused") as raw:
        answer = raw.answer()
        assert (answer.status, raw.rest()) == (403, b"")
        assert answer.all("content-length") == ["0"]
        assert answer.all("connection") == ["close"]
        assert answer.all("x-default") == ["yes"]
    first, second = told(server, "refused", 2)
    assert first == "websocket.disconnect"
    assert "after sending 'websocket.close'" in second


def test_a_denial_has_its_status_headers_and_body(server: Any) -> None:
    with Raw(server, "/deny/429/slow%20down") as raw:
        answer = raw.answer()
        assert (answer.status, raw.rest()) == (429, b"slow down")
        assert answer.all("x-why") == ["because"]
        assert answer.all("x-default") == ["yes"]
        assert answer.all("content-length") == ["9"]
        assert answer.all("connection") == ["close"]


def test_a_denial_may_be_streamed(server: Any) -> None:
    with Raw(server, "/deny/403/one/two/three") as raw:
        answer = raw.answer()
        assert answer.all("transfer-encoding") == ["chunked"]
        assert raw.rest() == b"3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n"
    with Raw(server, f"/deny-large/{1 << 23}", buffer=1 << 16) as raw:
        answer = raw.answer()
        assert answer.all("transfer-encoding") == []
        assert raw.rest() == bytes(1 << 23)


def test_a_denial_that_is_not_finished_is_told_apart(server: Any) -> None:
    with Raw(server, "/deny-half") as raw, pytest.raises(ConnectionResetError):
        raw.rest()
    with Raw(server, "/deny-nothing") as raw:
        assert raw.answer().status == 500


@pytest.mark.parametrize("path", ["/boom", "/nothing", "/deny/99/a", "/deny/100/a"])
def test_who_does_not_answer_is_a_500(server: Any, path: str) -> None:
    with Raw(server, path) as raw:
        answer = raw.answer()
        assert (answer.status, raw.rest()) == (500, b"Internal Server Error")
        assert answer.all("x-default") == ["yes"]


def test_a_crash_is_1011_and_a_return_1000(server: Any) -> None:
    for path, code in (("/boom-later", 1011), ("/return-later", 1000)):
        with Raw(server, path) as raw:
            assert raw.opened().text() == "before"
            opcode, payload = raw.frame()
            assert (opcode, payload) == (CLOSE, code.to_bytes(2, "big"))
            raw.close(payload)
            assert raw.rest() == b""
    assert "raise ZeroDivisionError" in server.log()


def test_what_it_closes_with_arrives(server: Any) -> None:
    long = "é" * 100
    for code, reason, cut in ((1000, "", ""), (4711, "bye", "bye"), (1013, long, "é" * 61)):
        who = f"closes-{code}"
        with Raw(server, f"/close/{code}/{quote(reason)}?who={who}") as raw:
            assert raw.opened().text() == "before"
            opcode, payload = raw.frame()
            assert opcode == CLOSE
            assert payload == code.to_bytes(2, "big") + cut.encode()
            # What still comes is taken, and not answered.
            raw.send(frame(TEXT, b"late") + frame(PING, b"late"))
            raw.close(payload)
            assert raw.rest() == b""
        event = {"type": "websocket.disconnect", "code": code, "reason": reason}
        assert told(server, who, 2) == [event, LATE]


def test_a_close_without_a_code_can_be_sent_and_a_bad_one_is_an_error(server: Any) -> None:
    with Raw(server, "/close/1005") as raw:
        assert raw.opened().text() == "before"
        assert raw.frame() == (CLOSE, b"")
    with Raw(server, "/close/1006") as raw:
        assert raw.opened().text() == "before"
        assert raw.frame() == (CLOSE, (1011).to_bytes(2, "big"))


@pytest.mark.parametrize(
    ("payload", "code", "reason"),
    [(b"", 1005, ""), (b"\x03\xe8", 1000, ""), (b"\x0f\xa0" + "é".encode(), 4000, "é")],
    ids=["none", "1000", "4000"],
)
def test_the_clients_close_is_answered_and_told(
    server: Any, payload: bytes, code: int, reason: str
) -> None:
    with Raw(server, f"/hear?who=left-{code}") as raw:
        raw.opened().say("a", "b")
        raw.close(payload)
        assert raw.closed() == (code if payload else None, "")
    events = told(server, f"left-{code}", 4)
    assert [event["text"] for event in events[:2]] == ["'a'", "'b'"]
    end = {"type": "'websocket.disconnect'", "code": str(code), "reason": repr(reason)}
    assert events[2:] == [end, "ClientDisconnected"]


def test_who_is_gone_without_a_close_is_1006(server: Any) -> None:
    with Raw(server, "/hear?who=reset") as raw:
        raw.opened().reset()
    with Raw(server, "/hear?who=eof") as raw:
        raw.opened().say("a")
        raw.socket.shutdown(1)
        assert raw.rest() == b""
    assert told(server, "reset", 2)[0]["code"] == "1006"
    assert [each["type"] for each in told(server, "eof", 3)[:2]] == [
        "'websocket.receive'",
        "'websocket.disconnect'",
    ]
    assert told(server, "eof", 3)[1]["code"] == "1006"


def test_a_broken_rule_is_told_with_its_code(server: Any) -> None:
    with Raw(server, "/hear?who=broken") as raw:
        raw.opened().send(frame(TEXT, b"a") + frame(TEXT, b"b", reserved=4) + frame(TEXT, b"c"))
        assert raw.closed()[0] == 1002
    first, end, late = told(server, "broken", 3)
    assert first["text"] == "'a'"
    assert end["code"] == "1002"
    assert late == "ClientDisconnected"


def test_frames_that_come_with_the_handshake_are_not_lost(server: Any) -> None:
    with Raw(server) as raw:
        ping = frame(PING, b"ping")
        raw.send(request("/echo") + frame(TEXT, b"one") + ping + frame(TEXT, b"two")[:3])
        raw.opened()
        assert raw.frame() == (PONG, b"ping")
        assert raw.text() == "one"
        raw.send(frame(TEXT, b"two")[3:])
        assert raw.text() == "two"


def test_frames_that_come_before_the_accept_wait_for_it(serve: Any) -> None:
    server = serve("bare:app", ws=FAST)
    with Raw(server, "/slow-accept?who=early") as raw, Raw(server, "/slow-accept?who=late") as late:
        told(server, "early")
        told(server, "late")
        raw.say("one", "two")
        raw.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):  # no more than so much is read before the accept
            raw.send(frame(BINARY, bytes(1 << 24)))
        late.reset()
        http(server, "/release")
        raw.socket.settimeout(20.0)
        assert [raw.opened().text(), raw.text()] == ["one", "two"]
    assert told(server, "late", 2) == ["asked", "ClientDisconnected"]


def test_answers_to_a_burst_come_in_order_and_whole(server: Any) -> None:
    texts = [f"{number} " + "x" * (number % 300) for number in range(5000)]
    with Raw(server, "/echo") as raw:
        raw.opened()
        for at in range(0, 5000, 500):
            raw.say(*texts[at : at + 500])
            assert [raw.text() for _ in range(500)] == texts[at : at + 500]


def test_the_log_is_as_uvicorns_own(server: Any) -> None:
    with Raw(server, "/sub/x%20y?z=1") as raw:
        raw.opened()
        port = raw.socket.getsockname()[1]
        assert f'127.0.0.1:{port} - "WebSocket /sub/x%20y?z=1" [accepted]' in server.log()
    with Raw(server, "/deny/418/tea") as raw:
        raw.answer()
        port = raw.socket.getsockname()[1]
        assert f'127.0.0.1:{port} - "WebSocket /deny/418/tea" 418' in server.log()
