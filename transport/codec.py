"""From frames to messages and back: JSON, MessagePack, text and raw bytes.

A codec serves one kind of frame, text or binary; a socket has one for each kind it takes. What a
client may send is what the connection class handles: a frame decodes straight into that type, or
into nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, Protocol, TypeAlias, Union, cast

import msgspec

from actors import Envelope, Message

from .exceptions import BadFrame, CodecError

Data: TypeAlias = str | bytes
Decode: TypeAlias = Callable[[Any], object]


class ErrorFrame(Message, tag="error", omit_defaults=True):
    """What a client is told of an error.

    `code`: `malformed` (not the codec's format), `invalid` (no message that is handled here),
    `overloaded`, `crashed`, `timeout` or `stopped`. `path`: where in the frame, as in `$.text`.
    `id`: that of the request it answers. `error_id`: that of the entry in the server's log.
    Fields without a value are left out.
    """

    code: str
    detail: str
    path: str | None = None
    id: str | int | None = None
    error_id: str | None = None


class Reply(Message):
    """The answer to a `Request` of the client's that had an `id`."""

    id: str | int
    value: Any


class Heartbeat(Message):
    """Sent every `Settings.heartbeat` seconds. `timestamp`: seconds since 1970."""

    timestamp: float


class RequestId(msgspec.Struct):
    """What a frame holds besides the fields of its `Request`."""

    id: str | int | None = None


class Frame:
    """A message made ready to be sent, once for all who get it."""

    __slots__ = ("data", "event", "message")

    def __init__(self, message: object, data: Data) -> None:
        self.message = message
        self.data = data
        # The ASGI event is built here, so that a whole group shares one.
        kind = "text" if isinstance(data, str) else "bytes"
        self.event: dict[str, Any] = {"type": "websocket.send", kind: data}


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
        return msgspec.json.encode(message).decode()


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


def _structured(types: Sequence[type], make: Callable[[Any], Any]) -> Decode:
    structs = [kind for kind in types if issubclass(kind, msgspec.Struct)]
    tagged = [kind for kind in structs if kind.__struct_config__.tag is not None]
    others = [kind for kind in types if kind in _JSON or kind in set(structs) - set(tagged)]
    if not tagged and not others:
        raise CodecError("no handler takes a Message, a dict or a list")
    try:
        if others:
            decode = _catch_all(tagged, others, make(Any).decode)
        else:
            decode = make(Union[tuple(tagged)]).decode  # noqa: UP007  # made at run time
    except TypeError as error:
        raise CodecError(str(error)) from error

    def checked(data: object) -> object:
        try:
            return decode(data)
        except msgspec.ValidationError as error:
            detail, _, path = str(error).partition(" - at ")
            raise BadFrame("invalid", detail, path.strip("`") or "$") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadFrame("malformed", str(error)) from None
        except RecursionError:
            raise BadFrame("malformed", "nested too deeply") from None

    return checked


def _catch_all(tagged: Sequence[type], others: Sequence[type], decode: Decode) -> Decode:
    """Objects with a known tag become that; what is left goes to the other types."""
    by_tag: dict[tuple[str, Any], Any] = {}
    for struct in tagged:
        config = cast(Any, struct).__struct_config__
        by_tag[config.tag_field, config.tag] = struct
    fields = {field for field, _ in by_tag}
    untagged = [kind for kind in others if kind not in _JSON]
    if len(untagged) + (dict in others) > 1:
        raise CodecError("only one handler can take the objects that have no known tag")
    convert: Callable[[object, Any], object] = msgspec.convert

    def checked(data: object) -> object:
        value = decode(data)
        kind = type(value)
        if kind is dict:
            for field in fields:
                tag = cast(dict[str, Any], value).get(field)
                struct = by_tag.get((field, tag)) if isinstance(tag, str | int) else None
                if struct is not None:
                    return convert(value, struct)
            if untagged:
                return convert(value, untagged[0])
        if kind not in others:
            wanted = " or ".join(_JSON.get(other, "object") for other in others)
            raise BadFrame("invalid", f"Expected `{wanted}`, got `{_JSON.get(kind, kind)}`", "$")
        return value

    return checked


class SocketCodec:
    """What one socket reads and writes: at most one codec for each kind of frame.

    Raises `CodecError` for codecs that cannot serve the types.
    """

    __slots__ = ("_binary", "_encode", "_text")

    def __init__(self, codecs: Iterable[Codec], types: Sequence[type]) -> None:
        chosen = list(codecs)
        kinds = [codec.kind for codec in chosen]
        if not chosen or len(set(kinds)) != len(kinds):
            raise CodecError("a socket takes one codec for each kind of frame, and at least one")
        decoders = {codec.kind: codec.decoder(types) for codec in chosen}
        self._text = decoders.get("text")
        self._binary = decoders.get("binary")
        structured = [codec for codec in chosen if codec.structured]
        # Errors and the like have to be told on text and raw sockets too: there, as JSON.
        self._encode = (structured[0] if structured else Json()).encode

    def decoder(self, data: Data) -> Decode | None:
        """What decodes a frame of that kind, or `None` if it is not taken here."""
        return self._text if isinstance(data, str) else self._binary

    def encode(self, message: object) -> Frame:
        """`str` goes out as a text frame, `bytes` as a binary one, the rest through the codec.

        Raises `CodecError` for what cannot be encoded.
        """
        if isinstance(message, str | bytes):
            return Frame(message, message)
        try:
            return Frame(message, self._encode(message))
        except (TypeError, ValueError, OverflowError) as error:
            raise CodecError(f"cannot encode {type(message).__name__}: {error}") from error

    def frame(self, envelope: Envelope) -> Frame:
        """The frame of a published message, made once for all sockets with this codec."""
        frame: Frame | None = envelope.cache.get(self._encode)
        if frame is None:
            frame = envelope.cache[self._encode] = self.encode(envelope.message)
        return frame


def codecs_for(types: Sequence[type]) -> list[Codec]:
    """The codecs that a connection class needs, by the types it handles."""
    codecs: list[Codec] = []
    if any(issubclass(kind, msgspec.Struct) or kind in (dict, list) for kind in types):
        codecs.append(Json())
    if str in types:
        codecs.append(Text())
    if bytes in types:
        codecs.append(Raw())
    # A class that handles nothing only sends; frames from its client are closed with 1003.
    return codecs or [Text()]
