"""The port to the server: what happens where the server does not say that the client has gone."""

import asyncio
import time
from typing import Any

import pytest

from actors import Reason
from transport import Settings
from transport._writer import Writer
from transport.codec import Frame, framed
from transport.exceptions import Disconnected
from transport.outbox import new_outbox
from transport.wire import PlainWire


class Server:
    """As uvicorn's protocols, which take a frame also while their connection is closing."""

    def __init__(self, lasts: int) -> None:
        self.transport = self
        self._receive, self._send = self.receive, self.send  # as Starlette's `WebSocket`
        self.lasts = lasts  # frames until the connection is lost
        self.taken: list[str] = []

    def is_closing(self) -> bool:
        return len(self.taken) >= self.lasts

    def abort(self) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    async def receive(self) -> None: ...

    async def send(self, event: Any) -> None:
        self.taken.append(event["text"])


class Owner:
    intake = None

    def __init__(self) -> None:
        self.dropped: list[object] = []
        self.outbox = new_outbox(Settings(), self)  # type: ignore[arg-type]

    def drop(self, frame: Frame, reason: Reason) -> None:
        assert reason is Reason.CLIENT_GONE
        self.dropped.append(frame.message)

    def ready(self) -> None: ...

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
