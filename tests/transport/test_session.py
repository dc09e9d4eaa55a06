"""The rules of one socket, without I/O."""

import builtins
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import Message, Request
from transport import Codec, Json, MessagePack, OnInvalid, OnOverload, Raw, Settings, Text
from transport.codec import Data, ErrorFrame, SocketCodec
from transport.exceptions import BadFrame
from transport.outbox import Close
from transport.session import Bug, Question, Refusal, Session, Step


class Say(Message):
    text: str


class Total(Request[int]):
    of: list[int]


def session(*codecs: Codec, types: tuple[type, ...] = (Say, Total), **settings: Any) -> Session:
    return Session(SocketCodec(codecs or [Json()], types), Settings(**settings))


def test_a_message_is_told() -> None:
    assert session().take('{"type":"say","text":"a"}') == Say("a")


def test_a_request_with_an_id_is_a_question() -> None:
    take = session(Json()).take
    assert take('{"type":"total","of":[1],"id":7}') == Question(Total([1]), 7)
    assert take('{"type":"total","of":[1],"id":"a"}') == Question(Total([1]), "a")
    packed = msgspec.msgpack.encode({"type": "total", "of": [1], "id": 7})
    assert session(MessagePack()).take(packed) == Question(Total([1]), 7)


def test_a_request_without_an_id_is_told() -> None:
    take = session().take
    assert take('{"type":"total","of":[1]}') == Total([1])
    assert take('{"type":"total","of":[1],"id":null}') == Total([1])


@pytest.mark.parametrize("identifier", ["[1]", "{}", "true", "1.5"])
def test_an_id_that_is_none_is_refused(identifier: str) -> None:
    step = session().take('{"type":"total","of":[1],"id":' + identifier + "}")
    assert isinstance(step, Refusal)
    assert step.error is not None
    assert (step.error.code, step.error.path) == ("invalid", "$.id")


@pytest.mark.parametrize("codec", [Json(), MessagePack()])
def test_an_id_can_be_sent_back_through_the_same_codec(codec: Codec) -> None:
    """An integer that fits in neither is refused when it comes, not when it is to be answered."""
    take = session(codec, Json() if codec.kind == "binary" else MessagePack()).take
    for number in (2**63 - 1, -(2**63)):
        data = codec.encode({"type": "total", "of": [], "id": number})
        assert take(data) == Question(Total([]), number)
    for number in (2**63, -(2**63) - 1, 10**30):
        step = take(f'{{"type":"total","of":[],"id":{number}}}')
        assert isinstance(step, Refusal)
        assert step.error is not None
        assert (step.error.code, step.error.path) == ("invalid", "$.id")


class Reversed:
    """A codec of a user's own: JSON, read from the right."""

    kind: Literal["text", "binary"] = "binary"
    structured = True

    def decoder(self, types: Any) -> Any:
        decode = Json().decoder(types)
        return lambda data: decode(data[::-1])

    def encode(self, message: object) -> Data:
        return msgspec.json.encode(message)[::-1]


def test_a_codec_of_ones_own_finds_its_request_ids() -> None:
    data = b'{"type":"total","of":[1],"id":7}'[::-1]
    assert session(Reversed()).take(data) == Question(Total([1]), 7)


class Choosy(Message):
    """Raises what its client names."""

    error: str
    text: str = ""

    def __post_init__(self) -> None:
        raise getattr(builtins, self.error)(self.text)


class ChoosyTotal(Request[int]):
    def __post_init__(self) -> None:
        raise KeyError("total")


@pytest.mark.parametrize("types", [(Choosy,), (Choosy, Say, dict)], ids=["alone", "catch-all"])
@pytest.mark.parametrize("codec", [Json(), MessagePack()])
@pytest.mark.parametrize("error", ["ValueError", "TypeError", "AssertionError"])
def test_a_message_class_may_refuse_a_frame(codec: Codec, error: str, types: Any) -> None:
    for text in ("so it is", ""):
        data = codec.encode({"type": "choosy", "error": error, "text": text})
        step = session(codec, types=types).take(data)
        assert isinstance(step, Refusal)
        assert step.error is not None
        assert (step.error.code, step.error.error_id, step.close) == ("invalid", None, None)
        assert step.error.detail == text if text else step.error.detail
        closed = session(codec, types=types, on_invalid=OnInvalid.CLOSE).take(data)
        assert isinstance(closed, Refusal)
        assert closed.close == Close(1008, "invalid frame")


def test_any_other_error_of_a_message_class_is_a_bug() -> None:
    choosy = session(types=(Choosy, ChoosyTotal), on_invalid=OnInvalid.CLOSE)
    for data, kind in (
        ('{"type":"choosy","error":"KeyError","text":"secret"}', KeyError),
        ('{"type":"choosy","error":"OSError"}', OSError),
        ('{"type":"choosy_total","id":1}', KeyError),
    ):
        step = choosy.take(data)
        assert isinstance(step, Bug)
        assert type(step.error) is kind
        refusal = choosy.unmade("the id")
        assert refusal.error is not None
        assert (refusal.error.code, refusal.error.error_id) == ("invalid", "the id")
        assert refusal.close == Close(1008, "invalid frame")


class Broken(Reversed):
    """A codec of a user's own that has a bug."""

    def decoder(self, types: Any) -> Any:
        return lambda data: data["no such key"]


def test_an_error_of_a_codec_of_ones_own_is_answered() -> None:
    step = session(Broken()).take(b"{}")
    assert isinstance(step, Refusal | Bug)


@given(text=st.text(max_size=40), limit=st.integers(1, 60))
def test_the_limit_counts_bytes(text: str, limit: int) -> None:
    take = session(Text(), Raw(), types=(str, bytes), max_size=limit).take
    data = text.encode()
    if len(data) <= limit:
        assert (take(text), take(data)) == (text, data)
    else:
        for step in (take(text), take(data)):
            assert isinstance(step, Refusal)
            assert step.error is None
            assert step.close is not None
            assert step.close.code == 1009


def test_the_wrong_kind_of_frame_closes_with_1003() -> None:
    step = session().take(b"{}")
    assert step == Refusal(None, Close(1003, "binary frames are not taken here"))
    step = session(MessagePack()).take("{}")
    assert step == Refusal(None, Close(1003, "text frames are not taken here"))


def test_a_bad_frame_is_reported_or_closes_too() -> None:
    for data, code, path in (("{", "malformed", None), ('{"type":"x"}', "invalid", "$.type")):
        reported = session().take(data)
        assert isinstance(reported, Refusal)
        assert reported.error is not None
        assert (reported.error.code, reported.error.path) == (code, path)
        assert reported.close is None
        closed = session(on_invalid=OnInvalid.CLOSE).take(data)
        assert isinstance(closed, Refusal)
        assert closed.error == reported.error
        assert closed.close == Close(1008, f"{code} frame")


def test_overload_is_reported_or_closes() -> None:
    for step, identifier in ((Say("a"), None), (Question(Total([]), 7), 7)):
        reported = session().overloaded(step)
        assert isinstance(reported.error, ErrorFrame)
        assert (reported.error.code, reported.close) == ("overloaded", None)
        assert reported.error.id == identifier
    closed = session(on_overload=OnOverload.CLOSE).overloaded(Say("a"))
    assert closed.error is None
    assert closed.close is not None
    assert closed.close.code == 1013


@given(
    data=st.text()
    | st.binary()
    | st.builds(
        lambda head, tail: '{"type":"total","of":[1],' + head + tail,
        st.sampled_from(['"id":', '"i', '"id":1,"id":', ""]),
        st.text(),
    ),
)
def test_whatever_comes_in_is_a_message_or_a_step(data: Data) -> None:
    for step in (
        session(Json(), MessagePack()).take(data),
        session(Json(), MessagePack(), types=(Say, dict, list)).take(data),
    ):
        assert isinstance(step, Step | Say | Total | dict | list)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_size": 0},
        {"max_outbox": 0},
        {"send_timeout": 0},
        {"send_timeout": float("inf")},
        {"disconnect_timeout": -1},
        {"ask_timeout": float("nan")},
        {"heartbeat": 0},
    ],
)
def test_settings_out_of_bounds_are_refused(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(ValueError, match=name):
        Settings(**wrong)


def test_a_bad_frame_keeps_its_parts() -> None:
    error = BadFrame("invalid", "so", "$.a")
    assert (error.code, error.detail, error.path, str(error)) == ("invalid", "so", "$.a", "so")
