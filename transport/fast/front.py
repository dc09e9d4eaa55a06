"""The first bytes of a connection: a WebSocket's handshake, or a request for uvicorn's own HTTP.

uvicorn has its HTTP protocol read a handshake, writes that out again, and has the WebSocket
protocol read it once more. Here it is read once, and what comes along with it is not lost. Whatever
is not plainly a handshake that will be answered, or not whole yet, is left to uvicorn.
"""

import asyncio
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from . import handshake
from .handshake import RefusedError, Request
from .protocol import WebSocketProtocol


def _is_plain(request: Request) -> bool:
    """Whether it asks for nothing else besides, of which uvicorn might think otherwise: an answer
    must not depend on how a request is cut into pieces."""
    asked = [value for name, value in request.headers if name in (b"upgrade", b"connection")]
    return len(asked) == 2 and b"websocket" in map(bytes.lower, asked)


class HTTPProtocol(asyncio.Protocol):
    """`uvicorn --http transport.fast:HTTPProtocol --ws transport.fast:WebSocketProtocol`.

    Everything else is read by uvicorn's h11.
    """

    def __init__(self, config: Config, server_state: ServerState, **others: Any) -> None:
        self._config = config
        # What uvicorn makes a protocol of: for the one that this becomes.
        self._given = {"config": config, "server_state": server_state, **others}
        self._connections: set[Any] = server_state.connections  # of any class with `shutdown`
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connections.add(self)
        self._transport = cast("asyncio.Transport", transport)  # by its methods: uvloop's is none

    def data_received(self, data: bytes) -> None:
        self._connections.discard(self)
        head, whole, early = data.partition(b"\r\n\r\n")
        ours: Any = self._config.ws_protocol_class
        if whole and b"pgrade" in head and ours is WebSocketProtocol:
            try:
                request = handshake.parse(head)
            except RefusedError:
                pass  # what is to be said of it is uvicorn's to say
            else:
                if _is_plain(request):
                    self._become(ours).begin(request, early)
                    return
        self._become(H11Protocol).data_received(data)

    def _become(self, kind: Any) -> Any:
        protocol = kind(**self._given)
        protocol.connection_made(self._transport)
        self._transport.set_protocol(protocol)
        return protocol

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)

    def shutdown(self) -> None:
        """uvicorn calls it when the server ends. Nothing was said, so no goodbye is waited for."""
        self._transport.abort()
