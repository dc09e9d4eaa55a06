"""From a connection class to a FastAPI route."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Annotated, Any, TypeAlias, get_origin

from fastapi import Depends, HTTPException, WebSocket
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from actors import (
    ActorRef,
    ActorStopped,
    ActorSystem,
    DeadLetter,
    HandlerError,
    NameTaken,
    NotRunning,
    Restart,
    Terminated,
    handlers_of,
)

from ._lane import ClientLane
from ._opening import Opening
from ._server import Server, server_of
from ._socket import Socket
from .codec import Codec, SocketCodec, codecs_for
from .connection import Connection
from .exceptions import CloseCode, Disconnected
from .outbox import Close
from .session import Session
from .settings import OnCrash, Settings
from .wire import close

_WEBSOCKET = "greenroom_websocket"
_GATE = "greenroom_gate"
_DEFAULT = "greenroom"
"""The subprotocol that stands for a route's default codec: one to offer beside a token."""
_DEPENDENCIES = ("fastapi_function_astack", "fastapi_inner_astack")
"""Where FastAPI keeps the `yield` dependencies of a request, innermost first."""

Codecs: TypeAlias = Codec | Iterable[Codec]


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
    with true they are closed after `on_stop`. They are not run anew for a restart: after a crash
    the fresh instance is given the same objects, and what has been closed stays closed.

    Raises `CodecError` or `HandlerError` for a class that cannot be served.
    """
    route = Route(connection, name, codec, subprotocols or {}, settings, keep_dependencies)
    return route.endpoint()


class Route:
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

    def endpoint(self, *, admits: bool = True) -> Callable[..., Awaitable[None]]:
        """The function that FastAPI calls for each socket. `admits`: by `admit`, unless its route
        sees to that."""
        signature = _signature(self._connection, self.admit if admits else None)
        # FastAPI fills in one parameter of this type, so where the class has one, it serves both.
        own = next(name for name, it in signature.parameters.items() if _is_websocket(it))

        async def run(**values: Any) -> None:
            values.pop(_GATE, None)
            websocket: WebSocket = values.pop(own) if own == _WEBSOCKET else values[own]
            await self._serve(server_of(websocket), websocket, values)

        run.__signature__ = signature  # type: ignore[attr-defined]
        return run

    def admitting(self, app: ASGIApp) -> ASGIApp:
        """A route's application, for those sockets only that may come in at all."""

        async def admitted(scope: Scope, receive: Receive, send: Send) -> None:
            with self._check(HTTPConnection(scope)):
                await app(scope, receive, send)

        return admitted

    async def admit(self, websocket: WebSocket) -> None:
        """The same as a dependency, the first: FastAPI takes five times as long for one as the
        checks do."""
        websocket.scope[_DEPENDENCIES[-1]].push(self._check(websocket))

    def _check(self, connection: HTTPConnection) -> Opening:
        """Raise `HTTPException` for a socket that may not come in. What is returned is around all
        that it waits for from then on: nothing that hangs there keeps a drain waiting."""
        server = server_of(connection)
        server.gate.check(connection, self._settings or server.settings, self._subprotocols)
        return server.openings.begin()

    async def _serve(self, server: Server, websocket: WebSocket, values: dict[str, Any]) -> None:
        settings = self._settings or server.settings
        subprotocol = next((s for s in websocket["subprotocols"] if s in self._subprotocols), None)
        codec = self._codec if subprotocol is None else self._subprotocols[subprotocol]
        session, lane = self._session(codec, settings)
        wire = server.wire(websocket)
        socket = Socket(wire, server, session, lane, server.gate.enter(websocket))

        def factory() -> Connection:
            actor = self._connection(**values)
            actor.__socket__ = socket
            actor.__handshake__ = websocket
            return actor

        started = accepted = False
        try:
            await self._spawn(server.system, factory, websocket, settings)
            started = True
            server.roster.add(socket)
            if not self._keep_dependencies:
                await _close_dependencies(websocket)
            server.openings.done()
            server.gate.check_open()  # all that may have taken its time
            await wire.accept(subprotocol)
            accepted = True
            if socket.code is not None:  # a drain could not wait for that any longer
                await close(websocket, Close(CloseCode.GOING_AWAY, ""))
                return
            socket.open()
            if wire.needs_task or self._keep_dependencies:
                await wire.run()
                await socket.context.ref.wait()
        except Disconnected:
            return  # the client went before it was accepted
        finally:
            if not accepted:
                socket.turn_away(started=started)

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
            name = self._name and self._name.format_map(websocket.path_params)
        except KeyError as error:
            path = websocket["path"]
            raise LookupError(f"the name {self._name!r}: {path!r} has no {error.args[0]}") from None
        if name == "":  # a path parameter that may be empty
            raise HTTPException(HTTPStatus.NOT_FOUND)
        try:
            return await system.spawn(
                factory,
                name=name,
                restart=Restart.TRANSIENT if restarts else Restart.TEMPORARY,
                intensity=settings.intensity,
            )
        except NameTaken as error:
            raise HTTPException(HTTPStatus.CONFLICT, str(error)) from error
        except (NotRunning, ActorStopped) as error:
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from error


async def _close_dependencies(websocket: WebSocket) -> None:
    for key in _DEPENDENCIES:
        stack: AsyncExitStack = websocket.scope[key]
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
    connection: type[Connection], gate: Callable[[WebSocket], Awaitable[None]] | None
) -> inspect.Signature:
    """What FastAPI is to fill in: the gate, which runs first, what `__init__` takes, the socket."""
    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = _init_parameters(connection)
    if gate is not None:
        admitted = Annotated[None, Depends(gate)]
        parameters.insert(0, inspect.Parameter(_GATE, kind, annotation=admitted))
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
    kind = parameter.annotation
    if get_origin(kind) is Annotated:
        kind = kind.__origin__
    return isinstance(kind, type) and issubclass(kind, WebSocket)
