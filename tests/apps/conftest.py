"""What the demos' tests share: the demo server, and clients of it."""

import http.client
import json
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

PATIENCE = 20.0
"""Seconds anything may take before a test fails; passing tests need nothing like it."""


class Client:
    """A WebSocket client. A frame that does not come fails the test by `TimeoutError`."""

    def __init__(self, url: str) -> None:
        self._exit = ExitStack()
        self._socket = self._exit.enter_context(
            connect(
                url,
                open_timeout=PATIENCE,
                close_timeout=PATIENCE,
                ping_interval=None,
                max_size=None,
                proxy=None,
            )
        )

    def send(self, message: object) -> None:
        """`str` and `bytes` as they are, anything else as JSON."""
        self._socket.send(message if isinstance(message, str | bytes) else json.dumps(message))

    def send_as_text(self, data: bytes) -> None:
        """A text frame of these bytes, whether they are UTF-8 or not."""
        self._socket.send(data, text=True)

    def send_raw(self, data: bytes) -> None:
        """Past the client's own protocol, straight into the stream."""
        self._socket.socket.sendall(data)

    def data(self) -> str | bytes:
        """The next frame."""
        return self._socket.recv(timeout=PATIENCE)

    def receive(self) -> Any:
        """The next frame, from JSON."""
        return json.loads(self.data())

    def until(self, kind: str, **fields: object) -> Any:
        """The next frame of that type with those fields; what comes before it is passed over."""
        wanted = {"type": kind, **fields}
        while True:
            frame = self.receive()
            if wanted.items() <= frame.items():
                return frame

    def closed(self) -> int:
        """The server's close code, 1006 for none; frames that come before it are passed over."""
        try:
            while True:
                self.data()
        except ConnectionClosed as closed:
            return 1006 if closed.rcvd is None else closed.rcvd.code

    def close(self) -> None:
        self._exit.close()


class Savage:
    """A client without manners: it reads nothing, answers no close, and may just vanish."""

    def __init__(self, port: int, path: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._socket.recv(4096)
        assert answer.startswith(b"HTTP/1.1 101 "), answer

    def send(self, message: object) -> None:
        payload = json.dumps(message).encode()
        assert len(payload) < 126
        self._socket.sendall(bytes([0x81, 0x80 | len(payload)]) + bytes(4) + payload)

    def vanish(self, *, reset: bool) -> None:
        """No close frame: the stream ends, or it is reset."""
        if reset:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def close(self) -> None:
        self._socket.close()


@dataclass(frozen=True)
class Page:
    """An HTTP answer."""

    status: int
    content_type: str
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@pytest.fixture
def dial() -> Iterator[Callable[[str], Client]]:
    """A client of a URL; the test's end closes it."""
    with ExitStack() as stack:

        def dial(url: str) -> Client:
            client = Client(url)
            stack.callback(client.close)
            return client

        yield dial


@pytest.fixture
def savage() -> Iterator[Callable[[int, str], Savage]]:
    """A `Savage` at a port and a path; the test's end closes it."""
    with ExitStack() as stack:

        def savage(port: int, path: str) -> Savage:
            client = Savage(port, path)
            stack.callback(client.close)
            return client

        yield savage


@pytest.fixture
def get() -> Callable[[int, str], Page]:
    """The page at a port and a path."""

    def get(port: int, path: str) -> Page:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            kind = answer.getheader("Content-Type", "")
            return Page(answer.status, kind, answer.read())
        finally:
            connection.close()

    return get


TICK = 0.1
"""Seconds between what the background threads of `demo` send."""


@pytest.fixture(scope="module")
def tick() -> float:
    """`TICK`."""
    return TICK


@pytest.fixture(scope="module", params=["ours", "auto"])
def demo(request: pytest.FixtureRequest, serve_module: Any) -> Any:
    """The demo server with quick threads, as `make demo` runs it and with uvicorn's own WebSocket
    protocol; fails a module's tests if an actor crashed in it."""
    protocol = {} if request.param == "ours" else {"ws": request.param}
    server = serve_module(
        "apps.server:app",
        command=("transport", "serve"),
        **protocol,
        env={"NOTIFY_SECONDS": str(TICK), "BACKGROUND_SECONDS": str(TICK)},
    )
    server.harm = (*server.harm, "actor crashed")
    return server
