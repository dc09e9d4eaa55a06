"""The opening handshake, without I/O: from the request's bytes to what it asks, and the answers."""

import base64
import binascii
import hashlib
import http
import re
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

Headers: TypeAlias = list[tuple[bytes, bytes]]

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_SUBPROTOCOL = b"sec-websocket-protocol"
_KEY = 16
"""Bytes of a `Sec-WebSocket-Key`, decoded."""
_TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_BROKEN = frozenset(b"\r\n\0")
_SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
)


class Request(NamedTuple):
    """What a client asks for. Names of headers in lower case; `path` as it was sent."""

    path: bytes
    query: bytes
    headers: Headers
    subprotocols: list[str]
    key: bytes


class RefusedError(Exception):
    """No handshake of ours: the HTTP answer to give."""

    def __init__(self, status: int, text: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text
        self.headers = list(headers)


def parse(head: bytes) -> Request:
    """The request's head, without the empty line that ends it. Raises `RefusedError`."""
    lines = head.split(b"\r\n")
    if _CONTROL.search(b"".join(lines)):
        raise RefusedError(400, "a control character")
    first = lines[0].split(b" ")
    if len(first) != 3 or not first[1] or not first[1].isascii():
        raise RefusedError(400, "a request line that is none")
    method, target, version = first
    if version != b"HTTP/1.1":
        raise RefusedError(400, "a WebSocket is opened over HTTP/1.1")
    if method != b"GET":
        raise RefusedError(405, "a WebSocket is opened by GET", (b"allow", b"GET"))
    headers = [_header(line) for line in lines[1:]]
    values: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        values.setdefault(name, []).append(value)
    _check(values)
    path, _, query = target.partition(b"?")
    offered = [each.decode("latin-1") for each in _listed(values.get(_SUBPROTOCOL, ()))]
    return Request(path, query, headers, offered, _key(values.get(b"sec-websocket-key", [])))


def _check(values: dict[bytes, list[bytes]]) -> None:
    if len(values.get(b"host", ())) != 1:
        raise RefusedError(400, "no Host, or several")
    upgrade = (b"upgrade", b"websocket")
    if b"upgrade" not in _tokens(values.get(b"connection", ())):
        raise RefusedError(426, "no Connection: Upgrade", upgrade)
    if b"websocket" not in _tokens(values.get(b"upgrade", ())):
        raise RefusedError(426, "no Upgrade: websocket", upgrade)
    if values.get(b"sec-websocket-version") != [b"13"]:
        spoken = (b"sec-websocket-version", b"13")
        raise RefusedError(426, "only version 13 of the protocol is spoken", upgrade, spoken)
    if b"transfer-encoding" in values or values.get(b"content-length", [b"0"]) != [b"0"]:
        raise RefusedError(400, "a handshake with a body")


def _header(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    if not colon or not _is_token(name):
        raise RefusedError(400, "a header that is none")
    return name.lower(), value.strip(b" \t")


def _listed(values: Iterable[bytes]) -> list[bytes]:
    """What a header lists by commas, in one or several."""
    return [each for part in b",".join(values).split(b",") if (each := part.strip(b" \t"))]


def _tokens(values: Iterable[bytes]) -> list[bytes]:
    return _listed(value.lower() for value in values)


def _key(values: list[bytes]) -> bytes:
    try:
        (key,) = values
        if len(binascii.a2b_base64(key, strict_mode=True)) == _KEY:
            return key
    except ValueError:
        pass
    raise RefusedError(400, "no Sec-WebSocket-Key, or one that is none")


def accepted(
    request: Request, subprotocol: str | None, headers: Iterable[tuple[bytes, bytes]]
) -> bytes:
    """The answer that opens the WebSocket. No extension is agreed on. Raises `ValueError` for
    headers that cannot be sent."""
    proof = base64.b64encode(hashlib.sha1(request.key + _GUID, usedforsecurity=False).digest())
    own = [] if subprotocol is None else [(_SUBPROTOCOL, subprotocol.encode("latin-1"))]
    return _SWITCHING + proof + b"\r\n" + _lines([*own, *headers])


def denied(status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The head of any other answer; the connection is closed after it."""
    try:
        phrase = http.HTTPStatus(status).phrase.encode()
    except ValueError:
        phrase = b""
    own = [(name, value) for name, value in headers if name.lower() != b"connection"]
    return b"HTTP/1.1 %d %b\r\n" % (status, phrase) + _lines([*own, (b"connection", b"close")])


def error(status: int, text: str, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A whole answer, in plain text."""
    body = text.encode()
    own = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
    return denied(status, [*headers, *own]) + body


def _lines(headers: Headers) -> bytes:
    """Raises `ValueError` for what would be read as another header."""
    for name, value in headers:
        if not _is_token(name) or not _BROKEN.isdisjoint(value):
            raise ValueError(f"a header that cannot be sent: {name!r}: {value!r}")
    return b"".join([b"%b: %b\r\n" % header for header in headers]) + b"\r\n"


def _is_token(name: bytes) -> bool:
    return bool(name) and _TOKEN.issuperset(name)
