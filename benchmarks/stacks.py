"""The stacks: each contender's endpoints, the server they run on, and how one talks to them.

All are on uvicorn with its `websockets-sansio` protocol, asyncio's loop and h11, which is what one
gets without asking, but where the name says otherwise: our own protocol goes with the `--http` that
`greenroom serve` has. Compression is off for all.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from . import load
from .options import Options
from .servers import FAST, SANSIO, Server, serving
from .talk import DUAL, JSON, SOCKETIO, Talk


@dataclass(frozen=True, slots=True)
class Stack:
    """A contender over the wire. `apps` names the module of its endpoints."""

    name: str
    apps: str
    needs: tuple[str, ...] = ()
    """Modules that may be missing."""
    peer: bool = False
    """Those are of the extra `bench`: a quick run does without."""
    talk: Talk = JSON
    ws: str = SANSIO
    loop: str = "asyncio"
    http: str | None = None
    alone: bool = False
    """A server of its own, not uvicorn."""

    def serving(
        self, endpoint: str, *, collects: bool = False
    ) -> contextlib.AbstractContextManager[Server]:
        """Serve one of its endpoints until the block ends."""
        return serving(
            f"{self.apps}:{endpoint}",
            ws=self.ws,
            loop=self.loop,
            http=self.http,
            alone=self.alone,
            collects=collects,
        )

    def clients(
        self, server: Server, count: int, path: str = ""
    ) -> contextlib.AbstractContextManager[list[load.Client]]:
        """Connected clients, greeted."""
        return load.clients(server.port, count, path or self.talk.path, self.talk.greet)


TUTORIAL = Stack("FastAPI, the tutorial", "benchmarks.tutorial")
DUALS = Stack("FastAPI, the tutorial's dual queues", "benchmarks.tutorial", talk=DUAL)
BEST = Stack(
    "FastAPI, best settings",
    "benchmarks.peers.fastapi_best",
    ("uvloop", "httptools"),
    peer=True,
    loop="uvloop",
    http="httptools",
)
BARE = Stack("bare ASGI, no JSON", "benchmarks.bare")
LITESTAR = Stack("Litestar", "benchmarks.peers.litestar_app", ("litestar",), peer=True)
SOCKETS_IO = Stack(
    "python-socketio", "benchmarks.peers.socketio_app", ("socketio",), peer=True, talk=SOCKETIO
)
CHANNELS = Stack("Django Channels", "benchmarks.peers.channels_app", ("channels",), peer=True)
PICOWS = Stack("picows alone, no JSON", "benchmarks.peers.picows_alone", ("picows",), alone=True)
PLAIN = Stack("greenroom, plain uvicorn", "benchmarks.ours")
OURS = Stack("greenroom, its own protocol", "benchmarks.ours", ("picows",), ws=FAST)
OURS_UVLOOP = Stack(
    "greenroom, its own protocol, uvloop",
    "benchmarks.ours",
    ("picows", "uvloop"),
    peer=True,
    ws=FAST,
    loop="uvloop",
)

ALL = (TUTORIAL, BEST, BARE, LITESTAR, SOCKETS_IO, CHANNELS, PICOWS, PLAIN, OURS, OURS_UVLOOP)
"""The first is the 1.0 of the ratios."""


def present(stacks: Sequence[Stack], options: Options, notes: list[str]) -> list[Stack]:
    """Those that can take part and were asked for; `notes` hears who can not."""
    found: list[Stack] = []
    for stack in stacks:
        missing = [module for module in stack.needs if find_spec(module) is None]
        if options.leaves_out(stack.name, stack.peer):
            continue
        if missing:
            notes.append(f"left out: {stack.name}, for {' and '.join(missing)} is not installed")
        else:
            found.append(stack)
    return found
