"""What hostile clients send: frames of all kinds, each with the answer that is due.

All of it is made from one `random.Random`, which a seed or Hypothesis may stand behind.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from tests.transport.oracle import (
    MAX_DEPTH,
    MAX_SIZE,
    SERVER_SIZE,
    Closed,
    Due,
    Error,
    Reply,
    Unsaid,
    malformed,
    of_json,
    of_messagepack,
)
from tests.transport.wire_frames import BINARY, CLOSE, PING, PONG, TEXT, frame


@dataclass(frozen=True)
class Case:
    """What goes over the wire, and what is due. `frames`: how many that is."""

    kind: str
    wire: bytes
    due: Due
    frames: int = 1
    pongs: tuple[bytes, ...] = ()
    cut: bool = False
    """Whether the client is gone after it."""


SIZES = [0, 1, 2, 124, 125, 126, 127, 128, 65534, 65535, 65536, 65537, MAX_SIZE - 1, MAX_SIZE]
TOO_LARGE = [MAX_SIZE + 1, SERVER_SIZE - 1, SERVER_SIZE, SERVER_SIZE + 1, SERVER_SIZE + 5000]
LETTERS = 'abcxyz 0123456789{}[]",:\\/\n\t\0\x7fé߿ࠀ￿\U0001f600\U0010ffff'
BAD_UTF8 = [
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xf4\x90\x80\x80",
    b"\xe2\x82",
]
TAGS = ["say", "number", "draw", "level", "count", "private", "error", "", "Say", 1, None, [], {}]
NUMBERS = ["0", "-0", "1", "-1", "100", "101", "1.0", "1e2", "1.5", "1e308", "1e400", "-1e400"]
NUMBERS += ["1e-400", "9" * 18, str(2**63), str(2**64), "9" * 40, "9" * 5000, "-" + "9" * 5000]
NUMBERS += ["01", "+1", "1.", ".5", "-", "0x1", "1e", "NaN", "Infinity", "-Infinity", "1_0"]


class Garbage:
    """Makes cases. `wsproto`: whether that is what the server's frames are read by."""

    def __init__(self, rng: random.Random, *, wsproto: bool) -> None:
        self.rng = rng
        self._wsproto = wsproto

    # Content.

    def _text(self) -> str:
        rng = self.rng
        choice = rng.random()
        if choice < 0.6:
            return "".join(rng.choices(LETTERS, k=rng.randrange(12)))
        if choice < 0.9:
            return "x" * rng.randrange(100, 150)
        return "é" * rng.choice([60, 62, 63, 64])

    def _any(self, depth: int = 0) -> Any:
        rng = self.rng
        choice = rng.randrange(9 if depth < 4 else 7)
        if choice == 7:
            return [self._any(depth + 1) for _ in range(rng.randrange(4))]
        if choice == 8:
            return {self._key(): self._any(depth + 1) for _ in range(rng.randrange(4))}
        scalars: list[Any] = [None, True, False, rng.randrange(-200, 200), 2**40, 0.5, self._text()]
        return scalars[choice]

    def _key(self) -> str:
        keys = ["type", "text", "value", "points", "label", "of", "id", "x", "y", "other"]
        return self.rng.choice(keys) if self.rng.random() < 0.9 else self._text()

    def valid(self) -> dict[str, Any]:
        """A message that is handled, with fields that nobody knows now and then."""
        rng = self.rng
        kind = rng.randrange(6)
        message: dict[str, Any]
        if kind <= 1:
            message = {"type": "say", "text": self._text()}
        elif kind == 2:
            message = {"type": "number", "value": rng.choice([0, -1, 1.5, 2**53, 1e300])}
        elif kind == 3:
            points = [{"x": rng.randrange(99), "y": -1} for _ in range(rng.randrange(4))]
            message = {"type": "draw", "points": points}
            if rng.random() < 0.5:
                message["label"] = rng.choice([None, "", "a"])
        elif kind == 4:
            message = {"type": "level", "value": rng.randrange(101)}
        else:
            message = {"type": "count", "of": [True] * rng.randrange(5)}
            if rng.random() < 0.7:
                message["id"] = rng.choice([0, -(2**63), 2**63 - 1, "", "an id", None])
        if rng.random() < 0.2:
            message["unknown"] = self._any()
        if rng.random() < 0.2:
            message = dict(sorted(message.items(), key=lambda _: rng.random()))
        return message

    def wrong(self) -> Any:
        """A message with something of it replaced, removed or of the wrong type."""
        rng = self.rng
        if rng.random() < 0.2:
            return self._any()
        message = self.valid()
        key = rng.choice(list(message))
        choice = rng.randrange(4)
        if choice == 0:
            del message[key]
        elif choice == 1:
            message[key] = self._any()
        elif choice == 2:
            message["type"] = rng.choice(TAGS)
        elif message.get("points"):
            rng.choice(message["points"])[rng.choice("xy")] = self._any()
        else:
            message["value"] = rng.choice([-1, 101, 2**70, 1.0, True, "1"])
        return message

    def json(self) -> str:
        """A text for a client that speaks JSON."""
        rng = self.rng
        choice = rng.random()
        if choice < 0.35:
            return self._dumps(self.valid())
        if choice < 0.6:
            return self._dumps(self.wrong())
        if choice < 0.8:
            return self._mangled(self._dumps(self.valid()))
        if choice < 0.88:
            number = rng.choice(NUMBERS)
            where = rng.choice(['"number","value":', '"level","value":', '"say","text":"a","x":'])
            return f'{{"type":{where}{number}}}'
        if choice < 0.94:
            return self._deep_json()
        if choice < 0.97:
            escape = rng.choice(["\\ud800", "\\udfff", "\\ud83d\\ude00", "\\u0000", "\\x", "\\u12"])
            where = rng.choice(['"text":"%s"', '"text":"a","%s":1', '"text":"a","x":"%s"'])
            return '{"type":"say",' + where.replace("%s", escape) + "}"
        return rng.choice(["", "\ufeff{}", "{}", "null", "'a'", "//", '"', self._text()])

    def _dumps(self, value: Any) -> str:
        spaced = self.rng.random() < 0.2
        return json.dumps(
            value,
            ensure_ascii=self.rng.random() < 0.5,
            separators=(" ,\n", "\t: ") if spaced else (",", ":"),
        )

    def _mangled(self, text: str) -> str:
        rng = self.rng
        at = rng.randrange(len(text) + 1)
        choice = rng.randrange(4)
        if choice == 0:
            return text[:at]
        if choice == 1:
            return text[:at] + rng.choice(LETTERS) + text[at:]
        if choice == 2:
            return text[:at] + text[at + 1 :]
        return text + rng.choice(["}", " ", "\n", "{}", ",", "\0", "x"])

    def _deep_json(self) -> str:
        rng = self.rng
        depth = rng.choice([MAX_DEPTH - 2, MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 140, 5000])
        if rng.random() < 0.5:
            inner = "[" * depth + "]" * rng.choice([depth, depth, 0])
        else:
            inner = '{"a":' * depth + "1" + "}" * rng.choice([depth, depth, 0])
        return rng.choice(['{"type":"say","text":"deep","x":%s}', "%s", '["%s"]']) % inner

    def packed(self) -> bytes:
        """Bytes for a client that speaks MessagePack."""
        rng = self.rng
        choice = rng.random()
        if choice < 0.35:
            return self._pack(self.valid())
        if choice < 0.6:
            return self._pack(self.wrong())
        if choice < 0.85:
            data = bytearray(self._pack(self.valid()))
            at = rng.randrange(len(data))
            change = rng.randrange(4)
            if change == 0:
                del data[at:]
            elif change == 1:
                data[at] = rng.randrange(256)
            elif change == 2:
                data.insert(at, rng.randrange(256))
            else:
                data.append(rng.randrange(256))
            return bytes(data)
        if choice < 0.88:
            message = self.valid()
            key = rng.choice(["text", "label", "id", "unknown"])
            message[key] = "\0" * 4
            return self._pack(message).replace(b"\0" * 4, rng.choice(BAD_UTF8).rjust(4))
        if choice < 0.92:
            depth = rng.choice([MAX_DEPTH - 2, MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 140, 5000])
            head = b"\x83\xa4type\xa3say\xa4text\xa1a\xa1x"
            return head + b"\x91" * depth + rng.choice([b"\xc0", b"\xc0", b""])
        return rng.randbytes(rng.randrange(60))

    def _pack(self, value: Any) -> bytes:
        try:
            return msgspec.msgpack.encode(value)
        except OverflowError:  # past 64 bits
            return b"\xcf" + b"\xff" * 8

    # Frames.

    def _mask(self) -> bytes:
        return self.rng.choice([bytes(4), b"\xff" * 4, self.rng.randbytes(4)])

    def control(self) -> tuple[bytes, tuple[bytes, ...]]:
        """A ping or a pong, and the pongs that are due to it."""
        rng = self.rng
        payload = rng.randbytes(rng.choice([0, 1, 4, 124, 125]))
        if rng.random() < 0.7:
            return frame(PING, payload, mask=self._mask()), (payload,)
        return frame(PONG, payload, mask=self._mask()), ()

    def _pieces(self, opcode: int, payload: bytes) -> Case:
        """A message in fragments, with control frames in between."""
        rng = self.rng
        cuts = sorted(rng.randrange(len(payload) + 1) for _ in range(rng.randrange(1, 5)))
        bounds = [0, *cuts, len(payload)]
        wire, pongs, count = b"", (), 0
        for number in range(len(bounds) - 1):
            piece = payload[bounds[number] : bounds[number + 1]]
            last = number == len(bounds) - 2
            wire += frame(opcode if number == 0 else 0, piece, fin=last, mask=self._mask())
            count += 1
            if not last and rng.random() < 0.4:
                control, due = self.control()
                wire, pongs, count = wire + control, pongs + due, count + 1
        return Case("fragments", wire, None, count, pongs)

    def _carry(self, kind: str, opcode: int, payload: bytes, due: Due) -> Case:
        if self.rng.random() < 0.25:
            case = self._pieces(opcode, payload)
            return Case(kind, case.wire, due, case.frames, case.pongs)
        return Case(kind, frame(opcode, payload, mask=self._mask()), due)

    def say(self, text: str, route: str) -> Case:
        """What is answered on each route."""
        if route == "plain":
            return Case("fence", frame(TEXT, text.encode()), Reply(text))
        message = {"type": "say", "text": text}
        if route == "packed":
            return Case("fence", frame(BINARY, msgspec.msgpack.encode(message)), Reply(text))
        return Case("fence", frame(TEXT, json.dumps(message).encode()), Reply(text))

    def case(self, route: str) -> Case:
        """Anything that leaves the connection open, or nearly so: `strict` closes."""
        rng = self.rng
        choice = rng.random()
        if choice < 0.1:
            wire, pongs = self.control()
            return Case("control", wire, None, 1, pongs)
        if choice < 0.13:
            return self._sized(route)
        if route == "plain":
            if rng.random() < 0.5:
                text = self._text()
                return self._carry("text", TEXT, text.encode(), Reply(text))
            data = rng.randbytes(rng.randrange(300))
            return self._carry("bytes", BINARY, data, Reply(data))
        packs = route == "packed" or (route == "both" and rng.random() < 0.5)
        if choice < 0.2:
            return self._truncated(route, packs)
        if packs:
            data = self.packed()
            try:
                due = of_messagepack(data)
            except Unsaid:
                return self.say("instead", route)
            return self._carry("messagepack", BINARY, data, due)
        text = self.json()
        found = of_json(text)
        if route == "strict" and isinstance(found, Error):
            return self._carry("strict", TEXT, text.encode(), Closed(1008, found))
        return self._carry("json", TEXT, text.encode(), found)

    def _truncated(self, route: str, packs: bool) -> Case:
        """The beginning of a message, which breaks off before anything is wrong with it."""
        message = self.valid()
        data = self._pack(message) if packs else self._dumps(message).encode()
        piece = data[: self.rng.randrange(len(data))]
        if not packs:
            piece = piece.decode(errors="ignore").encode()
        due: Due = Closed(1008, malformed()) if route == "strict" else malformed()
        return self._carry("truncated", BINARY if packs else TEXT, piece, due)

    def _sized(self, route: str) -> Case:
        """A message of a size at one of the borders."""
        size = self.rng.choice(SIZES)
        if route == "plain":
            if self.rng.random() < 0.5:
                return self._carry("size", BINARY, bytes(size), Reply(bytes(size)))
            text = "é" * (size // 2) + "x" * (size % 2)
            return self._carry("size", TEXT, text.encode(), Reply(text))
        if route == "packed":
            head = b"\x82\xa4type\xa3say\xa4text\xdb"
            text = "x" * max(0, size - len(head) - 4)
            data = head + len(text).to_bytes(4, "big") + text.encode()
            return self._carry("size", BINARY, data, Reply(text))
        head, tail = '{"type":"say","text":"', '"}'
        text = "x" * max(0, size - len(head) - len(tail))
        return self._carry("size", TEXT, (head + text + tail).encode(), Reply(text))

    # What ends the connection.

    def fatal(self, route: str) -> Case:
        """Something that a connection does not survive."""
        makers: list[Callable[[str], Case]] = [
            *(self._wrong_kind, self._too_large, self._bad_utf8, self._bad_frame),
            *(self._bad_frame, self._bad_close, self._good_close, self._cut),
        ]
        return self.rng.choice(makers)(route)

    def _wrong_kind(self, route: str) -> Case:
        data = self.rng.choice([b"", b"{}", b"\x80", b"abc"])
        if route in ("json", "strict"):
            return self._carry("wrong kind", BINARY, data, Closed(1003))
        if route == "packed":
            return self._carry("wrong kind", TEXT, data.replace(b"\x80", b""), Closed(1003))
        return self._bad_frame(route)

    def _too_large(self, route: str) -> Case:
        size = self.rng.choice(TOO_LARGE)
        # Too large comes before the wrong kind.
        opcode = self.rng.choice([TEXT, BINARY])
        payload = b"x" * size if self.rng.random() < 0.5 else ("é" * (size // 2 + 1)).encode()
        return self._carry("too large", opcode, payload, Closed(1009))

    def _bad_utf8(self, route: str) -> Case:
        rng = self.rng
        data = rng.choice([b"", b"ok", "é".encode()]) + rng.choice(BAD_UTF8)
        data += rng.choice([b"", b"ok"])
        return self._carry("bad UTF-8", TEXT, data, Closed(1007, by_server=True))

    def _bad_frame(self, route: str) -> Case:
        rng, mask = self.rng, self._mask()
        due = Closed(1002, by_server=True)
        opcode = BINARY if route == "packed" else TEXT
        bad = [
            frame(rng.choice([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]), b"", mask=mask),
            frame(opcode, b"hi", reserved=rng.randrange(1, 8), mask=mask),
            frame(PING, b"", reserved=rng.randrange(1, 8), mask=mask),
            frame(opcode, b"hi", mask=None),
            frame(PING, b"hi", mask=None),
            frame(PING, b"hi", fin=False, mask=mask),
            frame(PONG, bytes(126), mask=mask),
            frame(PING, bytes(300), mask=mask),
            frame(0, b"of nothing", mask=mask),
            frame(0, b"of nothing", fin=False, mask=mask),
            frame(opcode, b"one", fin=False) + frame(opcode, b"two", mask=mask),
            frame(opcode, b"one", fin=False) + frame(0, b"two") + frame(0, b"three", mask=mask),
        ]
        number = rng.randrange(len(bad))
        if number == len(bad) - 1:  # two of its frames are a message, which is answered or not
            return Case("framing", frame(0, b"", mask=mask), due)
        return Case("framing", bad[number], due, 1 + (number == len(bad) - 2))

    def _bad_close(self, route: str) -> Case:
        rng = self.rng
        code = rng.choice([0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535])
        payload, due = rng.choice(
            [
                (code.to_bytes(2, "big"), 1002),
                (code.to_bytes(2, "big") + b"why", 1002),
                (b"\x03", 1002),
                ((1000).to_bytes(2, "big") + b"\xff", 1007),
                ((1000).to_bytes(2, "big") + b"x" * 124, 1002),
            ]
        )
        wire = frame(CLOSE, payload, mask=self._mask())
        return Case("bad close", wire, Closed(due, by_server=True))

    def _good_close(self, route: str) -> Case:
        rng = self.rng
        code = rng.choice([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4999])
        reason = rng.choice([b"", b"bye", "é".encode() * 61])
        wire = frame(CLOSE, code.to_bytes(2, "big") + reason, mask=self._mask())
        return Case("close", wire, Closed(code))

    def _cut(self, route: str) -> Case:
        """Gone in the middle of a frame."""
        whole = self.say("half", route).wire
        return Case("cut", whole[: self.rng.randrange(1, len(whole))], Closed(1006), cut=True)


def flood(count: int) -> list[Case]:
    """What a client that is too fast sends: none of it is looked at."""
    return [Case("flood", frame(TEXT, b"{"), malformed()) for _ in range(count)]
