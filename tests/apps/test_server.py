"""The demo server as a whole: its end, its intervals, and its background threads."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from actors import ActorRef, ActorSystem, MailboxFull, NotRunning
from apps.ticker import Ticker

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 20.0
SOCKETS = ["/ws", "/ws/advanced", "/ws/chat/ann", "/ws/thread-safe/ann", "/ws/simple/ann"]


@pytest.mark.parametrize(
    "protocol", ["websockets-sansio", "wsproto", "transport.fast:WebSocketProtocol"]
)
def test_sigterm_ends_it_with_clients_connected(
    serve: Any, dial: Any, savage: Any, protocol: str
) -> None:
    server = serve(
        "apps.server:app",
        ws=protocol,
        env={"NOTIFY_SECONDS": "0.05", "BACKGROUND_SECONDS": "0.05"},
    )
    clients = [dial(server.ws_url + path) for path in SOCKETS]
    clients[2].until("user_joined")
    clients[2].send({"type": "join_room", "room_name": "tea"})
    clients[2].until("room_join")
    clients[3].until("system_notification")
    clients[4].until("background")
    savage(server.port, "/ws/chat/savage").send({"type": "join_room", "room_name": "tea"})
    clients[2].until("room_join", client_id="savage")
    # It drains; uvicorn cleans up, and then lets the signal do what it would have done.
    assert server.terminate() in (0, -signal.SIGTERM)
    assert [client.closed() for client in clients] == [1001] * len(clients)
    assert "Application shutdown complete" in server.log()
    assert "actor crashed" not in server.log()


def test_make_demo_serves_it_by_our_own_command() -> None:
    done = subprocess.run(
        ["make", "--dry-run", "demo", "HOST=::1", "PORT=9"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert "python -m transport serve apps.server:app --host ::1 --port 9\n" in done.stdout


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [({}, "30.0 5.0"), ({"NOTIFY_SECONDS": "0.5", "BACKGROUND_SECONDS": "2"}, "0.5 2.0")],
    ids=["unless told", "told"],
)
def test_the_intervals(environment: dict[str, str], seconds: str) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.endswith("_SECONDS")}
    program = "import apps.server as s; print(s.NOTIFY_SECONDS, s.BACKGROUND_SECONDS)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert done.stdout.strip() == seconds


def test_the_threads_are_real_and_end_with_the_server() -> None:
    from apps.server import app

    def tickers() -> list[threading.Thread]:
        return [each for each in threading.enumerate() if each.name.startswith("ticker ")]

    assert tickers() == []
    with TestClient(app):
        running = tickers()
        assert sorted(each.name for each in running) == ["ticker dual", "ticker notifications"]
    for thread in running:
        thread.join(PATIENCE)
        assert not thread.is_alive()


class Stage(ActorSystem):
    """Notes what a ticker publishes; `moods` are what becomes of one publish after the other."""

    def __init__(self, *moods: type[Exception] | None) -> None:
        super().__init__()
        self.published: list[tuple[str, object, object, str]] = []
        self.enough = threading.Event()
        self._moods = list(moods)

    def publish(
        self, topic: str, message: object, *, exclude: ActorRef | Iterable[ActorRef] = ()
    ) -> Any:
        self.published.append((topic, message, exclude, threading.current_thread().name))
        mood = self._moods.pop(0) if self._moods else None
        if not self._moods:
            self.enough.set()
        if mood is not None:
            raise mood("not now")


def play(stage: Stage, muted: list[ActorRef]) -> None:
    ticker = Ticker(stage, "topic", 0.001, lambda count: f"number {count}", lambda: muted)
    with ticker:
        assert stage.enough.wait(PATIENCE)
        (thread,) = [each for each in threading.enumerate() if each.name == "ticker topic"]
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_a_ticker_counts_and_leaves_out() -> None:
    stage = Stage(None, None, None)
    muted: list[Any] = [object()]
    play(stage, muted)
    for number, (topic, message, exclude, thread) in enumerate(stage.published[:3]):
        assert (topic, message, exclude) == ("topic", f"number {number}", muted)
        assert thread == "ticker topic"


def test_a_ticker_goes_on_when_the_loop_is_behind() -> None:
    stage = Stage(None, MailboxFull, None)
    play(stage, [])
    words = [message for _, message, _, _ in stage.published[:3]]
    assert words == ["number 0", "number 1", "number 2"]


def test_a_ticker_ends_with_its_system() -> None:
    stage = Stage(None, NotRunning)
    ticker = Ticker(stage, "topic", 0.001, lambda count: count)
    ticker.__enter__()
    for thread in threading.enumerate():
        if thread.name == "ticker topic":
            thread.join(PATIENCE)
            assert not thread.is_alive()
    assert [message for _, message, _, _ in stage.published] == [0, 1]
