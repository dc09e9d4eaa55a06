"""Closing: by the actor's word, its stop or its kill."""

from typing import Any

import pytest

from actors import Reason
from tests.transport.probe import Said, application, only, said, say


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
