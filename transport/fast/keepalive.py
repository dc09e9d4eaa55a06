"""Whether the peer is still there: pings, and what may be expected of it in return."""

import asyncio
from typing import Protocol

from .. import _frames as frames
from .line import Line

_PING = frames.frame(frames.PING, b"keep")


class Pinged(Protocol):
    """What is kept alive."""

    def write(self, data: bytes) -> None: ...

    def silent(self, reason: str) -> None:
        """The peer is gone, or stalled."""
        ...

    def shrink(self) -> None:
        """Now and then: let go of what has grown."""
        ...


class Keepalive:
    """A ping each `interval` seconds; `timeout` seconds later the peer must have shown itself.

    It has if anything came from it, not only a pong: that may be stuck behind a large message on a
    slow line. While we do not read, nothing can come. A ping may be as stuck: who takes some of
    what is under way is there, where the system says so. And it must, where so much waits for it
    that writing is paused: a peer that only talks is as good as gone.
    """

    __slots__ = (
        "_asked",
        "_interval",
        "_line",
        "_loop",
        "_pinged",
        "_sent",
        "_taken",
        "_timeout",
        "_timer",
        "heard",
    )

    def __init__(
        self,
        pinged: Pinged,
        line: Line,
        loop: asyncio.AbstractEventLoop,
        interval: float | None,
        timeout: float | None,
    ) -> None:
        self._pinged: Pinged | None = pinged
        self._line = line
        self._loop = loop
        self._interval = interval or 0.0
        self._timeout = timeout
        self._sent = 0  # how far it had got when it was asked
        self._taken: int | None = None
        self.heard = True
        """Something came since it was asked: set by whoever reads."""
        self._asked: asyncio.TimerHandle | None = None
        self._timer: asyncio.TimerHandle | None = None
        if self._interval > 0:
            self._timer = loop.call_later(self._interval, self._ping)

    def stop(self) -> None:
        """For good."""
        for timer in (self._timer, self._asked):
            if timer is not None:
                timer.cancel()
        self._timer = self._asked = self._pinged = None

    def _ping(self) -> None:
        assert self._pinged is not None
        self._timer = self._loop.call_later(self._interval, self._ping)
        self._pinged.shrink()
        line = self._line
        if not line.writing_paused:  # it would only lie behind all the rest
            self._pinged.write(_PING)
        if self._timeout is not None and self._asked is None:
            self.heard = False
            self._sent, self._taken = line.sent, line.taken
            self._asked = self._loop.call_later(self._timeout, self._check)

    def _check(self) -> None:
        assert self._pinged is not None
        line = self._line
        self._asked = None
        if line.writing_paused:
            if line.sent == self._sent:
                self._pinged.silent("nothing was read for too long")
        elif not self.heard and not line.reading_paused and line.taken in (None, self._taken):
            self._pinged.silent("keepalive ping timeout")
