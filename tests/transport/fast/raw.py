"""A client that decides each byte, and answers nothing by itself."""

import contextlib
import json
import socket
import ssl
import struct
import urllib.request
from typing import Any

from tests.transport.wire_frames import CLOSE, TEXT, frame, read

PATIENCE = 20.0
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def request(path: str, **headers: str | None) -> bytes:
    """A handshake. Headers by their names with `_` for `-`; `None` leaves one out."""
    named = {
        "Host": "127.0.0.1",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = [f"{name}: {value}" for name, value in named.items() if value is not None]
    return "\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode("latin-1")


class Answer:
    """An HTTP response's head: `headers` as pairs, names in lower case."""

    def __init__(self, head: bytes) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split(" ")[1])
        self.headers = [
            (name.lower(), value.strip())
            for name, _, value in (line.partition(":") for line in lines)
        ]

    def all(self, name: str) -> list[str]:
        return [value for each, value in self.headers if each == name]


class Raw:
    """One connection."""

    def __init__(
        self,
        server: Any,
        path: str | None = None,
        *,
        context: ssl.SSLContext | None = None,
        buffer: int | None = None,
        **headers: str | None,
    ) -> None:
        plain = socket.socket()
        plain.settimeout(PATIENCE)
        if buffer is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        plain.connect(("127.0.0.1", server.port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = plain if context is None else context.wrap_socket(plain)
        self.data = b""
        if path is not None:
            self.send(request(path, **headers))

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def say(self, *texts: str) -> None:
        self.send(b"".join(frame(TEXT, text.encode()) for text in texts))

    def close(self, payload: bytes = b"\x03\xe8") -> None:
        self.send(frame(CLOSE, payload))

    def answer(self) -> Answer:
        while b"\r\n\r\n" not in self.data:
            piece = self.socket.recv(65536)
            assert piece, f"no answer: {self.data!r}"
            self.data += piece
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        return Answer(head)

    def opened(self) -> "Raw":
        answer = self.answer()
        assert answer.status == 101, answer.status
        return self

    def frame(self) -> tuple[int, bytes]:
        """The next, which must come."""
        while True:
            for opcode, payload, end in read(self.data):
                self.data = self.data[end:]
                return opcode, payload
            piece = self.socket.recv(65536)
            assert piece, f"the end, instead of a frame: {self.data!r}"
            self.data += piece

    def text(self) -> str:
        opcode, payload = self.frame()
        assert opcode == TEXT, (opcode, payload)
        return payload.decode()

    def closed(self) -> tuple[int | None, str]:
        """The close frame, which must come next, and the end of the connection after it."""
        opcode, payload = self.frame()
        assert opcode == CLOSE, (opcode, payload)
        code = struct.unpack("!H", payload[:2])[0] if payload else None
        assert self.rest() == b""
        return code, payload[2:].decode()

    def rest(self) -> bytes:
        """All that comes until the other side ends the connection."""
        while piece := self.socket.recv(65536):
            self.data += piece
        data, self.data = self.data, b""
        return data

    def reset(self) -> None:
        """Be gone, at once."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def http(server: Any, path: str) -> Any:
    with urllib.request.urlopen(server.url + path, timeout=PATIENCE + 10) as response:
        return json.load(response)


def told(server: Any, who: str, count: int = 1) -> list[Any]:
    """What the application told of `who`, once it is so much."""
    lines: list[Any] = http(server, f"/told/{who}/{count}")
    return lines


def gone(raw: Raw) -> None:
    """The other side ends the connection, whatever it sends before."""
    with contextlib.suppress(ConnectionResetError):
        raw.rest()
