"""WebSocket frames by hand: a client's, right or wrong, and a server's, read."""

from collections.abc import Iterator

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def masked(payload: bytes, mask: bytes) -> bytes:
    size = len(payload)
    if not size or mask == bytes(4):
        return payload
    whole = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(whole, "big")).to_bytes(size, "big")


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    reserved: int = 0,
    mask: bytes | None = bytes(4),
    width: int = 0,
) -> bytes:
    """A client's frame. `width`: of a length that is longer than it need be (2 or 8 bytes)."""
    size = len(payload)
    if width == 0:
        width = 8 if size > 0xFFFF else 2 if size > 125 else 0
    short = {0: size, 2: 126, 8: 127}[width]
    first = (0x80 if fin else 0) | reserved << 4 | opcode
    head = bytes([first, short | (0 if mask is None else 0x80)])
    if width:
        head += size.to_bytes(width, "big")
    return head + payload if mask is None else head + mask + masked(payload, mask)


def read(data: bytes | bytearray, start: int = 0) -> Iterator[tuple[int, bytes, int]]:
    """A server's frames: the opcode, the payload and where it ends, of each that is whole."""
    at = start
    while at + 2 <= len(data):
        opcode, length = data[at] & 0xF, data[at + 1]
        assert data[at] & 0xF0 == 0x80, "the server fragments, or sets reserved bits"
        at += 2
        if length == 126:
            length = int.from_bytes(data[at : at + 2], "big")
            at += 2
        elif length == 127:
            length = int.from_bytes(data[at : at + 8], "big")
            at += 8
        if at + length > len(data):
            return
        at += length
        yield opcode, bytes(data[at - length : at]), at
