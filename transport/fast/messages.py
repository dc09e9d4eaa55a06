"""From a client's frames to whole messages, without I/O (RFC 6455, 5.4 to 5.6 and 8.1).

What a frame parser leaves open is decided here: fragments and what may come between them, reserved
bits, UTF-8 across fragments, the size of a whole message, what a close may say.
"""

import codecs
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from .. import _frames as frames
from ..exceptions import CloseCode

Data: TypeAlias = str | bytes

_CONTINUATION = 0x0
_CONTROL = 0x8
"""The bit that control frames have."""
_PAYLOAD = 125
"""Bytes of a control frame at most."""
_NOTHING = 1 << 62
"""No limit, where none is set."""

_decoder = codecs.getincrementaldecoder("utf-8")


class Closed(NamedTuple):
    """The client's close. `code` is 1005 if it has none."""

    code: int
    reason: str


class Violation(NamedTuple):
    """Why the connection must fail, and the code to fail it with."""

    code: int
    reason: str


class Messages:
    """What came of the frames so far. Whoever feeds it takes `burst` and `pings` away.

    `max_size`: bytes of one message, all its fragments together; `None`: any number.
    """

    __slots__ = ("_decode", "_parts", "_size", "between", "burst", "end", "max_size", "pings")

    def __init__(self, max_size: int | None) -> None:
        self.max_size = _NOTHING if max_size is None else max_size
        self.burst: list[Data] = []
        """Whole messages, in order."""
        self.pings: list[bytes] = []
        """Payloads to be sent back, in order."""
        self.end: Closed | Violation | None = None
        """Nothing counts that comes after it."""
        self.between = True
        """No message is half there, and none is refused: a whole one may follow."""
        self._parts: list[Data] = []
        self._decode: Callable[[bytes, bool], str] | None = None
        self._size = 0

    def frame(self, opcode: int, fin: bool, rsv: bool, payload: bytes) -> None:
        """The next frame, unmasked; `rsv`: whether any reserved bit is set."""
        if self.end is not None:
            return
        if rsv:
            self.fail(
                CloseCode.PROTOCOL_ERROR, "a reserved bit is set, and no extension was agreed on"
            )
        elif opcode & _CONTROL:
            self._control(opcode, fin, payload)
        elif opcode == _CONTINUATION:
            if self.between:
                self.fail(CloseCode.PROTOCOL_ERROR, "a continuation of nothing")
            else:
                self._data(fin, payload)
        elif opcode not in (frames.TEXT, frames.BINARY):
            self.fail(CloseCode.PROTOCOL_ERROR, f"opcode {opcode} is reserved")
        elif not self.between:
            self.fail(CloseCode.PROTOCOL_ERROR, "a new message inside a fragmented one")
        else:
            self._decode = _decoder().decode if opcode == frames.TEXT else None
            self.between = False
            self._data(fin, payload)

    def fail(self, code: int, reason: str) -> None:
        """The connection must fail; the first reason counts."""
        if self.end is None:
            self._finish(Violation(code, reason))

    def _finish(self, end: Closed | Violation) -> None:
        self.end = end
        self.between = False
        self._parts = []
        self._decode = None

    def _data(self, fin: bool, payload: bytes) -> None:
        self._size += len(payload)
        if self._size > self.max_size:
            self.fail(CloseCode.TOO_BIG, f"a message of more than {self.max_size} bytes")
            return
        decode = self._decode
        if decode is None:
            self._parts.append(payload)
        else:
            try:
                self._parts.append(decode(payload, fin))
            except UnicodeDecodeError:
                self.fail(CloseCode.INVALID_DATA, "text that is not UTF-8")
                return
        if fin:
            empty: Data = b"" if decode is None else ""
            self.burst.append(empty.join(self._parts))  # type: ignore[arg-type]  # all of one kind
            self.between = True
            self._parts = []
            self._decode = None
            self._size = 0

    def _control(self, opcode: int, fin: bool, payload: bytes) -> None:
        if not fin:
            self.fail(CloseCode.PROTOCOL_ERROR, "a fragmented control frame")
        elif len(payload) > _PAYLOAD:
            self.fail(CloseCode.PROTOCOL_ERROR, f"a control frame of more than {_PAYLOAD} bytes")
        elif opcode == frames.PING:
            self.pings.append(payload)
        elif opcode == frames.CLOSE:
            self._close(payload)
        elif opcode != frames.PONG:
            self.fail(CloseCode.PROTOCOL_ERROR, f"opcode {opcode} is reserved")

    def _close(self, payload: bytes) -> None:
        if not payload:
            self._finish(Closed(CloseCode.NO_STATUS, ""))
            return
        code = int.from_bytes(payload[:2], "big")
        if len(payload) < 2 or not frames.may_be_sent(code):
            self.fail(CloseCode.PROTOCOL_ERROR, "a close with a code that is none")
            return
        try:
            reason = payload[2:].decode()
        except UnicodeDecodeError:
            self.fail(CloseCode.INVALID_DATA, "a close with a reason that is not UTF-8")
            return
        self._finish(Closed(code, reason))
