"""From frames to messages and back: JSON, MessagePack, text and raw bytes.

A codec serves one kind of frame, text or binary; a socket has one for each kind it takes. What a
client may send is what the connection class handles: a frame decodes straight into that type, or
into nothing.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, Literal, Protocol, TypeAlias, Union, cast

import msgspec

from actors import Envelope, Message, Request

from ._frames import BINARY, HEADS, SHORT, TEXT, frame
from .depth import json_is_deeper, messagepack_is_deeper
from .exceptions import BadFrame, CodecError

Data: TypeAlias = str | bytes
Decode: TypeAlias = Callable[[Any], object]


class ErrorFrame(Message, tag="error", omit_defaults=True):
    """What a client is told of an error.

    `code`: `malformed` (not the codec's format), `invalid` (no message that is handled here),
    `too_fast`, `overloaded`, `crashed`, `timeout` or `stopped`; or the phrase of `status`, which
    a handler refused its message with (`forbidden`); or the name of an exception that a request
    declares as a reply (`NoMoney` is `no_money`). `path`: where in the frame, as in `$.text`.
    `id`: that of the request it answers. `error_id`: that of the entry in the server's log.
    `limit`: the setting that was too little for it; `retry_after`: in how many seconds there is
    room again. Fields without a value are left out.
    """

    code: str
    detail: str
    path: str | None = None
    id: str | int | None = None
    error_id: str | None = None
    limit: str | None = None
    retry_after: float | None = None
    status: int | None = None


class Reply(Message):
    """The answer to a `Request` of the client's that had an `id`."""

    id: str | int
    value: Any


class Heartbeat(Message):
    """Sent every `Settings.heartbeat` seconds. `timestamp`: seconds since 1970."""

    timestamp: float


class Missed(Message):
    """Stands where `count` messages to this client were dropped, if `Settings.tell_missed`."""

    count: int


class RequestId(msgspec.Struct):
    """What a frame holds besides the fields of its `Request`.

    An integer has 64 bits: a larger one could be read, but not sent back by every codec.
    """

    id: str | Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | None = None


class Frame(msgspec.Struct, eq=False, gc=False):
    """A message made ready to be sent, once for all who get it.

    A `Struct` because that is made in a third of the time of a class with an `__init__`.
    """

    message: object
    payload: bytes
    size: int
    """Bytes of the payload."""
    text: bool
    """Whether it is a text frame."""
    _event: dict[str, Any] | None = None
    _wire: bytes | None = None

    @property
    def event(self) -> dict[str, Any]:
        """The ASGI event, so that a whole group shares one."""
        event = self._event
        if event is None:
            event = self._event = {"type": "websocket.send"}
            if self.text:
                event["text"] = self.payload.decode()
            else:
                event["bytes"] = self.payload
        return event

    @property
    def wire(self) -> bytes:
        """The frame itself, which is the same for every client."""
        wire = self._wire
        if wire is None:
            wire = self._wire = frame(TEXT if self.text else BINARY, self.payload)
        return wire


_TEXT_HEADS, _BINARY_HEADS = HEADS[TEXT], HEADS[BINARY]


def on_the_wire(burst: Sequence[Frame]) -> bytes:
    """The frames, one after the other."""
    parts: list[bytes] = []
    for each in burst:
        wire = each._wire
        if wire is not None:
            parts.append(wire)
        elif each.size < SHORT:  # two parts are sooner joined than put together by themselves
            parts.append((_TEXT_HEADS if each.text else _BINARY_HEADS)[each.size])
            parts.append(each.payload)
        else:
            parts.append(each.wire)
    return b"".join(parts)


def framed(message: object, data: Data, *, text: bool) -> Frame:
    """The frame that carries a message as `data`. Raises `UnicodeEncodeError`."""
    payload = data.encode() if isinstance(data, str) else data
    return Frame(message, payload, len(payload), text)


class Codec(Protocol):
    """Carries messages in frames of one kind."""

    kind: Literal["text", "binary"]
    structured: bool
    """Whether it can carry any message, or only what its frames are made of."""

    def decoder(self, types: Sequence[type]) -> Decode:
        """A function from a frame's data to one of the types, raising `BadFrame`.

        Raises `CodecError` for types that it cannot tell apart.
        """
        ...

    def encode(self, message: object) -> Data:
        """A frame's data. Raises `TypeError` for what it cannot carry."""
        ...


_ENCODE_JSON = msgspec.json.Encoder().encode


class Json:
    """JSON in text frames. A `Message` is an object tagged with its `type`.

    A connection may also handle plain JSON: `list`, `str`, `int`, `float`, `bool`, `None`, and for
    objects without a known `type` either `dict` or one `msgspec.Struct` that has no tag.
    """

    kind: Literal["text", "binary"] = "text"
    structured = True

    def decoder(self, types: Sequence[type]) -> Decode:
        return _structured(types, msgspec.json.Decoder)

    def encode(self, message: object) -> Data:
        return _ENCODE_JSON(message).decode()


class MessagePack:
    """MessagePack in binary frames, otherwise like `Json`."""

    kind: Literal["text", "binary"] = "binary"
    structured = True

    def decoder(self, types: Sequence[type]) -> Decode:
        return _structured(types, msgspec.msgpack.Decoder)

    def encode(self, message: object) -> Data:
        return msgspec.msgpack.encode(message)


class Text:
    """Text frames as `str`."""

    kind: Literal["text", "binary"] = "text"
    structured = False

    def decoder(self, types: Sequence[type]) -> Decode:
        return _plain(types, str)

    def encode(self, message: object) -> Data:
        raise TypeError(f"a text socket cannot carry {type(message).__name__}")


class Raw:
    """Binary frames as `bytes`."""

    kind: Literal["text", "binary"] = "binary"
    structured = False

    def decoder(self, types: Sequence[type]) -> Decode:
        return _plain(types, bytes)

    def encode(self, message: object) -> Data:
        raise TypeError(f"a raw socket cannot carry {type(message).__name__}")


def _plain(types: Sequence[type], wanted: type) -> Decode:
    if wanted not in types:
        raise CodecError(f"no handler takes {wanted.__name__}")
    return wanted if wanted is bytes else _as_is


def _as_is(data: object) -> object:
    return data


_JSON: dict[type, str] = {
    dict: "object",
    list: "array",
    str: "str",
    int: "int",
    float: "float",
    bool: "bool",
    type(None): "null",
}
"""What a frame may decode to besides a `Message`, and what it is called in an error."""


_WHERE = re.compile(r"(.*?)(?: - at (?:`key` in )?`([^`]*)`)?", re.DOTALL)
"""What msgspec says of a value that does not fit, and where it is."""


def _structured(types: Sequence[type], make: Callable[[Any], Any]) -> Decode:
    structs = [kind for kind in types if issubclass(kind, msgspec.Struct)]
    tagged = [kind for kind in structs if kind.__struct_config__.tag is not None]
    untagged = [kind for kind in structs if kind not in tagged]
    plain = [kind for kind in types if kind in _JSON]
    if not structs and not plain:
        raise CodecError("no handler takes a Message, a dict or a list")
    if len(untagged) + (dict in plain) > 1:
        raise CodecError("only one handler can take the objects that have no known tag")
    try:
        if plain or (tagged and untagged):
            decode = _catch_all(tagged, untagged, plain, make)
        else:
            decode = _union(structs, make)
    except TypeError as error:
        raise CodecError(str(error)) from error

    def checked(data: Data) -> object:
        try:
            return decode(data)
        except msgspec.ValidationError as error:
            found = _WHERE.fullmatch(str(error))
            assert found is not None
            raise BadFrame("invalid", found[1], found[2] or "$") from None
        except (msgspec.DecodeError, UnicodeError) as error:
            raise BadFrame("malformed", str(error)) from None
        except RecursionError:
            raise BadFrame("malformed", "nested too deeply") from None

    return checked


def _union(structs: Sequence[type], make: Callable[[Any], Any]) -> Decode:
    decode: Decode = make(Union[tuple(structs)]).decode  # noqa: UP007  # made at run time
    return decode


def _catch_all(
    tagged: Sequence[type],
    untagged: Sequence[type],
    plain: Sequence[type],
    make: Callable[[Any], Any],
) -> Decode:
    """Objects with a known tag become that; what is left goes to the other types."""
    tags: set[tuple[str, Any]] = set()
    for struct in tagged:
        config = cast(Any, struct).__struct_config__
        tags.add((config.tag_field, config.tag))
    fields = {field for field, _ in tags}
    decode_tagged = _union(tagged, make) if tagged else None
    decode_untagged = _union(untagged, make) if untagged else None
    decode_plain: Decode = make(Any).decode

    def has_known_tag(value: dict[Any, Any]) -> bool:
        found = [(field, value.get(field)) for field in fields]
        return any(isinstance(pair[1], str | int) and pair in tags for pair in found)

    def checked(data: object) -> object:
        # The known first, straight into their types; they are the most of what comes.
        error: Exception | None = None
        if decode_tagged is not None:
            try:
                return decode_tagged(data)
            except msgspec.ValidationError as invalid:
                error = invalid
        value = decode_plain(data)
        kind = type(value)
        if kind is dict:
            if error is not None and has_known_tag(cast(dict[Any, Any], value)):
                raise error
            if decode_untagged is not None:
                return decode_untagged(data)
        if kind not in plain:
            wanted = " or ".join(_JSON.get(other, "object") for other in (*plain, *untagged))
            raise BadFrame("invalid", f"Expected `{wanted}`, got `{_JSON.get(kind, kind)}`", "$")
        return value

    return checked


def _check_room_for_id(kind: Any) -> None:
    """Raise `CodecError` for a request whose frames cannot have an `id` beside its fields."""
    config = kind.__struct_config__
    if config.array_like:
        why = "its frames are arrays (array_like)"
    elif config.forbid_unknown_fields:
        why = "it refuses what is no field of its own (forbid_unknown_fields)"
    elif config.tag_field == "id":
        why = "`id` is its tag"
    elif "id" in kind.__struct_encode_fields__:
        why = "`id` is a field of its own"
    else:
        return
    raise CodecError(
        f"{kind.__name__} cannot be asked by a client, whose requests have an `id`: {why}. "
        f"Change that, or mark its handler with `@receive(wire=False)`"
    )


_DEEPER: dict[Any, tuple[Callable[[Data, int], bool], int]] = {
    Json.decoder: (json_is_deeper, 2),
    MessagePack.decoder: (messagepack_is_deeper, 1),
}
"""How to tell, and how many bytes a level takes at least. By the method, since one who has his own
may have frames of another format."""


def _any_depth(data: Data, bound: int) -> bool:
    return False


class SocketCodec:
    """What one socket reads and writes: at most one codec for each kind of frame.

    Where no type is handled, no frame is taken. Raises `CodecError` for codecs that cannot serve
    the types.
    """

    __slots__ = (
        "_binary_is_deeper",
        "_encode",
        "_ids",
        "_key",
        "_speaks_text",
        "_text_is_deeper",
        "binary",
        "level",
        "requests",
        "text",
    )

    def __init__(self, codecs: Iterable[Codec], types: Sequence[type]) -> None:
        chosen = list(codecs)
        kinds = [codec.kind for codec in chosen]
        if len(set(kinds)) != len(kinds):
            raise CodecError(
                f"a socket takes one codec for each kind of frame, not {kinds}: name the codecs "
                f"of the route, as in `codec=Json()`, or handle `str` in another class"
            )
        decoders = {codec.kind: codec.decoder(types) for codec in chosen} if types else {}
        self.text = decoders.get("text")
        """What decodes a text frame, or `None` if none is taken."""
        self.binary = decoders.get("binary")
        """The same for a binary frame."""
        deeper = {codec.kind: _DEEPER.get(type(codec).decoder, (_any_depth, 1)) for codec in chosen}
        self._text_is_deeper, level = deeper.get("text", (_any_depth, 2))
        self._binary_is_deeper, binary_level = deeper.get("binary", (_any_depth, 2))
        self.level = min(level, binary_level)
        """Bytes that a level of nesting takes at least."""
        structured = [codec for codec in chosen if codec.structured]
        requests: list[Any] = [kind for kind in types if issubclass(kind, Request)]
        if structured:  # or no frame becomes a request
            for kind in requests:
                _check_room_for_id(kind)
        self.requests = frozenset[type](requests)
        """The types that are asked, not told."""
        self._ids = {codec.kind: codec.decoder([RequestId]) for codec in structured if requests}
        # Errors and the like have to be told on text and raw sockets too: there, as JSON.
        speaking = structured[0] if structured else Json()
        # A text that goes out as bytes need not be one in between.
        self._encode = _ENCODE_JSON if type(speaking) is Json else speaking.encode
        self._speaks_text = speaking.kind == "text"
        # Ours have no state: what is published to several routes is encoded once for all of them.
        ours = type(speaking) in (Json, MessagePack)
        self._key: object = type(speaking) if ours else speaking.encode

    def is_deeper(self, data: Data, bound: int) -> bool:
        """Whether a frame is nested deeper than a bound, where the codec is one of ours."""
        tell = self._text_is_deeper if isinstance(data, str) else self._binary_is_deeper
        return tell(data, bound)

    def request_id(self, data: Data) -> str | int | None:
        """The id that came with a `Request`, if one did. Raises `BadFrame`."""
        decode = self._ids["text" if isinstance(data, str) else "binary"]
        return cast(RequestId, decode(data)).id

    def encode(self, message: object) -> Frame:
        """`str` goes out as a text frame, `bytes` as a binary one, the rest through the codec.

        Raises `CodecError` for what cannot be encoded.
        """
        try:
            if isinstance(message, (str, bytes)):  # as a union it would take thrice as long
                return framed(message, message, text=isinstance(message, str))
            data = self._encode(message)
            if type(data) is bytes:
                return Frame(message, data, len(data), self._speaks_text)
            return framed(message, data, text=self._speaks_text)
        except Exception as error:  # an unset field, say, is an AttributeError
            raise CodecError(f"cannot encode {type(message).__name__}: {error}") from error

    def frame(self, envelope: Envelope) -> Frame:
        """The frame of a published message, made once for all sockets with this codec."""
        frame: Frame | None = envelope.cache.get(self._key)
        if frame is None:
            frame = envelope.cache[self._key] = self.encode(envelope.message)
        return frame


def codecs_for(types: Sequence[type]) -> list[Codec]:
    """The codecs that a connection class needs, by the types it handles."""
    codecs: list[Codec] = []
    if any(issubclass(kind, msgspec.Struct) or kind in _JSON.keys() - {str} for kind in types):
        codecs.append(Json())
    if str in types:
        codecs.append(Text())
    if bytes in types:
        codecs.append(Raw())
    # A class that handles nothing only sends; frames from its client are closed with 1003.
    return codecs
