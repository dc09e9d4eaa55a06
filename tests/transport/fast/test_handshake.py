"""The request and the answers to it, without I/O."""

import pytest

from transport.fast.handshake import RefusedError, accepted, denied, parse

HEAD = {
    "Host": "x",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


def head(first: str = "GET /a%20b?c=d HTTP/1.1", **other: str | None) -> bytes:
    headers = {**HEAD, **{name.replace("_", "-"): value for name, value in other.items()}}
    lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return "\r\n".join([first, *lines]).encode("latin-1")


def test_what_is_asked() -> None:
    request = parse(head(Sec_WebSocket_Protocol="a, b,,c", Cookie="é"))
    assert (request.path, request.query) == (b"/a%20b", b"c=d")
    assert request.subprotocols == ["a", "b", "c"]
    assert request.key == b"dGhlIHNhbXBsZSBub25jZQ=="
    assert request.headers[0] == (b"host", b"x")
    assert request.headers[-1] == (b"cookie", b"\xe9")


def test_subprotocols_may_be_in_several_headers() -> None:
    twice = head() + b"\r\nSec-WebSocket-Protocol: a\r\nsec-websocket-protocol: b"
    assert parse(twice).subprotocols == ["a", "b"]


@pytest.mark.parametrize("connection", ["upgrade", "keep-alive, Upgrade", "UPGRADE,x"])
def test_tokens_in_any_case_and_company(connection: str) -> None:
    assert parse(head(Connection=connection, Upgrade="WebSocket")).query == b"c=d"


@pytest.mark.parametrize(
    ("request_head", "status", "header"),
    [
        (head("POST / HTTP/1.1"), 405, (b"allow", b"GET")),
        (head("GET / HTTP/1.0"), 400, None),
        (head("GET /"), 400, None),
        (head("GET  HTTP/1.1"), 400, None),
        (head("GET /\xe9 HTTP/1.1"), 400, None),
        (head(Connection="close"), 426, (b"upgrade", b"websocket")),
        (head(Connection=None), 426, (b"upgrade", b"websocket")),
        (head(Upgrade="h2c"), 426, (b"upgrade", b"websocket")),
        (head(Sec_WebSocket_Version="8"), 426, (b"sec-websocket-version", b"13")),
        (head(Sec_WebSocket_Version=None), 426, (b"sec-websocket-version", b"13")),
        (head(Sec_WebSocket_Key=None), 400, None),
        (head(Sec_WebSocket_Key="c2hvcnQ="), 400, None),
        (head(Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ="), 400, None),
        (head() + b"\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", 400, None),
        (head(Content_Length="1"), 400, None),
        (head(Transfer_Encoding="chunked"), 400, None),
        (head() + b"\r\nno header", 400, None),
        (head() + b"\r\nbad name: a", 400, None),
        (head() + b"\r\nname: a\nb: c", 400, None),
        (head() + b"\r\nname: a\0b", 400, None),
        (head("GET /\r HTTP/1.1"), 400, None),
        (head(Host=None), 400, None),
        (head() + b"\r\nHost: y", 400, None),
    ],
)
def test_what_is_refused(
    request_head: bytes, status: int, header: tuple[bytes, bytes] | None
) -> None:
    with pytest.raises(RefusedError) as caught:
        parse(request_head)
    assert caught.value.status == status
    assert header is None or header in caught.value.headers


def test_an_empty_body_may_be_announced() -> None:
    assert parse(head(Content_Length="0")).path == b"/a%20b"


def test_the_answer_that_opens_it() -> None:
    answer = accepted(parse(head()), "chat", [(b"x-mine", b"1")])
    assert answer == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        b"sec-websocket-protocol: chat\r\nx-mine: 1\r\n\r\n"
    )


def test_any_other_answer_closes() -> None:
    answer = denied(403, [(b"Connection", b"keep-alive"), (b"x-mine", b"1")])
    assert answer == b"HTTP/1.1 403 Forbidden\r\nx-mine: 1\r\nconnection: close\r\n\r\n"
    assert denied(599, []).startswith(b"HTTP/1.1 599 \r\n")


@pytest.mark.parametrize(
    "header", [(b"a", b"1\r\nb: 2"), (b"a", b"1\n"), (b"a b", b"1"), (b"", b"1"), (b"a:", b"1")]
)
def test_a_header_is_one_header(header: tuple[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match="cannot be sent"):
        accepted(parse(head()), None, [header])
    with pytest.raises(ValueError, match="cannot be sent"):
        denied(403, [header])
