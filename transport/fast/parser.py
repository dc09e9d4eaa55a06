"""picows's frame parser, alone: bytes in, messages out, and nothing of its own on the wire.

The only file that knows picows. Its `WSProtocol` is made to drive a connection: it answers the
handshake, sends a close of its own upon an error and swallows what a listener raises. Here it is
given a connection that leads nowhere: what it would send is looked at and dropped. So it is but a
parser, and every decision is made in this package.
"""

import asyncio
import sys
from typing import Any

from picows import WSFrame, WSListener, WSMsgType, WSTransport, picows

from ..exceptions import CloseCode
from .messages import Messages

_WSProtocol: Any = vars(picows)["WSProtocol"]  # its stub does not show it
_TEXT = WSMsgType.TEXT
_READ = 1 << 16
"""Bytes to read at a time at most: picows doubles its buffer whenever a read nearly fills it."""
_INITIAL = 2048
_LARGE = 1 << 18
"""A buffer of more bytes than that is not kept longer than the frame it was needed for."""
_REQUEST = (
    b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
"""A handshake, since picows wants one. The real one was answered before."""
_SPARE = 64
"""Parsers to keep of connections that are over."""


class Parser:
    """Feed it what is read, by `buffer` and `feed` or by `take`; it is in `messages` then.

    Not more once `messages.end` is set.
    """

    __slots__ = ("_large", "_listener", "_nowhere", "_picows", "messages")

    def __init__(self, messages: Messages) -> None:
        self.messages = messages
        self._large = False  # the buffer
        self._picows: Any
        self._renew()

    @property
    def capacity(self) -> int:
        """Bytes the buffer still has room for: all of it, unless part of a frame is in it."""
        return len(self._picows.get_buffer(0))

    def buffer(self) -> memoryview:
        """Where to put the next bytes that are read."""
        view: memoryview = self._picows.get_buffer(_READ)
        if len(view) <= _READ:
            return view
        self._large = len(view) > _LARGE
        return view[:_READ]

    def feed(self, count: int) -> None:
        """So many bytes are in the buffer."""
        listener = self._listener
        listener.whole = False
        self._picows.buffer_updated(count)
        if self._nowhere.said is not None:
            self._failed(self._nowhere.said)
        elif self._large and listener.whole:
            self._renew()

    def take(self, data: bytes) -> None:
        """Bytes that were read elsewhere."""
        rest = memoryview(data)
        while rest and self.messages.end is None:
            buffer = self.buffer()
            piece = rest[: len(buffer)]
            buffer[: len(piece)] = piece
            rest = rest[len(piece) :]
            self.feed(len(piece))

    def shrink(self) -> None:
        """Let go of a buffer that has grown, unless part of a frame is in it."""
        if self._listener.whole and self.capacity > _INITIAL:
            self._renew()

    @property
    def idle(self) -> bool:
        """Whether nothing is left of what it was fed."""
        failed = self._nowhere.said is not None
        return self._listener.whole and not failed and self.capacity <= _INITIAL

    def begin(self, messages: Messages) -> None:
        """Parse for another connection; it has to be idle."""
        self.messages = self._listener.messages = messages
        self._picows.connection_made(self._nowhere)  # else a second close would be an error

    def _failed(self, close: bytes) -> None:
        """picows saw an error: one of its own rules is broken, or the listener raised."""
        if self._nowhere.raised is not None:
            raise self._nowhere.raised
        code = int.from_bytes(close[2:4], "big")
        if code == CloseCode.TOO_BIG:
            self.messages.fail(
                CloseCode.TOO_BIG, f"a message of more than {self.messages.max_size} bytes"
            )
        else:
            self.messages.fail(code, close[4:].decode(errors="replace"))

    def _renew(self) -> None:
        self._large = False
        self._listener = listener = _Listener(self.messages)
        self._nowhere = nowhere = _Nowhere()

        def made(request: object) -> WSListener:
            return listener

        # By position: host and path; the role; the listener's factory; the logger; whether to
        # disconnect on an exception; the handshake's timeout; pings (off, and three settings);
        # pongs (off); the bytes of a frame; headers; the bytes of the buffer.
        self._picows = _WSProtocol(
            *(None, None, False, made, nowhere, True, None),
            *(False, None, None, 1, False),
            *(self.messages.max_size, None, _INITIAL),
        )
        self._picows.connection_made(nowhere)
        self._picows.get_buffer(0)[: len(_REQUEST)] = _REQUEST
        self._picows.buffer_updated(len(_REQUEST))
        nowhere.said = None


class Parsers:
    """A server's parsers: one of a connection that is over is taken again, since to make one takes
    as long as the handshake itself."""

    def __init__(self, max_size: int | None) -> None:
        self._max_size = max_size
        self._loop: asyncio.AbstractEventLoop | None = None
        self._spare: list[Parser] = []

    def parser(self, loop: asyncio.AbstractEventLoop) -> Parser:
        """One for a new connection, with `messages` of its own."""
        if loop is not self._loop:  # picows's know theirs
            self._loop, self._spare = loop, []
        return self._spare.pop() if self._spare else Parser(Messages(self._max_size))

    def take_back(self, parser: Parser, loop: asyncio.AbstractEventLoop) -> None:
        """Its connection is over: nothing more is fed to it."""
        if loop is self._loop and len(self._spare) < _SPARE and parser.idle:
            parser.begin(Messages(self._max_size))
            self._spare.append(parser)


class _Listener(WSListener):
    """Gets the frames. `whole`: nothing of another frame was left behind the last one."""

    __slots__ = ("messages", "whole")

    def __init__(self, messages: Messages) -> None:
        self.messages = messages
        self.whole = True

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        messages = self.messages
        if frame.last_in_buffer:
            self.whole = not frame.tail_size
        rsv = frame.rsv1 or frame.rsv2 or frame.rsv3
        if frame.msg_type is _TEXT and frame.fin and messages.between and not rsv:
            # A message of one frame: nearly all of them.
            try:
                messages.burst.append(frame.get_payload_as_utf8_text())
            except UnicodeDecodeError:
                messages.fail(CloseCode.INVALID_DATA, "text that is not UTF-8")
        else:
            payload = frame.get_payload_as_bytes()
            messages.frame(frame.msg_type.value, bool(frame.fin), bool(rsv), payload)


class _Nowhere:
    """A transport, its socket and a logger, as picows sees them. Keeps what it said last."""

    __slots__ = ("raised", "said")

    def __init__(self) -> None:
        self.said: bytes | None = None
        self.raised: Exception | None = None

    # As a transport. One that has bytes to send already: picows would write to the socket itself.
    def get_extra_info(self, name: str) -> Any:
        return self if name == "socket" else None

    def get_write_buffer_size(self) -> int:
        return 1

    def write(self, data: bytes) -> None:
        self.said = bytes(data)

    def close(self) -> None:
        pass

    # As a socket.
    def fileno(self) -> int:
        return -1

    def setsockopt(self, *arguments: Any) -> None:
        pass

    def getsockopt(self, *arguments: Any) -> int:
        return 0

    # As a logger.
    def isEnabledFor(self, level: int) -> bool:  # noqa: N802  # logging's name for it
        return False

    def info(self, *arguments: Any) -> None:
        pass

    debug = warning = error = log = info

    def exception(self, *arguments: Any) -> None:
        """Called where a listener's exception is swallowed."""
        self.raised = sys.exception()  # type: ignore[assignment]
