"""`Connection`: the actor that a WebSocket gets."""

from collections.abc import Mapping
from typing import Any, ClassVar

from starlette.requests import HTTPConnection

from actors import Actor, Context, End, Lane, NotRunning, Overflow, Told

from ._socket import Socket
from .exceptions import CloseCode, CodecError
from .outbox import Close

_CODES = frozenset(CloseCode) - {CloseCode.NO_STATUS, CloseCode.ABNORMAL}
_REASON_BYTES = 123


class Connection(Actor):
    """What one WebSocket connection does. Subclass it, mark handlers with `@receive`.

    What its `__init__` takes is filled in as for a FastAPI endpoint: path parameters, query
    parameters, headers, `Depends`. `on_start` runs before the socket is accepted: raise FastAPI's
    `HTTPException` there to refuse it. Each `@receive` handler is open to the client, unless it
    says `wire=False`. What is told or published to it and has no handler goes to the client.
    After a crash, by the route's settings, a fresh instance goes on with the same socket, mailbox
    and groups: `on_restart` is called, `on_connect` is not.
    """

    mailbox_size: ClassVar[int] = 256
    overflow: ClassVar[Overflow] = Overflow.FAIL

    __framework__ = True
    # Names of ours that no user's attribute will meet by accident.
    __socket__: Socket | None = None
    __handshake__: HTTPConnection | None = None

    # Callbacks: override what you need.

    async def on_connect(self) -> None:
        """Called once, when the socket has been accepted, before the client's first message."""

    async def on_drain(self) -> None:
        """Called when the server begins to take its leave, behind what is queued.

        New mail is taken until it is this client's turn to be closed (see `Drain`): say what is to
        be said, but do not wait for the client.
        """

    async def on_disconnect(self, code: int) -> None:
        """Called once, after the last message, if `on_connect` was; not after a kill.

        `code`: the close code; 1005 for none, 1006 when the client vanished. The groups have been
        left. It runs before `on_stop` and shares its `stop_timeout`.
        """

    # What a connection may do.

    @property
    def handshake(self) -> HTTPConnection:
        """The request that opened the socket: headers, cookies, client, state, ...

        Raises `NotRunning` in `__init__`.
        """
        if self.__handshake__ is None:
            raise NotRunning(f"{type(self).__name__} has no socket yet: use on_start")
        return self.__handshake__

    @property
    def path_params(self) -> Mapping[str, Any]:
        """The parameters in the route's path."""
        return self.handshake.path_params

    def send(self, message: object) -> Told:
        """Queue a message for the client.

        `str` goes out as a text frame, `bytes` as a binary one, anything else through the
        route's codec. Never waits; await what it returns to go on at the client's pace. When the
        outbox is full, `Settings.slow_client` decides; what cannot be sent is a dead letter.

        Raises `CodecError` for what cannot be encoded, and `RuntimeError` in another thread: from
        there, tell the connection's ref.
        """
        socket = self.__socket__ or self.__own__  # the latter to raise
        return socket.send(message)

    def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Close the socket once what is queued has been sent; `on_disconnect` follows.

        `code`: 1000, 3000 to 4999, or another that a server may send; else `ValueError`.
        `reason`: cut to 123 bytes of UTF-8.
        """
        if code not in _CODES and not 3000 <= code <= 4999:
            raise ValueError(f"a server may not close with {code}")
        cut = reason.encode()[:_REASON_BYTES].decode(errors="ignore")
        self.__own__.outbox.finish(Close(code, cut))

    # What the runtime asks of it.

    @property
    def __own__(self) -> Socket:
        if self.__socket__ is None:
            raise NotRunning(f"{type(self).__name__} has no socket: spawn it by a route")
        return self.__socket__

    def __attach__(self, context: Context) -> None:
        super().__attach__(context)
        self.__own__.attach(context)

    def __membership__(self) -> tuple[Lane, Socket]:
        socket = self.__own__
        return socket.lane, socket

    def __unhandled__(self, message: object) -> bool:
        try:
            self.send(message)
        except CodecError:
            return False
        return True

    def __crashed__(self, error: Exception, error_id: str, *, restarts: bool) -> None:
        self.__own__.crashed(error_id)

    async def __connected__(self) -> None:
        self.__own__.connected = True
        await self.on_connect()

    @classmethod
    def __has_end__(cls) -> bool:
        return super().__has_end__() or cls.on_disconnect is not Connection.on_disconnect

    async def __finish__(self, end: End) -> None:
        socket = self.__own__
        try:
            if socket.connected:
                await self.on_disconnect(socket.code_for(_code(end)))
        finally:
            await self.on_stop(end)

    def __ended__(self, end: End | None) -> None:
        self.__own__.actor_ended(_code(end))


def _code(end: End | None) -> int:
    if end is None:
        return CloseCode.GOING_AWAY
    return CloseCode.INTERNAL_ERROR if end.how == "crash" else CloseCode.NORMAL
