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
import sys
from collections import deque
from collections.abc import Iterator
from typing import Any

_STEPS = 100
"""Objects to look at before giving up; behind a dozen of middlewares it takes about ten."""
_INFO = struct.Struct("=24x I 92x Q 16x I")
"""Of `struct tcp_info`: `tcpi_unacked`, `tcpi_bytes_acked`, `tcpi_notsent_bytes`."""
_RESET = struct.pack("ii", 1, 0)
"""`SO_LINGER` such that closing drops what is unsent, and resets the connection."""
_CLOSED = (OSError, ValueError)
"""What the socket of a transport raises that is closed: asyncio's the one, uvloop's the other."""


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

    @property
    def waiting(self) -> int:
        """Bytes that are not on their way: what is unsent, and what the system has for a client
        whose own has no room, where it says so."""
        info = self._info()
        return self.unsent + (0 if info is None else info[2])

    @property
    def taken(self) -> int | None:
        """How many bytes the client's system has taken so far, while more are under way; `None`
        when none are, and where the system does not say.

        The system's own `TCP_USER_TIMEOUT` is no bound for that: a client that reads all the time,
        but less than there is, it resets as well.
        """
        info = self._info()
        if info is None:
            return None
        unacknowledged, taken, unsent = info
        return taken if unacknowledged or unsent else None

    def _info(self) -> tuple[int, int, int] | None:
        """Unacknowledged, taken, unsent, by the system: Linux says."""
        connection = self._transport.get_extra_info("socket")
        if sys.platform != "linux" or connection is None:
            return None
        try:
            info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size)
        except _CLOSED:  # or a Unix socket
            return None
        if len(info) < _INFO.size:  # before Linux 4.6
            return None
        unacknowledged, taken, unsent = _INFO.unpack(info)
        return unacknowledged, taken, unsent

    def _set(self, level: int, option: int, value: Any) -> None:
        connection = self._transport.get_extra_info("socket")
        with contextlib.suppress(*_CLOSED):
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
