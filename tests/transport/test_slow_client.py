"""Clients that do not read: each policy, the deadline of a send, and what became of each frame."""

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI

from actors import Message, Reason, receive
from transport import Connection, Settings, SlowClient, Sockets
from transport._burst import BURST
from transport.wire import TURN


class Flood(Message):
    count: int


class Number(Message):
    value: int


class Client(Connection):
    """Joins `all`; sends as many numbers as it is asked for."""

    codes: list[int]
    paced: list[int]

    async def on_connect(self) -> None:
        self.join("all")

    @receive
    async def flood(self, message: Flood) -> None:
        for value in range(message.count):
            self.send(Number(value))

    async def on_disconnect(self, code: int) -> None:
        type(self).codes.append(code)


class Paced(Client):
    @receive
    async def flood(self, message: Flood) -> None:
        for value in range(message.count):
            await self.send(Number(value))
            type(self).paced.append(value)


@pytest.fixture(autouse=True)
def _fresh() -> None:
    for kind in (Client, Paced):
        kind.codes = []
        kind.paced = []


def application(letters: Any, **settings: Any) -> tuple[FastAPI, Sockets]:
    app = FastAPI()
    sockets = Sockets(app, settings=Settings(**settings), instruments=[letters])
    sockets.add("/client", Client)
    sockets.add("/paced", Paced)
    return app, sockets


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def numbers(events: list[dict[str, Any]]) -> list[str]:
    return [event["text"] for event in events if event["type"] == "websocket.send"]


def frame(value: int) -> str:
    return f'{{"type":"number","value":{value}}}'


def lost(letters: Any, reason: Reason) -> list[int]:
    return [letter.message.value for letter in letters.letters if letter.reason is reason]


@pytest.mark.parametrize(
    ("policy", "got", "dropped"),
    [
        (SlowClient.DROP_NEWEST, [0, 1, 2, 3, 4], [5, 6, 7, 8, 9]),
        (SlowClient.DROP_OLDEST, [0, 6, 7, 8, 9], [1, 2, 3, 4, 5]),
    ],
)
def test_a_stalled_client_loses_what_its_policy_drops(
    house: Any, letters: Any, policy: SlowClient, got: list[int], dropped: list[int]
) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/client")
        peer.reading.clear()
        house.system.publish("all", Number(0))
        await peer.sending.wait()  # 0 is in hand: four more may wait
        for value in range(1, 10):
            house.system.publish("all", Number(value))
        peer.reading.set()
        assert [await peer.data() for _ in got] == [frame(value) for value in got]
        assert lost(letters, Reason.CLIENT_SLOW) == dropped
        peer.send({"type": "flood", "count": 1})  # it lives on
        assert await peer.data() == frame(0)

    house(*application(letters, max_outbox=4, slow_client=policy), test)


def test_a_stalled_client_is_disconnected_with_1013(house: Any, letters: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/client")
        other = await house.connect("/client")
        peer.reading.clear()
        house.system.publish("all", Number(0))
        await peer.sending.wait()
        for value in range(1, 10):
            house.system.publish("all", Number(value))
            assert await other.receive() == {"type": "number", "value": value - 1}
        assert lost(letters, Reason.CLIENT_SLOW) == [1, 2, 3, 4, 5]
        peer.reading.set()
        assert await peer.data() == frame(0)
        assert (await peer.closed())[0] == 1013
        assert lost(letters, Reason.CLIENT_GONE) == [6, 7, 8, 9]
        assert Client.codes == [1013]
        assert len(house.system.members("all")) == 1  # the other one

    house(*application(letters, max_outbox=4), test)


def test_an_overflow_in_the_middle_of_a_burst_closes_with_1013_too(
    plain_house: Any, letters: Any
) -> None:
    """The pump has more of the burst to send when the policy takes it away. Our own server has
    taken the whole burst by then."""

    async def test(house: Any) -> None:
        peer = await house.connect("/client")
        peer.reading.clear()
        for value in range(4):
            house.system.publish("all", Number(value))
        await peer.sending.wait()
        for value in range(4, 6):
            house.system.publish("all", Number(value))
        peer.reading.set()
        assert await peer.data() == frame(0)
        assert (await peer.closed())[0] == 1013
        assert lost(letters, Reason.CLIENT_SLOW) == [1, 2, 3, 4, 5]

    plain_house(*application(letters, max_outbox=4), test)


def test_a_close_that_cannot_be_sent_has_a_deadline_too(plain_house: Any, letters: Any) -> None:
    """Our own server has one for the close handshake: see `Line.expect`."""

    async def test(house: Any) -> None:
        peer = await house.connect("/client")
        peer.reading.clear()
        house.system.members("all")[0].stop()
        await peer.sending.wait()
        await peer.task
        assert house.system.stats().actors == 0

    plain_house(*application(letters, send_timeout=0.05), test)


def test_a_close_behind_what_cannot_be_sent_has_a_deadline_too(house: Any, letters: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/client")
        peer.reading.clear()
        house.system.publish("all", Number(0))
        await peer.sending.wait()
        await house.system.members("all")[0].stop()
        await peer.task
        assert lost(letters, Reason.CLIENT_GONE) == [0]
        assert peer.cut_short

    house(*application(letters, send_timeout=0.05), test)


def test_a_send_has_a_deadline_and_its_frame_is_accounted_for(house: Any, letters: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/client")
        peer.reading.clear()
        for value in range(3):
            house.system.publish("all", Number(value))
        await peer.task  # given up, by the deadline alone
        assert Client.codes == [1006]
        assert sorted(lost(letters, Reason.CLIENT_GONE)) == [0, 1, 2]
        assert house.system.stats().actors == 0
        assert house.system.members("all") == []
        await house.until(lambda: peer.cut_short)  # nothing waits for that client any more
        other = await house.connect("/client")
        await house.until(lambda: house.system.members("all"))
        house.system.publish("all", Number(7))
        assert await other.data() == frame(7)

    house(*application(letters, send_timeout=0.05), test)


@pytest.mark.parametrize("how", ["disconnect", "error", "deadline", "cancelled"])
def test_frames_sent_are_received_or_dead_letters(house: Any, letters: Any, how: str) -> None:
    """Also the one in hand when the client goes."""

    async def test(house: Any) -> None:
        peer = await house.connect("/client")
        peer.send({"type": "flood", "count": 50})
        received = [await peer.data() for _ in range(20)]
        peer.reading.clear()
        received += numbers(peer.waiting())
        for value in range(50, 60):
            house.system.publish("all", Number(value))
        await peer.sending.wait()
        if how == "disconnect":
            peer.vanish()
            await peer.task
        elif how == "error":
            peer.error = OSError("the connection is lost")
            peer.reading.set()
            await peer.task
        elif how == "deadline":
            await peer.task
        else:
            peer.task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await peer.task
            house.peers.remove(peer)
            await house.until(lambda: not house.system.stats().actors)
        received += numbers(peer.waiting())
        letters_ = [frame(value) for value in lost(letters, Reason.CLIENT_GONE)]
        assert sorted(received + letters_) == sorted(map(frame, range(60)))
        assert Client.codes == [1006]

    house(*application(letters, send_timeout=0.3 if how == "deadline" else 10), test)


def test_awaited_sends_go_at_the_clients_pace(house: Any, letters: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/paced")
        peer.reading.clear()
        peer.send({"type": "flood", "count": 1000})
        await peer.sending.wait()
        await turns()
        # One in hand, half of the outbox full, and the one that made it more than that.
        assert len(Paced.paced) <= 6
        peer.reading.set()
        assert [await peer.data() for _ in range(1000)] == [frame(value) for value in range(1000)]
        assert letters.letters == []

    house(*application(letters, max_outbox=8), test)


def test_a_paced_sender_goes_on_when_its_client_vanishes(house: Any, letters: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/paced")
        peer.reading.clear()
        peer.send({"type": "flood", "count": 100})
        await peer.sending.wait()
        await turns()
        peer.vanish()
        await peer.task
        assert Paced.codes == [1006]
        assert Paced.paced == list(range(100))  # the handler ran to its end
        assert sorted(lost(letters, Reason.CLIENT_GONE)) == list(range(100))

    house(*application(letters, max_outbox=8), test)


def test_a_stalled_client_stalls_nobody_else(house: Any, letters: Any) -> None:
    async def test(house: Any) -> None:
        stalled = await house.connect("/client")
        others = [await house.connect("/client") for _ in range(5)]
        stalled.reading.clear()
        for value in range(100):
            house.system.publish("all", Number(value))
            for other in others:
                assert await other.data() == frame(value)

    house(*application(letters, max_outbox=10), test)


def test_a_client_that_reads_again_gets_all_that_waited(house: Any, letters: Any) -> None:
    """More than goes out in one turn, with nothing else to send that could wake the pump."""

    async def test(house: Any) -> None:
        stalled = [await house.connect("/client") for _ in range(3)]
        other = await house.connect("/client")
        for peer in stalled:
            peer.reading.clear()
        count = 5 * TURN
        for value in range(count):
            house.system.publish("all", Number(value))
        assert [await other.data() for _ in range(count)] == [frame(n) for n in range(count)]
        await turns()
        for peer in stalled:
            peer.reading.set()
            assert [await peer.data() for _ in range(count)] == [frame(n) for n in range(count)]

    house(*application(letters), test)


def test_a_long_queue_goes_out_in_turns(house: Any, letters: Any) -> None:
    """A client that takes all it gets at once must not keep the loop from everybody else."""

    async def test(house: Any) -> None:
        peer = await house.connect("/client")
        for _ in range(1000):
            house.system.publish("all", "x" * (BURST // TURN * 2))
        got: list[int] = []
        while sum(got) < 1000:
            got.append(len(peer.waiting()))
            await asyncio.sleep(0)
        assert max(got) <= TURN

    house(*application(letters), test)
