"""`/ws/simple/{client_id}` against a real server."""

import json
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from apps.dual import background

LIMIT = 1024 * 1024
PATH = "/ws/simple/"


@pytest.fixture
def enter(demo: Any, dial: Any) -> Callable[[str], Any]:
    """A client that has had its welcome."""

    def enter(client_id: str) -> Any:
        client = dial(demo.ws_url + PATH + client_id)
        assert client.receive() == {"type": "welcome", "message": f"Client {client_id} connected"}
        return client

    return enter


def test_a_welcome_comes_first(enter: Callable[[str], Any]) -> None:
    enter("ann")


@pytest.mark.parametrize(
    "sent",
    [
        {"hello": "world"},
        {"type": "no such type", "n": [1, 2.5, None, True, {"ü": "🌿"}]},
        {"type": "welcome", "message": "mine"},
        {"type": 1},
        {},
        [1, 2, 3],
        [],
        "just a string",
        "",
        5,
        123456789012345678901234567890,
        -0.5,
        True,
        None,
        {"long": "x" * (LIMIT - 100)},
    ],
    ids=range(15),
)
def test_any_json_is_echoed_with_the_time(enter: Callable[[str], Any], sent: object) -> None:
    ann = enter("ann")
    before = time.time()
    ann.send(json.dumps(sent))
    frame = ann.until("echo")
    assert set(frame) == {"type", "original", "timestamp"}
    assert frame["original"] == sent
    assert type(frame["original"]) is type(sent)
    assert before <= frame["timestamp"] <= time.time()


def test_echoes_keep_their_order_and_go_to_their_client_alone(enter: Callable[[str], Any]) -> None:
    ann, bob = enter("ann"), enter("bob")
    for number in range(50):
        ann.send({"ann": number})
        bob.send({"bob": number})
    for name, client in (("ann", ann), ("bob", bob)):
        got = [client.until("echo")["original"] for _ in range(50)]
        assert got == [{name: number} for number in range(50)]


def test_the_thread_sends_to_all_every_n_seconds(enter: Callable[[str], Any], tick: float) -> None:
    ann, bob = enter("ann"), enter("bob")
    got = [bob.receive() for _ in range(4)]
    first = got[0]["count"]
    for number, frame in enumerate(got, first):
        assert set(frame) == {"type", "count", "timestamp"}
        assert frame["type"] == "background"
        assert frame["count"] == number
        assert ann.until("background", count=number) == frame
    times = [frame["timestamp"] for frame in got]
    assert abs(times[-1] - time.time()) < 60
    assert all(later - earlier > 0.9 * tick for earlier, later in pairwise(times))


def test_the_thread_counts_from_one() -> None:
    assert [background(count).count for count in range(3)] == [1, 2, 3]


def test_a_heartbeat_comes_by_itself(serve: Any, dial: Any) -> None:
    server = serve("apps.server:app", env={"HEARTBEAT_SECONDS": "0.15"})
    client = dial(server.ws_url + PATH + "ann")
    assert client.receive()["type"] == "welcome"
    beats = [client.receive() for _ in range(3)]
    assert [set(beat) for beat in beats] == [{"type", "timestamp"}] * 3
    assert [beat["type"] for beat in beats] == ["heartbeat"] * 3
    times = [beat["timestamp"] for beat in beats]
    assert times == sorted(set(times))


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize("sent", ["not JSON", "", '{"a":', "[1,]", "NaN", DEEP, '"\\ud800"'])
def test_what_is_no_json_gets_an_error_frame(enter: Callable[[str], Any], sent: str) -> None:
    ann, bob = enter("ann"), enter("bob")
    ann.send(sent)
    error = ann.until("error")
    assert error["code"] == "malformed"
    assert error["detail"]
    for client in (ann, bob):
        client.send([1])
        assert client.until("echo")["original"] == [1]


@pytest.mark.parametrize(
    ("sent", "code"), [(b"[1]", 1003), ("x" * (LIMIT + 1), 1009)], ids=[1003, 1009]
)
def test_what_cannot_be_answered_closes_that_connection_alone(
    enter: Callable[[str], Any], sent: str | bytes, code: int
) -> None:
    ann, bob = enter("ann"), enter("bob")
    ann.send(sent)
    assert ann.closed() == code
    bob.send([1])
    assert bob.until("echo")["original"] == [1]


def test_clients_that_vanish_harm_nobody(
    demo: Any, enter: Callable[[str], Any], savage: Any
) -> None:
    ann = enter("ann")
    for reset in (False, True):
        gone = savage(demo.port, PATH + "gone")
        gone.send([1])
        gone.vanish(reset=reset)
    ann.until("background", count=ann.receive()["count"] + 3)
    ann.send([1])
    assert ann.until("echo")["original"] == [1]
