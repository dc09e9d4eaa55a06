"""`/ws` and `/ws/advanced` against a real server."""

import json
from typing import Any

import pytest

LIMIT = 1024 * 1024
"""Bytes a message from a client may have."""
DEEP = "[" * 100_000 + "]" * 100_000


@pytest.fixture
def bystander(demo: Any, dial: Any) -> Any:
    """Another client of the same endpoints, who must not notice what a test does."""
    return dial(demo.ws_url + "/ws"), dial(demo.ws_url + "/ws/advanced")


def check_unharmed(bystander: Any) -> None:
    plain, advanced = bystander
    plain.send("still here?")
    assert plain.data() == "Echo: still here?"
    advanced.send(b"still here?")
    assert advanced.data() == b"still here?"


@pytest.mark.parametrize(
    "text",
    ["x", "", "Grüße 🌿", '{"a": 1}', "two\nlines", "\0", DEEP, "x" * LIMIT],
    ids=["x", "empty", "unicode", "json", "lines", "nul", "deep", "largest"],
)
def test_text_is_echoed(demo: Any, dial: Any, text: str) -> None:
    client = dial(demo.ws_url + "/ws")
    client.send(text)
    assert client.data() == f"Echo: {text}"


def test_echoes_keep_their_order(demo: Any, dial: Any) -> None:
    client = dial(demo.ws_url + "/ws")
    for number in range(100):
        client.send(str(number))
    assert [client.data() for _ in range(100)] == [f"Echo: {number}" for number in range(100)]


@pytest.mark.parametrize("data", [b"x", b"", bytes(range(256)), b'{"a":1}', b"\0" * LIMIT])
def test_bytes_come_back_as_they_are(demo: Any, dial: Any, data: bytes) -> None:
    client = dial(demo.ws_url + "/ws/advanced")
    client.send(data)
    assert client.data() == data


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        '{"a": [1, {"b": null}], "ü": "🌿"}',
        ' \t\r\n[1, 2.50, true, "x"] ',
        '{"n": 123456789012345678901234567890, "b": 1, "a": 2}',
        "[" * 100 + "]" * 100,
    ],
)
def test_json_objects_and_arrays_are_echoed_as_json(demo: Any, dial: Any, text: str) -> None:
    client = dial(demo.ws_url + "/ws/advanced")
    client.send(text)
    answer = client.data()
    assert isinstance(answer, str)
    assert json.loads(answer) == {"echo": json.loads(text)}


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "",
        " ",
        '"text"',
        "12",
        "null",
        "true",
        "NaN",
        '{"broken":',
        "[1,]",
        "{'a': 1}",
        "[] []",
    ],
)
def test_other_text_is_received_as_text(demo: Any, dial: Any, text: str) -> None:
    client = dial(demo.ws_url + "/ws/advanced")
    client.send(text)
    assert client.data() == f"Text received: {text}"


def test_three_kinds_on_one_socket(demo: Any, dial: Any) -> None:
    client = dial(demo.ws_url + "/ws/advanced")
    for message in ("x", b"x", "[1]", b"[1]", "x"):
        client.send(message)
    answers = [client.data() for _ in range(5)]
    assert answers == ["Text received: x", b"x", '{"echo":[1]}', b"[1]", "Text received: x"]


def test_json_nested_too_deeply_harms_nobody(demo: Any, dial: Any, bystander: Any) -> None:
    client = dial(demo.ws_url + "/ws/advanced")
    client.send(DEEP)
    assert client.data() == f"Text received: {DEEP}"
    check_unharmed((bystander[0], client))
    check_unharmed(bystander)


def test_the_plain_echo_takes_no_bytes(demo: Any, dial: Any, bystander: Any) -> None:
    client = dial(demo.ws_url + "/ws")
    client.send(b"bytes")
    assert client.closed() == 1003
    check_unharmed(bystander)


@pytest.mark.parametrize("path", ["/ws", "/ws/advanced"])
@pytest.mark.parametrize("size", [LIMIT + 1, 17 * LIMIT], ids=["ours", "uvicorn's"])
def test_what_is_too_large_closes(
    demo: Any, dial: Any, bystander: Any, path: str, size: int
) -> None:
    client = dial(demo.ws_url + path)
    client.send("x" * size)
    assert client.closed() == 1009
    check_unharmed(bystander)


def test_bytes_that_are_too_large_close(demo: Any, dial: Any, bystander: Any) -> None:
    client = dial(demo.ws_url + "/ws/advanced")
    client.send(b"x" * (LIMIT + 1))
    assert client.closed() == 1009
    check_unharmed(bystander)


@pytest.mark.parametrize("path", ["/ws", "/ws/advanced"])
def test_text_that_is_not_utf8_closes(demo: Any, dial: Any, bystander: Any, path: str) -> None:
    client = dial(demo.ws_url + path)
    client.send_as_text(b"\xff\xfe")
    assert client.closed() == 1007
    check_unharmed(bystander)


@pytest.mark.parametrize("path", ["/ws", "/ws/advanced"])
@pytest.mark.parametrize(
    "stream",
    [b"\x81\x01x", b"\x83\x80\0\0\0\0", b"\xf1\x80\0\0\0\0"],
    ids=["unmasked", "op", "rsv"],
)
def test_what_is_no_frame_closes(
    demo: Any, dial: Any, bystander: Any, path: str, stream: bytes
) -> None:
    client = dial(demo.ws_url + path)
    client.send_raw(stream)
    assert client.closed() == 1002
    check_unharmed(bystander)
