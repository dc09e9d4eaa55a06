"""`Sockets`: an application's actor system and its WebSocket routes."""

import itertools
import os
import re
import string
import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIWebSocketRoute

from actors import ActorSystem, Instrument

from ._server import STATE, Server
from .connection import Connection
from .denial import applications_on, install, install_mounted
from .drain import Drain
from .endpoint import Codecs, Route
from .gate import Gate
from .settings import Settings

logger: Any = structlog.get_logger("greenroom")


class Sockets:
    """An application's actor system and its WebSocket routes.

    ```python
    app = FastAPI()
    sockets = Sockets(app)
    sockets.add("/chat/{client_id}", Chat)
    ```

    The system runs while the application's lifespan does: it starts before the lifespan you gave
    the application, which may spawn actors, and at the end the actors are stopped before that
    lifespan's own clean-up. Put it on the outermost application; mounted ones find it.

    `max_connections`: how many there may be at once; one more is refused with 503.
    `max_connections_per_client`: the same from one address (of IPv6, from one /64), refused with
    429. Behind a proxy that uvicorn does not trust (`--forwarded-allow-ips`) all have the proxy's
    address; on a unix socket they have none, and only the total counts. `None` for any number;
    raises `ValueError` for one below 1.
    """

    def __init__(
        self,
        app: FastAPI,
        *,
        settings: Settings | None = None,
        instruments: Sequence[Instrument] = (),
        max_connections: int | None = 10_000,
        max_connections_per_client: int | None = None,
        drain: Drain | None = None,
    ) -> None:
        if getattr(app.state, STATE, None) is not None:
            raise ValueError("this application has its Sockets already")
        setattr(app.state, STATE, self)
        gate = Gate(max_connections, max_connections_per_client)
        self._server = Server(settings or Settings(), instruments, gate, drain or Drain())
        self._app = app
        install(app)
        self._inner = app.router.lifespan_context
        app.router.lifespan_context = self._lifespan

    @asynccontextmanager
    async def _lifespan(self, app: Any) -> AsyncGenerator[dict[str, Any]]:
        install_mounted(self._app)
        for mounted in applications_on(self._app):
            if hasattr(mounted.state, STATE):
                logger.warning(
                    "a mounted application has a `Sockets` of its own, which is of no use: "
                    "add its routes to that of the outermost one",
                    application=mounted.title,
                )
        workers = _workers()
        if workers > 1:
            logger.warning(
                "groups and names are not shared between worker processes: "
                "a publish reaches the members in its own process only",
                workers=workers,
            )
        async with self._server.run(), self._inner(app) as state:
            yield {**(state or {}), STATE: self._server}
            await self._server.end()

    @property
    def settings(self) -> Settings:
        """For routes that have none of their own."""
        return self._server.settings

    @property
    def system(self) -> ActorSystem:
        """The running system. Raises `LifespanNotRun` before it starts and after it ends."""
        return self._server.system

    @property
    def connections(self) -> int:
        """How many sockets are open, or about to be."""
        return self._server.gate.connections

    @property
    def refused(self) -> Mapping[str, int]:
        """How often something was refused since the start, by the setting that says so: handshakes
        by `origins`, `max_connections`, `max_connections_per_client`, `drain`; messages by
        `message_rate`, `byte_rate`."""
        return dict(self._server.gate.refused)

    async def drain(self, hurried: Callable[[], bool] = lambda: False) -> None:
        """Take leave of all clients, by the `Drain` that was given; new ones are refused.

        uvicorn's shutdown waits for it. On another server, call it where that one says that it is
        about to end; else it begins at the lifespan's end. A second call waits for the first, and
        whoever waits may be cancelled: it goes on.
        `hurried`: asked ten times a second; once it is true, what is left is aborted.
        """
        await self._server.drain(hurried)

    def add(
        self,
        path: str,
        connection: type[Connection],
        *,
        router: APIRouter | None = None,
        name: str | None = None,
        codec: Codecs | None = None,
        subprotocols: Mapping[str, Codecs] | None = None,
        settings: Settings | None = None,
        dependencies: Sequence[Any] = (),
        keep_dependencies: bool = False,
    ) -> None:
        """Serve a connection class at a path of the application, or of a router.

        See `endpoint` for the options. `dependencies`: a sequence of `Depends(...)` that are run
        for their effect, as on any FastAPI route, once origin and limits have been checked (those
        of a router that is included run before that, and a drain waits for them). Raises
        `ValueError` for a `name` with a parameter that is not in the path.
        """
        whole = path if router is None else router.prefix + path
        for _, field, _, _ in string.Formatter().parse(name or ""):
            if field is not None and not re.search(rf"{{{re.escape(field)}(:\w+)?}}", whole):
                raise ValueError(f"the name {name!r} has {{{field}}}, which is not in {whole!r}")
        served = Route(connection, name, codec, subprotocols or {}, settings, keep_dependencies)
        router = router or self._app.router
        router.add_api_websocket_route(
            path,
            served.endpoint(admits=False),
            name=connection.__name__,
            dependencies=dependencies,
        )
        route = router.routes[-1]
        assert isinstance(route, APIWebSocketRoute)
        route.app = served.admitting(route.app)
        # Where the router is included, FastAPI makes another route, of these and without that.
        route.dependencies.insert(0, Depends(served.admit))


def _workers() -> int:
    """How many worker processes serve the application, as far as a worker can tell."""
    for flag, value in itertools.pairwise([*sys.argv[1:], ""]):
        name, _, inline = flag.partition("=")
        number = inline or value
        if name in ("--workers", "-w") and number.isdecimal():
            return int(number)
    concurrency = os.environ.get("WEB_CONCURRENCY", "")
    return int(concurrency) if concurrency.isdecimal() else 1
