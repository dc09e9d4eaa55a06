"""One connection's ASGI application: its scope, `receive` and `send`, and what its end means."""

import asyncio
import enum
import logging
from typing import Any, Protocol
from urllib.parse import unquote

from uvicorn.protocols.utils import (
    ClientDisconnected,
    get_client_addr,
    get_path_with_query_string,
)

from .. import _frames as frames
from .._burst import EXTENSION
from ..exceptions import CloseCode
from . import handshake
from .handshake import Headers, Request
from .inbox import Event, Inbox
from .stream import Inbound, Stream

_logger = logging.getLogger("uvicorn.error")
_BODILESS = frozenset({204, 205, 304})


def scope_of(request: Request, root_path: str, **server: Any) -> Event:
    """The ASGI scope of a request. `server`: what only the server knows of it."""
    return {
        "type": "websocket",
        "http_version": "1.1",
        "root_path": root_path,
        "path": root_path + unquote(request.path.decode("ascii")),
        "raw_path": root_path.encode("ascii") + request.path,
        "query_string": request.query,
        "headers": request.headers,
        "subprotocols": request.subprotocols,
        "extensions": {"websocket.http.response": {}},
        **server,
    }


class Phase(enum.Enum):
    """Where the conversation stands, as the application has it."""

    CONNECTING = enum.auto()
    OPEN = enum.auto()
    DENYING = enum.auto()
    """The head of a denial is given, its body not wholly."""
    ATTACHED = enum.auto()
    """The WebSocket is somebody else's."""
    CLOSED = enum.auto()
    """The application has said its last word."""
    LOST = enum.auto()
    """The client is gone, or it was closed or refused on the server's own account."""


class Host(Protocol):
    """What a conversation needs of the protocol."""

    default_headers: Headers
    transport: asyncio.Transport

    def accept(self, head: bytes) -> Stream:
        """Answer the handshake."""
        ...

    def respond(self, data: bytes, *, last: bool) -> None:
        """Bytes of another answer."""
        ...

    def abort(self) -> None: ...


class Conversation:
    """`run` it as a task. `limit`: messages to queue before reading is paused."""

    __slots__ = (
        "_app",
        "_asked",
        "_chunked",
        "_head",
        "_host",
        "_request",
        "inbox",
        "phase",
        "scope",
        "stream",
    )

    def __init__(
        self,
        app: Any,
        host: Host,
        request: Request,
        scope: Event,
        limit: int,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._app = app
        self._host = host
        self._request = request
        self._asked = False  # `websocket.connect` was received
        self._head: tuple[int, Headers] | None = None  # a denial's, before its body
        self._chunked = False
        self.scope = scope
        scope["extensions"][EXTENSION] = {"attach": self.attach}
        self.inbox = Inbox(limit, loop)
        self.phase = Phase.CONNECTING
        self.stream: Stream | None = None

    @property
    def transport(self) -> asyncio.Transport:
        """asyncio's, or another loop's."""
        return self._host.transport

    async def run(self) -> None:
        """The application, from its call to what follows from its end."""
        try:
            await self._run()
        finally:
            self.scope = {}  # which leads here: what is over is not left to the garbage collector

    async def _run(self) -> None:
        try:
            result = await self._app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            self._returned()
        except BaseException:  # cancelled ones too: they are logged, as in uvicorn
            _logger.exception("Exception in ASGI application\n")
            self._crashed()
        else:
            if result is not None:
                _logger.error("ASGI callable should return None, but returned '%s'.", result)
            self._returned()

    def attach(self, inbound: Inbound) -> Stream:
        """Have `inbound` take what comes, in the place of `receive`: at once what is queued.

        Write to the stream that is returned, in the place of `send`; it is the inbound's to close,
        and the application's end does not. Raises `RuntimeError` before the accept.
        """
        if self.stream is None:
            raise RuntimeError("Nothing can be attached before 'websocket.accept'.")
        self.phase = Phase.ATTACHED
        self.stream.attach(inbound)
        self.inbox.hand_over(inbound)
        return self.stream

    def lost(self) -> None:
        """The connection is no more, or as good as."""
        if self.phase is not Phase.CLOSED:
            self.phase = Phase.LOST
        self.inbox.disconnect(CloseCode.ABNORMAL, "")

    def _crashed(self) -> None:
        match self.phase:
            case Phase.CONNECTING:
                self.refuse(500, "Internal Server Error")
            case Phase.DENYING:
                self._break_off(500, "Internal Server Error")
            case Phase.OPEN:
                self._close(CloseCode.INTERNAL_ERROR, "")
            case _:
                pass

    def _returned(self) -> None:
        match self.phase:
            case Phase.CONNECTING:
                _logger.error("ASGI callable returned without completing handshake.")
                self.refuse(500, "Internal Server Error")
            case Phase.DENYING:
                _logger.error("ASGI callable returned without completing response.")
                self._break_off(500, "Internal Server Error")
            case Phase.OPEN:
                self._close(CloseCode.NORMAL, "")
            case _:
                pass

    def refuse(self, status: int, text: str) -> None:
        """Answer the handshake with an error of the server's own."""
        self.phase = Phase.LOST
        self._host.respond(handshake.error(status, text, self._host.default_headers), last=True)
        self.inbox.disconnect(CloseCode.ABNORMAL, "")

    def _break_off(self, status: int, text: str) -> None:
        """A denial that will not be finished."""
        if self._head is not None:  # nothing of it was sent yet
            self.refuse(status, text)
            return
        self.phase = Phase.CLOSED
        self._host.abort()  # the only way to say that a body is not whole

    # The application's side.

    async def receive(self) -> Event:
        """ASGI's."""
        if not self._asked:
            self._asked = True
            return {"type": "websocket.connect"}
        if self.stream is not None and not self.inbox.waiting:
            self.stream.flush()
        return await self.inbox.get()

    async def send(self, message: Any) -> None:
        """ASGI's. Raises `ClientDisconnected`, an `OSError`, when the client is gone, and
        `RuntimeError` for what has no place here."""
        if self.inbox.writing_paused:
            await self.inbox.writable()
        kind = message["type"]
        stream = self.stream
        if stream is not None and self.phase is Phase.OPEN:
            if not stream.open:
                self.phase = Phase.LOST
                raise ClientDisconnected
            self._say(stream, kind, message)
        elif self.phase is Phase.CONNECTING:
            self._answer(kind, message)
        elif self.phase is Phase.DENYING:
            self._deny(kind, message)
        elif self.phase is Phase.LOST:
            raise ClientDisconnected
        else:
            attached = self.phase is Phase.ATTACHED
            before = "somebody was attached" if attached else "sending 'websocket.close'"
            raise RuntimeError(f"Unexpected ASGI message '{kind}', after {before}.")

    def _say(self, stream: Stream, kind: str, message: Event) -> None:
        if kind == "websocket.send":
            data, text = message.get("bytes"), message.get("text")
            if data is not None:
                frame = frames.binary(data)
            elif text is not None:
                frame = frames.text(text)
            else:
                return
            if self.inbox.waiting:
                # It will be back for the next message at once: one write for all the answers.
                stream.cork(frame)
            else:
                stream.write(frame)
        elif kind == "websocket.close":
            self._close(message.get("code") or CloseCode.NORMAL, message.get("reason") or "")
        else:
            raise RuntimeError(
                f"Expected ASGI message 'websocket.send' or 'websocket.close', but got '{kind}'."
            )

    def _close(self, code: int, reason: str) -> None:
        assert self.stream is not None
        self.stream.close(code, reason)
        self.phase = Phase.CLOSED

    def _answer(self, kind: str, message: Event) -> None:
        match kind:
            case "websocket.accept":
                headers = [*self._host.default_headers, *message.get("headers", ())]
                subprotocol = message.get("subprotocol")
                head = handshake.accepted(self._request, subprotocol or None, headers)
                self._log("[accepted]")
                self.phase = Phase.OPEN
                self.stream = self._host.accept(head)
            case "websocket.close":
                self._log("403")
                self.phase = Phase.CLOSED
                own = [*self._host.default_headers, (b"content-length", b"0")]
                self._host.respond(handshake.denied(403, own), last=True)
                self.inbox.disconnect(CloseCode.ABNORMAL, "")
            case "websocket.http.response.start":
                status = message["status"]
                if not 200 <= status < 600:
                    raise RuntimeError(f"Invalid HTTP status code '{status}' in response.")
                headers = list(message.get("headers", ()))
                handshake.denied(status, headers)  # now, so that whoever gave them is told
                self._log(str(status))
                self._head = status, headers
                self.phase = Phase.DENYING
            case _:
                raise RuntimeError(
                    "Expected ASGI message 'websocket.accept', 'websocket.close' "
                    f"or 'websocket.http.response.start' but got '{kind}'."
                )

    def _deny(self, kind: str, message: Event) -> None:
        if kind != "websocket.http.response.body":
            raise RuntimeError(
                f"Expected ASGI message 'websocket.http.response.body' but got '{kind}'."
            )
        body: bytes = message.get("body", b"")
        last = not message.get("more_body", False)
        data = b""
        if self._head is not None:
            data = self._denial_head(*self._head, len(body) if last else None)
            self._head = None
        if self._chunked:
            data += b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            data += b"0\r\n\r\n" if last else b""
        else:
            data += body
        if last:
            self.phase = Phase.CLOSED
        self._host.respond(data, last=last)
        if last:
            self.inbox.disconnect(CloseCode.ABNORMAL, "")

    def _denial_head(self, status: int, headers: Headers, size: int | None) -> bytes:
        headers = [each for each in headers if each[0].lower() != b"transfer-encoding"]
        names = {name.lower() for name, _ in headers}
        own = [each for each in self._host.default_headers if each[0].lower() not in names]
        if b"content-length" not in names and status not in _BODILESS:
            self._chunked = size is None
            framing = (b"transfer-encoding", b"chunked")
            own.append(framing if size is None else (b"content-length", b"%d" % size))
        return handshake.denied(status, [*own, *headers])

    def _log(self, outcome: str) -> None:
        if not _logger.isEnabledFor(logging.INFO):
            return
        scope: Any = self.scope
        address, path = get_client_addr(scope), get_path_with_query_string(scope)
        _logger.info('%s - "WebSocket %s" %s', address, path, outcome)
