"""The port to the server: read a burst of frames, write what is queued, close.

`PlainWire` drives any ASGI server through Starlette's `WebSocket`. There a burst in is one frame,
and each frame out is a `send`.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from starlette.websockets import WebSocket, WebSocketDisconnect

from .codec import Data, Frame
from .exceptions import CloseCode, Disconnected
from .outbox import Close

TURN = 64
"""Frames of one socket that may go out before the others get a turn."""


class Wire(Protocol):
    """What a socket needs of its server. Each method raises `Disconnected` when it is too late."""

    async def accept(self, subprotocol: str | None) -> None:
        """Finish the handshake."""
        ...

    async def read(self) -> Sequence[Data]:
        """The next frames of the client."""
        ...

    async def write(self, queue: deque[Frame], sending: Callable[[], None]) -> None:
        """Send from the queue, in order, calling `sending` before each step that may wait.

        It may leave some, so that others get a turn."""
        ...

    async def close(self, close: Close) -> None:
        """Start the close handshake."""
        ...


class PlainWire:
    """Any ASGI server."""

    __slots__ = ("_websocket",)

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def accept(self, subprotocol: str | None) -> None:
        try:
            await self._websocket.accept(subprotocol)
        except (OSError, WebSocketDisconnect) as error:
            raise Disconnected(CloseCode.ABNORMAL) from error

    async def read(self) -> Sequence[Data]:
        event = await self._websocket.receive()
        if event["type"] == "websocket.disconnect":
            raise Disconnected(event.get("code") or CloseCode.ABNORMAL)
        text = event.get("text")
        return (event["bytes"] if text is None else text,)

    async def write(self, queue: deque[Frame], sending: Callable[[], None]) -> None:
        send = self._websocket.send
        frame = None
        try:
            for _ in range(min(len(queue), TURN)):
                frame = queue.popleft()
                sending()
                await send(frame.event)
                frame = None
        except (OSError, WebSocketDisconnect) as error:
            raise Disconnected(CloseCode.ABNORMAL) from error
        finally:
            if frame is not None:  # not sent: whoever empties the queue reports it
                queue.appendleft(frame)

    async def close(self, close: Close) -> None:
        try:
            await self._websocket.close(close.code, close.reason)
        except (OSError, WebSocketDisconnect) as error:
            raise Disconnected(CloseCode.ABNORMAL) from error
