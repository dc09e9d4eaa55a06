"""Bytes <-> messages: what each codec takes, refuses and makes."""

import datetime
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import Envelope, Message, Request
from transport import Codec, CodecError, ErrorFrame, Json, MessagePack, Raw, Text
from transport.codec import SocketCodec, codecs_for
from transport.exceptions import BadFrame


class Say(Message):
    text: str


class Move(Message):
    x: int
    y: int = 0
    to: dict[int, str] = {}  # noqa: RUF012  # msgspec copies an empty default
    at: datetime.datetime | None = None
    data: bytes = b""


class Count(Request[int]):
    upto: int


STRUCTS: list[type] = [Say, Move, Count]
STRUCTURED = [Json, MessagePack]


def decode(socket: SocketCodec, data: str | bytes) -> object:
    decoder = socket.text if isinstance(data, str) else socket.binary
    return None if decoder is None else decoder(data)


says = st.builds(Say, text=st.text())
moves = st.builds(
    Move,
    x=st.integers(-(2**63), 2**63 - 1),
    y=st.integers(-1000, 1000),
    to=st.dictionaries(st.integers(-1000, 1000), st.text(max_size=5), max_size=3),
    at=st.none() | st.datetimes(timezones=st.just(datetime.UTC)),
    data=st.binary(max_size=10),
)
counts = st.builds(Count, upto=st.integers(0, 2**63 - 1))


@pytest.mark.parametrize("codec", STRUCTURED)
@pytest.mark.parametrize("types", [STRUCTS, [*STRUCTS, dict, list]], ids=["tagged", "catch-all"])
@given(message=says | moves | counts)
def test_what_is_encoded_decodes_to_the_same(
    codec: type[Codec], types: list[type], message: Message
) -> None:
    socket = SocketCodec([codec()], types)
    event = socket.encode(message).event
    assert decode(socket, event["text" if codec is Json else "bytes"]) == message


@given(text=st.text(), data=st.binary())
def test_str_and_bytes_go_out_as_they_are_through_every_codec(text: str, data: bytes) -> None:
    for codec in (Json(), MessagePack()):
        socket = SocketCodec([codec], STRUCTS)
        assert socket.encode(text).event == {"type": "websocket.send", "text": text}
        assert socket.encode(data).event == {"type": "websocket.send", "bytes": data}
    assert decode(SocketCodec([Text()], [str]), text) == text
    assert decode(SocketCodec([Raw()], [bytes]), data) == data
    assert decode(SocketCodec([Raw()], [bytes]), bytearray(data)) == data  # type: ignore[arg-type]


def refusal(socket: SocketCodec, data: str | bytes) -> BadFrame:
    with pytest.raises(BadFrame) as caught:
        decode(socket, data)
    return caught.value


@pytest.mark.parametrize(
    ("data", "code", "path"),
    [
        ("", "malformed", None),
        ("{", "malformed", None),
        ("nonsense", "malformed", None),
        ('{"type": NaN}', "malformed", None),
        ('{"type": "\\ud800"}', "malformed", None),
        ('"\ud800"', "malformed", None),
        ('{"type": "say", "more": ' + "[" * 15_000, "malformed", None),
        ('{"a":' * 15_000, "malformed", None),
        ("{}", "invalid", "$"),
        ("[]", "invalid", "$"),
        ("1", "invalid", "$"),
        ('{"text": "no type"}', "invalid", "$"),
        ('{"type": "unknown"}', "invalid", "$.type"),
        ('{"type": "say"}', "invalid", "$"),
        ('{"type": "say", "text": 1}', "invalid", "$.text"),
        ('{"type": ["say"], "text": "a"}', "invalid", "$.type"),
        ('{"type": {"say": 1}, "text": "a"}', "invalid", "$.type"),
        ('{"type": null, "text": "a"}', "invalid", "$.type"),
        ('{"type": "move", "x": 1.5}', "invalid", "$.x"),
        ('{"type": "move", "x": 1e400}', "invalid", "$.x"),
        ('{"type": "move", "x": ' + "9" * 5000 + "}", "invalid", "$.x"),
        ('{"type": "move", "x": 1, "at": "yesterday"}', "invalid", "$.at"),
        ('{"type": "a - at b"}', "invalid", "$.type"),
    ],
)
def test_a_bad_json_frame_says_what_is_wrong_and_where(
    data: str, code: str, path: str | None
) -> None:
    error = refusal(SocketCodec([Json()], STRUCTS), data)
    assert (error.code, error.path) == (code, path)
    assert error.detail


@pytest.mark.parametrize(
    ("data", "code", "path"),
    [
        (b"", "malformed", None),
        (b"\xc1", "malformed", None),
        (b"\x81\xa4type", "malformed", None),
        (b"\x82\xa4type\xa3say\xa4text\xa2\xff\xff", "malformed", None),
        (b"\x82\xa4type\xa3say\xa4more" + b"\x91" * 15_000, "malformed", None),
        (b"\x90", "invalid", "$"),
        (b"\x80", "invalid", "$"),
        (msgspec.msgpack.encode({"type": "unknown"}), "invalid", "$.type"),
        (msgspec.msgpack.encode({"type": ["say"]}), "invalid", "$.type"),
        (msgspec.msgpack.encode({"type": "say", "text": 1}), "invalid", "$.text"),
        (msgspec.msgpack.encode({"type": "move", "x": float("nan")}), "invalid", "$.x"),
    ],
)
def test_a_bad_messagepack_frame_says_what_is_wrong_and_where(
    data: bytes, code: str, path: str | None
) -> None:
    error = refusal(SocketCodec([MessagePack()], STRUCTS), data)
    assert (error.code, error.path) == (code, path)
    assert error.detail


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "text", "x", "id", "to"]), inner, max_size=3)
    ),
    max_leaves=10,
)


@pytest.mark.parametrize("types", [STRUCTS, [Say, dict], [Say, list], [dict, list]])
@given(
    text=st.text() | JSON_VALUES.map(lambda value: msgspec.json.encode(value).decode()),
    data=st.binary(),
)
def test_any_frame_decodes_to_a_handled_type_or_is_a_bad_frame(
    types: list[type], text: str, data: bytes
) -> None:
    socket = SocketCodec([Json(), MessagePack()], types)
    for frame in (text, data):
        try:
            message = decode(socket, frame)
        except BadFrame as error:
            outcome: object = error.code
        else:
            outcome = type(message)
        assert outcome in ["malformed", "invalid", *types]


def test_a_frame_of_a_kind_that_is_not_taken_is_none() -> None:
    assert decode(SocketCodec([Json()], STRUCTS), b"{}") is None
    assert decode(SocketCodec([MessagePack()], STRUCTS), "{}") is None
    assert decode(SocketCodec([Raw()], [bytes]), "text") is None
    assert decode(SocketCodec([Text()], [str]), b"raw") is None


@pytest.mark.parametrize("codec", STRUCTURED)
def test_catch_alls_take_what_no_tag_claims(codec: type[Codec]) -> None:
    socket = SocketCodec([codec()], [Say, Move, dict, list])

    def data(value: object) -> str | bytes:
        frame = socket.encode(value)
        return frame.payload.decode() if frame.text else frame.payload

    def through(value: object) -> object:
        return decode(socket, data(value))

    assert through({"type": "say", "text": "a"}) == Say("a")
    assert through({"type": "say", "text": "a", "more": 1}) == Say("a")
    assert through({"type": "else", "text": "a"}) == {"type": "else", "text": "a"}
    assert through({"type": ["say"]}) == {"type": ["say"]}
    assert through({"type": {"say": 1}}) == {"type": {"say": 1}}
    assert through({"type": 1}) == {"type": 1}
    assert through({"type": True}) == {"type": True}
    assert through([1, {"type": "say"}]) == [1, {"type": "say"}]
    # A known tag with wrong fields is an error, not a dict.
    error = refusal(socket, data({"type": "say", "text": 1}))
    assert (error.code, error.path) == ("invalid", "$.text")
    for value in (1, "text", None, 1.5, True):
        encoded = codec().encode(value)
        assert refusal(socket, encoded).code == "invalid"


def test_a_catch_all_of_one_kind_refuses_the_other() -> None:
    assert "object" in refusal(SocketCodec([Json()], [dict]), "[]").detail
    assert "array" in refusal(SocketCodec([Json()], [list]), "{}").detail


@pytest.mark.parametrize(
    "make",
    [
        lambda: SocketCodec([Json(), Text()], [Say, str]),
        lambda: SocketCodec([Raw(), MessagePack()], [Say, bytes]),
        lambda: SocketCodec([Text()], [Say]),
        lambda: SocketCodec([Raw()], [str]),
        lambda: SocketCodec([Json()], [bytes]),
    ],
)
def test_codecs_that_cannot_serve_the_types_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(CodecError):
        make()


class Named(Request[int]):
    id: int


class Renamed(Request[int]):
    number: int = msgspec.field(name="id")


class RenamedAll(Request[int], rename={"number": "id"}):
    number: int


class Tagged(Request[int], tag_field="id"):
    pass


class Exact(Request[int], forbid_unknown_fields=True):
    pass


class Array(Request[int], array_like=True):
    pass


@pytest.mark.parametrize("codec", STRUCTURED)
@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Named, "is a field"),
        (Renamed, "is a field"),
        (RenamedAll, "is a field"),
        (Tagged, "is its tag"),
        (Exact, "forbid_unknown_fields"),
        (Array, "array_like"),
    ],
)
def test_a_request_that_cannot_have_an_id_is_refused(
    codec: type[Codec], kind: type, why: str
) -> None:
    with pytest.raises(CodecError, match=f"{kind.__name__}.*{why}"):
        SocketCodec([codec()], [kind])


def test_a_field_that_is_called_id_only_in_python_is_fine() -> None:
    class Other(Request[int], rename={"id": "number"}):
        id: int

    socket = SocketCodec([Json()], [Other])
    data = '{"type":"other","number":1,"id":"a"}'
    assert decode(socket, data) == Other(1)
    assert socket.request_id(data) == "a"


def test_where_no_frame_becomes_a_request_its_fields_matter_to_nobody() -> None:
    assert decode(SocketCodec([Text()], [str, Exact, Named]), "a") == "a"


def test_types_that_cannot_be_told_apart_are_refused() -> None:
    class Other(Message, tag="say"):
        pass

    class Untagged(msgspec.Struct):
        x: int

    for codec in (Json(), MessagePack()):
        with pytest.raises(CodecError, match="Say"):
            SocketCodec([codec], [Say, Other])
        with pytest.raises(CodecError, match="no known tag"):
            SocketCodec([codec], [Untagged, dict])
        with pytest.raises(CodecError, match="Say"):
            SocketCodec([codec], [Say, Other, dict])


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("codec", STRUCTURED)
@pytest.mark.parametrize(
    "message",
    [object(), {"a": object()}, "\ud800", Say("\ud800"), {1.5: {2, object()}}, nested(100_000)],
    ids=["object", "inside", "surrogate", "surrogate inside", "set", "deep"],
)
def test_what_cannot_be_encoded_is_a_codec_error(codec: type[Codec], message: object) -> None:
    with pytest.raises(CodecError, match=type(message).__name__):
        SocketCodec([codec()], STRUCTS).encode(message)


@pytest.mark.parametrize("codec", STRUCTURED)
def test_a_struct_with_an_unset_field_is_a_codec_error(codec: type[Codec]) -> None:
    speech = Speech("a")
    del speech.content
    for message in (speech, [speech]):
        with pytest.raises(CodecError, match=type(message).__name__):
            SocketCodec([codec()], STRUCTS).encode(message)


def test_whatever_a_codec_of_ones_own_raises_is_a_codec_error() -> None:
    class Buggy(Json):
        def encode(self, message: object) -> str | bytes:
            raise KeyError(message)

    with pytest.raises(CodecError, match="Say"):
        SocketCodec([Buggy()], STRUCTS).encode(Say("a"))


def test_an_integer_too_large_for_messagepack_is_a_codec_error() -> None:
    with pytest.raises(CodecError):
        SocketCodec([MessagePack()], STRUCTS).encode([10**30])


@pytest.mark.parametrize("codec", [Text(), Raw()])
def test_text_and_raw_sockets_tell_errors_as_json(codec: Codec) -> None:
    types: list[type] = [str, bytes]
    frame = SocketCodec([codec], types).encode(ErrorFrame(code="crashed", detail="so"))
    assert frame.text
    assert msgspec.json.decode(frame.payload) == {
        "type": "error",
        "code": "crashed",
        "detail": "so",
    }


def test_codecs_by_the_types_that_are_handled() -> None:
    def kinds(*types: type) -> list[type]:
        return [type(codec) for codec in codecs_for(types)]

    assert kinds(Say) == kinds(dict) == kinds(list) == kinds(Say, dict) == [Json]
    assert kinds(Say, bytes) == [Json, Raw]
    assert kinds(str, bytes) == [Text, Raw]
    assert kinds(int) == [Json]
    assert kinds() == []


def test_where_nothing_is_handled_no_frame_is_taken() -> None:
    for codecs in ([], [Json()], [MessagePack()], [Text()]):
        socket = SocketCodec(codecs, [])
        assert socket.text is socket.binary is None
        assert socket.encode(Say("out")).payload


class Counting(Json):
    encoded = 0

    def encode(self, message: object) -> str | bytes:
        Counting.encoded += 1
        return super().encode(message)


def test_a_published_message_is_framed_once_for_each_codec() -> None:
    envelope = Envelope(Say("all"))
    one, other = SocketCodec([Json()], [Say]), SocketCodec([Json()], [Move])
    packed = SocketCodec([MessagePack()], [Say])
    assert one.frame(envelope) is one.frame(envelope)
    assert one.frame(envelope) is other.frame(envelope)  # two routes, the same codec
    assert one.frame(envelope) is not packed.frame(envelope)
    assert len(envelope.cache) == 2


class Speech(msgspec.Struct):
    content: str = ""


@pytest.mark.parametrize("codec", STRUCTURED)
def test_one_struct_without_a_tag_takes_the_objects_that_no_tag_claims(codec: type[Codec]) -> None:
    for types in ([Speech], [Say, Speech], [Say, Speech, list]):
        socket = SocketCodec([codec()], types)
        spoken = codec().encode({"type": "else", "content": "a"})
        assert decode(socket, spoken) == Speech("a")
        assert decode(socket, codec().encode({})) == Speech()
        error = refusal(socket, codec().encode({"content": 1}))
        assert (error.code, error.path) == ("invalid", "$.content")
        if Say in types:
            assert decode(socket, codec().encode(Say("a"))) == Say("a")
            assert refusal(socket, codec().encode({"type": "say", "text": 1})).path == "$.text"
        if list in types:
            assert decode(socket, codec().encode([1])) == [1]
        else:
            assert refusal(socket, codec().encode([1])).code == "invalid"
