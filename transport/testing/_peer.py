"""A socket, as a server's protocol has it: what the application's `receive` and `send` belong to.

It is as strict as uvicorn 0.54 with `websockets-sansio`, after which it is modelled: what is an
error there is one here, by the same words.
"""

import asyncio
import enum
from collections.abc import Callable
from typing import Any

from starlette.types import Message

from .._frames import REASON
from ..codec import Data
from ..exceptions import CloseCode
from ..outbox import Close
from ._handshake import Accepted, Denied
from ._line import Address, Item, Line

_CODES = frozenset(CloseCode) - {CloseCode.NO_STATUS, CloseCode.ABNORMAL} | {1010, 1014}


class ClientDisconnected(OSError):
    """What `send` raises in an application whose client is gone. One that escapes is no error."""


class _State(enum.Enum):
    CONNECTING = enum.auto()
    DENYING = enum.auto()  # with the body to come
    OPEN = enum.auto()
    CLOSED = enum.auto()  # by the application


class Peer:
    """See the module's head."""

    def __init__(
        self,
        window: int,
        client: Address | None,
        answered: Callable[[Accepted | Denied], None],
        arrive: Callable[[Item], None],
    ) -> None:
        addresses = {"peername": client, "sockname": ("127.0.0.1", 80)}
        self.transport = Line(window, addresses, arrive, self._connection_lost)
        self._answered = answered
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._events.put_nowait({"type": "websocket.connect"})
        self._state = _State.CONNECTING
        self._denial: tuple[int, list[tuple[str, str]], bytes] = (0, [], b"")
        self._shaken = False  # whether the handshake is complete
        self._left = False  # whether the client has sent its close frame
        self._gone = False

    # For the application.

    async def receive(self) -> Message:
        """The next event; after the last one it waits for ever, as uvicorn does."""
        return await self._events.get()

    async def send(self, message: Message) -> None:
        """Take an event; waits while the window is full."""
        while not self.transport.writable.is_set():
            await self.transport.writable.wait()
        if self._gone:
            raise ClientDisconnected
        if self._state is _State.CONNECTING:
            self._answer(message)
        elif self._state is _State.DENYING:
            self._deny(message)
        elif self._state is _State.OPEN:
            self._send(message)
        else:
            raise RuntimeError(
                f"Unexpected ASGI message '{message['type']}', after sending 'websocket.close'."
            )

    def _answer(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.accept":
            headers = _decoded(message.get("headers", []))
            if not self.transport.is_closing():
                self._state = _State.OPEN
                self._shaken = True
                self._answered(Accepted(message.get("subprotocol"), dict(headers)))
        elif kind == "websocket.close":
            self._refuse(Denied(403, {}, b""))
        elif kind == "websocket.http.response.start":
            status = message["status"]
            if not 100 <= status < 600:
                raise RuntimeError(f"Invalid HTTP status code '{status}' in response.")
            self._state = _State.DENYING
            self._denial = status, _decoded(message.get("headers", [])), b""
        else:
            raise RuntimeError(
                "Expected ASGI message 'websocket.accept', 'websocket.close' "
                f"or 'websocket.http.response.start' but got '{kind}'."
            )

    def _deny(self, message: Message) -> None:
        if message["type"] != "websocket.http.response.body":
            raise RuntimeError(
                f"Expected ASGI message 'websocket.http.response.body' but got '{message['type']}'."
            )
        status, headers, body = self._denial
        body += message["body"]
        self._denial = status, headers, body
        if not message.get("more_body", False):
            self._refuse(Denied(status, dict(headers), body))

    def _refuse(self, denial: Denied) -> None:
        self._events.put_nowait({"type": "websocket.disconnect", "code": CloseCode.ABNORMAL})
        self._state = _State.CLOSED
        self._shaken = True
        self._answered(denial)
        self.transport.close()

    def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.send":
            data: Data | None = message.get("bytes")
            if data is None:
                data = message.get("text")
            if data is None:
                raise RuntimeError("ASGI message 'websocket.send' needs 'text' or 'bytes'.")
            size = len(data.encode() if isinstance(data, str) else data)
            if self._left:
                raise ClientDisconnected
            self.transport.carry(data, _on_the_wire(size))
        elif kind == "websocket.close":
            close = Close(message.get("code", CloseCode.NORMAL), message.get("reason") or "")
            _check(close)
            if not self.transport.is_closing():
                self._events.put_nowait(_disconnect(close))
                self._state = _State.CLOSED
                self.transport.carry(close, _on_the_wire(2 + len(close.reason.encode())))
        else:
            raise RuntimeError(
                "Expected ASGI message 'websocket.send' or 'websocket.close', "
                f"but got '{message['type']}'."
            )

    def ended(self) -> None:
        """The application is done with the socket."""
        if self._state is not _State.CLOSED:
            self.transport.close()

    # For the client.

    def take(self, data: Data) -> None:
        """A frame of the client's. None is taken once the application has closed."""
        if self._state is not _State.CLOSED:
            key = "text" if isinstance(data, str) else "bytes"
            self._events.put_nowait({"type": "websocket.receive", key: data})

    def take_close(self, close: Close) -> None:
        """The client's close frame, its own or its answer to the application's."""
        if self._state is not _State.CLOSED and not self.transport.is_closing():
            self._events.put_nowait(_disconnect(close))
        self._left = True
        self.transport.close()

    def no_pong(self) -> None:
        """A ping was not answered in time. With a full window that frees nothing, as in uvicorn."""
        if self._state is not _State.CLOSED and not self.transport.is_closing():
            self._state = _State.CLOSED
            self.transport.close()

    def _connection_lost(self) -> None:
        code = CloseCode.NO_STATUS if self._shaken else CloseCode.ABNORMAL
        # Without a `reason`: so a lost connection differs from a close frame without a code.
        self._events.put_nowait({"type": "websocket.disconnect", "code": int(code)})
        self._shaken = self._gone = True


def _decoded(headers: Any) -> list[tuple[str, str]]:
    return [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers]


def _disconnect(close: Close) -> Message:
    return {"type": "websocket.disconnect", "code": close.code, "reason": close.reason}


def _check(close: Close) -> None:
    if close.code not in _CODES and not 3000 <= close.code <= 4999:
        raise RuntimeError(f"A server may not close with {close.code}.")
    if len(close.reason.encode()) > REASON:
        raise RuntimeError(f"A close frame's reason may have {REASON} bytes.")


def _on_the_wire(size: int) -> int:
    """With the head of a server's frame (RFC 6455, section 5.2)."""
    return size + (2 if size < 126 else 4 if size < 65536 else 10)
