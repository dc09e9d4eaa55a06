"""How deep a frame is nested, found out before it is decoded: a bound that costs next to nothing.

A frame that opens fewer brackets than the bound cannot be deeper, and nearly all are told by that.
The rest is looked at without recursion, in about the time that decoding it takes.
"""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_AS_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
# Bytes that open no array and no map of MessagePack.
_NO_CONTAINER = bytes(set(range(256)) - {*range(0x80, 0xA0), *range(0xDC, 0xE0)})

_decode: Any = msgspec.msgpack.Decoder().decode


def json_is_deeper(data: str | bytes, bound: int) -> bool:
    """Whether a text of JSON is nested deeper than `bound`. Of what is no JSON it may say either:
    the decoder will say what is wrong."""
    if isinstance(data, str):
        if data.count("[") + data.count("{") <= bound:
            return False
        data = data.encode(errors="surrogatepass")
    elif data.count(b"[") + data.count(b"{") <= bound:
        return False
    brackets = _STRING.sub(b"", data).translate(_AS_ONE_KIND, _NO_BRACKET)
    run = b"[" * (bound + 1)
    for _ in range(bound):
        if run in brackets:  # deep and narrow: each turn would take but two bytes off
            return True
        left = brackets.replace(b"[]", b"")  # without the innermost level
        if len(left) == len(brackets):
            return False  # nothing is left, or no pair: then it is no JSON
        brackets = left
    return bool(brackets)


def messagepack_is_deeper(data: str | bytes, bound: int) -> bool:
    """The same for MessagePack."""
    if isinstance(data, str) or len(data.translate(None, _NO_CONTAINER)) <= bound:
        return False
    try:
        value = _decode(data)
    except RecursionError:
        return True
    except (msgspec.DecodeError, UnicodeError):
        return False
    containers: list[Any] = [value] if isinstance(value, dict | list) else []
    for _ in range(bound):
        containers = [
            part
            for each in containers
            if each
            for part in _parts(each)
            if isinstance(part, dict | list)
        ]
    return bool(containers)


def _parts(container: dict[Any, Any] | list[Any]) -> Iterable[Any]:
    return container.values() if isinstance(container, dict) else container
