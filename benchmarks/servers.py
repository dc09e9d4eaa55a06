"""Servers: uvicorn, or one of a contender's own, in a process on a free port of 127.0.0.1.

Each round of each contender gets a fresh server, pinned to the core the load does not use. The
server is killed at the end of a round, not drained: its state is thrown away, and the tutorial's
endpoints would take up to half a minute to notice a shutdown.
"""

import asyncio
import contextlib
import gc
import http.client
import os
import socket
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.importer import import_from_string

from . import cores
from .child import CONTEXT
from .load import allow_files

SANSIO = "websockets-sansio"
"""What `--ws auto` chooses today."""
FAST = "transport.fast:WebSocketProtocol"
"""What `greenroom serve` takes."""
_HTTP = {FAST: "transport.fast:HTTPProtocol"}

_OPENS = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. `alone`: it is not uvicorn, and knows WebSockets only."""

    port: int
    pid: int
    alone: bool = False

    def collect(self) -> None:
        """Have the server collect its garbage; needs `serving(..., collects=True)`, or a server
        that is alone and does so before it refuses a WebSocket at `/collect`."""
        request = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30.0)
        headers = _OPENS if self.alone else {"Connection": "close"}
        try:
            request.request("GET", "/collect", headers=headers)
            response = request.getresponse()
            if response.status != 404 if self.alone else response.read() != b"done":
                raise RuntimeError("the server did not collect its garbage")
        finally:
            request.close()

    def resident(self) -> int:
        """Bytes of physical memory the server's process holds (RSS)."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE")


class Collecting:
    """An application with `GET /collect` in front of it, the same for each contender.

    Not a coroutine function: it hands out the application's own coroutine, so a connection pays
    nothing for it.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        if scope["type"] == "http" and scope["path"] == "/collect":
            return self._collect(send)
        return self._app(scope, receive, send)

    async def _collect(self, send: Any) -> None:
        gc.collect()
        gc.collect()  # what finalisers of the first pass set free
        headers = [(b"content-length", b"4"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"done"})


@contextlib.contextmanager
def serving(
    app: str,
    *,
    ws: str = SANSIO,
    loop: str = "asyncio",
    http: str | None = None,
    alone: bool = False,
    collects: bool = False,
    send_buffer: int = 0,
) -> Generator[Server, None, None]:
    """Serve `app` ("module:attribute") by uvicorn until the block ends.

    `http`: by default what goes with `ws`. `alone`: `app` is a server itself, a coroutine function
    that is given the listening socket.
    `send_buffer`: bytes that the kernel keeps of what a client does not read; 0: as it likes.

    The socket listens before the process starts, so a client may connect at once; it is served as
    soon as the server is up. Compression is off: it would hide every other cost behind zlib's.
    What the server prints and logs is kept, and shown with the error when the block fails.
    """
    import_from_string(app)  # here, so that it is not imported anew in each child
    with tempfile.TemporaryFile() as output:
        with _listening() as listening:
            if send_buffer:  # accepted sockets have the same
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
            port = listening.getsockname()[1]
            config = {"ws": ws, "loop": loop, "http": http or _HTTP.get(ws, "h11")}
            process = CONTEXT.Process(
                target=_serve,
                args=(app, None if alone else config, collects, listening, output.fileno()),
                daemon=True,
            )
            process.start()
        # The parent's copy is closed: if the server dies, clients are refused and need not wait.
        try:
            assert process.pid is not None
            yield Server(port, process.pid, alone)
            if not process.is_alive():
                raise RuntimeError(f"the server died, exit code {process.exitcode}")
        except Exception as error:
            output.seek(0)
            said = output.read().decode(errors="replace").strip()
            error.add_note(f"while serving {app}, which said: {said[-2000:] or 'nothing'}")
            raise
        finally:
            process.kill()
            process.join()


def _listening() -> socket.socket:
    # The protocol is named because asyncio turns Nagle's algorithm off only where it reads
    # IPPROTO_TCP, and accepted sockets repeat what the listening one says. With the 0 that
    # socket.create_server leaves there, every burst waits 40 ms for a delayed ACK, and all
    # contenders look equally fast.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen(2048)
    return listening


def _serve(
    app: str,
    options: dict[str, Any] | None,
    collects: bool,
    listening: socket.socket,
    output: int,
) -> None:
    cores.pin(cores.MEASURED)
    allow_files(1 << 16)
    # The tutorial prints when a client leaves, but standard output belongs to the report.
    os.dup2(output, 1)
    os.dup2(output, 2)
    application = import_from_string(app)
    if options is None:
        asyncio.run(application(listening))
        return
    config = uvicorn.Config(
        Collecting(application) if collects else application,
        ws_per_message_deflate=False,
        interface="asgi3",
        access_log=False,
        log_level="warning",
        **options,
    )
    uvicorn.Server(config).run(sockets=[listening])
