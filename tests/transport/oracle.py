"""What answer is due to a frame: a small model of what is documented, without any of our code.

JSON is judged by the standard library, MessagePack by a reader of its own. A frame that is neither
well-formed nor of the right types may be told either; all else has one answer.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MAX_SIZE = 66_000
"""The application's own bound of bytes, below the server's."""
SERVER_SIZE = 70_000
MAX_DEPTH = 64
BURST = 20
"""Messages that the route with a rate takes at once."""

ANY: Any = object()
"""A value or a path that the model does not say."""


@dataclass(frozen=True)
class Reply:
    """The message was handled, with this result; `id`: of a request that had one."""

    value: Any
    id: Any = None


@dataclass(frozen=True)
class Error:
    """An error frame with one of these codes."""

    codes: frozenset[str]
    path: Any = ANY
    limit: Any = None


@dataclass(frozen=True)
class Closed:
    """A close frame, behind an error frame if there is one. `by_server`: not by our transport."""

    code: int
    error: Error | None = None
    by_server: bool = False


Due = Reply | Error | Closed | None


class Malformed(Exception):
    """It is not of the format."""


class Unsaid(Exception):
    """The model does not say."""


def malformed(limit: str | None = None) -> Error:
    return Error(frozenset({"malformed"}), None, limit)


def invalid(path: str) -> Error:
    return Error(frozenset({"invalid"}), path)


EITHER = Error(frozenset({"malformed", "invalid"}), limit=ANY)


# Values, as both formats have them. An object is a `Pairs`, since a decoder meets its keys in turn.


class Pairs(list[tuple[Any, Any]]):
    """An object's keys and values."""


class Huge:
    """A number past what a float holds."""


class BadText(str):
    """A string of MessagePack's whose bytes are no UTF-8. A decoder sees it where it wants one."""

    __slots__ = ()


class Other:
    """What only MessagePack has: bytes, extensions."""


Check = Callable[[Any, str], str | None]
"""Where a value does not fit, if it does not."""


def _string(value: Any, path: str) -> str | None:
    return None if isinstance(value, str) else path


def _number(value: Any, path: str) -> str | None:
    return None if type(value) in (int, float) else path


def _integer(value: Any, path: str) -> str | None:
    return None if type(value) is int else path


def _level(value: Any, path: str) -> str | None:
    return None if type(value) is int and 0 <= value <= 100 else path


def _boolean(value: Any, path: str) -> str | None:
    return None if isinstance(value, bool) else path


def _optional_string(value: Any, path: str) -> str | None:
    return None if value is None else _string(value, path)


def _array(check: Check) -> Check:
    def checked(value: Any, path: str) -> str | None:
        if not isinstance(value, list) or isinstance(value, Pairs):
            return path
        for number, each in enumerate(value):
            wrong = check(each, f"{path}[{number}]")
            if wrong is not None:
                return wrong
        return None

    return checked


def _object(fields: dict[str, Check], needed: set[str]) -> Check:
    def checked(value: Any, path: str) -> str | None:
        if not isinstance(value, Pairs):
            return path
        for key, each in value:
            if not isinstance(key, str):
                return path  # msgspec: "key in `$`"
            if key in fields:
                wrong = fields[key](each, f"{path}.{key}")
                if wrong is not None:
                    return wrong
        return None if needed <= {key for key, _ in value} else path

    return checked


_POINT = _object({"x": _integer, "y": _integer}, {"x", "y"})
_MESSAGES: dict[str, tuple[dict[str, Check], set[str]]] = {
    "say": ({"text": _string}, {"text"}),
    "number": ({"value": _number}, {"value"}),
    "draw": ({"points": _array(_POINT), "label": _optional_string}, {"points"}),
    "level": ({"value": _level}, {"value"}),
    "count": ({"of": _array(_boolean)}, {"of"}),
}


def _is_id(value: Any) -> bool:
    if type(value) is int:
        return -(2**63) <= value < 2**63
    return value is None or isinstance(value, str)


def judge(value: Any) -> Reply | Error | None:
    """What a well-formed value leads to; nothing for a request without an id."""
    if not isinstance(value, Pairs):
        return invalid("$")
    keys = [key for key, _ in value]
    before = keys[: keys.index("type")] if "type" in keys else None
    if before is None or not all(isinstance(key, str) for key in before):
        return invalid("$")
    tags = [each for key, each in value if key == "type"]
    if not isinstance(tags[0], str) or tags[0] not in _MESSAGES:
        return invalid("$.type")
    tag = tags[0]
    fields, needed = _MESSAGES[tag]

    def same_tag(other: Any, path: str) -> str | None:
        return None if other == tag else path

    wrong = _object({**fields, "type": same_tag}, needed)(value, "$")
    if wrong is not None:
        return invalid(wrong)
    found = {key: each for key, each in value if isinstance(key, str)}
    if tag == "count":
        if not all(_is_id(each) for key, each in value if key == "id"):
            return invalid("$.id")
        identifier = found.get("id")
        return None if identifier is None else Reply(len(found["of"]), identifier)
    results = {"say": "text", "level": "value"}
    if tag in results:
        return Reply(found[results[tag]])
    return Reply("number" if tag == "number" else len(found["points"]))


# JSON.

_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)


def _depth(text: str) -> int:
    """How deep the brackets outside of strings go."""
    depth = deepest = 0
    for each in _STRINGS.sub("", text):
        if each in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif each in "]}":
            depth -= 1
    return deepest


def _no_constant(name: str) -> Any:
    raise Malformed(name)


def _integer_of(digits: str) -> Any:
    return Huge() if len(digits) > 4000 else int(digits)


def _float_of(digits: str) -> Any:
    value = float(digits)
    return Huge() if value in (float("inf"), float("-inf")) else value


_decode = json.JSONDecoder(
    object_pairs_hook=Pairs,
    parse_constant=_no_constant,
    parse_int=_integer_of,
    parse_float=_float_of,
).decode


def _has_surrogates(value: Any) -> bool:
    if isinstance(value, str):
        return not value.isascii() and any("\ud800" <= each <= "\udfff" for each in value)
    if isinstance(value, Pairs):
        return any(_has_surrogates(part) for pair in value for part in pair)
    return isinstance(value, list) and any(map(_has_surrogates, value))


def of_json(text: str) -> Reply | Error | None:
    """What a text leads to where JSON is spoken."""
    deep = text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH
    try:
        value = _decode(text)
    except (RecursionError, ValueError, Malformed):
        return EITHER
    if deep:
        return malformed("max_depth")
    if _has_surrogates(value):
        due = judge(value)
        # The wrong type may come first.
        return EITHER if isinstance(due, Error) else malformed()
    return judge(value)


# MessagePack.


def of_messagepack(data: bytes) -> Reply | Error | None:
    """What bytes lead to where MessagePack is spoken. Raises `Unsaid`."""
    reader = _Reader(data)
    try:
        value = reader.value(0)
        if reader.at < len(data):
            raise Malformed("trailing")
    except Malformed:
        return EITHER
    if reader.deepest > MAX_DEPTH:
        return malformed("max_depth")
    if reader.odd:
        raise Unsaid
    due = judge(value)
    if reader.bad_text and isinstance(due, Error):
        return EITHER  # whichever comes first
    if reader.bad_text:
        assert isinstance(value, Pairs)
        tag = next(each for key, each in value if key == "type")
        known = {*_MESSAGES[tag][0], *(["id"] if tag == "count" else [])}
        if any(isinstance(each, BadText) and key in known for key, each in value):
            return malformed()
        raise Unsaid  # where nobody looks, or as a key
    return due


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.deepest = 0
        self.bad_text = False
        self.odd = False  # a timestamp, which has rules of its own

    def take(self, count: int) -> bytes:
        piece = self.data[self.at : self.at + count]
        if len(piece) < count:
            raise Malformed("truncated")
        self.at += count
        return piece

    def number(self, count: int, *, signed: bool = False) -> int:
        return int.from_bytes(self.take(count), "big", signed=signed)

    def text(self, count: int) -> str:
        piece = self.take(count)
        try:
            return piece.decode()
        except UnicodeDecodeError:
            self.bad_text = True
            return BadText(piece.decode(errors="replace"))

    def array(self, count: int, depth: int) -> list[Any]:
        self.deepest = max(self.deepest, depth + 1)
        if depth > 150:
            raise Malformed("far too deep")
        return [self.value(depth + 1) for _ in range(count)]

    def map(self, count: int, depth: int) -> Pairs:
        self.deepest = max(self.deepest, depth + 1)
        if depth > 150:
            raise Malformed("far too deep")
        return Pairs((self.value(depth + 1), self.value(depth + 1)) for _ in range(count))

    def other(self, count: int) -> Other:
        self.take(count)
        return Other()

    def extension(self, count: int) -> Other:
        kind = self.number(1)
        if kind == 0xFF:
            self.odd = True
        return self.other(count)

    def value(self, depth: int) -> Any:  # noqa: C901  # one case for each kind of byte
        byte = self.number(1)
        if byte < 0x80:
            return byte
        if byte < 0x90:
            return self.map(byte & 0xF, depth)
        if byte < 0xA0:
            return self.array(byte & 0xF, depth)
        if byte < 0xC0:
            return self.text(byte & 0x1F)
        if byte >= 0xE0:
            return byte - 256
        if byte in (0xC0, 0xC2, 0xC3):
            return {0xC0: None, 0xC2: False, 0xC3: True}[byte]
        if byte == 0xC1:
            raise Malformed("0xc1")
        if byte <= 0xC6:
            return self.other(self.number(1 << byte - 0xC4))
        if byte <= 0xC9:
            return self.extension(self.number(1 << byte - 0xC7))
        if byte <= 0xCB:
            self.take(4 if byte == 0xCA else 8)
            return 0.5
        if byte <= 0xD3:
            return self.number(1 << (byte - 0xCC) % 4, signed=byte >= 0xD0)
        if byte <= 0xD8:
            return self.extension(1 << byte - 0xD4)
        if byte <= 0xDB:
            return self.text(self.number(1 << byte - 0xD9))
        size = self.number(2 if byte in (0xDC, 0xDE) else 4)
        if size > len(self.data):
            raise Malformed("truncated")
        return self.array(size, depth) if byte <= 0xDD else self.map(size, depth)
