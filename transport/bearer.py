"""A bearer token for browsers, which cannot send an `Authorization` header with a WebSocket.

There the page offers it as a subprotocol beside another one, which the server answers with:

    new WebSocket(url, ["greenroom", "bearer." + token])

What a subprotocol may consist of (RFC 9110, `token`) fits base64url without padding and a JWT as it
is. The way is that of Kubernetes' API server: the token is taken out of the request as soon as it
is met, so that it is never answered with, nor seen in a log of headers from there on. (What stands
before the route has seen it: a middleware, an included router's dependencies, a server that logs
handshakes.)
"""

from collections.abc import Iterable, MutableMapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, HTTPException
from starlette.requests import HTTPConnection

PREFIX = "bearer."
_KEY = "greenroom.bearer"
_HEADER = b"sec-websocket-protocol"


class Offer(list[str]):
    """Tokens, which are not shown by whatever prints the scope that they are kept in."""

    def __repr__(self) -> str:
        return f"<{len(self)} tokens>"


def take_tokens(scope: MutableMapping[str, Any]) -> Offer:
    """The tokens that were offered as subprotocols, and that are none any more from here on."""
    offer: Offer | None = scope.get(_KEY)
    if offer is None:
        offered: list[str] = list(scope.get("subprotocols", ()))
        offer = scope[_KEY] = Offer(
            each.removeprefix(PREFIX) for each in offered if each.startswith(PREFIX)
        )
        if offer:
            _put(scope, "subprotocols", _others(offered))
            _put(scope, "headers", _without_tokens(scope["headers"]))
    return offer


def _others(offered: Iterable[str]) -> list[str]:
    return [each for each in offered if not each.startswith(PREFIX)]


def _without_tokens(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    kept: list[tuple[bytes, bytes]] = []
    for name, value in headers:
        left = value
        if name == _HEADER:
            offered = [each.strip() for each in value.decode("latin-1").split(",")]
            left = ", ".join(_others(offered)).encode("latin-1")
        if left or not value:
            kept.append((name, left))
    return kept


def _put(scope: MutableMapping[str, Any], key: str, values: list[Any]) -> None:
    # In place: a middleware may have copied the scope, and Starlette keeps the list of headers.
    if isinstance(scope[key], list):
        scope[key][:] = values
    else:
        scope[key] = values


def check_offer(scope: MutableMapping[str, Any], served: Iterable[str] | None = None) -> None:
    """Raise `HTTPException`, a 400, where a token was offered and the browser would then refuse
    whatever it is answered. `served`: the subprotocols there are, if that is known."""
    tokens, others = take_tokens(scope), scope.get("subprotocols", ())
    if len(tokens) > 1:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "more than one token was offered")
    wanted = None if served is None else list(served)
    if tokens and not (others if wanted is None else set(others) & set(wanted)):
        names = "another subprotocol" if wanted is None else " or ".join(map(repr, wanted))
        detail = f"a token was offered alone: offer {names} beside it, which is answered"
        raise HTTPException(HTTPStatus.BAD_REQUEST, detail)


def bearer_token(connection: HTTPConnection) -> str:
    """A dependency: the token of a subprotocol `bearer.<token>` or of an `Authorization` header.

    Raises `HTTPException`: 401 where there is none, 400 where there are several, or where one was
    offered as the only subprotocol. Whether it is worth anything is yours to say.
    """
    check_offer(connection.scope)
    tokens = list(take_tokens(connection.scope))
    for value in connection.headers.getlist("authorization"):
        scheme, _, token = value.strip().partition(" ")
        if scheme.lower() == "bearer":
            tokens.append(token.strip())
    if len(tokens) > 1:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "more than one token was sent")
    if not tokens or not tokens[0]:
        raise HTTPException(
            HTTPStatus.UNAUTHORIZED, "a bearer token is needed", {"WWW-Authenticate": "Bearer"}
        )
    return tokens[0]


BearerToken = Annotated[str, Depends(bearer_token)]
"""Annotate a parameter with it: of a connection's `__init__`, of a dependency, of an endpoint."""
