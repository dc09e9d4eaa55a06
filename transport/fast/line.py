"""The TCP (or TLS, or Unix) connection: what is asked of it, and its end within bounded time."""

import asyncio
import contextlib
import socket

from .._peer import Peer

PATIENCE = 10.0
"""Seconds a peer has to answer a close (as in uvicorn), from when it stops reading what is left."""
_MOMENT = 1.0
"""Seconds in which a peer that still sends may read our last words, over TLS."""


class Line:
    """A transport. What is written after `finish` goes nowhere."""

    __slots__ = (
        "_loop",
        "_seen",
        "_strictly",
        "_timer",
        "_written",
        "finished",
        "peer",
        "reading_paused",
        "transport",
        "writing_paused",
    )

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self.transport = transport
        self._loop = loop
        self.peer = Peer(transport)
        self._timer: asyncio.TimerHandle | None = None
        self._seen = 0  # how far it had got when that was set
        self._strictly = False
        self._written = 0
        self.finished = False
        """Nothing more is written, and what is read does not count."""
        self.reading_paused = False
        self.writing_paused = False
        """The transport has more to send than it likes: set by who hears of it."""
        connection = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):  # a Unix socket, say, or one that is closed
            if connection is not None:  # asyncio does not on every path
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def write(self, data: bytes) -> None:
        if not self.finished and not self.transport.is_closing():
            self._written += len(data)
            self.transport.write(data)

    @property
    def sent(self) -> int:
        """How far that got which had to wait: the same as before means no progress.

        Bytes that the system has taken, and those that the peer's has: the former are no sign for
        long, since a system takes nothing until a third of its buffer is free.
        """
        return self._written - self.peer.unsent + (self.taken or 0)

    @property
    def taken(self) -> int | None:
        """See `Peer.taken`."""
        return self.peer.taken

    def pause_reading(self) -> None:
        if not self.reading_paused and not self.finished and not self.transport.is_closing():
            self.reading_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if self.reading_paused:
            self.reading_paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()

    def expect(self, seconds: float = PATIENCE, *, strictly: bool = False) -> None:
        """Unless the connection is lost by then, it is aborted: the nearest such moment counts. A
        peer that still takes what was sent before has as long again, but for `strictly`."""
        self._strictly |= strictly
        when = self._loop.time() + seconds
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._seen = self.sent
        self._timer = self._loop.call_at(when, self._give_up, seconds)

    def _give_up(self, seconds: float) -> None:
        self._timer = None
        waits = self.peer.unsent or self.taken is not None
        if waits and self.sent != self._seen and not self._strictly:
            self.expect(seconds)
        else:
            self.abort()

    def finish(
        self,
        seconds: float = PATIENCE,
        *,
        done: bool = False,
        midway: bool = False,
        strictly: bool = False,
    ) -> None:
        """Nothing more will be sent. Half-closed, and closed when the peer has read that: closing
        at once would reset the connection if anything is unread, and the peer lose our last words.

        `done`: the peer has said that it sends no more; then it is closed at once, unless it has
        to make room for our last words yet. TLS knows no half: there it is closed in any case,
        after a moment if the peer may be in the midst (`midway`) of sending.
        """
        at_once = done and not self.peer.waiting
        halves = self.transport.can_write_eof()
        if not (at_once and halves):  # TLS has a goodbye of its own to wait for
            self.expect(seconds, strictly=strictly)
        if self.finished:
            return
        self.resume_reading()
        self.finished = True
        if self.transport.is_closing():
            return
        if halves and not at_once:
            try:
                self.transport.write_eof()
            except OSError:  # reset, and we have not heard of it yet
                self.abort()
        elif midway:
            self._loop.call_later(_MOMENT, self.transport.close)
        else:
            self.transport.close()

    def close(self) -> None:
        """Wait for the peer no longer than until it has taken what is unsent, and not for long."""
        self.finish(strictly=True)
        self.transport.close()

    def abort(self) -> None:
        """End it now; what is unsent is lost. Twice is fine."""
        self.finished = True
        self.peer.abort()

    def lost(self) -> None:
        """It is no more."""
        self.finished = True
        self.writing_paused = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
