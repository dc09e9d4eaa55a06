"""One WebSocket connection of a client that may behave in any way: a raw socket on the loop."""

import asyncio
import base64
import os
import socket
import struct

from ..frames import client_frame, whole_frames
from ..load import upgrade

_RESET = struct.pack("ii", 1, 0)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class Line:
    """Reads only when it is told to, so that the kernel's buffers fill as they would."""

    def __init__(self, *, window: int = 0) -> None:
        """`window`: bytes that the kernel takes in for a client that does not read; 0: many."""
        self._loop = asyncio.get_running_loop()
        self._data = bytearray()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if window:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)

    async def connect(self, port: int, path: str, headers: bytes = b"") -> int:
        """Shake hands; returns the status of the answer, 101 for an open WebSocket."""
        await self._loop.sock_connect(self.socket, ("127.0.0.1", port))
        key = base64.b64encode(os.urandom(16))
        await self._loop.sock_sendall(self.socket, upgrade(port, path, key, headers))
        while (end := self._data.find(b"\r\n\r\n")) < 0:
            if not await self._receive():
                return 0
        status = int(self._data[9:12])
        del self._data[: end + 4]
        return status

    async def _receive(self) -> bool:
        # Not `sock_recv`: one that is cancelled as data comes loses that.
        readable = self._loop.create_future()
        self._loop.add_reader(self.socket, _wake, readable)
        try:
            await readable
            data = self.socket.recv(1 << 16)
        except ConnectionError:
            return False
        finally:
            self._loop.remove_reader(self.socket)
        self._data += data
        return bool(data)

    async def read(self) -> list[tuple[int, bytes]] | None:
        """First byte and payload of the next frames, at least one; `None` at the end."""
        while True:
            found, used = whole_frames(self._data)
            del self._data[:used]
            if found:
                return found
            if not await self._receive():
                return None

    async def write(self, data: bytes) -> None:
        """Send bytes; raises `ConnectionError`."""
        await self._loop.sock_sendall(self.socket, data)

    async def frame(self, payload: bytes, first: int) -> None:
        """Send a frame; raises `ConnectionError`."""
        await self.write(client_frame(payload, first))

    @property
    def has_unread(self) -> bool:
        """Whether something has come that is not read."""
        try:
            return bool(self.socket.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    @property
    def was_reset(self) -> bool:
        """Whether the server has aborted the connection, though nothing is read."""
        return self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0

    def close(self, *, reset: bool = False) -> None:
        """End it at once; `reset`: with an RST, not a FIN."""
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.socket.close()
