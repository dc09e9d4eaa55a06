"""What a peer may cost: bounds on what is kept for it, and an end to any that stalls or is gone."""

import contextlib
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.transport.fast.raw import PATIENCE, Raw, gone, http, request, told
from tests.transport.wire_frames import BINARY, CLOSE, PING, PONG, TEXT, frame

FAST = "transport.fast:WebSocketProtocol"
LOST = {"type": "websocket.disconnect", "code": 1006}


def test_messages_have_a_size_at_most(serve: Any) -> None:
    server = serve("bare:app", ws=FAST, ws_max_size=1000)
    with Raw(server, "/echo") as raw:
        raw.opened().say("x" * 1000)
        assert raw.text() == "x" * 1000
        raw.send(frame(TEXT, b"x" * 600, fin=False) + frame(0, b"x" * 401))
        assert raw.closed() == (1009, "a message of more than 1000 bytes")
    with Raw(server, "/echo") as raw:
        # By its head alone; and the client hears of it, though it goes on to send.
        raw.opened().send(frame(BINARY, bytes(1 << 20)))
        assert raw.closed() == (1009, "a message of more than 1000 bytes")


def test_a_healthy_client_of_a_busy_application_is_kept(serve: Any) -> None:
    """Even when so much is unread that its socket is not read, and its pongs with it."""
    server = serve("bare:app", ws=FAST, ws_ping_interval=0.1, ws_ping_timeout=0.2, ws_max_queue=1)
    with connect(f"{server.ws_url}/busy", ping_interval=None) as client:
        assert client.recv(timeout=PATIENCE) == "busy"
        for number in range(10):
            client.send(str(number))
        with pytest.raises(TimeoutError):
            client.recv(timeout=1.0)
        http(server, "/release")
        assert [client.recv(timeout=PATIENCE) for _ in range(10)] == [str(n) for n in range(10)]


def test_who_answers_no_ping_is_given_up(serve: Any) -> None:
    server = serve("bare:app", ws=FAST, ws_ping_interval=0.1, ws_ping_timeout=0.2)
    with Raw(server, "/echo?who=silent") as raw:
        raw.opened()
        (event,) = told(server, "silent")
        assert event == {**LOST, "reason": "keepalive ping timeout"}
        assert raw.frame() == (PING, b"keep")
        gone(raw)


def test_anything_that_comes_is_a_sign_of_life(serve: Any) -> None:
    server = serve("bare:app", ws=FAST, ws_ping_interval=0.1, ws_ping_timeout=0.5)
    with Raw(server, "/echo?who=talks") as raw:
        raw.opened()
        pings = 0
        while pings < 10:
            opcode, _ = raw.frame()
            if opcode == PING:
                pings += 1
                raw.send(frame(PONG, b"of its own accord") if pings % 2 else frame(TEXT, b"a"))
        raw.close()
        assert told(server, "talks")[0]["code"] == 1000


def test_who_does_not_read_is_aborted_and_its_sender_told(serve: Any) -> None:
    """It talks, and would answer pings; but nothing of what waits for it gets on."""
    server = serve("bare:app", ws=FAST, ws_ping_interval=0.1, ws_ping_timeout=0.3)
    with Raw(server, "/flood/1000/100000?who=stalled", buffer=4096) as raw:
        with contextlib.suppress(ConnectionError):
            while True:
                raw.send(frame(PONG))
        first, event = told(server, "stalled", 2)
        assert first == "ClientDisconnected"
        assert event == {**LOST, "reason": "nothing was read for too long"}


def test_a_slow_reader_is_kept(serve: Any) -> None:
    server = serve("bare:app", ws=FAST, ws_ping_interval=0.1, ws_ping_timeout=1)
    with Raw(server, "/flood/200/100000?who=slow", buffer=1 << 16) as raw:
        raw.opened()
        left = 200
        while left:
            opcode, _ = raw.frame()
            left -= opcode == BINARY
            raw.send(frame(PONG, b"keep"))
        raw.close()
        assert told(server, "slow", 1)[0] == "sent"


def test_who_neither_reads_nor_talks_is_reset_and_what_is_unsent_dropped(serve: Any) -> None:
    server = serve("bare:app", ws=FAST, ws_ping_interval=0.1, ws_ping_timeout=0.3)
    with Raw(server, "/flood/1000/100000?who=still", buffer=4096) as raw:
        assert told(server, "still", 2)[1]["code"] == 1006
        with pytest.raises(ConnectionResetError):
            raw.rest()


def test_pings_of_who_does_not_read_are_not_hoarded(serve: Any) -> None:
    server = serve("bare:app", ws=FAST, ws_ping_interval=0)
    with Raw(server, "/echo", buffer=4096) as raw:
        raw.opened()
        before = memory(server)
        for _ in range(500):
            raw.send(frame(PING, bytes(125)) * 1000)  # 64 MiB in all
    assert memory(server) - before < 1 << 25


def memory(server: Any) -> int:
    """Bytes the server had at most."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


def test_connections_leave_no_circles_to_the_collector(serve: Any) -> None:
    """Or memory is what there was since it ran last. uvicorn's HTTP leaves seven each."""
    server = serve("bare:app", ws=FAST)
    for _ in range(2):
        http(server, "/garbage")
        for number in range(50):
            with Raw(server, f"/echo?who=circle-{number}") as raw:
                raw.opened().say("a")
                assert raw.text() == "a"
                raw.close()
                assert raw.closed() == (1000, "")
    assert http(server, "/garbage") < 50 * 10


def test_so_many_connections_and_no_more(serve: Any) -> None:
    server = serve("bare:app", ws=FAST, limit_concurrency=3)
    http(server, "/release")  # by now the one that saw whether it listens is gone
    with Raw(server, "/echo").opened(), Raw(server, "/echo").opened():
        with Raw(server, "/echo") as three:
            assert three.answer().status == 503
            assert three.rest() == b"Service Unavailable"
        assert "Exceeded concurrency limit." in server.log()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec_WebSocket_Version": "8"}, 426),
        ({"Sec_WebSocket_Key": "short"}, 400),
        ({"Sec_WebSocket_Key": None}, 400),
        ({"Content_Length": "3"}, 400),
    ],
    ids=["version", "bad key", "no key", "body"],
)
def test_a_handshake_that_is_none_is_answered(
    serve: Any, headers: dict[str, Any], status: int
) -> None:
    server = serve("bare:app", ws=FAST)
    with Raw(server, "/echo", **headers) as raw:
        answer = raw.answer()
        assert answer.status == status
        assert answer.all("server") == ["uvicorn"]
        assert answer.all("sec-websocket-version") == ["13"] * (status == 426)
        raw.rest()
    with Raw(server) as raw:
        raw.send(request("/echo").replace(b"GET", b"POST"))
        assert raw.answer().status == 405


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("certificate")
    key, cert = folder / "key.pem", folder / "cert.pem"
    made = subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-days", "1"),
            *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=localhost"),
            *("-keyout", key, "-out", cert),
        ],
        check=False,
        capture_output=True,
        timeout=PATIENCE,
    )
    if made.returncode:
        pytest.skip("no openssl to make a certificate with")
    return key, cert


def test_over_tls(serve: Any, certificate: tuple[Path, Path]) -> None:
    key, cert = certificate
    server = serve("bare:app", ws=FAST, ssl_keyfile=key, ssl_certfile=cert, ws_max_size=1 << 20)
    context = ssl.create_default_context(cafile=str(cert))
    context.check_hostname = False
    url = f"wss://127.0.0.1:{server.port}"
    with connect(f"{url}/echo", ssl=context, max_size=None, compression=None) as client:
        for message in ("a", b"b" * 70_000, "é" * 100_000):
            client.send(message)
            assert client.recv(timeout=PATIENCE) == message
        assert client.ping().wait(PATIENCE)
    with connect(f"{url}/scoped", ssl=context) as client:
        assert '"scheme": "wss"' in str(client.recv(timeout=PATIENCE))
    with Raw(server, "/echo", context=context) as raw:
        raw.opened().send(frame(BINARY, bytes(1 << 21)))
        assert raw.frame()[1][:2] == (1009).to_bytes(2, "big")
    with Raw(server, "/deny/401/who", context=context) as raw:
        assert (raw.answer().status, raw.rest()) == (401, b"who")


def test_over_tls_who_says_nothing_keeps_nobody(serve: Any, certificate: tuple[Path, Path]) -> None:
    """The loop would wait half a minute for its goodbye."""
    key, cert = certificate
    server = serve("bare:app", ws=FAST, ssl_keyfile=key, ssl_certfile=cert)
    context = ssl.create_default_context(cafile=str(cert))
    context.check_hostname = False
    with Raw(server, context=context):
        server.terminate()


def test_over_a_unix_socket(serve: Any, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "uvicorn", "bare:app", "--ws", FAST),
            # Where httptools is installed, that would lose what comes with the handshake.
            *("--http", "h11", "--uds", str(path), "--app-dir", str(Path(__file__).parent)),
        ],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if "running on" in line:
                    break
            with socket.socket(socket.AF_UNIX) as plain:
                plain.settimeout(PATIENCE)
                plain.connect(str(path))
                plain.sendall(request("/echo") + frame(TEXT, b"a"))
                got = b""
                while not got.endswith(b"\x81\x01a"):
                    piece = plain.recv(4096)
                    assert piece, got
                    got += piece
        finally:
            process.terminate()
            process.wait(PATIENCE)


def test_the_end_of_the_server(serve: Any) -> None:
    """1012 to who is open, 503 to who is not; nobody keeps it, whether they read or not."""
    server = serve("bare:app", ws=FAST, ws_ping_interval=0)
    clients = [Raw(server, "/echo?who=polite"), Raw(server, "/echo?who=rude")]
    for client in clients:
        client.opened()
    stalled = Raw(server, "/flood/1000/100000?who=stalled", buffer=4096).opened()
    waiting = Raw(server, "/undecided?who=waiting")
    told(server, "waiting")
    denied = Raw(server, "/deny/403/a")
    assert denied.answer().status == 403  # and does not go
    server.process.send_signal(signal.SIGTERM)
    for client in clients:
        assert client.frame() == (CLOSE, (1012).to_bytes(2, "big"))
    clients[0].close((1012).to_bytes(2, "big"))
    answer = waiting.answer()
    assert (answer.status, waiting.rest()) == (503, b"Service Unavailable")
    server.process.wait(PATIENCE)
    for client in (*clients, stalled, waiting, denied):
        client.socket.close()
