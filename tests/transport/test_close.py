"""Closing: by the actor's word, its stop or its kill."""

import asyncio
import threading
from typing import Any

import pytest

from actors import Message, Reason, receive
from tests.transport.probe import Probe, Said, Stop, Wait, application, only, said, say


@pytest.mark.parametrize(
    ("code", "reason", "sent"),
    [
        (1000, "done", "done"),
        (4001, "", ""),
        (3000, "é" * 100, "é" * 61),
        (1012, "x" * 200, "x" * 123),
    ],
)
def test_close_flushes_what_is_queued_and_the_first_counts(
    house: Any, probe: Any, letters: Any, code: int, reason: str, sent: str
) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "close", "code": code, "reason": reason})
        assert await peer.receive() == said("before")
        assert await peer.closed() == (code, sent)
        assert probe.journal == ["start", "connect", ("disconnect", code), ("stop", "drain")]
        assert [letter.message for letter in letters.letters] == [Said("after")]
        assert letters.letters[0].reason is Reason.CLIENT_GONE

    house(*application(instruments=[letters]), test)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2000, 2999, 5000])
def test_a_code_no_server_may_send_is_refused(
    house: Any, probe: Any, logged: Any, code: int
) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "close", "code": code})
        assert await peer.receive() == said("before")
        assert (await peer.receive())["code"] == "crashed"
        assert str(probe.journal[-1][1]) == f"a server may not close with {code}"

    house(*application(), test)


def test_stopping_itself_flushes_and_closes_with_1000(house: Any, probe: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "stop"})
        assert await peer.receive() == said("before")
        assert await peer.closed() == (1000, "")
        assert probe.journal == ["start", "connect", ("disconnect", 1000), ("stop", "stop")]

    house(*application(), test)


def test_a_kill_closes_with_1001_and_skips_the_callbacks(house: Any, probe: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send(say("a"))
        assert await peer.receive() == said("1 a")
        await (await only(house)).kill()
        assert await peer.closed() == (1001, "")
        assert probe.journal == ["start", "connect"]

    house(*application(), test)


class Then(Message):
    end: str


class Going(Probe):
    """Closes in one of the ways there are, behind something that is still to be sent."""

    @receive
    async def go(self, message: Then) -> None:
        self.send(Said("before"))
        if message.end == "close":
            self.close(4001, "done")
        elif message.end == "expire":
            self.expire(0)


@pytest.mark.parametrize(
    ("end", "code"), [("close", 4001), ("expire", 4401), ("frame of the wrong kind", 1003)]
)
def test_what_comes_after_a_close_is_not_handled(
    house: Any, probe: Any, end: str, code: int
) -> None:
    """However long its client takes to read what is queued before it."""

    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.reading.clear()
        peer.send({"type": "then", "end": end})
        await peer.sending.wait()
        if end.startswith("frame"):
            peer.send(b"")
        handled = house.system.stats().handled
        for number in range(10):
            peer.send(say(str(number)))
        await house.until(peer._to_app.empty)
        for _ in range(20):
            await asyncio.sleep(0)
        assert house.system.stats().handled == handled
        peer.reading.set()
        assert await peer.receive() == said("before")
        assert (await peer.closed())[0] == code

    house(*application(Going), test)


class Threads(Probe):
    """Calls its own methods in another thread."""

    @receive
    async def go(self, message: Then) -> None:
        done = asyncio.Event()
        loop = asyncio.get_running_loop()

        def call() -> None:
            try:
                {"close": self.close, "expire": lambda: self.expire(0)}[message.end]()
            except RuntimeError as error:
                loop.call_soon_threadsafe(self.journal.append, str(error))
            loop.call_soon_threadsafe(done.set)

        threading.Thread(target=call).start()
        await done.wait()
        self.send(Said("alive"))


@pytest.mark.parametrize("method", ["close", "expire"])
def test_another_thread_is_told_that_it_may_not(house: Any, probe: Any, method: str) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "then", "end": method})
        assert await peer.receive() == said("alive")
        assert "own thread" in probe.journal[-1]

    house(*application(Threads), test)


class Leaver(Probe):
    """Closes with a code of its own, and ends at once."""

    @receive
    async def stop_it(self, message: Stop) -> None:
        self.close(4001, "so long")
        self.stop()

    @receive
    async def wait(self, message: Wait) -> None:
        self.close(4001, "so long")
        self.ref.drain()


@pytest.mark.parametrize("way", ["stop", "wait"])
def test_on_disconnect_hears_the_code_that_the_client_gets(
    house: Any, probe: Any, way: str
) -> None:
    """Also when the actor ends before the close has been sent."""

    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": way})
        assert await peer.closed() == (4001, "so long")
        assert ("disconnect", 4001) in probe.journal

    house(*application(Leaver), test)
