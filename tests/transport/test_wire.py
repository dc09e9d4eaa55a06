"""The port to the server: what happens where the server does not say that the client has gone."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from actors import Reason
from transport import Settings
from transport._writer import Writer
from transport.codec import Frame, framed
from transport.exceptions import Disconnected
from transport.outbox import Close, new_outbox
from transport.wire import PlainWire


class Server:
    """As uvicorn's protocols, which take a frame also while their connection is closing."""

    def __init__(self, lasts: int) -> None:
        self.transport = self
        self._receive, self._send = self.receive, self.send  # as Starlette's `WebSocket`
        self.lasts = lasts  # frames until the connection is lost
        self.taken: list[str] = []
        self.closed = asyncio.Event()

    async def close(self, code: int, reason: str) -> None:
        """As granian's, which tells of the end first."""
        self.closed.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def is_closing(self) -> bool:
        return len(self.taken) >= self.lasts

    def abort(self) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    async def receive(self) -> Any:
        await self.closed.wait()
        return {"type": "websocket.disconnect", "code": 1006}

    async def send(self, event: Any) -> None:
        self.taken.append(event["text"])


class Owner:
    intake = SimpleNamespace(take=None)

    def __init__(self) -> None:
        self.dropped: list[object] = []
        self.codes: list[int] = []
        self.outbox = new_outbox(Settings(), self)  # type: ignore[arg-type]

    def drop(self, frame: Frame, reason: Reason) -> None:
        assert reason is Reason.CLIENT_GONE
        self.dropped.append(frame.message)

    def ready(self) -> None: ...

    def gone(self, code: int) -> None:
        self.codes.append(code)

    def closed(self, code: int) -> None:
        self.codes.append(code)

    def watch(self) -> None: ...


@pytest.mark.parametrize("lasts", [0, 1, 3])
def test_what_a_lost_connection_would_swallow_is_reported_dropped(lasts: int) -> None:
    async def main() -> None:
        server, owner = Server(lasts), Owner()
        wire = PlainWire(server, Writer(), time.monotonic)  # type: ignore[arg-type]
        wire.open(owner)  # type: ignore[arg-type]
        for text in "abcde":
            owner.outbox.put(framed(text, text, text=True))
        with pytest.raises(Disconnected):
            await wire.flush()
        owner.outbox.abandon()
        assert "".join(server.taken) == "abcde"[:lasts]
        assert "".join(map(str, owner.dropped)) == "abcde"[lasts:]

    asyncio.run(main())


def test_a_server_that_tells_of_our_close_first_does_not_say_how_it_ended() -> None:
    async def main() -> None:
        server, owner = Server(1), Owner()
        wire = PlainWire(server, Writer(), time.monotonic)  # type: ignore[arg-type]
        wire.open(owner)  # type: ignore[arg-type]
        owner.outbox.finish(Close(4000, "done"))
        await asyncio.gather(wire.run(), wire.flush())
        assert owner.codes[0] == 4000

    asyncio.run(main())
