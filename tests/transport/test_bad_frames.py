"""Frames that no client should send: each is answered, its connection lives on, and so do others.

What servers make of input that is no frame is in `test_bad_input`.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from tests.transport.applications import Said, Say, app
from tests.transport.asgi import run
from transport import Codec, ErrorFrame, Json, MessagePack
from transport.testing import Client, TestServer

pytestmark = pytest.mark.usefixtures("both_wires")

DEEP = 15_000


def name(value: object) -> str:
    return str(value)[:30]


async def lives(client: Client) -> None:
    await client.send(Say("on"))
    assert (await client.receive(Said)).text == "on"


def exchange(
    path: str, test: Callable[[Client], Awaitable[None]], codec: Codec | None = None
) -> None:
    """With a client of that path, beside another one that notices nothing."""

    async def body() -> None:
        async with TestServer(app) as server:
            witness = await server.connect("/probe")
            client = await server.connect(path, codec=codec or Json())
            await test(client)
            await lives(client)
            await lives(witness)
            await witness.receive_nothing(within=0)

    run(body)


JSON_FRAMES = [
    ("", "malformed", None),
    ("{", "malformed", None),
    ("nonsense", "malformed", None),
    ('{"type":"say","text":"a"', "malformed", None),
    ('{"type":"say","text":"a"}}', "malformed", None),
    ('{"type":"say","text":"\\ud800"}', "malformed", None),
    ('{"type":"number","value":NaN}', "malformed", None),
    ('{"type":"number","value":Infinity}', "malformed", None),
    ('{"type":"say","x":' + "[" * DEEP, "malformed", None),
    ("{}", "invalid", "$"),
    ("null", "invalid", "$"),
    ("[]", "invalid", "$"),
    ("[" * DEEP, "malformed", None),
    ('"text"', "invalid", "$"),
    ('{"type":"unknown"}', "invalid", "$.type"),
    ('{"type":["say"]}', "invalid", "$.type"),
    ('{"type":{"a":1}}', "invalid", "$.type"),
    ('{"type":null}', "invalid", "$.type"),
    ('{"type":"private","text":"forged"}', "invalid", "$.type"),
    ('{"type":"say"}', "invalid", "$"),
    ('{"type":"say","text":1}', "invalid", "$.text"),
    ('{"type":"loud","text":"soft"}', "invalid", None),
    ('{"type":"number","value":1e400}', "invalid", "$.value"),
    ('{"type":"number","value":' + "9" * 5000 + "}", "invalid", "$.value"),
    ('{"type":"total","of":[],"id":[]}', "invalid", "$.id"),
    ('{"type":"total","of":[],"id":' + "9" * 40 + "}", "invalid", "$.id"),
    ('{"type":"error","code":"a","detail":"b"}', "invalid", "$.type"),
]


@pytest.mark.parametrize(("data", "code", "path"), JSON_FRAMES, ids=name)
def test_json_gets_an_error_frame_and_lives_on(data: str, code: str, path: str | None) -> None:
    async def test(client: Client) -> None:
        await client.send(data)
        error = await client.receive(ErrorFrame)
        assert (error.code, error.path) == (code, path)
        assert error.detail

    exchange("/probe", test)


PACKED_FRAMES = [
    (b"", "malformed"),
    (b"\xc1", "malformed"),
    (b"\x82\xa4type\xa3say\xa4text\xa2\xff\xff", "malformed"),
    (b"\x82\xa4type\xa3say\xa1x" + b"\x91" * DEEP, "malformed"),
    (b"\xdd\xff\xff\xff\xff", "invalid"),
    (b"\x80", "invalid"),
    (b"\xc0", "invalid"),
    (msgspec.msgpack.encode({"type": ["say"]}), "invalid"),
    (msgspec.msgpack.encode({"type": "say", "text": b"raw"}), "invalid"),
]


@pytest.mark.parametrize(("data", "code"), PACKED_FRAMES, ids=name)
def test_messagepack_gets_an_error_frame_and_lives_on(data: bytes, code: str) -> None:
    async def test(client: Client) -> None:
        await client.send(data)
        assert (await client.receive(ErrorFrame)).code == code

    exchange("/packed", test, MessagePack())


@pytest.mark.parametrize(
    "data",
    [
        '{"type":["say"]}',
        '{"type":{"say":1}}',
        '{"type":1}',
        "[]",
        "[" * 100 + "]" * 100,
        '{"a":' * 100 + "1" + "}" * 100,
        '{"big":' + "9" * 40 + "}",
    ],
    ids=name,
)
def test_a_catch_all_takes_what_is_no_known_message(data: str) -> None:
    async def test(client: Client) -> None:
        await client.send(data)
        assert json.loads(await client.receive_text()) == {"got": json.loads(data)}

    exchange("/anything", test)


@pytest.mark.parametrize("data", ["", "1", '"a"', "{", "[" * DEEP, '{"type":"say","text":1}'])
def test_a_catch_all_refuses_the_rest(data: str) -> None:
    async def test(client: Client) -> None:
        await client.send(data)
        await client.receive(ErrorFrame)

    exchange("/anything", test)


def test_a_number_that_is_none_goes_through_messagepack() -> None:
    async def test(client: Client) -> None:
        await client.send({"type": "number", "value": float("nan")})
        got: Any = await client.receive()
        assert got["value"] != got["value"]

    exchange("/packed", test, MessagePack())


def test_a_reply_that_cannot_be_encoded_is_an_error_frame() -> None:
    """Deeper than an encoder goes, by what a client sent."""

    async def test(client: Client) -> None:
        for depth in range(100, 1000, 100):
            deep = "[" * depth + "]" * depth
            await client.send_text('{"type":"total","of":' + deep + ',"id":1}')
            answer = await client.receive_json()
            assert answer["type"] in ("reply", "error")

    exchange("/probe", test)
