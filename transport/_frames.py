"""A server's frames, as bytes: whole, unmasked, and so the same for every client they go to."""

import struct

from .exceptions import CloseCode

TEXT = 0x1
BINARY = 0x2
CLOSE = 0x8
PING = 0x9
PONG = 0xA

_FIN = 0x80
SHORT = 126
"""Bytes of a payload from which on its frame has a longer head."""
_LONG = 1 << 16
REASON = 123
"""Bytes of a reason that fit beside the code: a control frame has 125 at most."""

_medium = struct.Struct("!BBH").pack
_large = struct.Struct("!BBQ").pack
HEADS = {
    opcode: tuple(bytes((_FIN | opcode, size)) for size in range(SHORT))
    for opcode in (TEXT, BINARY, CLOSE, PING, PONG)
}
"""What goes before a payload of fewer bytes than that, by opcode and size."""


def frame(opcode: int, payload: bytes) -> bytes:
    """One whole frame. A control frame's payload has 125 bytes at most: not checked here."""
    size = len(payload)
    if size < SHORT:
        return HEADS[opcode][size] + payload
    if size < _LONG:
        return _medium(_FIN | opcode, 126, size) + payload
    return _large(_FIN | opcode, 127, size) + payload


def text(message: str) -> bytes:
    """Raises `UnicodeEncodeError` for lone surrogates: they are no text on the wire."""
    return frame(TEXT, message.encode())


def binary(message: bytes) -> bytes:
    return frame(BINARY, message)


def close(code: int, reason: str = "") -> bytes:
    """1005 stands for a close without a code. A reason too long for it is cut, between characters.

    Raises `ValueError` for a code that may not be on the wire.
    """
    if code == CloseCode.NO_STATUS:
        return frame(CLOSE, b"")
    if not may_be_sent(code):
        raise ValueError(f"{code} is no close code that may be sent")
    return frame(CLOSE, code.to_bytes(2, "big") + cut(reason.encode()).encode())


def cut(reason: bytes) -> str:
    """As much of a reason as a close takes, cut between characters."""
    return reason[:REASON].decode(errors="ignore")


def may_be_sent(code: int) -> bool:
    """Whether a close code may be on the wire: RFC 6455, 7.4, and IANA's registry."""
    return 3000 <= code <= 4999 or 1007 <= code <= 1014 or 1000 <= code <= 1003
