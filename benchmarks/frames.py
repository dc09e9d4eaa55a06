"""A client's side of WebSocket frames (RFC 6455), without I/O, made for counting.

A load generator in Python is slower than some of the servers it drives unless it does next to
nothing for a reply. So what it sends is framed once, with a fixed mask; and of what it gets, only
the frame headers are looked at.
"""

import struct

_MASK = bytes((0x37, 0xFA, 0x21, 0x3D))  # the example of RFC 6455, section 5.7

TEXT = 0x81
BINARY = 0x82
CLOSE = 0x88
PING = 0x89
PONG = 0x8A


class BrokenReply(Exception):
    """The server sent what this client does not expect."""


def client_frame(payload: bytes, first: int = TEXT) -> bytes:
    """One whole masked frame; `first` is its first byte (FIN and opcode)."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", first, 0x80 | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", first, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, size)
    mask = (_MASK * (size // 4 + 1))[:size]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")
    return head + _MASK + masked.to_bytes(size, "big")


def header(size: int) -> int:
    """Bytes of the header of a server's frame with a payload of that size."""
    return 2 if size < 126 else 4 if size < 1 << 16 else 10


def _end_of_long(data: bytes | bytearray, at: int, size: int) -> int:
    """Where a frame with a 16- or 64-bit length ends; 0 while its header is incomplete."""
    length = data[at + 1]
    if length > 127:
        raise BrokenReply("a masked frame from the server")
    if length == 126:
        return at + 4 + (data[at + 2] << 8 | data[at + 3]) if size - at >= 4 else 0
    return at + 10 + int.from_bytes(data[at + 2 : at + 10], "big") if size - at >= 10 else 0


class FrameCounter:
    """Counts whole data frames in a stream of bytes that may be cut anywhere."""

    __slots__ = ("_carry", "_due", "pings")

    def __init__(self) -> None:
        self._carry = b""  # a header cut in two, or a control frame: rare, so copied
        self._due: int = 0  # bytes of the frame in hand that are still to come
        self.pings: list[bytes] = []
        """Payloads of pings, to be answered and removed by the reader."""

    def feed(self, data: bytes | bytearray, size: int) -> int:
        """Take the first `size` bytes of `data`; returns how many data frames they complete.

        Raises BrokenReply on a close, a fragment, a masked or a reserved frame.
        """
        if self._carry:
            data = self._carry + bytes(data[:size])
            size = len(data)
            self._carry = b""
        at: int = self._due
        if at > size:
            self._due = at - size
            return 0
        count = 1 if at else 0
        self._due = 0
        while size - at >= 2:
            first = data[at]
            end = at + 2 + data[at + 1]
            if data[at + 1] > 125 and not (end := _end_of_long(data, at, size)):
                break
            if first != TEXT and first != BINARY:
                if end > size:
                    break
                self._control(first, bytes(data[at + 2 : end]))
            elif end > size:
                self._due = end - size
                return count
            else:
                count += 1
            at = end
        if at < size:
            self._carry = bytes(data[at:size])
        return count

    def _control(self, first: int, payload: bytes) -> None:
        if first == PING:
            self.pings.append(payload)
        elif first == CLOSE:
            code = int.from_bytes(payload[:2], "big")
            reason = payload[2:].decode(errors="replace")
            raise BrokenReply(f"closed by the server: {code} {reason}")
        elif first != PONG:
            raise BrokenReply(f"an unexpected frame, first byte {first:#04x}")


def whole_frames(data: bytes | bytearray) -> tuple[list[tuple[int, bytes]], int]:
    """First byte and payload of each whole frame in `data`, and how many bytes they took.

    The slow way, for verifying.
    """
    found: list[tuple[int, bytes]] = []
    at = 0
    while len(data) - at >= 2:
        length, start = data[at + 1], at + 2
        if length == 126:
            start = at + 4
        elif length == 127:
            start = at + 10
        if len(data) < start:
            break
        if length > 125:
            length = int.from_bytes(data[at + 2 : start], "big")
        if len(data) < start + length:
            break
        found.append((data[at], bytes(data[start : start + length])))
        at = start + length
    return found, at


def payloads(found: list[tuple[int, bytes]]) -> list[bytes]:
    """The payloads of the data frames among them.

    Pings and pongs are skipped; raises BrokenReply on any other frame.
    """
    for first, payload in found:
        if first not in (TEXT, BINARY, PING, PONG):
            raise BrokenReply(f"an unexpected frame, first byte {first:#04x}: {payload!r}")
    return [payload for first, payload in found if first in (TEXT, BINARY)]
