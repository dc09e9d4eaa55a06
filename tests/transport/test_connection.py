"""A connection and its messages: order, what comes from actors, heartbeats, and its life."""

import asyncio
import gc
import weakref
from typing import Any

import pytest
from fastapi import HTTPException

from actors import Message, NotRunning, Reason, receive
from tests.transport.probe import Private, Probe, Said, application, only, said, say
from transport import Connection, Settings


def test_messages_are_handled_and_answered_in_order(house: Any, probe: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        for number in range(200):
            peer.send(say(str(number)))
        for number in range(200):
            assert await peer.receive() == said(f"{number + 1} {number}")

    house(*application(), test)


def test_a_client_cannot_send_what_only_actors_may(house: Any, probe: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "private", "text": "forged"})
        error = await peer.receive()
        assert (error["type"], error["code"], error["path"]) == ("error", "invalid", "$.type")
        (await only(house)).tell(Private("from an actor"))
        assert await peer.receive() == said("private from an actor")

    house(*application(), test)


def test_what_is_told_and_not_handled_goes_to_the_client(
    house: Any, probe: Any, letters: Any
) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send(say("a"))
        assert await peer.receive() == said("1 a")
        ref = await only(house)
        ref.tell(Said("told"))
        ref.tell(object())  # that cannot be encoded
        ref.tell({"plain": 1})
        assert await peer.receive() == said("told")
        assert await peer.receive() == {"plain": 1}
        (letter,) = letters.letters
        assert letter.reason is Reason.UNHANDLED

    house(*application(instruments=[letters]), test)


def test_messages_sent_before_the_accept_come_after_it(house: Any) -> None:
    class Early(Connection):
        async def on_start(self) -> None:
            self.join("early")
            self.send(Said("from on_start"))
            self.publish("early", Said("to itself"))

        async def on_connect(self) -> None:
            self.send(Said("from on_connect"))

    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        texts = ["from on_start", "to itself", "from on_connect"]
        assert [await peer.receive() for _ in texts] == [said(text) for text in texts]

    house(*application(Early), test)


def test_what_is_told_before_the_accept_is_handled_after_on_connect(house: Any) -> None:
    class Early(Connection):
        async def on_start(self) -> None:
            self.ref.tell(Private("told in on_start"))

        async def on_connect(self) -> None:
            self.send(Said("from on_connect"))

        @receive(wire=False)
        async def private(self, message: Private) -> None:
            self.send(Said(message.text))

    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        texts = ["from on_connect", "told in on_start"]
        assert [await peer.receive() for _ in texts] == [said(text) for text in texts]

    house(*application(Early), test)


def test_what_was_sent_to_a_client_that_is_refused_is_a_dead_letter(
    house: Any, letters: Any
) -> None:
    class Picky(Connection):
        async def on_start(self) -> None:
            self.send(Said("never sent"))
            raise HTTPException(403)

    async def test(house: Any) -> None:
        peer = house.dial("/probe")
        with pytest.raises(Exception, match="403"):
            await peer.open()
        (letter,) = letters.letters
        assert (letter.message, letter.reason) == (Said("never sent"), Reason.CLIENT_GONE)

    house(*application(Picky, instruments=[letters]), test)


def test_a_class_that_only_sends_takes_no_frames(house: Any) -> None:
    class Feed(Connection):
        async def on_connect(self) -> None:
            self.send(Said("hello"))

    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        assert await peer.receive() == said("hello")
        peer.send("anything")
        assert (await peer.closed())[0] == 1003

    house(*application(Feed), test)


def test_before_its_life_a_connection_has_no_socket() -> None:
    connection = Probe()
    for use in (
        lambda: connection.handshake,
        lambda: connection.path_params,
        lambda: connection.send("a"),
        connection.close,
        lambda: connection.ref,
    ):
        with pytest.raises(NotRunning):
            use()


def test_heartbeats_come_until_the_socket_closes(house: Any, probe: Any, letters: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        beats = [await peer.receive() for _ in range(3)]
        assert {beat["type"] for beat in beats} == {"heartbeat"}
        times = [beat["timestamp"] for beat in beats]
        assert times == sorted(times)
        assert times[2] > times[0]
        await peer.disconnect()
        peer.waiting()
        letters.letters.clear()
        await asyncio.sleep(0.1)  # several beats
        assert peer.waiting() == letters.letters == []

    house(*application(heartbeat=0.01, instruments=[letters]), test)


def test_without_being_asked_for_there_is_no_heartbeat() -> None:
    assert Settings().heartbeat is None


class Parcel(Message, weakref=True):
    pass


def test_an_idle_socket_keeps_nothing_of_what_it_read(house: Any) -> None:
    seen: list[weakref.ref[Any]] = []

    class Idle(Connection):
        @receive
        async def parcel(self, message: Parcel) -> None:
            seen.append(weakref.ref(message))

    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "parcel"})
        await house.until(lambda: seen)
        for _ in range(5):  # it goes back to where it waits
            await asyncio.sleep(0)
        gc.collect()
        assert seen[0]() is None

    house(*application(Idle), test)


class First(Message):
    """Is handled next."""


class Hasty(Connection):
    journal: list[str]

    async def on_start(self) -> None:
        self.ref.tell(First())

    async def on_connect(self) -> None:
        self.journal.append("connect")

    @receive(interrupt=True)
    async def first(self, message: First) -> None:
        self.journal.append("first")
        self.send("done")


def test_no_interrupt_goes_before_on_connect(house: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(Hasty, "journal", [], raising=False)

    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        assert await peer.data() == "done"
        assert Hasty.journal == ["connect", "first"]

    house(*application(Hasty), test)
