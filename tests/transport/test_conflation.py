"""Conflation and gaps, as a client meets them: the newest of a key, and how many were missed."""

from typing import Any

import pytest
from fastapi import FastAPI

from actors import Message, Reason, Request, receive
from transport import CodecError, Connection, Json, Settings, SlowClient, Sockets


class Price(Message):
    name: str
    value: int


class Say(Message):
    text: str


class Note(Message):
    text: str


class Ticker(Connection):
    async def on_connect(self) -> None:
        self.join("prices")

    @receive
    async def say(self, message: Say) -> None:
        for value in range(3):
            self.send(Price("own", value))


def key(message: object) -> str | None:
    return message.name if isinstance(message, Price) else None


def application(letters: Any, **settings: Any) -> tuple[FastAPI, Sockets]:
    app = FastAPI()
    sockets = Sockets(app, settings=Settings(**settings), instruments=[letters])
    sockets.add("/ticker", Ticker)
    return app, sockets


async def stalled(house: Any) -> Any:
    """A client with one frame in hand, that reads no further."""
    peer = await house.connect("/ticker")
    await house.until(lambda: house.system.members("prices"))
    peer.reading.clear()
    house.system.publish("prices", Price("first", 0))
    await peer.sending.wait()
    return peer


async def prices(peer: Any, count: int) -> list[tuple[str, int]]:
    frames = [await peer.receive() for _ in range(count)]
    return [
        (each.get("name", each["type"]), each.get("value", each.get("count"))) for each in frames
    ]


def test_of_each_key_a_slow_client_gets_the_newest(house: Any, letters: Any) -> None:
    async def test(house: Any) -> None:
        peer = await stalled(house)
        for value in range(5):
            house.system.publish("prices", Price("a", value))
            house.system.publish("prices", Price("b", value))
        house.system.publish("prices", Note("no key"))
        house.system.publish("prices", Note("no key"))
        peer.send({"type": "say", "text": ""})
        await house.until(lambda: len(letters.letters) == 4 + 4 + 2)
        peer.reading.set()
        assert await prices(peer, 3) == [("first", 0), ("a", 4), ("b", 4)]
        assert [await peer.receive() for _ in range(2)] == [{"type": "note", "text": "no key"}] * 2
        assert await prices(peer, 1) == [("own", 2)]

    house(*application(letters, conflate=key), test)
    assert {letter.reason for letter in letters.letters} == {Reason.CONFLATED}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (SlowClient.DROP_NEWEST, [("a", 0), ("a", 1), ("missed", 3), ("late", 0)]),
        (SlowClient.DROP_OLDEST, [("missed", 3), ("a", 3), ("a", 4), ("late", 0)]),
    ],
)
def test_a_client_is_told_what_it_missed_where_it_missed_it(
    house: Any, letters: Any, policy: SlowClient, expected: list[tuple[str, int]]
) -> None:
    async def test(house: Any) -> None:
        peer = await stalled(house)
        for value in range(5):
            house.system.publish("prices", Price("a", value))
        peer.reading.set()
        assert await prices(peer, 1) == [("first", 0)]
        assert await prices(peer, 3) == expected[:3]
        house.system.publish("prices", Price("late", 0))
        assert await prices(peer, 1) == expected[3:]

    house(*application(letters, slow_client=policy, max_outbox=2, tell_missed=True), test)
    assert len(letters.letters) == 3


def test_a_key_that_cannot_be_had_is_the_senders_error(house: Any, letters: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/ticker")
        await house.until(lambda: house.system.members("prices"))
        with pytest.raises(CodecError, match=r"no key for Price: .*ZeroDivisionError"):
            house.system.publish("prices", Price("a", 0))
        with pytest.raises(CodecError, match="unhashable"):
            house.system.publish("prices", Price("b", 1))
        house.system.publish("prices", Price("c", 2))
        assert await prices(peer, 1) == [("c", 2)]

    def bad(message: Any) -> Any:
        return {0: lambda: 1 / 0, 1: list, 2: lambda: "c"}[message.value]()

    house(*application(letters, conflate=bad), test)


class Quote(Request[int]):
    """What a client asks."""

    number: int


class Desk(Connection):
    @receive
    async def price(self, request: Quote) -> int:
        return request.number


@pytest.mark.parametrize(
    "key",
    [lambda message: message.name, type, lambda message: "one"],
    ids=["a price's", "the type", "one for all"],
)
def test_answers_have_no_key(house: Any, letters: Any, key: Any) -> None:
    """Each is waited for, and the key of a price is none of theirs."""

    async def test(house: Any) -> None:
        peer = await house.connect("/desk")
        peer.reading.clear()
        for number in range(3):
            peer.send({"type": "quote", "number": number, "id": number})
            peer.send({"type": "unknown"})
        await house.until(lambda: house.system.stats().handled == 3)
        peer.reading.set()
        frames = [await peer.receive() for _ in range(6)]
        replies = [frame["id"] for frame in frames if frame["type"] == "reply"]
        assert replies == [0, 1, 2]
        assert [frame["code"] for frame in frames if frame["type"] == "error"] == ["invalid"] * 3

    app, sockets = application(letters, conflate=key)
    sockets.add("/desk", Desk)
    house(app, sockets, test)
    assert letters.letters == []


class OnlyPrices(Json):
    """Knows of nothing else."""

    def encode(self, message: object) -> str | bytes:
        if not isinstance(message, Price):
            raise TypeError("not a price")
        return super().encode(message)


def test_a_gap_that_cannot_be_told_of_ends_nobody(house: Any, letters: Any, logged: Any) -> None:
    async def test(house: Any) -> None:
        peer = await stalled(house)
        for value in range(5):
            house.system.publish("prices", Price("a", value))
        peer.reading.set()
        assert await prices(peer, 3) == [("first", 0), ("a", 0), ("a", 1)]
        await house.until(lambda: logged)
        house.system.publish("prices", Price("late", 0))
        assert await prices(peer, 1) == [("late", 0)]

    app = FastAPI()
    settings = Settings(tell_missed=True, slow_client=SlowClient.DROP_NEWEST, max_outbox=2)
    sockets = Sockets(app, settings=settings, instruments=[letters])
    sockets.add("/ticker", Ticker, codec=OnlyPrices())
    house(app, sockets, test)
