"""Who gets in: the checks of a handshake before anything of the application's runs.

In this order: whether the server is about to end, the page's origin, room for one more connection,
and a token that no browser would take the answer to. What they refuse is counted by the name of the
setting or limit.
"""

import random
from collections import Counter
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import HTTPException
from starlette.requests import HTTPConnection

from .bearer import check_offer, take_tokens
from .drain import Drain
from .exceptions import LimitReached
from .limits import RETRY_AFTER, Headcount, client_of
from .origin import allows
from .settings import Settings

logger: Any = structlog.get_logger("greenroom")

_SHOWN = 200
"""Characters of an origin that are shown; it is whatever the client sent."""

_FULL = {
    "max_connections": (HTTPStatus.SERVICE_UNAVAILABLE, "the server has no room for more"),
    "max_connections_per_client": (
        HTTPStatus.TOO_MANY_REQUESTS,
        "there are too many connections from your address",
    ),
}


class Gate:
    """One server's, for all of its routes."""

    def __init__(self, max_connections: int | None, max_connections_per_client: int | None) -> None:
        self._headcount = Headcount(max_connections, max_connections_per_client)
        self.refused: Counter[str] = Counter()
        """How often something was refused, by the setting that says so."""
        self.closing: Drain | None = None
        """While the server takes its leave."""

    @property
    def connections(self) -> int:
        """How many are in."""
        return self._headcount.count

    def check(self, connection: HTTPConnection, settings: Settings, served: Iterable[str]) -> None:
        """Raise `HTTPException` for one that does not get in; `served`: the subprotocols."""
        take_tokens(connection.scope)  # before anything else sees the request
        self.check_open()
        self._check_origin(connection, settings)
        self._check_room(client_of(connection.scope.get("client")))
        check_offer(connection.scope, served)

    def check_open(self) -> None:
        """Raise `LimitReached` while the server drains."""
        if self.closing is not None:
            self.refused["drain"] += 1
            status, later = HTTPStatus.SERVICE_UNAVAILABLE, self.closing.come_back()
            raise LimitReached(status, "the server is going down", "drain", later)

    def enter(self, connection: HTTPConnection) -> str | None:
        """Take up a place among the connections, and return whose it is, for `leave`. Raises
        `LimitReached` where there is none."""
        client = client_of(connection.scope.get("client"))
        self._check_room(client)
        self._headcount.enter(client)
        return client

    def leave(self, client: str | None) -> None:
        """Give it up."""
        self._headcount.leave(client)

    def _check_origin(self, connection: HTTPConnection, settings: Settings) -> None:
        headers = connection.headers
        sent = headers.getlist("origin")
        secure = connection.scope.get("scheme") in ("wss", "https")
        if allows(settings.origins, sent, headers.getlist("host"), secure=secure):
            return
        self.refused["origins"] += 1
        shown = ", ".join(sent)[:_SHOWN]
        logger.warning(
            "a page of another origin was refused: if it may open sockets, add it to "
            "`Settings(origins=...)`",
            origin=shown,
            host=headers.get("host"),
            path=connection.scope["path"],
        )
        raise HTTPException(HTTPStatus.FORBIDDEN, f"pages of {shown} may not open a socket here")

    def _check_room(self, client: str | None) -> None:
        limit = self._headcount.full(client)
        if limit is not None:
            self.refused[limit] += 1
            status, detail = _FULL[limit]
            raise LimitReached(status, detail, limit, random.uniform(*RETRY_AFTER))
