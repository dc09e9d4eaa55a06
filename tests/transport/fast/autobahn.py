"""The cases of the Autobahn test suite that need no extension, by their numbers, and its verdicts.

Written anew from what the suite sends and expects (it is a program for Python 2.7): sections 1 to 7
and 10 whole, of 9 the smaller ones. The client is the suite's fuzzing client.
"""

import contextlib
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.transport.wire_frames import BINARY, CLOSE, PING, PONG, TEXT, frame, read

CONTINUATION = 0
PATIENCE = 20.0
GRACE = 0.15
"""Seconds in which a server is to fail fast. Not to: `NON-STRICT`, which is no failure."""

PAUSE = None
"""In what is sent: wait whether the server fails the connection."""

Event = tuple[str, bytes]

HELLO = b"Hello, world!"
BOTH = [b"fragment1", b"fragment2"]
KOSME = bytes.fromhex("cebae1bdb9cf83cebcceb5")


def message(payload: bytes) -> Event:
    return ("text", payload)


def binary(payload: bytes) -> Event:
    return ("binary", payload)


def pong(payload: bytes) -> Event:
    return ("pong", payload)


@dataclass(frozen=True)
class Case:
    """What is sent, what is to come of it, and how the connection is to end."""

    name: str
    sends: Sequence[bytes | None]
    expected: list[Event] = field(default_factory=list[Event])
    lenient: list[Event] | None = None
    """What may come instead: `NON-STRICT`."""
    failed: bool = False
    """It is for the server to fail the connection."""
    codes: Sequence[int] = (1000,)
    """With which code, if with any."""
    clean: bool = True
    """It must end by a close handshake."""
    closes: bool = False
    """The case sends its own close."""

    def __str__(self) -> str:
        return self.name


@dataclass
class Outcome:
    """What came, and the suite's two verdicts on it."""

    received: list[Event] = field(default_factory=list)
    code: int | None = None
    closed: bool = False
    ended: bool = False
    behaviour: str = "FAILED"
    closing: str = "FAILED"

    @property
    def over(self) -> bool:
        """The server has closed it, or just ended it."""
        return self.closed or self.ended

    @property
    def passed(self) -> bool:
        return self.behaviour in ("OK", "NON-STRICT") and self.closing == "OK"


class Client:
    """The suite's end of one connection."""

    def __init__(self, port: int, path: str = "/echo") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = bytearray()
        self.outcome = Outcome()
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self.data:
            piece = self.socket.recv(4096)
            assert piece, "no answer to the handshake"
            self.data += piece
        head, _, rest = bytes(self.data).partition(b"\r\n\r\n")
        assert b" 101 " in head, head
        self.data = bytearray(rest)

    def send(self, data: bytes) -> None:
        # A server that has failed the connection need not take the rest.
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(data)

    def hear(self, timeout: float = PATIENCE) -> bool:
        """Take what comes next, unless nothing does in time. Whether anything did."""
        self.socket.settimeout(timeout)
        try:
            piece = self.socket.recv(1 << 18)
        except TimeoutError:
            return False
        except ConnectionError:
            piece = b""
        self.data += piece
        end = 0
        for opcode, payload, at in read(self.data):
            end = at
            self._frame(opcode, payload)
        del self.data[:end]
        self.outcome.ended = not piece
        return True

    def _frame(self, opcode: int, payload: bytes) -> None:
        assert not self.outcome.closed, "a frame after the close frame"
        if opcode == CLOSE:
            self.outcome.closed = True
            if payload:
                self.outcome.code = struct.unpack("!H", payload[:2])[0]
                payload[2:].decode()
        else:
            names = {TEXT: "text", BINARY: "binary", PING: "ping", PONG: "pong"}
            self.outcome.received.append((names[opcode], payload))

    def play(self, case: Case) -> None:
        """Send all of it, and wait for what is expected, unless the server ends it."""
        outcome = self.outcome
        for data in case.sends:
            if outcome.over:
                return
            if data is not None:
                self.send(data)
            elif not self.hear(GRACE):
                outcome.received.append(("timeout", b""))
        if not case.failed and not case.closes:
            while outcome.received != case.expected and not outcome.over and self.hear():
                pass

    def end(self, case: Case) -> None:
        """Wait for the server to end the connection, after a close where it takes one."""
        outcome = self.outcome
        if not case.failed and not case.closes and not outcome.over:
            self.send(frame(CLOSE, struct.pack("!H", 1000)))
        while not outcome.ended and self.hear():
            if outcome.closed and case.failed:
                self.send(frame(CLOSE, struct.pack("!H", outcome.code or 1000)))
        self.socket.close()


def run(case: Case, port: int) -> Outcome:
    """The case against a server that echoes."""
    client = Client(port)
    client.play(case)
    outcome = client.outcome
    too_soon = outcome.over and not case.failed
    client.end(case)
    if outcome.received == case.expected:
        outcome.behaviour = "OK"
    elif outcome.received == case.lenient:
        outcome.behaviour = "NON-STRICT"
    outcome.closing = closing_of(case, outcome, too_soon)
    return outcome


def closing_of(case: Case, outcome: Outcome, too_soon: bool) -> str:
    if not outcome.ended:
        return "FAILED BY CLIENT"
    if too_soon and not case.closes:
        return "WRONG ENDPOINT"
    if case.clean and not outcome.closed:
        return "UNCLEAN"
    if outcome.code is not None and outcome.code not in case.codes:
        return "WRONG CODE"
    return "OK"


def octets(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def chops(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def fragments(opcode: int, payload: bytes, size: int) -> list[bytes]:
    pieces = chops(payload, size) or [b""]
    return [
        frame(CONTINUATION if number else opcode, piece, fin=number == len(pieces) - 1)
        for number, piece in enumerate(pieces)
    ]


def broken(
    name: str,
    sends: Sequence[bytes | None],
    expected: Sequence[Event] = (),
    codes: Sequence[int] = (1002,),
    lenient: list[Event] | None = None,
) -> Case:
    """One that the server must fail."""
    return Case(name, sends, list(expected), lenient, failed=True, codes=codes, clean=False)


def framing() -> Iterator[Case]:
    sizes = [0, 125, 126, 127, 128, 65535, 65536, 65536]
    for kind, opcode, event in ((1, TEXT, message), (2, BINARY, binary)):
        for number, size in enumerate(sizes, 1):
            payload = (b"*" if opcode == TEXT else b"\xfe") * size
            data = frame(opcode, payload)
            sends = chops(data, 997) if number == 8 else [data]
            yield Case(f"1.{kind}.{number}", sends, [event(payload)])


def pings() -> Iterator[Case]:
    payloads = [b"", b"Hello, world!", bytes((0x00, 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0x00, 0xFF))]
    for number, payload in enumerate([*payloads, b"\xfe" * 125], 1):
        yield Case(f"2.{number}", [frame(PING, payload)], [pong(payload)])
    yield broken("2.5", [frame(PING, b"\xfe" * 126)])
    yield Case("2.6", octets(frame(PING, b"\xfe" * 125)), [pong(b"\xfe" * 125)])
    yield Case("2.7", [frame(PONG)])
    yield Case("2.8", [frame(PONG, b"unsolicited pong payload")])
    yield Case("2.9", [frame(PONG, b"unsolicited"), frame(PING, b"ping")], [pong(b"ping")])
    ten = [b"payload-%d" % number for number in range(10)]
    yield Case("2.10", [frame(PING, each) for each in ten], [pong(each) for each in ten])
    chopped = [octet for each in ten for octet in octets(frame(PING, each))]
    yield Case("2.11", chopped, [pong(each) for each in ten])


def reserved() -> Iterator[Case]:
    text, ping = frame(TEXT, HELLO), frame(PING)
    yield broken("3.1", [frame(TEXT, HELLO, reserved=1)])
    for number, bits in ((2, 2), (3, 3), (4, 4)):
        sends = [text, frame(TEXT, HELLO, reserved=bits), ping]
        if number == 3:
            yield broken("3.3", [b"".join(sends)], [message(HELLO)], lenient=[])
        chopped = octets(b"".join(sends))
        chosen: list[bytes] = chopped if number == 4 else sends
        yield broken(f"3.{number}" + "+" * (number == 3), chosen, [message(HELLO)], lenient=[])
    yield broken("3.5", [frame(BINARY, b"\0\xff\xfe", reserved=5)])
    yield broken("3.6", [frame(PING, HELLO, reserved=6)])
    yield broken("3.7", [frame(CLOSE, b"\x03\xe8", reserved=7)])


def opcodes() -> Iterator[Case]:
    for section, first in ((1, 3), (2, 11)):
        for number in range(1, 6):
            opcode = first + number - 1
            odd = frame(opcode, HELLO if number % 2 == 0 else b"")
            name = f"4.{section}.{number}"
            if number < 3:
                yield broken(name, [odd])
                continue
            sends = [frame(TEXT, HELLO), odd, frame(PING)]
            chosen = octets(b"".join(sends)) if number > 3 else sends
            yield broken(name, chosen, [message(HELLO)], lenient=[])


def fragmentation() -> Iterator[Case]:
    one, two = frame(TEXT, BOTH[0], fin=False), frame(CONTINUATION, BOTH[1])
    ping = frame(PING, b"ping payload")
    whole, answer = message(b"".join(BOTH)), pong(b"ping payload")
    yield broken("5.1", [frame(PING, BOTH[0], fin=False), two])
    yield broken("5.2", [frame(PONG, BOTH[0], fin=False), two])
    for number, sends in ((3, [one + two]), (4, [one, two]), (5, octets(one + two))):
        yield Case(f"5.{number}", sends, [whole])
    three = one + ping + two
    for number, sends in ((6, [three]), (7, [one, ping, two]), (8, octets(three))):
        yield Case(f"5.{number}", sends, [answer, whole])
    text = frame(TEXT, HELLO)
    for first, fin in ((9, True), (12, False)):
        stray = frame(CONTINUATION, b"non-continuation payload", fin=fin)
        yield broken(f"5.{first}", [stray + text])
        yield broken(f"5.{first + 1}", [stray, text])
        yield broken(f"5.{first + 2}", octets(stray + text))
    stray = frame(CONTINUATION, b"fragment3", fin=False)
    yield broken("5.15", [one + two + stray + text], [whole], lenient=[])
    for number, fin in ((16, False), (17, True)):
        turn = frame(CONTINUATION, BOTH[0], fin=fin) + frame(TEXT, BOTH[1], fin=False) + two
        yield broken(f"5.{number}", [turn, turn])
    yield broken("5.18", [one, frame(TEXT, BOTH[1])])
    parts = [b"fragment%d" % number for number in range(1, 6)]
    more = [frame(CONTINUATION, part, fin=part == parts[4]) for part in parts[1:]]
    pings = [frame(PING, b"pongme 1!"), frame(PING, b"pongme 2!")]
    sends = [one, more[0], pings[0], more[1], more[2], pings[1], more[3]]
    events = [pong(b"pongme 1!"), pong(b"pongme 2!"), message(b"".join(parts))]
    yield Case("5.19", [b"".join(sends[:3]), b"".join(sends[3:])], events)
    yield Case("5.20", sends, events)


def utf8() -> Iterator[Case]:
    yield Case("6.1.1", [frame(TEXT)], [message(b"")])
    three = [frame(TEXT, fin=False), frame(CONTINUATION, fin=False), frame(CONTINUATION)]
    yield Case("6.1.2", three, [message(b"")])
    middle = frame(CONTINUATION, b"middle frame payload", fin=False)
    yield Case("6.1.3", [three[0], middle, three[2]], [message(b"middle frame payload")])
    valid = "Hello-µ@ßöäüàá-UTF-8!!".encode()
    yield Case("6.2.1", [frame(TEXT, valid)], [message(valid)])
    yield Case("6.2.2", fragments(TEXT, valid, 12), [message(valid)])
    yield Case("6.2.3", fragments(TEXT, valid, 1), [message(valid)])
    yield Case("6.2.4", fragments(TEXT, KOSME, 1), [message(KOSME)])
    invalid = KOSME + b"\xed\xa0\x80" + b"edited"
    yield broken("6.3.1", [frame(TEXT, invalid)], codes=(1007,))
    yield broken("6.3.2", fragments(TEXT, invalid, 1), codes=(1007,))
    large = KOSME + b"\xf4\x90\x80\x80" + b"edited"
    at = len(KOSME)
    timeout = ("timeout", b"")
    for number, (first, second) in ((1, (at, at + 4)), (2, (at + 1, at + 2))):
        pieces = [large[:first], large[first:second], large[second:]]
        frames = [frame(TEXT, pieces[0], fin=False), frame(CONTINUATION, pieces[1], fin=False)]
        chopped: list[bytes | None] = [frames[0], PAUSE, frames[1], PAUSE]
        chopped.append(frame(CONTINUATION, pieces[2]))
        yield broken(f"6.4.{number}", chopped, [timeout], (1007,), lenient=[timeout, timeout])
        data = frame(TEXT, large)
        head = len(data) - len(large)
        cuts = [data[: head + first], PAUSE, data[head + first : head + second], PAUSE]
        cuts.append(data[head + second :])
        yield broken(f"6.4.{number + 2}", cuts, [timeout], (1007,), lenient=[timeout, timeout])
    for section, sequences in enumerate(utf8_sequences(), 5):
        for number, payload in enumerate(sequences, 1):
            name = f"6.{section}.{number}"
            try:
                payload.decode()
            except UnicodeDecodeError:
                yield broken(name, [frame(TEXT, payload)], codes=(1007,))
            else:
                yield Case(name, [frame(TEXT, payload)], [message(payload)])


def utf8_sequences() -> Iterator[list[bytes]]:
    """Those of Markus Kuhn's test file, as the suite has them."""
    yield [f"hello{each}world".encode() for each in "$\u00a2\u20ac\U00024b62"] + [KOSME]
    yield [KOSME[:end] for end in range(1, len(KOSME) + 1)]
    for text in (
        "00 c280 e0a080 f0908080",
        "f888808080 fc8480808080",
        "7f dfbf efbfbf f48fbfbf",
        "f7bfbfbf fbbfbfbfbf fdbfbfbfbfbf",
        "ed9fbf ee8080 efbfbd f48fbfbf f4908080",
    ):
        yield [bytes.fromhex(each) for each in text.split()]
    stray = [bytes.fromhex("80bf80bf80bf")[:size] for size in range(1, 7)]
    yield [*stray, b"\xbf", bytes(range(0x80, 0xBF))]
    lonely = [(0xC0, 0xDF), (0xE0, 0xEF), (0xF0, 0xF7), (0xF8, 0xFB), (0xFC, 0xFD)]
    yield [b"".join(bytes((each, 0x20)) for each in range(low, high)) for low, high in lonely]
    missing = "c0 e080 f08080 f8808080 fc80808080 df efbf f7bfbf fbbfbfbf fdbfbfbfbf"
    yield [bytes.fromhex(each) for each in missing.split()]
    for text in (
        missing.replace(" ", ""),
        "fe ff fefeffff",
        "c0af e080af f08080af f8808080af fc80808080af",
        "c1bf e09fbf f08fbfbf f887bfbfbf fc83bfbfbfbf",
        "c080 e08080 f0808080 f880808080 fc8080808080",
        "eda080 edadbf edae80 edafbf edb080 edbe80 edbfbf",
        "eda080edb080 eda080edbfbf edadbfedb080 edadbfedbfbf edae80edb080 edae80edbfbf",
        "edafbfedb080 edafbfedbfbf",
    ):
        yield [bytes.fromhex(each) for each in text.split()]
    noncharacters = [plane << 16 | 0xFFFE | last for plane in range(17) for last in (0, 1)]
    yield [chr(each).encode() for each in noncharacters]
    yield [chr(each).encode() for each in range(0xFFF9, 0x10000)]


def closing() -> Iterator[Case]:
    normal = frame(CLOSE, b"\x03\xe8")
    yield Case("7.1.1", [frame(TEXT, HELLO)], [message(HELLO)])
    for number, after in ((2, frame(CLOSE)), (3, frame(PING)), (4, frame(TEXT, HELLO))):
        yield Case(f"7.1.{number}", [normal + after], closes=True)
        yield Case(f"7.1.{number}+", [normal, after], closes=True)
    first, second = frame(TEXT, BOTH[0], fin=False), frame(CONTINUATION, BOTH[1])
    yield Case("7.1.5", [first, normal, second], closes=True)
    yield Case("7.1.5+", [first + normal + second], closes=True)
    yield Case("7.3.1", [frame(CLOSE)], closes=True)
    yield broken("7.3.2", [frame(CLOSE, b"a")])
    yield Case("7.3.3", [normal], closes=True)
    yield Case("7.3.4", [frame(CLOSE, b"\x03\xe8Hello World!")], closes=True)
    yield Case("7.3.5", [frame(CLOSE, b"\x03\xe8" + b"*" * 123)], closes=True)
    yield broken("7.3.6", [frame(CLOSE, b"\x03\xe8" + b"*" * 124)])
    odd = frame(CLOSE, b"\x03\xe8" + KOSME + b"\xed\xa0\x80edited")
    yield broken("7.5.1", [odd], codes=(1002, 1007))
    valid = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014]
    for number, code in enumerate([*valid, 3000, 3999, 4000, 4999], 1):
        data = frame(CLOSE, code.to_bytes(2, "big"))
        yield Case(f"7.7.{number}", [data], codes=(1000, code), closes=True)
    invalid = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]
    for number, code in enumerate(invalid, 1):
        yield broken(f"7.9.{number}", [frame(CLOSE, code.to_bytes(2, "big"))])


def limits() -> Iterator[Case]:
    for kind, opcode, event in ((1, TEXT, message), (2, BINARY, binary)):
        for number, size in enumerate((1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 23), 1):
            payload = b"*" * size
            yield Case(f"9.{kind}.{number}", [frame(opcode, payload)], [event(payload)])
        payload = b"*" * (1 << 20)
        for number, size in enumerate((1 << 8, 1 << 12, 1 << 16, 1 << 20), 1):
            data = b"".join(fragments(opcode, payload, size))
            yield Case(f"9.{kind + 2}.{number}", [data], [event(payload)])
        for number, size in enumerate((1 << 10, 1 << 13, 1 << 16), 1):
            data = frame(opcode, payload)
            yield Case(f"9.{kind + 4}.{number}", chops(data, size), [event(payload)])
        for number, size in enumerate((0, 16, 64, 256, 1024, 4096), 1):
            small = b"*" * size
            sends = [frame(opcode, small)] * 100
            yield Case(f"9.{kind + 6}.{number}", [b"".join(sends)], [event(small)] * 100)
    payload = b"*" * 65536
    yield Case("10.1.1", fragments(TEXT, payload, 1300), [message(payload)])


def beyond() -> Iterator[Case]:
    """What the suite does not ask, but the standard."""
    yield broken("unmasked", [frame(TEXT, HELLO, mask=None)])
    yield broken("16 bits for a short length", [frame(TEXT, HELLO, width=2)])
    yield broken("64 bits for a short length", [frame(TEXT, HELLO, width=8)])
    yield broken("64 bits for a medium length", [frame(TEXT, b"*" * 300, width=8)])
    yield broken("a length of 64 bits and a sign", [b"\x81\xff" + b"\xff" * 8 + bytes(4)])
    yield broken("too big", [frame(BINARY)[:1] + b"\xff" + bytes(4) + b"\x7f" * 8], codes=(1009,))
    masks = [bytes((1, 2, 3, 4)), b"\xff" * 4, b"\0\0\0\1"]
    yield Case("masks", [frame(TEXT, HELLO, mask=each) for each in masks], [message(HELLO)] * 3)


SECTIONS = [framing, pings, reserved, opcodes, fragmentation, utf8, closing, limits]
CASES = [case for section in SECTIONS for case in section()]
BEYOND = list(beyond())
