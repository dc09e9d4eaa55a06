"""What a client asks with, and what it is answered."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import unquote

import msgspec
from starlette.types import Scope

from ._line import Address

Headers: TypeAlias = Mapping[str, str] | Sequence[tuple[str, str]]

HOST = "testserver"


class Accepted(NamedTuple):
    """The application takes the socket."""

    subprotocol: str | None
    headers: Mapping[str, str]


class Denied(Exception):
    """The application refused the handshake, with an HTTP response; 403 if it only closed.

    `headers`: by their names in lower case.
    """

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(status, body)
        self.status = status
        self.headers = headers
        self.body = body

    def json(self) -> Any:
        """The body, from JSON. Raises `msgspec.DecodeError` if it is none."""
        return msgspec.json.decode(self.body)


def websocket_scope(
    target: str,
    headers: Headers,
    subprotocols: Sequence[str],
    origin: str | None,
    client: Address | None,
    scheme: str,
) -> Scope:
    """The scope of such a request, as uvicorn makes it, but for `state` and `extensions`."""
    path, _, query = target.partition("?")
    given = list(headers) if isinstance(headers, Sequence) else list(headers.items())
    names = {name.lower() for name, _ in given}
    own = [
        ("host", HOST),
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", base64.b64encode(bytes(16)).decode()),
        *([("origin", origin)] if origin is not None else []),
        *([("sec-websocket-protocol", ", ".join(subprotocols))] if subprotocols else []),
    ]
    sent = [*((name, value) for name, value in own if name not in names), *given]
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": scheme,
        "server": (HOST, 443 if scheme == "wss" else 80),
        "client": client,
        "root_path": "",
        "path": unquote(path),
        "raw_path": path.encode("ascii"),
        "query_string": query.encode("ascii"),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in sent],
        "subprotocols": list(subprotocols),
    }
