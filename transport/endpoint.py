"""From a connection class to a FastAPI route, and from an application to its actor system."""

import inspect
import itertools
import os
import re
import string
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from http import HTTPStatus
from typing import Annotated, Any, TypeAlias

import structlog
from fastapi import APIRouter, Depends, FastAPI, HTTPException, WebSocket, WebSocketException
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
from .exceptions import CloseCode, Disconnected, LifespanNotRun
from .session import Session
from .settings import OnCrash, Settings
from .wire import PlainWire

logger: Any = structlog.get_logger("greenroom")

LENT: ContextVar[ActorSystem | None] = ContextVar("greenroom's lent system", default=None)
"""A running system that applications started in this context run in, instead of one of their own:
a test's, with its clock."""

_STATE = "greenroom"
_WEBSOCKET = "greenroom_websocket"

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
    """

    def __init__(
        self,
        app: FastAPI,
        *,
        settings: Settings | None = None,
        instruments: Sequence[Instrument] = (),
    ) -> None:
        if getattr(app.state, _STATE, None) is not None:
            raise ValueError("this application has its Sockets already")
        setattr(app.state, _STATE, self)
        self.settings = settings or Settings()
        self._app = app
        self._instruments = instruments
        self._system: ActorSystem | None = None
        self._writer: Writer | None = None
        self._inner = app.router.lifespan_context
        app.router.lifespan_context = self._lifespan

    @asynccontextmanager
    async def _lifespan(self, app: Any) -> AsyncGenerator[dict[str, Any]]:
        workers = _workers()
        if workers > 1:
            logger.warning(
                "groups and names are not shared between worker processes: "
                "a publish reaches the members in its own process only",
                workers=workers,
            )
        async with Writer() as writer, self._running_system() as system:
            self._system, self._writer = system, writer
            try:
                async with self._inner(app) as state:
                    yield {**(state or {}), _STATE: self}
                    await system.stop()
            finally:
                self._system = self._writer = None

    @asynccontextmanager
    async def _running_system(self) -> AsyncGenerator[ActorSystem]:
        lent = LENT.get()
        if lent is None:
            async with ActorSystem(instruments=self._instruments) as system:
                yield system
        else:
            lent.observe(self._instruments)
            yield lent

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
        for their effect, as on any FastAPI route. Raises `ValueError` for a `name` with a
        parameter that is not in the path.
        """
        whole = path if router is None else router.prefix + path
        for _, field, _, _ in string.Formatter().parse(name or ""):
            if field is not None and not re.search(rf"{{{re.escape(field)}(:\w+)?}}", whole):
                raise ValueError(f"the name {name!r} has {{{field}}}, which is not in {whole!r}")
        (router or self._app.router).add_api_websocket_route(
            path,
            endpoint(
                connection,
                name=name,
                codec=codec,
                subprotocols=subprotocols,
                settings=settings,
                keep_dependencies=keep_dependencies,
            ),
            name=connection.__name__,
            dependencies=dependencies,
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


def system_in(state: Mapping[str, Any]) -> ActorSystem:
    """The actor system, by what an application's lifespan yields. Raises `LifespanNotRun`."""
    return _sockets_in(state).system


def _sockets(connection: HTTPConnection) -> Sockets:
    return _sockets_in(connection.scope.get("state", {}))


def _sockets_in(state: Mapping[str, Any]) -> Sockets:
    sockets = state.get(_STATE)
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
    subprotocol; the first that the client offers is taken. `settings`: for this route, instead of
    those of `Sockets`. `keep_dependencies`: `yield` dependencies are closed after `on_start`,
    before the socket is accepted, so that none pins a database session for the socket's life;
    with true they are closed after `on_stop`.

    Raises `CodecError` or `HandlerError` for a class that cannot be served.
    """
    route = _Route(connection, name, codec, subprotocols or {}, settings, keep_dependencies)

    signature = _signature(connection)
    # FastAPI fills in one parameter of this type, so where the class has one, it serves both.
    own = next(name for name, it in signature.parameters.items() if _is_websocket(it))

    async def run(**values: Any) -> None:
        websocket: WebSocket = values.pop(own) if own == _WEBSOCKET else values[own]
        await route.serve(websocket, values)

    run.__signature__ = signature  # type: ignore[attr-defined]
    return run


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
        self._subprotocols = {
            subprotocol: SocketCodec(_several(codecs), types)
            for subprotocol, codecs in subprotocols.items()
        }
        self._sessions: dict[tuple[SocketCodec, Settings], tuple[Session, ClientLane]] = {}

    async def serve(self, websocket: WebSocket, values: dict[str, Any]) -> None:
        sockets = _sockets(websocket)
        settings = self._settings or sockets.settings
        subprotocol = next((s for s in websocket["subprotocols"] if s in self._subprotocols), None)
        codec = self._codec if subprotocol is None else self._subprotocols[subprotocol]
        session, lane = self._session(codec, settings)
        clock = sockets.system.clock
        wire = PlainWire(websocket, clock)
        socket = Socket(wire, sockets.writer, session, lane, clock)
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
        restarts = settings.on_crash is OnCrash.RESTART
        try:
            return await system.spawn(
                factory,
                name=self._name and self._name.format_map(websocket.path_params),
                restart=Restart.TRANSIENT if restarts else Restart.TEMPORARY,
                intensity=settings.intensity,
            )
        except NameTaken as error:
            refusal = HTTPException(HTTPStatus.CONFLICT, str(error))
        except NotRunning as error:
            refusal = HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        except HTTPException as error:
            refusal = error
        if "websocket.http.response" not in websocket.scope.get("extensions", {}):
            # A server that can only refuse with a bare 403.
            raise WebSocketException(CloseCode.POLICY_VIOLATION, refusal.detail)
        raise refusal


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


def _signature(connection: type[Connection]) -> inspect.Signature:
    """What FastAPI is to fill in: the socket, and what `__init__` takes."""
    parameters = _init_parameters(connection)
    if not any(map(_is_websocket, parameters)):
        kind = inspect.Parameter.KEYWORD_ONLY
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
