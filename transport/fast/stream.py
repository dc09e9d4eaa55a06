"""An open WebSocket: bursts of whole messages in, bytes of ready frames out, and its close.

The seam: whoever is the `Inbound` hears all of it by plain calls. An ASGI application's inbox is
one, and may be replaced. It hears of one end, the first:

    the peer closes, or breaks a rule    `_end`       -> our close goes back, the line is closed
    we close                             `close`      -> the peer has so long to answer
    the peer sends no more, or is gone   `ended`      -> nothing is sent
    it answers no ping, or takes nothing `silent`     -> our close, and the line is aborted
    whoever writes has had enough        `abort`      -> the line is aborted
    the server ends                      `restart`    -> our close, and the peer has a moment
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from .. import _frames as frames
from .._peer import Peer
from ..exceptions import CloseCode
from .keepalive import Keepalive
from .line import PATIENCE, Line
from .messages import Closed, Data, Violation
from .parser import Parser

_CORKED = 1 << 16
"""Bytes that may wait to be written together."""
_RESTART = 0.5
"""Seconds a peer has to go when the server ends: uvicorn's other protocols give it none."""


class Inbound(Protocol):
    """Whoever takes what comes in. All of it is called from the event loop, and must not raise."""

    def receive(self, burst: Sequence[Data]) -> None:
        """Whole messages, in order: all that one read of the socket completed."""
        ...

    def pause_writing(self) -> None:
        """More waits to be sent than the transport likes (64 KiB)."""
        ...

    def resume_writing(self) -> None: ...

    def disconnect(self, code: int, reason: str) -> None:
        """Once, and the last: nothing is received any more, and what is written goes nowhere.

        `code`: the peer's or our own, whichever came first; 1005 if the peer's close had none,
        1006 if the connection was lost.
        """
        ...


class Stream:
    """An open WebSocket, until `Inbound.disconnect`.

    `ping_interval`, `ping_timeout`: seconds, or `None`.
    """

    __slots__ = (
        "_closing",
        "_corked",
        "_corked_size",
        "_inbound",
        "_keepalive",
        "_line",
        "_loop",
        "_messages",
        "_told",
        "parser",
    )

    def __init__(
        self,
        line: Line,
        inbound: Inbound,
        loop: asyncio.AbstractEventLoop,
        parser: Parser,
        *,
        ping_interval: float | None,
        ping_timeout: float | None,
    ) -> None:
        self._line = line
        self._inbound = inbound
        self._loop = loop
        self._messages = parser.messages
        self.parser = parser
        self._corked: list[bytes] = []
        self._corked_size = 0
        self._closing = False  # our close is sent
        self._told = False  # the inbound was told of the end
        self._keepalive = Keepalive(self, line, loop, ping_interval, ping_timeout)

    # For whoever writes.

    @property
    def open(self) -> bool:
        """Whether what is written may still arrive."""
        return not self._told and not self._line.transport.is_closing()

    def blocked(self) -> bool:
        """Whether what is written now would wait for more than the transport likes, or go
        nowhere."""
        line = self._line
        return line.writing_paused or self._told or line.transport.is_closing()

    @property
    def sent(self) -> int:
        """How far what had to wait has got: the same as before means no progress."""
        return self._line.sent

    @property
    def peer(self) -> Peer:
        """The connection beneath."""
        return self._line.peer

    def attach(self, inbound: Inbound) -> None:
        """Have `inbound` take what comes from now on."""
        if not self._told:
            self._inbound = inbound

    def write(self, data: bytes) -> None:
        """Ready frames, to be sent now, behind what is corked."""
        if self._corked:
            self._corked.append(data)
            self.flush()
        elif not self._closing:
            self._line.write(data)

    def cork(self, frame: bytes) -> None:
        """A ready frame that may wait for others, until `flush` or the end of the loop's turn."""
        if self._closing:
            return
        if not self._corked:
            self._loop.call_soon(self.flush)
        self._corked.append(frame)
        self._corked_size += len(frame)
        if self._corked_size > _CORKED:
            self.flush()

    def flush(self) -> None:
        """Send what is corked."""
        if self._corked:
            data = b"".join(self._corked)
            self._corked.clear()
            self._corked_size = 0
            self._line.write(data)

    def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Begin the close handshake. The peer has `PATIENCE` to answer, from when it stops reading
        what was sent before; then it is aborted.

        `Inbound.disconnect` is called with this code before it returns. Raises `ValueError` for a
        code that may not be sent. Twice is fine: the first counts.
        """
        frame = frames.close(code, reason)
        if self._told:
            return
        self._say(frame)
        self._line.resume_reading()  # for the peer's close
        self._line.expect(PATIENCE)
        self._tell(code, reason)

    def abort(self) -> None:
        """End the connection at once; what is unsent is lost."""
        self._line.abort()
        self._tell(CloseCode.ABNORMAL, "")

    def restart(self) -> None:
        """The server ends: close with 1012, and wait but shortly."""
        if not self._told:
            self._say(frames.close(CloseCode.SERVICE_RESTART))
            self._tell(CloseCode.SERVICE_RESTART, "")
        self._line.finish(_RESTART, strictly=True)

    def pause_reading(self) -> None:
        """Read no more. The peer is not taken for dead while it is not listened to."""
        if not self._told:
            self._keepalive.heard = True
            self._line.pause_reading()

    def resume_reading(self) -> None:
        self._keepalive.heard = True
        self._line.resume_reading()

    # For whoever reads.

    def feed(self, count: int) -> None:
        """So many bytes were read into the parser's buffer."""
        self._keepalive.heard = True
        self.parser.feed(count)
        messages = self._messages
        if messages.pings or messages.end is not None:
            self._digest()
        elif messages.burst:
            self._deliver()

    def take(self, data: bytes) -> None:
        """Bytes that were read elsewhere."""
        self._keepalive.heard = True
        self.parser.take(data)
        self._digest()

    def pause_writing(self) -> None:
        if not self._told:
            self._inbound.pause_writing()

    def resume_writing(self) -> None:
        if not self._told:
            self._inbound.resume_writing()

    def ended(self) -> None:
        """The peer sends no more, or the connection is lost."""
        self._tell(CloseCode.ABNORMAL, "")

    # For the keepalive.

    def silent(self, reason: str) -> None:
        """The peer is gone, or stalled: a close would wait for it, so it is aborted."""
        if not self._line.writing_paused:
            # In case it is but slow to answer.
            self._say(frames.close(CloseCode.INTERNAL_ERROR, reason))
        self._line.abort()
        self._tell(CloseCode.ABNORMAL, reason)

    def shrink(self) -> None:
        """Let go of what is not needed while nothing happens."""
        self.parser.shrink()

    def _digest(self) -> None:
        messages = self._messages
        if messages.pings:
            pings, messages.pings = messages.pings, []
            # A peer that does not read gets no more than one answer into the way.
            if not self._line.writing_paused:
                self.write(b"".join([frames.frame(frames.PONG, payload) for payload in pings]))
        if messages.burst:
            self._deliver()
        if messages.end is not None:
            self._end(messages.end)

    def _deliver(self) -> None:
        burst, self._messages.burst = self._messages.burst, []
        if not self._told:
            self._inbound.receive(burst)

    def _end(self, end: Closed | Violation) -> None:
        """The peer has closed, or broken a rule."""
        code, reason = end
        orderly = isinstance(end, Closed)
        if not self._closing:
            # The peer's code goes back to it; what was wrong is told.
            self._say(frames.close(code, "" if orderly else reason))
        self._tell(code, reason)
        self._line.finish(done=orderly, midway=not orderly)

    def _say(self, close: bytes) -> None:
        """Our close frame, behind what is corked."""
        self.write(close)
        self._closing = True

    def _tell(self, code: int, reason: str) -> None:
        self._keepalive.stop()
        if not self._told:
            self._told = True
            self._closing = True
            inbound = self._inbound
            del self._inbound  # or it would be a circle: whoever hears of this writes to it
            inbound.disconnect(code, reason)
