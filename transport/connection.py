"""`Connection`: the actor that a WebSocket gets."""

from collections.abc import Mapping
from typing import Any, ClassVar

from starlette.requests import HTTPConnection

from actors import Actor, Context, End, Lane, NotRunning, Overflow, Told

from ._socket import Socket
from .exceptions import CloseCode
from .outbox import Close

_CODES = frozenset(CloseCode) - {CloseCode.ABNORMAL}
_REASON_BYTES = 123


class Connection(Actor):
    """What one WebSocket connection does. Subclass it, mark handlers with `@receive`.

    What its `__init__` takes is filled in as for a FastAPI endpoint: path parameters, query
    parameters, headers, `Depends`. `on_start` runs before the socket is accepted: raise FastAPI's
    `HTTPException` there to refuse it. Each `@receive` handler is open to the client, unless it
    says `wire=False`. After a crash, by the route's settings, a fresh instance goes on with the
    same socket, mailbox and groups: `on_restart` is called, `on_connect` is not.
    """

    mailbox_size: ClassVar[int] = 256
    overflow: ClassVar[Overflow] = Overflow.FAIL

    _socket: Socket | None = None
    _handshake: HTTPConnection | None = None

    # Callbacks: override what you need.

    async def on_connect(self) -> None:
        """Called once, when the socket has been accepted, before the first message."""

    async def on_disconnect(self, code: int) -> None:
        """Called once, after the last message, if `on_connect` was; not after a kill.

        `code`: the close code, 1006 when the client vanished. The groups have been left. It runs
        before `on_stop` and shares its `stop_timeout`.
        """

    # What a connection may do.

    @property
    def handshake(self) -> HTTPConnection:
        """The request that opened the socket: headers, cookies, client, state, ...

        Raises `NotRunning` in `__init__`.
        """
        if self._handshake is None:
            raise NotRunning(f"{type(self).__name__} has no socket yet: use on_start")
        return self._handshake

    @property
    def path_params(self) -> Mapping[str, Any]:
        """The parameters in the route's path."""
        return self.handshake.path_params

    def send(self, message: object) -> Told:
        """Queue a message for the client.

        `str` goes out as a text frame, `bytes` as a binary one, anything else through the
        route's codec. Never waits; await what it returns to go on at the client's pace. When the
        outbox is full, `Settings.slow_client` decides; what cannot be sent is a dead letter.

        Raises `CodecError` for what cannot be encoded.
        """
        return self._own_socket.send(message)

    def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Close the socket once what is queued has been sent; `on_disconnect` follows.

        `code`: 1000, 3000 to 4999, or another that a server may send; else `ValueError`.
        `reason`: cut to 123 bytes of UTF-8.
        """
        if code not in _CODES and not 3000 <= code <= 4999:
            raise ValueError(f"a server may not close with {code}")
        cut = reason.encode()[:_REASON_BYTES].decode(errors="ignore")
        self._own_socket.outbox.finish(Close(code, cut))

    # What the runtime asks of it.

    @property
    def _own_socket(self) -> Socket:
        if self._socket is None:
            raise NotRunning(f"{type(self).__name__} has no socket: spawn it by a route")
        return self._socket

    def _attach(self, context: Context) -> None:
        super()._attach(context)
        self._own_socket.attach(context)

    def _membership(self) -> tuple[Lane, Socket]:
        socket = self._own_socket
        return socket.lane, socket

    def _on_crash(self, error: Exception, error_id: str, *, restarts: bool) -> None:
        self._own_socket.crashed(error_id)

    async def _connected(self) -> None:
        self._own_socket.connected = True
        await self.on_connect()

    async def _stop(self, end: End) -> None:
        socket = self._own_socket
        try:
            if socket.connected:
                await self.on_disconnect(socket.code or _code(end))
        finally:
            await self.on_stop(end)

    def _ended(self, end: End | None) -> None:
        self._own_socket.actor_ended(_code(end))


def _code(end: End | None) -> int:
    if end is None:
        return CloseCode.GOING_AWAY
    return CloseCode.INTERNAL_ERROR if end.how == "crash" else CloseCode.NORMAL
