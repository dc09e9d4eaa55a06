"""A client's requests: each is answered under its id, by a reply or by an error frame."""

import asyncio
from typing import Any

import pytest

from actors import Request, receive
from tests.transport.probe import Probe, application, said, say
from transport import Connection, ErrorFrame, Json, MessagePack


def test_requests_are_answered_under_their_ids(house: Any, probe: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "total", "of": [1, 2], "id": 7})
        peer.send({"type": "total", "of": [3], "id": "seven"})
        peer.send({"type": "total", "of": [3]})  # nobody to answer to
        peer.send(say("then"))
        assert await peer.receive() == {"type": "reply", "id": 7, "value": 3}
        assert await peer.receive() == {"type": "reply", "id": "seven", "value": 3}
        assert await peer.receive() == said("1 then")

    house(*application(), test)


def test_a_request_that_fails_is_answered_by_an_error_frame(
    house: Any, probe: Any, logged: Any
) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "fails", "id": 1})
        answer = await peer.receive()
        assert (answer["type"], answer["code"], answer["id"]) == ("error", "crashed", 1)
        assert "no" not in answer["detail"].split()
        assert [entry["error_id"] for entry in logged] == [answer["error_id"]]
        peer.send({"type": "unsendable", "id": 2})
        answer = await peer.receive()
        assert (answer["code"], answer["id"]) == ("crashed", 2)  # the next frame: told once
        assert logged[-1]["error_id"] == answer["error_id"]
        peer.send({"type": "unset", "id": "u"})
        answer = await peer.receive()
        assert (answer["code"], answer["id"]) == ("crashed", "u")
        assert logged[-1]["error_id"] == answer["error_id"]
        assert len(logged) == 3
        peer.send({"type": "hangs", "id": 3})
        answer = await peer.receive()
        assert (answer["code"], answer["id"]) == ("timeout", 3)
        Probe.release.set()
        peer.send({"type": "total", "of": [1], "id": 4})
        assert await peer.receive() == {"type": "reply", "id": 4, "value": 1}

    house(*application(ask_timeout=0.05), test)
    # Neither unsendable reply was a crash of the actor's.
    assert probe.journal.count("start") == 2


@pytest.mark.parametrize("codec", [Json(), MessagePack()])
def test_a_request_id_too_large_to_send_back_is_refused(house: Any, probe: Any, codec: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send('{"type":"total","of":[1],"id":' + "9" * 30 + "}")
        await peer.data()
        peer.send({"type": "total", "of": [1], "id": 4})
        await peer.data()
        assert probe.journal == ["start", "connect"]

    house(*application(codec=[codec] if codec.kind == "text" else [Json(), codec]), test)


def test_questions_in_hand_when_the_actor_ends_are_answered(house: Any, probe: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "wait"})
        await probe.busy.wait()
        peer.send({"type": "stop"})
        peer.send({"type": "total", "of": [1], "id": 1})
        for _ in range(5):
            await asyncio.sleep(0)
        probe.release.set()
        assert await peer.receive() == said("released")
        assert await peer.receive() == said("before")
        answer = await peer.receive()
        assert (answer["code"], answer["id"]) == ("stopped", 1)
        assert await peer.closed() == (1000, "")

    house(*application(), test)


def test_the_error_frame_leaves_out_what_has_no_value() -> None:
    assert Json().encode(ErrorFrame(code="a", detail="b")) == (
        '{"type":"error","code":"a","detail":"b"}'
    )


class NoMoney(Exception):
    pass


class Withdraw(Request[int | NoMoney]):
    amount: int


class Account(Connection):
    @receive
    async def withdraw(self, request: Withdraw) -> int:
        raise NoMoney(f"{request.amount} is too much")


def test_a_declared_exception_is_no_crash(house: Any, logged: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "withdraw", "amount": 7, "id": 1})
        answer = await peer.receive()
        detail = "7 is too much"
        assert answer == {"type": "error", "code": "no_money", "detail": detail, "id": 1}
        assert logged == []

    house(*application(Account), test)
