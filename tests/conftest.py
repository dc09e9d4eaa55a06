"""What tests of several packages share: a real server in its own process."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# What test files share is in modules beside them, and says as much as they do when it fails.
pytest.register_assert_rewrite("tests.actors", "tests.testing", "tests.transport")

ROOT = Path(__file__).parent.parent
START = 30.0
"""Seconds a server may take to listen (the machine may be busy)."""
END = 15.0
"""Seconds it may take to end by itself after SIGTERM."""

HARM = (
    "Exception in ASGI application",
    "Exception in callback",
    "Task exception was never retrieved",
    "Task was destroyed",
    "was never awaited",
    "Unhandled exception",
    "Fatal error",
    "ERROR:    Traceback",
)
"""What no server may log, whatever its clients do."""


class Server:
    """A running uvicorn. `process` is a `subprocess.Popen`."""

    def __init__(self, app: str, app_dir: Path, log: Path, options: dict[str, Any]) -> None:
        self._log = log
        self.harm = HARM
        environment = {**os.environ, **options.pop("env", {})}
        environment["PYTHONPATH"] = str(ROOT)
        environment["PYTHONUNBUFFERED"] = "1"
        command = options.pop("command", ("uvicorn",))
        if options.get("ws") == "transport.fast:WebSocketProtocol":  # as `greenroom serve` has it
            options.setdefault("http", "transport.fast:HTTPProtocol")
        options.setdefault("loop", "asyncio")  # or it would be uvloop, where that is installed
        arguments = ["--app-dir", str(app_dir), "--host", "127.0.0.1"]
        for name, value in options.items():
            flag = "--" + name.replace("_", "-")
            arguments += [flag] if value is True else [flag, str(value)]
        for _ in range(5):  # another process may take the port before uvicorn does
            self.port = _free_port()
            with log.open("wb") as output:
                self.process = subprocess.Popen(
                    [
                        *(sys.executable, "-W", "error::RuntimeWarning", "-m", *command, app),
                        *(*arguments, "--port", str(self.port)),
                    ],
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    cwd=ROOT,
                    env=environment,
                )
            try:
                self._await_listening()
            except BaseException:
                self.process.kill()
                self.process.wait()
                raise
            if self.process.poll() is None:
                return
        raise AssertionError(f"the server does not start:\n{self.log()}")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def log(self) -> str:
        """All it has written so far."""
        return self._log.read_text(errors="replace")

    def _await_listening(self) -> None:
        deadline = time.monotonic() + START
        while self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=START).close()
            except ConnectionRefusedError:
                assert time.monotonic() < deadline, f"it does not listen:\n{self.log()}"
                time.sleep(0.02)  # nothing tells a stranger that a port is listened on
            else:
                return
        if "address already in use" not in self.log():
            raise AssertionError(f"the server ended with {self.process.poll()}:\n{self.log()}")

    def terminate(self, timeout: float = END) -> int:
        """SIGTERM; its exit code. Fails when it does not end by itself in time."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"it does not end after SIGTERM:\n{self.log()}") from None

    def check(self) -> None:
        """Nothing that it logged is of the kind that must not happen."""
        log = self.log()
        found = [harm for harm in self.harm if harm in log]
        assert not found, f"{found} in the server's log:\n{log}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


Serve = Callable[..., Server]


def _servers(app_dir: Path, logs: Path) -> Iterator[Serve]:
    running: list[Server] = []

    def serve(app: str, **options: Any) -> Server:
        server = Server(app, app_dir, logs / f"server-{len(running)}.log", options)
        running.append(server)
        return server

    try:
        yield serve
    finally:
        for server in running:
            server.terminate()
    for server in running:
        server.check()


@pytest.fixture
def serve(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Serve]:
    """Start uvicorn: `serve("module:app", ws="wsproto", env={...}, ws_max_size=1000)`.

    The module is looked for beside the test, then in the checkout. Keywords are uvicorn's options;
    `command=("transport", "serve")` is our own command instead.
    The test's end ends it by SIGTERM, and fails if it does not end, or logged what is in `HARM`
    (set the server's `harm` where some of that is what the test is about).
    """
    yield from _servers(request.path.parent, tmp_path)


@pytest.fixture(scope="module")
def serve_module(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serve]:
    """The same for a server that all tests of a module share."""
    yield from _servers(request.path.parent, tmp_path_factory.mktemp("servers"))
