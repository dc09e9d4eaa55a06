"""How a socket is refused before it is accepted: by an HTTP response with a body.

Whoever refuses raises `HTTPException`, in a dependency or in `on_start`, and the application's own
handler of it makes the response; a parameter that does not validate is a 422. Here it is sent, and
where a server knows no HTTP response to a WebSocket, the socket is closed instead, which becomes a
bare 403.
"""

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable, Iterator
from http import HTTPStatus
from typing import Any
from weakref import WeakSet

from fastapi import FastAPI
from fastapi.encoders import jsonable_encoder
from fastapi.exception_handlers import websocket_request_validation_exception_handler
from fastapi.exceptions import WebSocketRequestValidationError
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import Receive, Send
from starlette.websockets import WebSocket

from ._peer import find
from .exceptions import CloseCode, LimitReached
from .outbox import Close
from .session import text_of

PATIENCE = 1.0
"""Seconds that a server has to be done with a connection after the response."""

_EXTENSION = "websocket.http.response"
_installed: WeakSet[FastAPI] = WeakSet()


def install(app: FastAPI) -> None:
    """Have refusals of the application's sockets sent from here; call it before the app runs.

    Its own handler of `HTTPException`, if it has one by now, still makes the response.
    """
    if app in _installed:
        return
    _installed.add(app)
    app.add_exception_handler(HTTPException, _answering(app.exception_handlers[HTTPException]))
    app.add_exception_handler(LimitReached, _answering(_limit_response))
    handlers: dict[Any, Any] = app.exception_handlers
    invalid = WebSocketRequestValidationError
    if handlers.get(invalid) is websocket_request_validation_exception_handler:  # FastAPI's own
        app.add_exception_handler(invalid, _answering(_invalid_response))


def install_mounted(app: FastAPI) -> None:
    """The same for the applications that are mounted on it, before their first request."""
    for mounted in applications_on(app):
        install(mounted)


def applications_on(app: FastAPI) -> Iterator[FastAPI]:
    """Those that are mounted on it, and on these."""
    for route in app.routes:
        if isinstance(route, Mount) and isinstance(route.app, FastAPI):
            yield route.app
            yield from applications_on(route.app)


def _answering(respond: Callable[..., Any]) -> Callable[[Any, Exception], Awaitable[Any]]:
    """A handler of exceptions: `respond` makes the response, which a socket's is sent here."""

    async def answer(connection: Request | WebSocket, error: Exception) -> Response | None:
        if isinstance(connection, WebSocket):
            await _deny(connection, respond, error)
            return None
        response: Response | None = await _response(respond, connection, error)
        return response

    return answer


async def _limit_response(connection: HTTPConnection, error: LimitReached) -> Response:
    body: dict[str, object] = {"detail": error.detail, "limit": error.limit}
    if error.retry_after is not None:
        body["retry_after"] = round(error.retry_after, 3)
    return JSONResponse(body, error.status_code, error.headers)


async def _invalid_response(
    connection: HTTPConnection, error: WebSocketRequestValidationError
) -> Response:
    body = {"detail": jsonable_encoder(error.errors())}
    return JSONResponse(body, HTTPStatus.UNPROCESSABLE_ENTITY)


async def _response(
    respond: Callable[..., Any], connection: HTTPConnection, error: Exception
) -> Any:
    if inspect.iscoroutinefunction(respond):
        return await respond(connection, error)
    return await run_in_threadpool(respond, connection, error)


async def _deny(websocket: WebSocket, respond: Callable[..., Any], error: Exception) -> None:
    if _EXTENSION not in (websocket.scope.get("extensions") or {}):
        detail = error.detail if isinstance(error, HTTPException) else str(error)
        close = Close.cut(CloseCode.POLICY_VIOLATION, text_of(detail))
        await websocket.close(close.code, close.reason)
        return
    response = await _response(respond, websocket, error)
    # Beneath Starlette's socket: its own check knows of one event after another, and no end.
    receive: Receive = getattr(websocket, "_receive", websocket.receive)
    send: Send = getattr(websocket, "_send", websocket.send)
    peer = find(receive, send)
    if peer is not None and peer.closing:
        # The server ends, and said so itself, with a 500: a second answer would be an error in its
        # log, and so would be to return before it knows that the connection is gone.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await _disconnected(receive)
    elif response is not None:
        await response(websocket.scope, receive, send)
        await _see_off(receive)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def _see_off(receive: Receive) -> None:
    """Return when the server is done with the connection.

    uvicorn's `websockets-sansio` takes an application that returns before that for one that forgot
    the handshake, and logs an error. It queues a disconnect with the response, and tells of a
    second one when the connection is closed. A server that queued none needs no waiting.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0):
            await _disconnected(receive)
        async with asyncio.timeout(PATIENCE):
            await receive()
