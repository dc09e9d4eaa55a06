"""The TCP connection beneath a WebSocket, where the server lets it be found.

ASGI knows of no abort, and a polite close waits until the peer has read what was sent before it: a
peer that has stopped reading is rid of only by an abort of its connection. Under uvicorn (and
hypercorn, over HTTP/1) the ASGI callables lead to it; elsewhere there is none, and the actor ends
without it.
"""

import contextlib
import functools
import socket
import struct
from collections import deque
from collections.abc import Iterator
from typing import Any

_STEPS = 100
"""Objects to look at before giving up; behind a dozen of middlewares it takes about ten."""
_RESET = struct.pack("ii", 1, 0)
"""`SO_LINGER` such that closing drops what is unsent, and resets the connection."""


class Peer:
    """A server's transport (asyncio's or uvloop's)."""

    __slots__ = ("_transport",)

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    @property
    def unsent(self) -> int:
        """Bytes that the server has taken and the system's socket has not."""
        size: int = self._transport.get_write_buffer_size()
        return size

    @property
    def closing(self) -> bool:
        """Whether what is written now goes nowhere."""
        closing: bool = self._transport.is_closing()
        return closing

    def abort(self) -> None:
        """End the connection at once; what is unsent is lost. Twice is fine."""
        self._set(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    def bound_silence(self, seconds: float) -> None:
        """Have the system reset the connection when what was sent is not acknowledged for so long,
        or cannot be sent since the peer does not read. Linux only."""
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            self._set(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, max(1, int(seconds * 1000)))

    def _set(self, level: int, option: int, value: Any) -> None:
        connection = self._transport.get_extra_info("socket")
        with contextlib.suppress(OSError):  # a Unix socket, say, or one that is closed
            if connection is not None:
                connection.setsockopt(level, option, value)


def find(*callables: object) -> Peer | None:
    """The connection that an application's `receive` and `send` lead to, through closures, partials
    and the objects of bound methods; `None` if there is none in sight."""
    seen: set[int] = set()
    line = deque(callables)
    while line and len(seen) < _STEPS:
        each = line.popleft()
        if id(each) in seen:
            continue
        seen.add(id(each))
        transport = getattr(each, "transport", None)
        if hasattr(transport, "abort") and hasattr(transport, "get_write_buffer_size"):
            return Peer(transport)
        line.extend(_beneath(each))
    return None


def _beneath(each: object) -> Iterator[object]:
    if isinstance(each, functools.partial):
        yield each.func
        yield from each.args
        return
    for name in ("__self__", "__wrapped__"):
        inner = getattr(each, name, None)
        if inner is not None:
            yield inner
    for cell in getattr(each, "__closure__", None) or ():
        with contextlib.suppress(ValueError):  # it is empty
            if callable(cell.cell_contents):
                yield cell.cell_contents
