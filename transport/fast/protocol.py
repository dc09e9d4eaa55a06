"""The protocol class for uvicorn: from the upgrade's request to the connection's end."""

import asyncio
import contextvars
import logging
from typing import Any, cast
from weakref import WeakKeyDictionary

from uvicorn.config import Config
from uvicorn.logging import TRACE_LOG_LEVEL
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.server import ServerState

from . import handshake
from .conversation import Conversation, Phase, scope_of
from .handshake import Headers, RefusedError, Request
from .line import Line
from .parser import Parsers
from .stream import Stream

_EARLY = 1 << 16
"""Bytes a client may send before its handshake is answered; then it is not read any more."""
_PIECE = 4096

_logger = logging.getLogger("uvicorn.error")
_parsers: WeakKeyDictionary[Config, Parsers] = WeakKeyDictionary()
_discarded = bytearray(1 << 16)
"""Where to put what nobody will look at."""


class WebSocketProtocol(asyncio.BufferedProtocol):
    """`uvicorn --ws transport.fast:WebSocketProtocol`.

    An ordinary ASGI WebSocket server with picows's frame parser. Of uvicorn's settings
    `ws_max_size`, `ws_max_queue`, `ws_ping_interval`, `ws_ping_timeout`, `limit_concurrency` and
    those of the headers and the log apply; permessage-deflate is never agreed to.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        if not config.loaded:
            config.load()
        self.config = config
        self.loop = _loop or asyncio.get_running_loop()
        self.app_state = app_state
        parsers = _parsers.get(config)
        if parsers is None:
            parsers = _parsers[config] = Parsers(config.ws_max_size)
        self._parsers = parsers
        self.default_headers: Headers = server_state.default_headers
        self.transport: asyncio.Transport
        self._line: Line
        self._connections: set[Any] = server_state.connections  # of any class with `shutdown`
        self._tasks = server_state.tasks
        self._conversation: Conversation | None = None
        self._stream: Stream | None = None
        self._early = bytearray()
        self._piece: bytearray | None = None

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connections.add(self)
        self.transport = cast("asyncio.Transport", transport)  # by its methods: uvloop's is none
        self._line = Line(self.transport, self.loop)
        self._trace("WebSocket connection made")

    def data_received(self, data: bytes) -> None:
        """uvicorn replays the request by it. It reads what follows by `get_buffer`."""
        if self._conversation is None and not self._line.finished:
            head, _, early = data.partition(b"\r\n\r\n")
            try:
                request = handshake.parse(head)
            except RefusedError as refused:
                _logger.warning("Invalid WebSocket handshake: %s", refused.text)
                self._refuse(refused.status, refused.text, *refused.headers)
            else:
                self.begin(request, early + self._left_behind())
        elif data:
            self._incoming(data)

    def get_buffer(self, sizehint: int) -> Any:
        if self._line.finished:
            return _discarded
        if self._stream is not None:
            return self._stream.parser.buffer()
        self._piece = bytearray(_PIECE)
        return self._piece

    def buffer_updated(self, nbytes: int) -> None:
        if self._line.finished:
            return
        if self._stream is not None:
            self._stream.feed(nbytes)
        elif self._piece is not None:
            piece, self._piece = self._piece, None
            self._incoming(piece[:nbytes])

    def eof_received(self) -> None:
        """asyncio closes the connection then, once all is sent; we see to it that it is in time."""
        self._line.expect()
        self._gone()

    def pause_writing(self) -> None:
        self._line.writing_paused = True
        if self._stream is not None:
            self._stream.pause_writing()
        elif self._conversation is not None:
            self._conversation.inbox.pause_writing()

    def resume_writing(self) -> None:
        self._line.writing_paused = False
        if self._stream is not None:
            self._stream.resume_writing()
        elif self._conversation is not None:
            self._conversation.inbox.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._line.lost()
        self._gone()
        if self._stream is not None:
            self._parsers.take_back(self._stream.parser, self.loop)
        self._conversation = self._stream = None  # no circle is left for the collector
        self._trace("WebSocket connection lost")

    # What uvicorn calls.

    def shutdown(self) -> None:
        """The server ends: 1012, or 503 where nothing was answered yet."""
        conversation = self._conversation
        if self._line.finished:
            self._line.close()
        elif self._stream is not None:
            self._stream.restart()
        elif conversation is not None and conversation.phase is Phase.CONNECTING:
            conversation.refuse(503, "Service Unavailable")
            self._line.close()
        else:
            self._line.expect(strictly=True)

    # What the front calls.

    def begin(self, request: Request, early: bytes) -> None:
        """Have the application answer that request. `early`: what came along with it."""
        config: Any = self.config
        limit = config.limit_concurrency
        if limit is not None and max(len(self._connections), len(self._tasks)) >= limit:
            _logger.warning("Exceeded concurrency limit.")
            self._refuse(503, "Service Unavailable")
            return
        scope = scope_of(
            request,
            config.root_path,
            asgi={"version": config.asgi_version, "spec_version": "2.4"},
            scheme="wss" if is_ssl(self.transport) else "ws",
            server=get_local_addr(self.transport),
            client=get_remote_addr(self.transport),
            state=self.app_state.copy(),
        )
        self._conversation = conversation = Conversation(
            config.loaded_app, self, request, scope, config.ws_max_queue, self.loop
        )
        fresh = getattr(config, "reset_contextvars", False)  # newer uvicorns have it
        context = contextvars.Context() if fresh else None
        task = self.loop.create_task(conversation.run(), context=context)
        task.add_done_callback(self._tasks.discard)
        self._tasks.add(task)
        if early:
            self._incoming(early)

    # What the conversation calls.

    def accept(self, head: bytes) -> Stream:
        config, conversation = self.config, self._conversation
        assert conversation is not None
        self._stream = stream = Stream(
            self._line,
            conversation.inbox,
            self.loop,
            self._parsers.parser(self.loop),
            ping_interval=config.ws_ping_interval,
            ping_timeout=config.ws_ping_timeout,
        )
        conversation.inbox.pause_reading = stream.pause_reading
        conversation.inbox.resume_reading = stream.resume_reading
        self._line.write(head)
        self._line.resume_reading()
        if self._early:
            early, self._early = bytes(self._early), bytearray()
            stream.take(early)
        return stream

    def respond(self, data: bytes, *, last: bool) -> None:
        self._line.write(data)
        if last:
            self._line.finish()

    def abort(self) -> None:
        self._line.abort()

    # Its own.

    def _refuse(self, status: int, text: str, *headers: tuple[bytes, bytes]) -> None:
        answer = handshake.error(status, text, [*self.default_headers, *headers])
        self.respond(answer, last=True)

    def _left_behind(self) -> bytes:
        """What came in one read with the request: h11 has it still, httptools has lost it."""
        connection = getattr(self.transport.get_protocol(), "conn", None)
        left: bytes = getattr(connection, "trailing_data", (b"",))[0]
        return left

    def _incoming(self, data: bytes | bytearray) -> None:
        """Bytes that were not read into the stream's own buffer."""
        if self._line.finished:
            return
        if self._stream is not None:
            self._stream.take(bytes(data))
            return
        self._early += data
        if len(self._early) > _EARLY:
            self._line.pause_reading()

    def _gone(self) -> None:
        if self._stream is not None:
            self._stream.ended()
        if self._conversation is not None:
            self._conversation.lost()

    def _trace(self, what: str) -> None:
        if _logger.level <= TRACE_LOG_LEVEL:
            client = get_remote_addr(self.transport)
            prefix = f"{client[0]}:{client[1]} - " if client else ""
            _logger.log(TRACE_LOG_LEVEL, "%s%s", prefix, what)
