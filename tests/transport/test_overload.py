"""Overload: a busy actor's full mailbox, and what its client is told."""

from typing import Any

import pytest

from actors import MailboxFull, Overflow
from tests.transport.probe import Private, Probe, Small, application, only, said, say
from transport import OnOverload


def test_a_busy_actors_full_mailbox_refuses_the_newest(
    house: Any, probe: Any, letters: Any
) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "wait"})
        await probe.busy.wait()
        for text in "abcde":
            peer.send(say(text))
        peer.send({"type": "total", "of": [1], "id": 1})
        for _ in range(4):
            error = await peer.receive()
            assert (error["type"], error["code"]) == ("error", "overloaded")
        peer.send("{")  # it still reads
        assert (await peer.receive())["code"] == "malformed"
        probe.release.set()
        assert await peer.receive() == said("released")
        assert await peer.receive() == said("1 a")
        assert await peer.receive() == said("2 b")
        assert letters.letters == []

    house(*application(Small, [letters]), test)


def test_a_refused_request_is_told_under_its_id(house: Any, probe: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "wait"})
        await probe.busy.wait()
        for number in range(3):
            peer.send({"type": "total", "of": [number], "id": number})
        error = await peer.receive()
        assert (error["code"], error["id"]) == ("overloaded", 2)
        probe.release.set()

    house(*application(Small), test)


def test_a_request_that_was_dropped_is_answered_as_overloaded(
    house: Any, probe: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(Probe, "overflow", Overflow.DROP_NEWEST)
    monkeypatch.setattr(Probe, "mailbox_size", 1)

    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "wait"})
        await probe.busy.wait()
        peer.send(say("fills it"))
        peer.send({"type": "total", "of": [1], "id": 1})
        answer = await peer.receive()
        assert (answer["type"], answer["code"], answer["id"]) == ("error", "overloaded", 1)
        probe.release.set()

    house(*application(), test)


def test_by_choice_overload_closes_with_1013(house: Any, probe: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "wait"})
        await probe.busy.wait()
        for text in "abcde":
            peer.send(say(text))
        event = await peer.event()
        assert (event["type"], event["code"]) == ("websocket.close", 1013)
        probe.release.set()
        await peer.task
        assert ("disconnect", 1013) in probe.journal

    house(*application(Small, on_overload=OnOverload.CLOSE), test)


def test_a_burst_larger_than_the_mailbox_is_no_overload(house: Any, probe: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        for number in range(100):
            peer.send(say(str(number)))
            peer.send({"type": "total", "of": [number], "id": number})
        for number in range(100):
            assert await peer.receive() == said(f"{number + 1} {number}")
            assert await peer.receive() == {"type": "reply", "id": number, "value": number}

    house(*application(Small), test)


def test_an_actor_told_too_much_refuses(house: Any, probe: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "wait"})
        await probe.busy.wait()
        ref = await only(house)
        ref.tell(Private("1"))
        ref.tell(Private("2"))
        with pytest.raises(MailboxFull):
            ref.tell(Private("3"))
        probe.release.set()
        assert [await peer.receive() for _ in range(3)] == [
            said("released"),
            said("private 1"),
            said("private 2"),
        ]

    house(*application(Small), test)


def test_a_mailbox_that_waits_bounds_its_client_too(
    house: Any, probe: Any, monkeypatch: Any
) -> None:
    """There is nobody who would wait, so its frames are refused, as a publish is."""
    monkeypatch.setattr(Small, "overflow", Overflow.WAIT)

    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "wait"})
        await probe.busy.wait()
        for number in range(100):
            peer.send(say(str(number)))
        peer.send("{")
        await house.until(lambda: any("malformed" in str(event) for event in peer.waiting()))
        queued = house.system.stats().queued
        probe.release.set()
        assert queued == Small.mailbox_size

    house(*application(Small), test)
