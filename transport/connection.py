"""`Connection`: the actor that a WebSocket gets."""

import math
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, ClassVar

from fastapi import HTTPException
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.requests import HTTPConnection

from actors import Actor, ActorRef, Context, Directive, End, Lane, NotRunning, Overflow, Told

from ._socket import Socket
from .exceptions import CloseCode, CodecError, LimitReached
from .outbox import Close
from .session import text_of
from .settings import OnCrash

_CODES = frozenset(CloseCode) - {CloseCode.NO_STATUS, CloseCode.ABNORMAL}
_APPLICATION = 4000
"""What an HTTP status is added to for a close code."""
_APPLICATIONS = range(_APPLICATION, _APPLICATION + 1000)


class Connection(Actor):
    """What one WebSocket connection does. Subclass it, mark handlers with `@receive`.

    What its `__init__` takes is filled in as for a FastAPI endpoint: path parameters, query
    parameters, headers, `Depends`. `on_start` runs before the socket is accepted: raise FastAPI's
    `HTTPException` there to refuse it. Each `@receive` handler is open to the client, unless it
    says `wire=False`. What is told or published to it and has no handler goes to the client.
    After a crash, by the route's settings, a fresh instance goes on with the same socket, mailbox
    and groups: `on_restart` is called, `on_connect` is not.

    `HTTPException` is no crash: raised by a handler it refuses the message, which counts as
    handled. The client gets an error frame with the status, an asker the exception; state is
    kept, and nothing is logged. Raised by `on_connect`, or by `on_start` or `on_restart` after a
    crash, it closes with 4000 and the status.
    """

    mailbox_size: ClassVar[int] = 256
    overflow: ClassVar[Overflow] = Overflow.FAIL

    __framework__ = True
    # Names of ours that no user's attribute will meet by accident.
    __socket__: Socket | None = None
    __handshake__: HTTPConnection | None = None

    # Callbacks: override what you need.

    async def on_connect(self) -> None:
        """Called once, when the socket has been accepted, before its first message of anybody."""

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

    def may_join(self, topic: str) -> bool:
        """Whether this connection may join a group; asked by each `join`. Override it."""
        return True

    def may_publish(self, topic: str, message: object) -> bool:
        """Whether it may publish that to a group, joined or not; asked by each `publish`, in the
        thread that calls that. Override it."""
        return True

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

        What the client sends from here on is not handled. `RuntimeError` in another thread.

        `code`: 1000, 3000 to 4999, or another that a server may send; else `ValueError`.
        `reason`: cut to 123 bytes of UTF-8; a lone surrogate becomes a `?`.
        """
        if code not in _CODES and not 3000 <= code <= 4999:
            raise ValueError(f"a server may not close with {code}")
        self.__own__.close(Close.cut(code, reason))

    def expire(self, seconds: float | None) -> None:
        """Close with 4401 in so many seconds, unless this is called again before: when a token
        expires, and again when the client has sent a fresh one. `None`: not any more.

        At 0 or below it closes now, behind what is queued; not finite is a `ValueError`. It is late
        by a sixty-fourth of a second at most, and belongs to the socket: a restart changes nothing.
        """
        if seconds is not None and not abs(seconds) < math.inf:
            raise ValueError(f"a connection expires in a finite time, not in {seconds} s")
        self.__own__.expire(seconds)

    def join(self, topic: str) -> None:
        """See `Actor.join`. Raises `HTTPException`, a 403, where `may_join` says no, and
        `LimitReached`, a 429, for one more than `Settings.max_groups`."""
        socket = self.__own__
        if not self.may_join(topic):
            raise HTTPException(HTTPStatus.FORBIDDEN, f"you may not join {topic!r}")
        joined, most = self.__context__.joined, socket.session.settings.max_groups
        if len(joined) >= most and topic not in joined:
            raise LimitReached(
                HTTPStatus.TOO_MANY_REQUESTS, f"you are in {most} groups already", "max_groups"
            )
        super().join(topic)

    def publish(
        self, topic: str, message: object, *, exclude: ActorRef | Iterable[ActorRef] = ()
    ) -> None:
        """See `Actor.publish`. Raises `HTTPException`, a 403, where `may_publish` says no."""
        if not self.may_publish(topic, message):
            raise HTTPException(HTTPStatus.FORBIDDEN, f"you may not publish that to {topic!r}")
        super().publish(topic, message, exclude=exclude)

    # What the runtime asks of it.

    @property
    def __own__(self) -> Socket:
        if self.__socket__ is None:
            raise NotRunning(f"{type(self).__name__} has no socket: spawn it by a route")
        return self.__socket__

    def __attach__(self, context: Context) -> None:
        super().__attach__(context)
        if self.__own__.attach(context):
            # Before anybody knows of it: what it is told is handled after `on_connect`.
            context.call(Connection.__connected__, first=True)

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

    def __refuses__(self, error: Exception, *, asked: bool) -> bool:
        if not isinstance(error, AnyHTTPException):
            return False
        if not asked:  # else the answer says so
            self.__own__.refused(error)
        return True

    def __directive__(self, error: Exception) -> Directive:
        socket = self.__own__
        if isinstance(error, AnyHTTPException):  # of a restart: a handler's is a refusal
            socket.close(_close_for(error))
            return Directive.STOP
        directive = super().__directive__(error)
        named = isinstance(error, tuple(self.directives))
        if named or socket.session.settings.on_crash is not OnCrash.RESUME:
            return directive
        return Directive.RESUME if socket.may_resume() else Directive.STOP

    async def __connected__(self) -> None:
        socket = self.__own__
        if not await socket.opened():
            return
        socket.connected = True
        try:
            await self.on_connect()
        except AnyHTTPException as error:
            socket.close(_close_for(error))
            self.stop()  # what it was told meanwhile is not for one who is refused

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


def _close_for(error: AnyHTTPException) -> Close:
    code = _APPLICATION + error.status_code
    if code not in _APPLICATIONS:
        code = CloseCode.INTERNAL_ERROR
    return Close.cut(code, text_of(error.detail))


def _code(end: End | None) -> int:
    if end is None:
        return CloseCode.GOING_AWAY
    return CloseCode.INTERNAL_ERROR if end.how == "crash" else CloseCode.NORMAL
