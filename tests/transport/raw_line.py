"""A client's connection by hand, over which frames of any kind go by the hundred."""

import contextlib
import select
import socket
import struct
import time
from collections.abc import Iterator

from tests.transport.wire_frames import read

PATIENCE = 30.0
PIECE = 1 << 18
RESET = struct.pack("ii", 1, 0)


class Line:
    """One connection, by hand."""

    def __init__(self, port: int, path: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = bytearray()
        self.ended = False
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self.data:
            piece = self.socket.recv(PIECE)
            assert piece, "no answer to the handshake"
            self.data += piece
        head, _, rest = self.data.partition(b"\r\n\r\n")
        assert b" 101 " in head, head
        self.data = rest

    def frames(self) -> list[tuple[int, bytes]]:
        """Those that have come, and are whole."""
        found, end = [], 0
        for opcode, payload, end in read(self.data):  # noqa: B007  # the last end
            found.append((opcode, payload))
        del self.data[:end]
        return found

    def send(self, data: bytes) -> Iterator[list[tuple[int, bytes]]]:
        """Send, and yield what comes, until the other side has ended. It reads while it sends."""
        self.socket.setblocking(False)
        view, deadline = memoryview(data), time.monotonic() + PATIENCE
        while not self.ended:
            yield self.frames()
            left = deadline - time.monotonic()
            assert left > 0, "no answer in time"
            wanted = [self.socket] if view else []
            readable, writable, _ = select.select([self.socket], wanted, [], left)
            try:
                if readable:
                    piece = self.socket.recv(PIECE)
                    self.data += piece
                    self.ended = not piece
                if writable and not self.ended:
                    view = view[self.socket.send(view) :]
            except (ConnectionResetError, BrokenPipeError):
                view = view[len(view) :]
                self.ended = not readable or not self._more()
        yield self.frames()

    def _more(self) -> bool:
        # What came before a reset can still be read.
        with contextlib.suppress(OSError):
            self.data += self.socket.recv(PIECE)
        return False

    def close(self, *, reset: bool = False) -> None:
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.socket.close()
