"""What waits for an application to receive it, without a socket."""

import asyncio
from collections.abc import Sequence

import pytest

from transport.fast.inbox import Inbox
from transport.fast.messages import Data


class Reading:
    """Whether the socket is read."""

    def __init__(self, limit: int = 4) -> None:
        self.inbox = Inbox(limit, asyncio.get_running_loop())
        self.inbox.pause_reading = lambda: self.calls.append("pause")
        self.inbox.resume_reading = lambda: self.calls.append("resume")
        self.calls: list[str] = []


class Other:
    """Another inbound, and what it was called with."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    def receive(self, burst: Sequence[Data]) -> None:
        self.calls.append(list(burst))

    def pause_writing(self) -> None:
        self.calls.append("pause")

    def resume_writing(self) -> None:
        self.calls.append("resume")

    def disconnect(self, code: int, reason: str) -> None:
        self.calls.append((code, reason))


def text(message: str) -> dict[str, str]:
    return {"type": "websocket.receive", "text": message}


END = {"type": "websocket.disconnect", "code": 1001, "reason": "away"}


def test_messages_come_in_order_and_the_end_for_ever() -> None:
    async def main() -> None:
        inbox = Reading().inbox
        first = asyncio.ensure_future(inbox.get())
        await asyncio.sleep(0)
        inbox.receive(["a", b"b"])
        inbox.disconnect(1001, "away")
        inbox.disconnect(1006, "")  # the connection's end after it
        assert await first == text("a")
        assert await inbox.get() == {"type": "websocket.receive", "bytes": b"b"}
        assert [await inbox.get() for _ in range(3)] == [END] * 3

    asyncio.run(main())


def test_who_is_cancelled_takes_nothing_with_them() -> None:
    async def main() -> None:
        inbox = Reading().inbox
        gone, waits = (asyncio.ensure_future(inbox.get()) for _ in range(2))
        await asyncio.sleep(0)
        inbox.receive(["a"])
        gone.cancel()
        assert await waits == text("a")
        assert gone.cancelled()

    asyncio.run(main())


@pytest.mark.parametrize("burst", [list("abcde"), ["x" * (1 << 18), "y"]], ids=["many", "large"])
def test_reading_is_paused_when_it_is_full_and_resumed_at_half(burst: list[Data]) -> None:
    async def main() -> None:
        reading = Reading()
        inbox = reading.inbox
        inbox.receive(burst[:-1])
        assert reading.calls == []
        inbox.receive(burst[-1:])
        inbox.receive(["more"])
        assert reading.calls == ["pause"]
        taken = 0
        while reading.calls == ["pause"]:
            await inbox.get()
            taken += 1
        assert reading.calls == ["pause", "resume"]
        assert taken == len(burst) + 1 - min(2, len(burst))

    asyncio.run(main())


def test_a_send_waits_until_there_is_room_or_nobody() -> None:
    async def main() -> None:
        inbox = Reading().inbox
        await inbox.writable()
        for end in (inbox.resume_writing, lambda: inbox.disconnect(1006, "")):
            inbox.pause_writing()
            waits = asyncio.ensure_future(inbox.writable())
            await asyncio.sleep(0)
            inbox.receive(["a"])
            await asyncio.sleep(0)
            assert not waits.done()
            end()
            await waits

    asyncio.run(main())


def test_another_gets_what_was_not_taken() -> None:
    async def main() -> None:
        reading, other = Reading(), Other()
        reading.inbox.receive(list("abcde"))
        reading.inbox.pause_writing()
        reading.inbox.hand_over(other)
        assert other.calls == ["pause", list("abcde")]
        assert reading.calls == ["pause", "resume"]
        assert not reading.inbox.waiting
        ended = Reading().inbox
        ended.disconnect(1001, "away")
        ended.hand_over(later := Other())
        assert later.calls == [(1001, "away")]

    asyncio.run(main())
