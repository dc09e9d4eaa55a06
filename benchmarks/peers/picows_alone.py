"""picows: a server of its own, without ASGI; no JSON, no queue, a write for each message."""

import gc
import socket
from collections.abc import Callable

from picows import (
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    ws_create_server,
)


class Echo(WSListener):
    """Sends each text back as it is."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """What came: a text, or the end."""
        if frame.msg_type == WSMsgType.TEXT:
            self.text(transport, frame.get_payload_as_bytes())
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()

    def text(self, transport: WSTransport, text: bytes) -> None:
        """Answer."""
        transport.send(WSMsgType.TEXT, text)


_members: dict[WSTransport, None] = {}


class Member(Echo):
    """Sends each text to every connection."""

    def on_ws_connected(self, transport: WSTransport) -> None:
        """In the room from the first moment."""
        _members[transport] = None

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """And out of it."""
        _members.pop(transport, None)

    def text(self, transport: WSTransport, text: bytes) -> None:
        """To everybody."""
        for member in _members:
            member.send(WSMsgType.TEXT, text)


async def _serve(listener: Callable[[], WSListener], listening: socket.socket) -> None:
    def opened(request: WSUpgradeRequest) -> WSListener | None:
        if request.path == b"/collect":
            gc.collect()
            gc.collect()
            return None
        return listener()

    server = await ws_create_server(opened, sock=listening)
    await server.serve_forever()


async def echo(listening: socket.socket) -> None:
    """Serve the echo."""
    await _serve(Echo, listening)


async def room(listening: socket.socket) -> None:
    """Serve the room."""
    await _serve(Member, listening)
