"""Crashes of a connection: what its client and the log are told, and what goes on."""

from typing import Any, ClassVar

import msgspec
import pytest
from fastapi import HTTPException

from actors import Intensity, receive
from tests.transport.probe import Boom, Probe, Say, application, said, say
from transport import Connection, Json, MessagePack, OnCrash, Text


def test_a_crash_is_told_under_the_id_in_the_log_and_leaves_fresh_state(
    house: Any, probe: Any, logged: Any
) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send(say("a"))
        peer.send({"type": "boom"})
        peer.send(say("b"))
        assert await peer.receive() == said("1 a")
        error = await peer.receive()
        assert (error["type"], error["code"]) == ("error", "crashed")
        assert "boom" not in str(error)
        entries = [entry for entry in logged if entry.get("error_id") == error["error_id"]]
        assert len(entries) == 1
        assert str(entries[0]["exc_info"]) == "boom"
        assert await peer.receive() == said("1 b")  # fresh state, the queue kept
        assert len(house.system.members("all")) == 1  # and the group
        assert probe.journal == ["start", "connect", "start", ("restart", "boom")]

    house(*application(), test)


@pytest.mark.parametrize("codec", [Json(), MessagePack()])
def test_an_error_in_the_making_of_a_message_is_logged_once_and_is_no_crash(
    house: Any, probe: Any, logged: Any, codec: Any
) -> None:
    async def test(house: Any) -> None:
        peer, other = await house.connect("/probe"), await house.connect("/probe")
        for number in range(5):  # more than the intensity would allow, were they crashes
            peer.send(codec.encode({"type": "strict", "text": "secret"}))
            error = msgspec.json.decode(await peer.data())
            assert (error["type"], error["code"]) == ("error", "invalid")
            assert "secret" not in str(error)
            assert len(logged) == number + 1
            assert logged[-1]["error_id"] == error["error_id"]
            assert repr(logged[-1]["exc_info"]) == "KeyError('secret')"
        for client in (peer, other):
            client.send(say("a"))
            assert await client.receive() == said("1 a")
        assert "strict" not in probe.journal
        assert probe.journal.count("start") == 2

    house(*application(codec=[Json(), codec] if codec.kind == "binary" else codec), test)


def test_too_many_crashes_close_with_1011(house: Any, probe: Any, logged: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        other = await house.connect("/probe")
        for _ in range(3):
            peer.send({"type": "boom"})
        for _ in range(3):
            assert (await peer.receive())["code"] == "crashed"
        assert await peer.closed() == (1011, "")
        assert probe.journal[-2:] == [("disconnect", 1011), ("stop", "crash")]
        other.send(say("still here"))
        assert await other.receive() == said("1 still here")

    house(*application(intensity=Intensity(restarts=2, seconds=60)), test)


def test_by_choice_the_first_crash_closes_with_1011(house: Any, probe: Any, logged: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "boom"})
        assert (await peer.receive())["code"] == "crashed"
        assert await peer.closed() == (1011, "")
        assert probe.journal == ["start", "connect", ("disconnect", 1011), ("stop", "crash")]

    house(*application(on_crash=OnCrash.CLOSE), test)


def test_a_crash_in_on_connect_is_a_crash(house: Any, probe: Any, logged: Any) -> None:
    class Unlucky(Probe):
        async def on_connect(self) -> None:
            await super().on_connect()
            raise RuntimeError("on_connect")

    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        assert (await peer.receive())["code"] == "crashed"
        peer.send(say("a"))
        assert await peer.receive() == said("1 a")
        assert probe.journal == ["start", "connect", "start", ("restart", "on_connect")]

    house(*application(Unlucky), test)


@pytest.mark.parametrize("where", ["on_start", "on_restart"])
def test_a_restart_that_refuses_closes_with_4000_and_the_status(
    house: Any, logged: Any, where: str
) -> None:
    """An expired token, say."""

    class Guarded(Connection):
        lives = 0
        codes: ClassVar[list[int]] = []

        async def on_start(self) -> None:
            Guarded.lives += 1
            if where == "on_start" and Guarded.lives > 1:
                raise HTTPException(401, "expired")

        async def on_restart(self, error: Exception) -> None:
            if where == "on_restart":
                raise HTTPException(401, "expired")

        async def on_disconnect(self, code: int) -> None:
            self.codes.append(code)

        @receive
        async def boom(self, message: Boom) -> None:
            raise RuntimeError("boom")

    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "boom"})
        assert (await peer.receive())["code"] == "crashed"
        assert await peer.closed() == (4401, "expired")
        await house.until(lambda: not house.system.stats().actors)
        assert Guarded.lives == 2

    house(*application(Guarded), test)


def test_one_that_crashes_costs_the_others_nothing(house: Any, probe: Any, logged: Any) -> None:
    async def test(house: Any) -> None:
        peers = [await house.connect("/probe") for _ in range(5)]
        for number in range(20):
            peers[0].send({"type": "boom"})
            for peer in peers[1:]:
                peer.send(say("a"))
                assert await peer.receive() == said(f"{number + 1} a")

    house(*application(), test)


def test_a_handler_past_its_deadline_counts_as_crashed(house: Any, probe: Any, logged: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "slow"})
        peer.send(say("a"))
        error = await peer.receive()
        assert error["code"] == "crashed"
        (entry,) = [entry for entry in logged if entry.get("error_id") == error["error_id"]]
        assert type(entry["exc_info"]).__name__ == "HandlerTimeout"
        assert await peer.receive() == said("1 a")

    house(*application(), test)


def test_a_send_that_cannot_be_encoded_is_a_crash_and_no_more(
    house: Any, probe: Any, logged: Any
) -> None:
    class Surrogate(Probe):
        @receive
        async def say(self, message: Say) -> None:
            self.send("\ud800" if message.text == "bad" else message.text)

    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send(say("bad"))
        assert (await peer.receive())["code"] == "crashed"
        peer.send(say("good"))
        assert await peer.data() == "good"

    house(*application(Surrogate), test)


def test_a_text_socket_is_told_of_errors_as_json(house: Any, logged: Any) -> None:
    class Careless(Connection):
        @receive
        async def text(self, message: str) -> None:
            raise RuntimeError

    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send("a")
        assert (await peer.receive())["code"] == "crashed"

    house(*application(Careless, codec=Text()), test)
