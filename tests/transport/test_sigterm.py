"""A server that is told to end, with clients of all kinds on it."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

PATIENCE = 30.0
BOTH = pytest.mark.parametrize(
    "implementation", ["websockets-sansio", "wsproto", "transport.fast:WebSocketProtocol"]
)
EITHER = pytest.mark.parametrize("implementation", ["auto", "transport.fast:WebSocketProtocol"])
PIECE = 65536


class Client:
    """A WebSocket by hand: a thousand of them cost a test nothing."""

    def __init__(self, server: Any, path: str, *, buffer: int = 0) -> None:
        self.socket = socket.socket()
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(("127.0.0.1", server.port))
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._data = b""

    def opened(self) -> "Client":
        """Wait for the answer to the handshake; raises unless it is a 101."""
        while b"\r\n\r\n" not in self._data:
            piece = self.socket.recv(PIECE)
            assert piece, "no answer"
            self._data += piece
        head, _, self._data = self._data.partition(b"\r\n\r\n")
        if b" 101 " not in head.partition(b"\r\n")[0]:
            raise ConnectionRefusedError(head.decode())
        return self

    def send(self, **message: Any) -> None:
        payload = json.dumps(message).encode()
        assert len(payload) < 126
        self.socket.sendall(bytes([0x81, 0x80 | len(payload)]) + bytes(4) + payload)

    def rest(self) -> tuple[list[Any], int, str]:
        """Read to the end: the messages, the close code (0 without a close) and the reason."""
        with contextlib.suppress(ConnectionResetError):
            while piece := self.socket.recv(PIECE):
                self._data += piece
        self.socket.close()
        messages: list[Any] = []
        for opcode, payload in frames(self._data):
            if opcode == 1:
                messages.append(json.loads(payload))
            elif opcode == 8:
                return messages, int.from_bytes(payload[:2], "big"), payload[2:].decode()
        return messages, 0, ""


def frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    """A server's frames: the opcode and the payload of each."""
    at = 0
    while at < len(data):
        opcode, length = data[at] & 0xF, data[at + 1]
        at += 2
        if length == 126:
            length = int.from_bytes(data[at : at + 2], "big")
            at += 2
        elif length == 127:
            length = int.from_bytes(data[at : at + 8], "big")
            at += 8
        if at + length > len(data):
            return  # the connection was aborted in the middle
        yield opcode, data[at : at + length]
        at += length


def http(server: Any, path: str, method: str = "GET") -> Any:
    request = urllib.request.Request(server.url + path, method=method)
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        return json.load(response)


def texts(messages: list[Any]) -> list[str]:
    return [message["text"] for message in messages]


@pytest.fixture
def dial() -> Iterator[Callable[..., Client]]:
    """`dial(server, path)`: a client, closed at the test's end."""
    with contextlib.ExitStack() as stack:

        def dial(server: Any, path: str, **options: Any) -> Client:
            client = Client(server, path, **options)
            stack.callback(client.socket.close)
            return client

        yield dial


def refusal(server: Any, dial: Any) -> str:
    """The answer to the first client that the server refuses, within a tenth of a second or so."""
    while True:
        try:
            dial(server, "/probe?who=new").opened().socket.close()
        except ConnectionRefusedError as error:
            return str(error)


def ended(server: Any, begun: float, within: float) -> float:
    """The seconds it took the server to end by itself."""
    left = begun + within - time.monotonic()
    try:
        server.process.wait(max(0.0, left))
    except subprocess.TimeoutExpired:
        raise AssertionError(f"it has not ended after {within} s:\n{server.log()}") from None
    return time.monotonic() - begun


@BOTH
def test_each_client_gets_what_is_queued_and_a_close_and_hears_of_the_drain(
    serve: Any, dial: Any, implementation: str
) -> None:
    server = serve("applications:app", ws=implementation)
    clients = [dial(server, f"/probe?who={number}").opened() for number in range(20)]
    http(server, "/settled?connections=20")
    http(server, "/publish/tick?times=50", "POST")
    begun = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    for client in clients:
        messages, code, reason = client.rest()
        assert texts(messages) == [*(f"tick {number}" for number in range(50)), "draining"]
        assert code == 1001
        assert 1.0 <= float(reason.removeprefix("retry after ").removesuffix(" s")) <= 10.0
    ended(server, begun, 3.0)
    assert server.process.returncode == -signal.SIGTERM
    assert "Application shutdown complete" in server.log()


@BOTH
def test_a_thousand_clients_some_stalled_some_busy(
    serve: Any, dial: Any, implementation: str
) -> None:
    """The healthy get every message and a close; the process ends by its deadline."""
    timeout = 5.0
    server = serve(
        "applications:app",
        ws=implementation,
        backlog=1000,
        log_level="warning",
        env={"DRAIN_TIMEOUT": str(timeout), "MAX_OUTBOX": "100000"},
    )
    healthy = [dial(server, f"/probe?who=h{number}") for number in range(900)]
    busy = [dial(server, f"/probe?who=b{number}") for number in range(50)]
    stalled = [dial(server, f"/probe?who=s{number}", buffer=4096) for number in range(50)]
    for client in (*healthy, *busy, *stalled):
        client.opened()
    http(server, "/settled?connections=1000")
    for client in stalled:
        client.send(type="flood", count=400, size=10_000)
    for client in busy:
        client.send(type="hold")
    for number in range(50):
        http(server, f"/journal/b{number}?count=2")
    http(server, "/publish/tick?times=5", "POST")
    begun = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    refusal(server, dial)  # it drains: what the busy have in hand ends only now
    http(server, "/journal/gate/open", "POST")
    told = [f"tick {number}" for number in range(5)]
    for client in healthy:
        messages, code, _ = client.rest()
        assert texts(messages) == [*told, "draining"]
        assert code == 1001
    for client in busy:
        messages, code, _ = client.rest()
        assert texts(messages) == [*told, "released", "draining"]
        assert code == 1001
    ended(server, begun, timeout + 3.0)
    for client in stalled:
        messages, code, _ = client.rest()
        assert code == 0
        assert len(messages) < 400


@BOTH
def test_new_clients_are_refused_and_told_when_to_come_back(
    serve: Any, dial: Any, implementation: str
) -> None:
    server = serve("applications:app", ws=implementation, env={"DRAIN_TIMEOUT": "2"})
    server.harm = ("Exception in ASGI application", "never awaited", "Task exception")
    client = dial(server, "/probe?who=busy").opened()
    client.send(type="hold")
    http(server, "/journal/busy?count=2")
    begun = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    answer = refusal(server, dial)
    assert " 503 " in answer.splitlines()[0]
    (seconds,) = [
        line.partition(":")[2]
        for line in answer.splitlines()
        if line.lower().startswith("retry-after:")
    ]
    assert 1 <= int(seconds) <= 10
    http(server, "/journal/gate/open", "POST")
    assert texts(client.rest()[0]) == ["released", "draining"]
    ended(server, begun, 4.0)


@BOTH
def test_a_start_that_hangs_keeps_nobody(serve: Any, dial: Any, implementation: str) -> None:
    """Its client is told to come back, and the process ends."""
    server = serve("applications:app", ws=implementation)
    client = dial(server, "/probe?who=stuck&hang=true")
    http(server, "/journal/stuck?count=1")
    begun = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    with pytest.raises(ConnectionRefusedError, match=" 503 "):
        client.opened()
    ended(server, begun, 3.0)


@EITHER
def test_the_code_may_say_that_the_service_restarts(
    serve: Any, dial: Any, implementation: str
) -> None:
    server = serve("applications:app", ws=implementation, env={"DRAIN_RESTART": "1"})
    client = dial(server, "/probe").opened()
    http(server, "/settled?connections=1")
    server.process.send_signal(signal.SIGTERM)
    code = client.rest()[1]
    assert code == 1012


@BOTH
def test_a_handler_that_does_not_end_is_cancelled_by_the_deadline(
    serve: Any, dial: Any, implementation: str
) -> None:
    server = serve("applications:app", ws=implementation, env={"DRAIN_TIMEOUT": "1.5"})
    client = dial(server, "/probe?who=stuck").opened()
    client.send(type="hang")
    http(server, "/journal/stuck?count=2")
    begun = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    code = client.rest()[1]
    assert code == 1001
    assert ended(server, begun, 4.0) > 0.9


@EITHER
def test_a_second_ctrl_c_is_for_those_in_a_hurry(
    serve: Any, dial: Any, implementation: str
) -> None:
    server = serve("applications:app", ws=implementation, env={"DRAIN_TIMEOUT": "60"})
    server.harm = ("never awaited",)  # uvicorn cancels the lifespan, and logs that
    client = dial(server, "/probe?who=stuck").opened()
    client.send(type="hang")
    http(server, "/journal/stuck?count=2")
    server.process.send_signal(signal.SIGINT)
    refusal(server, dial)  # it drains
    begun = time.monotonic()
    server.process.send_signal(signal.SIGINT)
    ended(server, begun, 5.0)


@EITHER
def test_each_of_several_workers_drains(serve: Any, dial: Any, implementation: str) -> None:
    server = serve("applications:app", ws=implementation, workers=2)
    clients = [dial(server, f"/probe?who={number}").opened() for number in range(10)]
    for client in clients:  # answered, so it has connected
        client.send(type="say", text="there")
    begun = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    for client in clients:
        messages, code, _ = client.rest()
        assert texts(messages) == ["there", "draining"]
        assert code == 1001
    ended(server, begun, 5.0)


@EITHER
def test_a_reload_drains(serve: Any, dial: Any, tmp_path: Any, implementation: str) -> None:
    watched = tmp_path / "watched"
    watched.mkdir()
    (watched / "code.py").write_text("")
    server = serve(
        "applications:app", ws=implementation, reload=True, reload_dir=watched, reload_delay=0.05
    )
    client = dial(server, "/probe?who=one").opened()
    client.send(type="say", text="there")
    assert client.socket.recv(PIECE)
    later = time.time() + 10
    os.utime(watched / "code.py", (later, later))
    messages, code, _ = client.rest()
    assert texts(messages) == ["draining"]
    assert code == 1001
    after = dial(server, "/probe?who=two").opened()  # in the backlog until the next one listens
    after.send(type="say", text="back")
    assert after.socket.recv(PIECE)
    begun = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    after.rest()
    ended(server, begun, 5.0)


@EITHER
def test_an_end_without_a_signal_drains_as_well(serve: Any, dial: Any, implementation: str) -> None:
    server = serve("applications:app", ws=implementation, limit_max_requests=3)
    client = dial(server, "/probe?who=one").opened()
    client.send(type="say", text="there")
    begun = time.monotonic()
    for _ in range(3):
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            http(server, "/journal/one")
    messages, code, _ = client.rest()
    assert texts(messages) == ["there", "draining"]
    assert code == 1001
    ended(server, begun, 5.0)
