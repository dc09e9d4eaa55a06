"""Publishing to connections: in order, encoded once, to all of a group or to nobody."""

from itertools import permutations
from typing import Any

import msgspec
import pytest

from actors import receive
from tests.transport.probe import Private, Probe, Said, application, said
from transport import Connection, Json, MessagePack


def test_a_publish_reaches_the_clients_in_order_without_the_excluded(
    house: Any, probe: Any
) -> None:
    async def test(house: Any) -> None:
        one, two, three = [await house.connect("/probe") for _ in range(3)]
        await house.until(lambda: len(house.system.members("all")) == 3)
        for number in range(50):
            one.send({"type": "tell", "text": str(number)})
        for number in range(50):
            for peer in (two, three):
                assert await peer.receive() == said(str(number))
        one.send({"type": "tell", "text": "all", "all": True})
        for peer in (one, two, three):
            assert await peer.receive() == said("all")
        refs = house.system.members("all")
        house.system.publish("all", Said("not the first two"), exclude=refs[:2])
        house.system.publish("all", Said("end"))
        assert [await peer.receive() for peer in (one, two)] == [said("end")] * 2
        assert await three.receive() == said("not the first two")

    house(*application(), test)


def test_a_class_that_handles_what_is_published_gets_it_in_its_mailbox(
    house: Any, probe: Any
) -> None:
    class Listener(Connection):
        async def on_connect(self) -> None:
            self.join("all")

        @receive(wire=False)
        async def private(self, message: Private) -> None:
            self.send(Said(f"heard {message.text}"))

    app, sockets = application()
    sockets.add("/listener", Listener)

    class Bystander(Listener):
        private = None  # type: ignore[assignment]

    sockets.add("/bystander", Bystander)

    async def test(house: Any) -> None:
        listener = await house.connect("/listener")
        bystander = await house.connect("/bystander")
        await house.until(lambda: len(house.system.members("all")) == 2)
        house.system.publish("all", Private("a"))
        assert await listener.receive() == said("heard a")
        assert await bystander.receive() == {"type": "private", "text": "a"}

    house(app, sockets, test)


class Counting(Json):
    count = 0

    def encode(self, message: object) -> str | bytes:
        type(self).count += 1
        return super().encode(message)


def test_a_publish_is_encoded_once_for_a_whole_group(house: Any, probe: Any) -> None:
    async def test(house: Any) -> None:
        peers = [await house.connect("/probe") for _ in range(20)]
        await house.until(lambda: len(house.system.members("all")) == 20)
        Counting.count = 0
        house.system.publish("all", Said("once"))
        frames = [await peer.event() for peer in peers]
        assert Counting.count == 1
        assert all(frame == frames[0] for frame in frames)

    house(*application(codec=Counting()), test)


def test_one_event_is_sent_to_all_of_a_group(plain_house: Any, probe: Any) -> None:
    """Over bursts there are no events: there it is one `bytes`."""

    async def test(house: Any) -> None:
        peers = [await house.connect("/probe") for _ in range(3)]
        await house.until(lambda: len(house.system.members("all")) == 3)
        house.system.publish("all", Said("once"))
        frames = [await peer.event() for peer in peers]
        assert all(frame is frames[0] for frame in frames)

    plain_house(*application(), test)


def test_a_publish_that_cannot_be_encoded_is_the_publishers_error(house: Any, probe: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        await house.until(lambda: house.system.members("all"))
        with pytest.raises(TypeError, match="cannot encode object"):
            house.system.publish("all", object())
        with pytest.raises(TypeError, match="cannot encode str"):
            house.system.publish("all", "\ud800")
        house.system.publish("all", Said("fine"))
        assert await peer.receive() == said("fine")

    house(*application(), test)


@pytest.mark.parametrize("order", list(permutations(["/probe", "/packed", "/told"])))
def test_what_one_codec_cannot_encode_reaches_nobody_of_a_mixed_group(
    house: Any, probe: Any, order: tuple[str, ...]
) -> None:
    class Told(Probe):
        @receive(wire=False)
        async def take(self, message: dict) -> None:  # type: ignore[type-arg]
            self.send(Said(str(message)))

    app, sockets = application()
    sockets.add("/packed", Probe, codec=MessagePack())
    sockets.add("/told", Told)

    async def test(house: Any) -> None:
        peers = {}
        for number, path in enumerate(order, 1):
            peers[path] = await house.connect(path)
            await house.until(lambda number=number: len(house.system.members("all")) == number)
        with pytest.raises(TypeError, match="cannot encode dict"):
            house.system.publish("all", {"n": 2**70})  # too large for MessagePack only
        house.system.publish("all", {"n": 1})
        assert await peers["/probe"].receive() == {"n": 1}
        assert await peers["/packed"].data() == msgspec.msgpack.encode({"n": 1})
        assert await peers["/told"].receive() == said("{'n': 1}")

    house(app, sockets, test)


def test_members_with_different_codecs_each_get_theirs(house: Any, probe: Any) -> None:
    async def test(house: Any) -> None:
        one = await house.connect("/probe", subprotocols=("json",))
        two = await house.connect("/probe", subprotocols=("packed",))
        await house.until(lambda: len(house.system.members("all")) == 2)
        house.system.publish("all", Said("a"))
        assert await one.data() == '{"type":"said","text":"a"}'
        assert await two.data() == MessagePack().encode(Said("a"))

    house(*application(subprotocols={"json": Json(), "packed": MessagePack()}), test)
