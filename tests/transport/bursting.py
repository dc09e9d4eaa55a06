"""The extension that our own server offers, over any ASGI `receive` and `send`: a test's, without
sockets.

What a socket's read or write does there is here what `receive` and `send` do at once. A `send` that
has to wait is a transport that is full.
"""

import asyncio
import types
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from contextvars import copy_context
from typing import Any

from tests.transport.wire_frames import BINARY, TEXT, read
from transport._burst import EXTENSION
from transport._peer import find
from transport.exceptions import CloseCode
from transport.wire import _TOO_LATE, _too_late

Event = dict[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]


class Bursting:
    """An ASGI application whose WebSockets offer bursts. A call lasts until the connection is over,
    as a server's task would, and then until `after(inbound)` returns."""

    def __init__(self, app: Any, after: Callable[[Any], Awaitable[None]]) -> None:
        self._app = app
        self._after = after

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        stream = Stream(receive, send)
        extensions = {**scope["extensions"], EXTENSION: {"attach": stream.attach}}
        await self._app({**scope, "extensions": extensions}, receive, send)
        if stream.inbound is not None:
            await stream.run()
            await self._after(stream.inbound)


class Stream:
    """An open WebSocket, once it is attached: see `transport.fast.stream`."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self.inbound: Any = None
        self.sent = 0
        self.peer = find(send)
        self._receive = receive
        self._send = send
        self._context = copy_context()  # the application's, whose `send` it is
        self._queue: deque[Event] = deque()  # to be sent
        self._sending: asyncio.Future[None] | None = None  # of a send that has to wait
        self._reader: asyncio.Future[None] | None = None
        self._reading = asyncio.Event()  # or paused
        self._full = False  # between `pause_writing` and `resume_writing`
        self._lost = False  # what is written goes nowhere, and in a turn that is told
        self._told = False

    def attach(self, inbound: Any) -> "Stream":
        self.inbound = inbound
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reading.set()
        waits = self._take()
        if waits is not None:
            self._reader = asyncio.ensure_future(self._read(waits))
            self._reader.add_done_callback(self._report)
        return self

    async def run(self) -> None:
        """Wait until it is over."""
        try:
            await self._over
        finally:
            if not self._told:
                self.abort()

    # For whoever writes.

    @property
    def open(self) -> bool:
        return not self._told and not self._lost

    def blocked(self) -> bool:
        return self._full or not self.open

    def write(self, data: bytes) -> None:
        at = 0
        for opcode, payload, at in read(data):  # noqa: B007  # it is where the last one ends
            content = {"text": payload.decode()} if opcode == TEXT else {"bytes": payload}
            assert opcode in (TEXT, BINARY)
            self._queue.append({"type": "websocket.send", **content})
        assert at == len(data), "a part of a frame"
        self._write()

    def close(self, code: int, reason: str) -> None:
        self._queue.append({"type": "websocket.close", "code": code, "reason": reason})
        self._write()
        self._tell(code, reason)

    def abort(self) -> None:
        if self.peer is not None:
            self.peer.abort()
        self._end(CloseCode.ABNORMAL, "")

    def pause_reading(self) -> None:
        self._reading.clear()

    def resume_reading(self) -> None:
        self._reading.set()

    # What comes.

    async def _read(self, waits: "Rest | None") -> None:
        while waits is not None:
            event = await resume(waits)
            await self._reading.wait()
            waits = self._take(event)

    def _take(self, event: Event | None = None) -> "Rest | None":
        """Hand over all that is there: a read. What to wait for now; `None` after the last."""
        burst: list[str | bytes] = []
        waits: Rest | None = None
        while waits is None:
            if event is not None:
                if event["type"] == "websocket.disconnect":
                    break
                text = event.get("text")
                burst.append(event["bytes"] if text is None else text)
            waits, event = begin(self._receive())
        if burst and not self._told:
            self.inbound.receive(burst)
        if event is not None:
            code = event.get("code") or CloseCode.ABNORMAL
            lost = code == CloseCode.NO_STATUS and "reason" not in event  # as uvicorn has it
            self._end(CloseCode.ABNORMAL if lost else code, event.get("reason") or "")
        return waits

    def _report(self, reader: asyncio.Future[None]) -> None:
        if not reader.cancelled() and reader.exception() and not self._over.done():
            self._over.set_exception(reader.exception())  # type: ignore[arg-type]

    # What goes.

    def _write(self) -> None:
        """Send what is queued, as far as that goes at once."""
        while self._queue and self._sending is None:
            try:
                sending = self._send(self._queue.popleft())
                waits, _ = self._context.run(begin, sending)
            except _TOO_LATE as error:
                self._break()
                _too_late(error)  # raises what is no sign of a lost connection
                return
            self.sent += 1
            if waits is not None:
                self._sending = asyncio.ensure_future(resume(waits))
                self._sending.add_done_callback(self._sent)
                if not self._full:
                    self._full = True
                    self.inbound.pause_writing()

    def _sent(self, sending: asyncio.Future[None]) -> None:
        """One that had to wait has been sent."""
        self._sending = None
        if sending.cancelled() or sending.exception():
            self._break()
        else:
            self._write()
        if self._sending is None:
            self._full = False
            if self._told:
                self._finish()
            elif not self._lost:
                self.inbound.resume_writing()

    # The end.

    def _break(self) -> None:
        """A send failed."""
        self._lost = True
        self._queue.clear()
        asyncio.get_running_loop().call_soon(self._end, CloseCode.ABNORMAL, "")

    def _end(self, code: int, reason: str) -> None:
        """The connection is lost, or the peer has closed it."""
        self._queue.clear()
        if self._sending is not None:
            self._sending.cancel()
        self._tell(code, reason)

    def _tell(self, code: int, reason: str) -> None:
        if self._told:
            return
        self._told = True
        if self._reader is not None:
            self._reader.cancel()
        self.inbound.disconnect(code, reason)
        if self._sending is None:
            self._finish()

    def _finish(self) -> None:
        if not self._over.done():
            self._over.set_result(None)


class Rest:
    """Of a call that has begun, and waits: for what."""

    def __init__(self, call: Generator[Any, None, Any], waits_for: Any) -> None:
        self.call = call
        self.waits_for = waits_for


def begin(call: Awaitable[Any]) -> tuple[Rest | None, Any]:
    """Call now, where a task would begin in the next turn. What it waits for, or its result."""
    steps = call.__await__()
    try:
        return Rest(steps, next(steps)), None
    except StopIteration as stop:
        return None, stop.value


async def resume(rest: Rest) -> Any:
    """The result of a call that has begun."""
    return await _resume(rest)


@types.coroutine
def _resume(rest: Rest) -> Generator[Any, None, Any]:
    try:
        yield rest.waits_for
    except BaseException as error:  # noqa: BLE001  # it is the call's
        try:
            yield rest.call.throw(error)
        except StopIteration as stop:
            return stop.value
    return (yield from rest.call)
