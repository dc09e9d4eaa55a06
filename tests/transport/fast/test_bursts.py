"""The seam: who takes whole bursts of messages by plain calls, and writes whole bursts."""

from typing import Any

import pytest

from tests.transport.fast.raw import Raw, gone, request, told
from tests.transport.wire_frames import BINARY, CLOSE, TEXT, frame


@pytest.fixture(scope="module")
def server(serve_module: Any) -> Any:
    return serve_module("bare:app", ws="transport.fast:WebSocketProtocol")


def texts(*messages: str) -> bytes:
    return b"".join(frame(TEXT, message.encode()) for message in messages)


def test_a_read_is_a_burst_and_the_code_comes_last(server: Any) -> None:
    with Raw(server, "/bursts?who=burst") as raw:
        raw.opened().send(texts("a", "b", "c"))
        assert [raw.text() for _ in range(3)] == ["a", "b", "c"]
        raw.send(texts("d") + frame(CLOSE, b"\x0f\xa1bye") + texts("e"))
        # What it answers at once still goes out before the close.
        assert raw.text() == "d"
        assert raw.closed() == (4001, "")
    assert told(server, "burst")[0] == ["receive a b c", "receive d", "disconnect 4001 bye"]


def test_what_is_queued_when_it_is_attached_is_its_first(server: Any) -> None:
    with Raw(server) as raw:
        raw.send(request("/bursts?who=queued&late") + texts("a", "b"))
        raw.opened()
        assert [raw.text(), raw.text()] == ["a", "b"]
        raw.close()
    assert told(server, "queued")[0] == ["receive a b", "disconnect 1000"]


def test_nobody_else_writes_once_somebody_is_attached(server: Any) -> None:
    with Raw(server, "/bursts?who=alone") as raw:
        raw.opened().say("a")
        assert raw.text() == "a"
        raw.close()
    assert told(server, "attached")[0] == (
        "Unexpected ASGI message 'websocket.send', after somebody was attached."
    )


def test_it_hears_when_to_write_no_more_and_when_again(server: Any) -> None:
    with Raw(server, "/bursts?who=flood", buffer=1 << 16) as raw:
        raw.opened().send(texts("flood"))
        told(server, "paused")
        for _ in range(200):
            assert raw.frame() == (BINARY, bytes(100_000))
        raw.close()
    calls = told(server, "flood")[0]
    assert calls == ["receive flood", "pause", "resume", "disconnect 1000"]


@pytest.mark.parametrize(
    ("asked", "end"), [("close", "disconnect 4000 asked for"), ("abort", "disconnect 1006")]
)
def test_it_closes_and_aborts(server: Any, asked: str, end: str) -> None:
    with Raw(server, f"/bursts?who={asked}") as raw:
        raw.opened().send(texts(asked, "what is in the same read"))
        if asked == "close":
            assert raw.frame() == (CLOSE, b"\x0f\xa0asked for")
            raw.send(texts("too late"))
            raw.close(b"\x0f\xa0")
        gone(raw)
    assert told(server, asked)[0] == [f"receive {asked} what is in the same read", end]
