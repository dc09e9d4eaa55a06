"""Frames of each kind on one socket, and codecs by subprotocol."""

from typing import Any

from actors import receive
from tests.transport.probe import Said, Say, application, said, say
from transport import Connection, Json, MessagePack, Raw


class Binary(Connection):
    @receive
    async def text(self, message: str) -> None:
        self.send(message[::-1])

    @receive
    async def raw(self, message: bytes) -> None:
        self.send(message[::-1])


class Mixed(Binary):
    @receive
    async def say(self, message: Say) -> None:
        self.send(Said(message.text))

    @receive
    async def anything(self, message: dict) -> None:  # type: ignore[type-arg]
        self.send({"got": message})

    text = None  # type: ignore[assignment]


def test_text_and_bytes_on_one_socket(house: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send("abc")
        peer.send(b"\x00\xff")
        peer.send("é" * 3)
        assert [await peer.data() for _ in range(3)] == ["cba", b"\xff\x00", "é" * 3]

    house(*application(Binary), test)


def test_json_with_a_catch_all_and_bytes_on_one_socket(house: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send(say("a"))
        peer.send({"type": "other"})
        peer.send(b"\x01\x02")
        assert await peer.receive() == said("a")
        assert await peer.receive() == {"got": {"type": "other"}}
        assert await peer.data() == b"\x02\x01"

    house(*application(Mixed), test)


def test_codecs_by_subprotocol(house: Any, probe: Any) -> None:
    options: dict[str, Any] = {
        "subprotocols": {"json": Json(), "packed": MessagePack()},
        "codec": [Json(), MessagePack()],
    }

    async def test(house: Any) -> None:
        packed = await house.connect("/probe", subprotocols=("unknown", "packed", "json"))
        assert packed.subprotocol == "packed"  # the first one offered that is known
        packed.send(MessagePack().encode(say("a")))
        assert await packed.data() == MessagePack().encode(said("1 a"))
        packed.send("text")
        assert (await packed.closed())[0] == 1003
        plain = await house.connect("/probe", subprotocols=("unknown",))
        assert plain.subprotocol is None
        plain.send(say("a"))
        assert await plain.receive() == said("1 a")
        plain.send(MessagePack().encode(say("b")))
        assert await plain.receive() == said("2 b")

    house(*application(**options), test)


def test_raw_frames_through_a_raw_codec(house: Any) -> None:
    class Bytes(Connection):
        @receive
        async def raw(self, message: bytes) -> None:
            self.send(message)

    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        for data in (b"", b"\x00" * 70_000):
            peer.send(data)
            assert await peer.data() == data
        peer.send("text")
        assert (await peer.closed())[0] == 1003

    house(*application(Bytes, codec=Raw()), test)
