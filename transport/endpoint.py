"""From a connection class to a FastAPI route, and from an application to its actor system."""

import inspect
import itertools
import os
import re
import string
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from typing import Annotated, Any, TypeAlias

import structlog
from fastapi import APIRouter, Depends, FastAPI, HTTPException, WebSocket
from starlette.requests import HTTPConnection

from actors import (
    ActorRef,
    ActorSystem,
    DeadLetter,
    HandlerError,
    Instrument,
    NameTaken,
    NotRunning,
    Restart,
    Terminated,
    handlers_of,
)

from ._socket import ClientLane, Socket
from ._writer import Writer
from .codec import Codec, SocketCodec, codecs_for
from .connection import Connection
from .denial import install, install_mounted
from .exceptions import Disconnected, LifespanNotRun
from .gate import Gate
from .session import Session
from .settings import OnCrash, Settings
from .wire import PlainWire

logger: Any = structlog.get_logger("greenroom")

_STATE = "greenroom"
_WEBSOCKET = "greenroom_websocket"
_GATE = "greenroom_gate"
_DEFAULT = "greenroom"
"""The subprotocol that stands for a route's default codec: one to offer beside a token."""

Codecs: TypeAlias = Codec | Iterable[Codec]


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
    ) -> None:
        if getattr(app.state, _STATE, None) is not None:
            raise ValueError("this application has its Sockets already")
        setattr(app.state, _STATE, self)
        self.settings = settings or Settings()
        self._app = app
        self._instruments = instruments
        self._system: ActorSystem | None = None
        self._writer: Writer | None = None
        self.gate = Gate(max_connections, max_connections_per_client)
        """For the sockets."""
        install(app)
        self._inner = app.router.lifespan_context
        app.router.lifespan_context = self._lifespan

    @asynccontextmanager
    async def _lifespan(self, app: Any) -> AsyncGenerator[dict[str, Any]]:
        install_mounted(self._app)
        workers = _workers()
        if workers > 1:
            logger.warning(
                "groups and names are not shared between worker processes: "
                "a publish reaches the members in its own process only",
                workers=workers,
            )
        async with Writer() as writer, ActorSystem(instruments=self._instruments) as system:
            self._system, self._writer = system, writer
            try:
                async with self._inner(app) as state:
                    yield {**(state or {}), _STATE: self}
                    await system.stop()
            finally:
                self._system = self._writer = None

    @property
    def writer(self) -> Writer:
        """For the sockets."""
        if self._writer is None:
            raise LifespanNotRun(_NOT_RUN)
        return self._writer

    @property
    def system(self) -> ActorSystem:
        """The running system. Raises `LifespanNotRun` before it starts and after it ends."""
        if self._system is None:
            raise LifespanNotRun(_NOT_RUN)
        return self._system

    @property
    def connections(self) -> int:
        """How many sockets are open, or about to be."""
        return self.gate.connections

    @property
    def refused(self) -> Mapping[str, int]:
        """How often something was refused since the start, by the setting that says so: handshakes
        by `origins`, `max_connections`, `max_connections_per_client`; messages by `message_rate`,
        `byte_rate`."""
        return dict(self.gate.refused)

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
        of a router run before that). Raises `ValueError` for a `name` with a
        parameter that is not in the path.
        """
        whole = path if router is None else router.prefix + path
        for _, field, _, _ in string.Formatter().parse(name or ""):
            if field is not None and not re.search(rf"{{{re.escape(field)}(:\w+)?}}", whole):
                raise ValueError(f"the name {name!r} has {{{field}}}, which is not in {whole!r}")
        route = _Route(connection, name, codec, subprotocols or {}, settings, keep_dependencies)
        (router or self._app.router).add_api_websocket_route(
            path,
            route.endpoint(),
            name=connection.__name__,
            dependencies=[Depends(route.admit), *dependencies],
        )


_NOT_RUN = (
    "the application's lifespan did not run, so there is no actor system. Is there a "
    "`Sockets(app)` on the outermost application? Does the server run the lifespan (uvicorn: not "
    "`--lifespan off`; TestClient: `with TestClient(app) as client`)?"
)


def running_system(connection: HTTPConnection) -> ActorSystem:
    """A dependency: the actor system, for HTTP routes. Raises `LifespanNotRun`."""
    return _sockets(connection).system


CurrentSystem = Annotated[ActorSystem, Depends(running_system)]
"""Annotate an endpoint's parameter with it, to tell, ask and publish from there."""


def _sockets(connection: HTTPConnection) -> Sockets:
    sockets = connection.scope.get("state", {}).get(_STATE)
    if sockets is None:
        raise LifespanNotRun(_NOT_RUN)
    assert isinstance(sockets, Sockets)
    return sockets


def endpoint(
    connection: type[Connection],
    *,
    name: str | None = None,
    codec: Codecs | None = None,
    subprotocols: Mapping[str, Codecs] | None = None,
    settings: Settings | None = None,
    keep_dependencies: bool = False,
) -> Callable[..., Awaitable[None]]:
    """A FastAPI WebSocket endpoint that runs one `connection` actor for each socket.

    What the class's `__init__` takes becomes the endpoint's parameters; where it takes `**kwargs`,
    what its bases' take as well. `Sockets.add` calls this;
    call it yourself for a router that knows of no `Sockets`:
    `router.add_api_websocket_route("/chat", endpoint(Chat))`.

    `name`: the actor's name, with path parameters in braces (`"chat/{client_id}"`); a second
    socket under a living name is refused with 409 before it is accepted. `codec`: one, or one for
    each kind of frame; by default what the handlers' types call for. `subprotocols`: codecs by
    subprotocol; the first that the client offers is taken, and `greenroom` stands for `codec`
    unless you say otherwise. `settings`: for this route, instead of
    those of `Sockets`. `keep_dependencies`: `yield` dependencies are closed after `on_start`,
    before the socket is accepted, so that none pins a database session for the socket's life;
    with true they are closed after `on_stop`.

    Raises `CodecError` or `HandlerError` for a class that cannot be served.
    """
    route = _Route(connection, name, codec, subprotocols or {}, settings, keep_dependencies)
    return route.endpoint()


class _Route:
    """What all sockets of one route share."""

    def __init__(
        self,
        connection: type[Connection],
        name: str | None,
        codec: Codecs | None,
        subprotocols: Mapping[str, Codecs],
        settings: Settings | None,
        keep_dependencies: bool,
    ) -> None:
        types = _wire_types(connection)
        self._connection = connection
        self._name = name
        self._settings = settings
        self._keep_dependencies = keep_dependencies
        self._types = list(handlers_of(connection))
        self._codec = SocketCodec(_several(codec) or codecs_for(types), types)
        self._subprotocols = {_DEFAULT: self._codec} | {
            subprotocol: SocketCodec(_several(codecs), types)
            for subprotocol, codecs in subprotocols.items()
        }
        self._sessions: dict[tuple[SocketCodec, Settings], tuple[Session, ClientLane]] = {}

    def endpoint(self) -> Callable[..., Awaitable[None]]:
        """The function that FastAPI calls for each socket."""
        signature = _signature(self._connection, self.admit)
        # FastAPI fills in one parameter of this type, so where the class has one, it serves both.
        own = next(name for name, it in signature.parameters.items() if _is_websocket(it))

        async def run(**values: Any) -> None:
            values.pop(_GATE, None)
            websocket: WebSocket = values.pop(own) if own == _WEBSOCKET else values[own]
            sockets = _sockets(websocket)
            with sockets.gate.place(websocket):
                await self._serve(sockets, websocket, values)

        run.__signature__ = signature  # type: ignore[attr-defined]
        return run

    async def admit(self, websocket: WebSocket) -> None:
        """A dependency, and the first: whether the socket may come in at all."""
        sockets = _sockets(websocket)
        sockets.gate.check(websocket, self._settings or sockets.settings, self._subprotocols)

    async def _serve(self, sockets: Sockets, websocket: WebSocket, values: dict[str, Any]) -> None:
        settings = self._settings or sockets.settings
        subprotocol = next((s for s in websocket["subprotocols"] if s in self._subprotocols), None)
        codec = self._codec if subprotocol is None else self._subprotocols[subprotocol]
        session, lane = self._session(codec, settings)
        wire = PlainWire(websocket)
        socket = Socket(wire, sockets.writer, session, lane, sockets.gate.refused)
        connected = False

        def factory() -> Connection:
            actor = self._connection(**values)
            actor.__socket__ = socket
            actor.__handshake__ = websocket
            return actor

        ref = await self._spawn(sockets.system, factory, websocket, settings)
        try:
            if not self._keep_dependencies:
                await _close_dependencies(websocket)
            await wire.accept(subprotocol)
            connected = True
        except Disconnected:
            return
        finally:
            if not connected:
                ref.stop()
        socket.context.call(Connection.__connected__)
        await socket.run()

    def _session(self, codec: SocketCodec, settings: Settings) -> tuple[Session, ClientLane]:
        key = codec, settings
        found = self._sessions.get(key)
        if found is None:
            session = Session(codec, settings)
            found = self._sessions[key] = session, ClientLane(session, self._types)
        return found

    async def _spawn(
        self,
        system: ActorSystem,
        factory: Callable[[], Connection],
        websocket: WebSocket,
        settings: Settings,
    ) -> ActorRef:
        restarts = settings.on_crash is not OnCrash.CLOSE
        try:
            return await system.spawn(
                factory,
                name=self._name and self._name.format_map(websocket.path_params),
                restart=Restart.TRANSIENT if restarts else Restart.TEMPORARY,
                intensity=settings.intensity,
            )
        except NameTaken as error:
            raise HTTPException(HTTPStatus.CONFLICT, str(error)) from error
        except NotRunning as error:
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from error


async def _close_dependencies(websocket: WebSocket) -> None:
    # Where FastAPI keeps the `yield` dependencies of a request, innermost first.
    for key in ("fastapi_function_astack", "fastapi_inner_astack"):
        stack = websocket.scope.get(key)
        if isinstance(stack, AsyncExitStack):
            await stack.aclose()


def _several(codec: Codecs | None) -> list[Codec]:
    if codec is None:
        return []
    return list(codec) if isinstance(codec, Iterable) else [codec]


def _wire_types(connection: type[Connection]) -> list[type]:
    handlers = handlers_of(connection)
    told_by_runtime = (Terminated, DeadLetter)
    return [
        kind
        for kind, handler in handlers.items()
        if handler.options.wire and kind not in told_by_runtime
    ]


def _signature(
    connection: type[Connection], gate: Callable[[WebSocket], Awaitable[None]]
) -> inspect.Signature:
    """What FastAPI is to fill in: the gate, which runs first, what `__init__` takes, the socket."""
    kind = inspect.Parameter.KEYWORD_ONLY
    admitted = Annotated[None, Depends(gate)]
    first = inspect.Parameter(_GATE, kind, annotation=admitted)
    parameters = [first, *_init_parameters(connection)]
    if not any(map(_is_websocket, parameters)):
        parameters.append(inspect.Parameter(_WEBSOCKET, kind, annotation=WebSocket))
    return inspect.Signature(parameters)


def _init_parameters(connection: type[Connection]) -> list[inspect.Parameter]:
    """What `__init__` takes; where it has `**kwargs`, also what those of its bases take."""
    found: dict[str, inspect.Parameter] = {}
    for base in connection.__mro__:
        if "__init__" not in vars(base) or base is object:
            continue
        try:
            signature = inspect.signature(vars(base)["__init__"], eval_str=True)
        except NameError as error:
            raise HandlerError(
                f"{base.__qualname__}.__init__: {error}: define what it is annotated with outside "
                f"of a function, or do without `from __future__ import annotations`"
            ) from None
        hands_on = False
        for parameter in list(signature.parameters.values())[1:]:
            if parameter.kind is parameter.POSITIONAL_ONLY:
                raise HandlerError(f"{base.__qualname__}.__init__: {parameter} must have a name")
            if parameter.kind is parameter.VAR_KEYWORD:
                hands_on = True
            elif parameter.kind is not parameter.VAR_POSITIONAL:
                keyword = parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
                found.setdefault(parameter.name, keyword)
        if not hands_on:
            break
    return list(found.values())


def _is_websocket(parameter: inspect.Parameter) -> bool:
    return isinstance(parameter.annotation, type) and issubclass(parameter.annotation, WebSocket)


def _workers() -> int:
    """How many worker processes serve the application, as far as a worker can tell."""
    for flag, value in itertools.pairwise([*sys.argv[1:], ""]):
        name, _, inline = flag.partition("=")
        number = inline or value
        if name in ("--workers", "-w") and number.isdecimal():
            return int(number)
    concurrency = os.environ.get("WEB_CONCURRENCY", "")
    return int(concurrency) if concurrency.isdecimal() else 1
