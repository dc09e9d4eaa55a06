"""`/ws/thread-safe/{client_id}` against a real server."""

import time
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

PATIENCE = 20.0
LIMIT = 1024 * 1024
PATH = "/ws/thread-safe/"


@pytest.fixture
def enter(demo: Any, dial: Any) -> Callable[[str], Any]:
    """A client that has had its welcome."""

    def enter(client_id: str) -> Any:
        client = dial(demo.ws_url + PATH + client_id)
        check_welcome(client.receive())
        return client

    return enter


def check_welcome(frame: Any) -> None:
    assert set(frame) == {"type", "message", "timestamp"}
    assert frame["type"] == "welcome"
    assert frame["message"] == "Connected to thread-safe WebSocket"
    datetime.fromisoformat(frame["timestamp"])


def at(frame: Any) -> float:
    """When a notification was made, in seconds since 1970."""
    return datetime.fromisoformat(frame["timestamp"]).timestamp()


def await_log(demo: Any, text: str) -> None:
    """Until the server has printed it."""
    deadline = time.monotonic() + PATIENCE
    while text not in demo.log():
        assert time.monotonic() < deadline, f"{text!r} is not in the log:\n{demo.log()}"
        time.sleep(0.02)  # a file tells nobody that it has grown


def handled(demo: Any, client: Any, client_id: str) -> float:
    """Until the client's messages so far have been handled; returns a moment after that."""
    mark = f"mark {client_id} {time.monotonic_ns()}"
    client.send({"type": "of no known type", "mark": mark})
    await_log(demo, mark)
    return time.time()


def test_a_welcome_comes_first(enter: Callable[[str], Any]) -> None:
    enter("ann")


def test_notifications_come_every_n_seconds(enter: Callable[[str], Any], tick: float) -> None:
    ann = enter("ann")
    got = [ann.receive() for _ in range(4)]
    first = got[0]["count"]
    for number, frame in enumerate(got, first):
        assert set(frame) == {"type", "message", "count", "timestamp", "priority"}
        assert frame["type"] == "system_notification"
        assert frame["count"] == number
        assert frame["message"] == f"System update #{number}"
        assert frame["priority"] == "info"
    times = [at(frame) for frame in got]
    assert all(later - earlier > 0.9 * tick for earlier, later in pairwise(times))


def test_all_get_the_same_notification(enter: Callable[[str], Any]) -> None:
    ann, bob = enter("ann"), enter("bob")
    theirs = bob.receive()
    assert ann.until("system_notification", count=theirs["count"]) == theirs


def test_muted_clients_get_none_while_others_do(demo: Any, enter: Callable[[str], Any]) -> None:
    ann, bob = enter("ann"), enter("bob")
    before = bob.receive()["count"]  # it is not muted from the start
    bob.send({"type": "mute"})
    muted_at = handled(demo, bob, "bob")
    # A tick reads who is muted after it has made its timestamp, so these are all without bob.
    heard: list[Any] = []
    while len(heard) < 3:
        frame = ann.receive()
        if at(frame) > muted_at:
            heard.append(frame)
    unmuted_at = time.time()
    bob.send({"type": "unmute"})
    missed = {frame["count"] for frame in heard}
    while True:
        frame = bob.receive()
        assert frame["type"] == "system_notification"
        assert frame["count"] > before
        assert frame["count"] not in missed
        assert not muted_at < at(frame) < unmuted_at
        if at(frame) >= unmuted_at:
            break


def test_muting_ends_with_the_connection(demo: Any, enter: Callable[[str], Any]) -> None:
    bob = enter("bob")
    bob.send({"type": "mute"})
    handled(demo, bob, "bob")
    bob.close()
    assert enter("bob").receive()["type"] == "system_notification"


def test_what_clients_send_is_printed_and_not_answered(
    demo: Any, enter: Callable[[str], Any]
) -> None:
    ann = enter("printed")
    ann.send('{"type": "hello", "text": "wörld"}')
    await_log(demo, """Received from 'printed': '{"type": "hello", "text": "wörld"}'""")
    assert ann.receive()["type"] == "system_notification"


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    "sent",
    [
        "hello",
        "two\nlines",
        '{"type": "mute"',
        "",
        DEEP,
        '{"a": ' + DEEP + "}",
        '["mute"]',
        '"mute"',
        "1",
        "null",
        '{"type": "no such thing"}',
    ],
    ids=range(11),
)
def test_any_text_is_printed_and_not_answered(
    demo: Any, enter: Callable[[str], Any], sent: str
) -> None:
    """As in the tutorial: what is no wish of ours is none of our business."""
    ann = enter("ann")
    ann.send(sent)
    handled(demo, ann, "ann")
    await_log(demo, f"Received from 'ann': {sent!r}\n")
    for _ in range(2):
        assert ann.receive()["type"] == "system_notification"


@pytest.mark.parametrize(
    ("sent", "code"), [(b'{"type": "mute"}', 1003), ("x" * (LIMIT + 1), 1009)], ids=[1003, 1009]
)
def test_what_cannot_be_answered_closes_that_connection_alone(
    enter: Callable[[str], Any], sent: str | bytes, code: int
) -> None:
    ann, bob = enter("ann"), enter("bob")
    ann.send(sent)
    assert ann.closed() == code
    bob.until("system_notification", count=bob.receive()["count"] + 1)


def test_clients_that_vanish_harm_nobody(
    demo: Any, enter: Callable[[str], Any], savage: Any
) -> None:
    ann = enter("ann")
    for reset in (False, True):
        savage(demo.port, PATH + "gone").vanish(reset=reset)
    ann.until("system_notification", count=ann.receive()["count"] + 3)


def test_two_connections_may_have_one_name(enter: Callable[[str], Any]) -> None:
    """As in the tutorial nobody is refused here; but none takes the other's place either."""
    first, second = enter("twin"), enter("twin")
    theirs = second.receive()
    assert first.until("system_notification", count=theirs["count"]) == theirs
