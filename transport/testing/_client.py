"""`Client`: one WebSocket of a test, and what may be wrong with its network."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar, overload

from actors import Timer

from ..codec import Codec, Data, Decode, Json
from ..exceptions import BadFrame, CloseCode
from ..outbox import Close
from ._handshake import Accepted, Denied
from ._line import Address, Item, Lost
from ._peer import Peer

M = TypeVar("M")

SHOWN = 200
"""Characters of a frame that an error shows."""
REMEMBERED = 3
"""Frames that an error shows of those that came before."""

_JSON = (dict, list, str, int, float, bool, type(None))
_decode_json = Json().decoder(_JSON)


class Watch(Protocol):
    """What a client needs of its server."""

    def _stir(self) -> None:
        """Something has come."""

    def _call_later(self, delay: float, function: Callable[[], object]) -> Timer: ...

    def _wait(
        self,
        client: "Client",
        condition: Callable[[], bool],
        timeout: float,
        *,
        before: Callable[[], bool] = ...,
    ) -> Awaitable[bool]:
        """Wait until the condition holds; whether it does.

        Raises what the application raised, unless `before()`.
        """
        ...


class Client:
    """A connected WebSocket. Made by `TestServer.connect`.

    What it sends arrives at once. What comes is received in order, with a deadline: `timeout`, in
    seconds, else the server's. One that passes harms nobody; the frame may still be received.
    `AssertionError` means that something else came, or nothing; it says what did. What the
    application raised is raised in its stead.

    Its network may go wrong: `stall`, `throttle`, `half_open`, `vanish`.
    """

    def __init__(
        self,
        watch: Watch,
        window: int,
        address: Address | None,
        codec: Codec,
        timeout: float,
        pong: float | None,
    ) -> None:
        self._peer = Peer(window, address, self._answered, self._arrive)
        self._answer: Accepted | Denied | None = None
        self._done = False  # whether the application is done with it
        self._watch = watch
        self._codec = codec
        self._timeout = timeout
        self._pong = pong
        self._decoders: dict[type | None, Decode] = {}
        self._inbox: deque[Data] = deque()
        self._before: deque[Data] = deque(maxlen=REMEMBERED)
        self._count = 0
        self._close: Close | None = None
        self._reachable = True
        self._timer: Timer | None = None

    # The handshake.

    @property
    def subprotocol(self) -> str | None:
        """The one that the application chose."""
        return self._answer.subprotocol if isinstance(self._answer, Accepted) else None

    @property
    def headers(self) -> Mapping[str, str]:
        """Those that the application accepted it with, by their names in lower case."""
        return {} if self._answer is None else self._answer.headers

    @property
    def transport(self) -> asyncio.Transport:
        """What the application finds beneath its socket (`receive.__self__.transport`).

        `get_write_buffer_size()` says how many bytes are on their way to this client.
        """
        return self._peer.transport

    # Sending.

    async def send(self, message: object) -> None:
        """`str` as a text frame, `bytes` as a binary one, anything else through the codec.

        Raises `AssertionError` when the socket is closed, as the other ways to send do, and
        `TypeError` for what the codec cannot carry.
        """
        if not isinstance(message, str | bytes):
            message = self._codec.encode(message)
        self._send(message)

    async def send_text(self, text: str) -> None:
        """A text frame."""
        self._send(text)

    async def send_bytes(self, data: bytes) -> None:
        """A binary frame."""
        self._send(data)

    async def send_json(self, value: object) -> None:
        """A text frame with JSON; `value` may be whatever `msgspec.json` encodes."""
        self._send(Json().encode(value))

    def _send(self, data: Data) -> None:
        if self._close is not None:
            raise AssertionError(f"a frame was to be sent, but {self._how_closed()}")
        if self._reachable:
            self._peer.take(data)

    async def close(self, code: int | None = CloseCode.NORMAL, reason: str = "") -> None:
        """Close it: the application hears of the code, 1005 for `None`. Twice is fine.

        What was on its way arrives before. `ended` waits until the application is done.
        """
        if self._close is None and self._reachable:
            self.resume()
            close = Close(CloseCode.NO_STATUS if code is None else code, reason)
            if self.closed is None:  # else the application's was on its way
                self._close = close
            self._peer.take_close(close)

    # Receiving.

    @overload
    async def receive(self, kind: None = None, *, timeout: float | None = None) -> Any: ...
    @overload
    async def receive(self, kind: type[M], *, timeout: float | None = None) -> M: ...
    async def receive(self, kind: type[Any] | None = None, *, timeout: float | None = None) -> Any:
        """The next frame, through the codec: as a `kind`, or without one as plain JSON values.

        `ErrorFrame`, `Reply` and `Heartbeat` are kinds too. On a text or raw socket the frame's
        `str` or `bytes` without one.
        """
        name = "a message" if kind is None else kind.__name__
        data = await self._next(name, timeout)
        codec = self._codec
        if not codec.structured and kind in (None, str, bytes):
            if kind in (None, type(data)):
                return data
        elif isinstance(data, str) == (codec.kind == "text") or not codec.structured:
            try:
                return self._decoder(codec if codec.structured else Json(), kind)(data)
            except BadFrame as error:
                raise AssertionError(f"{name} was to come, not {_shown(data)}: {error}") from None
        raise AssertionError(f"{name} was to come, not {_shown(data)}")

    def _decoder(self, codec: Codec, kind: type | None) -> Decode:
        decode = self._decoders.get(kind)
        if decode is None:
            decode = self._decoders[kind] = codec.decoder(_JSON if kind is None else [kind])
        return decode

    async def receive_text(self, *, timeout: float | None = None) -> str:
        """The next frame, which has to be a text frame."""
        data = await self._next("a text frame", timeout)
        if not isinstance(data, str):
            raise AssertionError(f"a text frame was to come, not {_shown(data)}")
        return data

    async def receive_bytes(self, *, timeout: float | None = None) -> bytes:
        """The next frame, which has to be a binary one."""
        data = await self._next("a binary frame", timeout)
        if not isinstance(data, bytes):
            raise AssertionError(f"a binary frame was to come, not {_shown(data)}")
        return data

    async def receive_json(self, *, timeout: float | None = None) -> Any:
        """The next frame, which has to be a text frame with JSON."""
        text = await self.receive_text(timeout=timeout)
        try:
            return _decode_json(text)
        except BadFrame as error:
            raise AssertionError(f"JSON was to come, not {_shown(text)}: {error}") from None

    async def receive_nothing(self, *, within: float = 0.1) -> None:
        """Nothing comes in so many seconds, no close either, and nothing has come before.

        Raises `AssertionError` if something does; a frame may then be received. In a `TestKit`
        the seconds are virtual.
        """
        await self._news(within)
        if self._inbox:
            raise AssertionError(f"nothing was to come, but {_shown(self._inbox[0])} did")
        if self._close is not None:
            raise AssertionError(f"nothing was to come, but {self._how_closed()}")

    async def receive_close(self, *, timeout: float | None = None) -> Close:
        """The socket's end, which has to come next, as `(code, reason)`.

        1006 where no close frame came. It can be had again and again.
        """
        seconds = self._timeout if timeout is None else timeout
        await self._news(seconds)
        if self._inbox:
            raise AssertionError(f"a close was to come, not {_shown(self._inbox[0])}")
        if self._close is None:
            raise AssertionError(f"a close was to come within {seconds:g} s{self._so_far()}")
        return self._close

    @property
    def closed(self) -> Close | None:
        """How the socket ended, as far as the client knows, frames before it received or not."""
        return self._close

    async def ended(self, *, timeout: float | None = None) -> None:
        """Wait until the application is done with the socket: its ASGI call has returned."""
        seconds = self._timeout if timeout is None else timeout
        if not await self._watch._wait(self, lambda: self._done, seconds):
            raise AssertionError(f"the application was to end within {seconds:g} s, and does not")

    async def _next(self, what: str, timeout: float | None) -> Data:
        seconds = self._timeout if timeout is None else timeout
        await self._news(seconds)
        if self._inbox:
            data = self._inbox.popleft()
            self._before.append(data)
            self._count += 1
            return data
        if self._close is not None:
            raise AssertionError(f"{what} was to come, but {self._how_closed()}{self._so_far()}")
        raise AssertionError(f"{what} was to come within {seconds:g} s{self._so_far()}")

    async def _news(self, timeout: float) -> None:
        await self._watch._wait(
            self,
            lambda: bool(self._inbox) or self._close is not None,
            timeout,
            before=lambda: bool(self._inbox),  # what came before an error is received before it
        )

    def _how_closed(self) -> str:
        assert self._close is not None
        return f"the socket is closed: {self._close.code:d} {self._close.reason!r}"

    def _so_far(self) -> str:
        if not self._count:
            return "; nothing has come so far"
        return f"; so far {self._count} came, at last {', '.join(map(_shown, self._before))}"

    # What may be wrong with its network.

    def stall(self, *, window: int | None = None) -> None:
        """Read nothing more: what is sent to it fills its window, then the application's `send`
        waits.

        `window`: from now on so many bytes, 0 for none: the next `send` waits already.
        """
        self._still()
        self._peer.transport.stall(window)

    def resume(self) -> None:
        """Read again: what the network held comes at once."""
        self._still()
        if self._reachable:
            self._peer.transport.resume()

    def take(self, frames: int = 1) -> None:
        """Read so many frames more although it is stalled, those that come later too."""
        if self._reachable:
            self._peer.transport.take(frames)

    def throttle(self, every: float, *, frames: int = 1, window: int | None = None) -> None:
        """Be slow: read so many frames every so many seconds, from that on, until `resume`.

        `window`: as of `stall`. In a `TestKit` the seconds are virtual.
        """
        self.stall(window=window)

        def read() -> None:
            self.take(frames)
            self._timer = self._watch._call_later(every, read)

        self._timer = self._watch._call_later(every, read)

    def half_open(self) -> None:
        """Be cut off without a word: nothing arrives any more, either way.

        Past the server's ping interval and timeout it loses the connection, as uvicorn does;
        unless the window is full, when it never notices. There is no way back.
        """
        self.stall()
        self._reachable = False
        if self._pong is not None:
            self._timer = self._watch._call_later(self._pong, self._peer.no_pong)

    def vanish(self) -> None:
        """Be gone without a close frame, as when a process is killed.

        What came before may still be received. `receive_close` says 1006.
        """
        self._still()
        self._peer.transport.drop()
        self._lost()

    def _still(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # For the peer and the server.

    def _answered(self, answer: Accepted | Denied) -> None:
        self._answer = answer
        self._watch._stir()

    def _arrive(self, item: Item) -> None:
        if isinstance(item, Lost):
            self._lost()
        elif isinstance(item, Close):
            if self._close is None:
                self._close = item
            self._peer.take_close(item)
        elif self._close is None:  # after its own close frame a client takes none
            self._inbox.append(item)
        self._watch._stir()

    def _lost(self) -> None:
        self._still()
        if self._close is None:
            self._close = Close(CloseCode.ABNORMAL, "")
        self._watch._stir()


def _shown(data: Data) -> str:
    text = repr(data)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(data)} long)"
