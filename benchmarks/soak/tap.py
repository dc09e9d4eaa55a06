"""What goes through a server that gives and takes whole bursts, counted beside the framework."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

from .ledger import Entry

EXTENSION = "greenroom.bursts"
"""The ASGI extension whose `attach(inbound)` returns a stream."""


class Tap:
    """Stands between the two: an inbound for the server, a stream for the framework.

    `count` is called with each frame's text that the server has taken; `over`, with the entry, when
    the socket is.
    """

    def __init__(
        self,
        attach: Callable[[Any], Any],
        entry: Entry,
        count: Callable[[Entry, str], None],
        over: Callable[[Entry], Coroutine[Any, Any, None]],
    ) -> None:
        self._attach = attach
        self._entry = entry
        self._count = count
        self._over = over
        self._inbound: Any = None
        self._stream: Any = None
        self._in_hand = b""  # written, and has to wait: it may become dead letters
        self._ending: asyncio.Task[None] | None = None

    def attach(self, inbound: Any) -> "Tap":
        """As the extension's."""
        self._inbound = inbound
        self._stream = self._attach(self)
        return self

    @property
    def attached(self) -> bool:
        """Whether it counts."""
        return self._inbound is not None

    def __getattr__(self, name: str) -> Any:
        """All else is the stream's."""
        return getattr(self._stream, name)

    # For the framework.

    def write(self, data: bytes) -> None:
        """It hands over a burst."""
        self._stream.write(data)
        if self._stream.blocked():
            self._in_hand = data
        else:
            self._out(data)

    # For the server.

    def receive(self, burst: Sequence[Any]) -> None:
        """A burst comes."""
        self._entry.read += len(burst)
        self._inbound.receive(burst)

    def pause_writing(self) -> None:
        """What is written from now on has to wait."""
        self._inbound.pause_writing()

    def resume_writing(self) -> None:
        """What is in hand is taken."""
        data, self._in_hand = self._in_hand, b""
        self._out(data)
        self._inbound.resume_writing()

    def disconnect(self, code: int, reason: str) -> None:
        """The end of it."""
        self._inbound.disconnect(code, reason)
        self._ending = asyncio.create_task(self._over(self._entry))

    def _out(self, data: bytes) -> None:
        for text in _texts(data):
            self._count(self._entry, text)


def _texts(data: bytes) -> Iterator[str]:
    """Those of a server's whole frames."""
    at = 0
    while at < len(data):
        width = {126: 2, 127: 8}.get(data[at + 1], 0)
        at += 2 + width
        size = int.from_bytes(data[at - width : at]) if width else data[at - 1]
        yield data[at : at + size].decode()
        at += size
