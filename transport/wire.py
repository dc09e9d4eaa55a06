"""The port to the server: have what comes taken, write what is queued, close.

`PlainWire` drives any ASGI server through Starlette's `WebSocket`. There a burst in is one frame,
and each frame out is a `send`.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import NoReturn, Protocol

from starlette.types import Receive, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from ._peer import Peer, find
from .codec import Data
from .exceptions import CloseCode, Disconnected
from .outbox import Close, Outbox

TURN = 128
"""Frames of one socket that may go out before the others get a turn: as many as an actor may
handle messages in a turn, so that answers go out as fast as they come."""


class Intake(Protocol):
    """Who takes what comes."""

    def take(self, burst: Iterable[Data]) -> bool:
        """Take a burst of frames. True: give all others a turn, then `go_on`."""
        ...

    def go_on(self) -> bool:
        """Take the rest of it; what it returns is as with `take`."""
        ...


class Wire(Protocol):
    """What a socket needs of its server. Each method raises `Disconnected` when it is too late;
    any other error is one of the server's."""

    peer: Peer | None
    """The connection beneath, if it can be reached."""

    async def accept(self, subprotocol: str | None) -> None:
        """Finish the handshake."""
        ...

    async def pump(self, intake: Intake) -> NoReturn:
        """Have the client's frames taken until it is gone, which `Disconnected` tells. It never
        waits for anything else: a disconnect and pongs are always seen."""
        ...

    async def write(self, outbox: Outbox) -> None:
        """Send from the outbox, in order; it may leave some, so that others get a turn.

        What is being sent, and since when, is noted in the outbox."""
        ...

    async def close(self, close: Close) -> None:
        """Start the close handshake."""
        ...


# What Starlette or the server raises when a send comes too late, and maybe for other reasons: of a
# `RuntimeError` only the text says whether it is.
_TOO_LATE = (OSError, RuntimeError, WebSocketDisconnect)
_TOO_LATE_TEXTS = (
    # uvicorn, between its own close (a broken frame, a keepalive that was not answered) and our
    # hearing of it
    "after sending 'websocket.close'",
    # older uvicorns (0.40), when the client went before it was accepted
    "'websocket.close', but got 'websocket.accept'",
    # Starlette, when somebody closed the socket before it was accepted
    "once a close message has been sent",
    # uvloop, when its transport is closed
    "the handler is closed",
)


def _too_late(error: Exception) -> Disconnected:
    """What such an error means; one that means something else is raised."""
    text = str(error)
    if isinstance(error, RuntimeError) and not any(part in text for part in _TOO_LATE_TEXTS):
        raise error
    return Disconnected(CloseCode.ABNORMAL)


class PlainWire:
    """Any ASGI server. `clock`: the system's."""

    __slots__ = ("_clock", "_receive", "_send", "_websocket", "peer")

    def __init__(self, websocket: WebSocket, clock: Callable[[], float]) -> None:
        self._websocket = websocket
        self._clock = clock
        # For frames the ASGI callables beneath Starlette's: its own check at each frame what the
        # socket knows already, for a tenth of the time of a message.
        self._receive: Receive = getattr(websocket, "_receive", websocket.receive)
        self._send: Send = getattr(websocket, "_send", websocket.send)
        self.peer = find(self._receive, self._send)

    async def accept(self, subprotocol: str | None) -> None:
        try:
            await self._websocket.accept(subprotocol)
        except _TOO_LATE as error:
            raise _too_late(error) from error

    async def pump(self, intake: Intake) -> NoReturn:
        receive, take = self._receive, intake.take
        while True:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                code = event.get("code") or CloseCode.ABNORMAL
                if code == CloseCode.NO_STATUS and "reason" not in event:
                    # uvicorn's word for a lost connection; a close frame without a code has a
                    # reason.
                    code = CloseCode.ABNORMAL
                raise Disconnected(code)
            text = event.get("text")
            turn = take((event["bytes"] if text is None else text,))
            del event, text  # or an idle socket would keep the last it read
            while turn:
                await asyncio.sleep(0)
                turn = intake.go_on()

    async def write(self, outbox: Outbox) -> None:
        send, queue, take, now = self._send, outbox.queue, outbox.take, self._clock
        peer = self.peer
        try:
            for _ in range(TURN):
                if not queue:  # or no longer: a policy may have taken the rest of the burst
                    break
                if peer is not None and peer.closing:
                    # A server may take a frame even then, and it would be neither sent nor dropped.
                    outbox.sent()
                    raise Disconnected(CloseCode.ABNORMAL)
                await send(take(now()).event)
        except _TOO_LATE as error:
            raise _too_late(error) from error
        outbox.sent()

    async def close(self, close: Close) -> None:
        try:
            await self._websocket.close(close.code, close.reason)
        except _TOO_LATE as error:
            raise _too_late(error) from error
