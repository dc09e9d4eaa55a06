"""How deep a frame is nested, against one that counts it the slow way."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import Message
from transport import Codec, Json, MessagePack, Settings, Text
from transport.codec import SocketCodec
from transport.depth import json_is_deeper, messagepack_is_deeper
from transport.session import Refusal, Session

TEXT = st.text('ab"\\[]{}é\n', max_size=5)
VALUES: Any = st.recursive(
    st.none() | st.integers(-(2**63), 2**63) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


def depth(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@given(VALUES, st.integers(1, 6))
def test_it_counts_as_the_slow_way_does(value: Any, bound: int) -> None:
    data = msgspec.json.encode(value)
    assert json_is_deeper(data.decode(), bound) is (depth(value) > bound)
    assert json_is_deeper(data, bound) is (depth(value) > bound)
    packed = msgspec.msgpack.encode(value)
    assert messagepack_is_deeper(packed, bound) is (depth(value) > bound)


@given(st.text('[]{}"\\,:a', max_size=40) | st.text() | st.binary(), st.integers(1, 5))
def test_whatever_comes_there_is_an_answer(data: str | bytes, bound: int) -> None:
    assert isinstance(json_is_deeper(data, bound), bool)
    assert isinstance(messagepack_is_deeper(data, bound), bool)


def test_what_is_cut_off_is_left_to_the_decoder() -> None:
    cut = '{"a":[' + "{}," * 100
    assert not json_is_deeper(cut, 64)
    assert not json_is_deeper("]" * 50 + "[" * 65 + "}" * 3 + '"' + "[" * 100, 65)


LARGE = 1_000_000
"""So large that time which goes by its square runs into the timeout of a test."""


@pytest.mark.parametrize(
    ("data", "deeper"),
    [
        ("[" * LARGE, True),
        ("[" * (LARGE // 2) + "]" * (LARGE // 2), True),
        ("[]," * (LARGE // 3), False),
        ('"' + '\\"' * (LARGE // 2) + "[" * 100, False),
        ('"[' * (LARGE // 2), True),
        ('{"a":' * (LARGE // 5), True),
        (("[" * 64 + "]" * 64 + ",") * (LARGE // 129), False),
        (("[[]" * 64 + "]" * 64) * (LARGE // 256), True),
    ],
    ids=["open", "nested", "flat", "escapes", "quotes", "objects", "chains", "combs"],
)
def test_no_frame_costs_much(data: str, deeper: bool) -> None:
    assert json_is_deeper(data, 64) is deeper


def test_a_large_messagepack_costs_not_much_either() -> None:
    assert messagepack_is_deeper(b"\x91" * LARGE, 64)
    assert not messagepack_is_deeper(b"\xdd\x00\x0f\x42\x40" + b"\x90" * LARGE, 64)


class Say(Message):
    more: Any


def step(codec: Any, data: Any, **settings: Any) -> object:
    return Session(SocketCodec([codec], [Say, str, list]), Settings(**settings)).take(data)


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("codec", [Json(), MessagePack()])
@pytest.mark.parametrize("bound", [3, 64, 256])
def test_a_frame_may_be_so_deep_and_no_deeper(codec: Any, bound: int) -> None:
    fits, too_deep = ({"type": "say", "more": nested(bound - 1 + more)} for more in (0, 1))
    assert step(codec, codec.encode(fits), max_depth=bound) == Say(fits["more"])
    refused = step(codec, codec.encode(too_deep), max_depth=bound)
    assert isinstance(refused, Refusal)
    assert refused.error is not None
    assert (refused.error.code, refused.error.limit) == ("malformed", "max_depth")
    assert str(bound) in refused.error.detail


def test_plain_text_is_not_nested() -> None:
    assert step(Text(), "[" * 1000) == "[" * 1000


class Backwards(Json):
    """Not JSON to whom it comes."""

    def decoder(self, types: Any) -> Any:
        decode = super().decoder(types)
        return lambda data: decode(data[::-1])


def test_a_codec_of_ones_own_is_left_alone() -> None:
    got = step(Backwards(), "]" * 80 + "[" * 80)
    assert isinstance(got, list)
    assert depth(got) == 80


@pytest.mark.parametrize("codec", [Json(), MessagePack()])
@pytest.mark.parametrize("shape", ["array", "object"])
def test_what_can_be_decoded_can_be_encoded_at_any_depth(codec: Codec, shape: str) -> None:
    socket = SocketCodec([codec], [dict, list])
    session = Session(socket, Settings(max_depth=256))
    opening, closing = {
        ("text", "array"): ("[", "]"),
        ("text", "object"): ('{"a":', "}"),
        ("binary", "array"): (b"\x91", b""),
        ("binary", "object"): (b"\x81\xa1a", b""),
    }[codec.kind, shape]
    innermost: Any = "[]" if codec.kind == "text" else b"\x90"
    taken = 0
    for depth in [*range(1, 20), *range(240, 275), *range(900, 1000)]:
        frame: Any = opening * (depth - 1) + innermost + closing * (depth - 1)
        decoded = session.take(frame)
        assert isinstance(decoded, Refusal) is (depth > 256)
        if depth <= 256:
            taken += 1
            socket.encode({"original": {"of": decoded}})
    assert taken == 19 + 17
