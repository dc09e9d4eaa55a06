"""How long an application's call for a WebSocket lasts, and what a middleware sees of it."""

import json
from typing import Any

import pytest

from tests.transport.fast.raw import Raw, http

FAST = "transport.fast:WebSocketProtocol"
OPENED = ["session opened", "session closed", "connected"]


@pytest.fixture(scope="module")
def fast(serve_module: Any) -> Any:
    return serve_module("scoped:app", command=("transport", "serve"))


@pytest.fixture(scope="module")
def plain(serve_module: Any) -> Any:
    return serve_module("scoped:app", ws="websockets-sansio")


@pytest.fixture(params=["fast", "plain"])
def either(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def journal(server: Any, who: str, count: int = 0) -> list[str]:
    lines: list[str] = http(server, f"/journal/{who.replace(' ', '%20')}?count={count}")
    return lines


def talk(raw: Raw) -> None:
    raw.say(json.dumps({"type": "say", "text": "hello"}))
    assert json.loads(raw.text())["text"] == "hello"


def test_over_our_own_protocol_the_call_ends_once_the_socket_is_open(fast: Any) -> None:
    with Raw(fast, "/plain?who=ann") as ann:
        ann.opened()
        assert sorted(journal(fast, "ann", 4)) == sorted([*OPENED, "call ended"])
        talk(ann)
        ann.close()
        assert journal(fast, "ann", 5)[4:] == ["disconnected"]


def test_over_another_it_lasts_as_long_as_the_socket(plain: Any) -> None:
    with Raw(plain, "/plain?who=bob") as bob:
        talk(bob.opened())
        assert journal(plain, "bob") == OPENED
        bob.close()
        assert journal(plain, "bob", 5) == [*OPENED, "disconnected", "call ended"]


def test_with_dependencies_that_are_kept_it_does_so_over_either(either: Any) -> None:
    with Raw(either, "/kept?who=cid") as cid:
        talk(cid.opened())
        assert journal(either, "cid") == ["session opened", "connected"]
        cid.close()
        end = ["disconnected", "session closed", "call ended"]
        assert journal(either, "cid", 5) == ["session opened", "connected", *end]


def test_what_wraps_send_sees_frames_only_over_another(fast: Any, plain: Any) -> None:
    for server, seen in ((fast, []), (plain, ["websocket.send"])):
        with Raw(server, "/plain?who=dan") as dan:
            talk(dan.opened())
            assert journal(server, "dan sent") == ["websocket.accept", *seen]
