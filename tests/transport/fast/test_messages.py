"""Frames to messages: any fragments, any cuts, anything between; what is refused. Without I/O."""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transport.wire_frames import BINARY, CLOSE, PING, PONG, TEXT, frame
from transport.fast.messages import Closed, Messages, Violation
from transport.fast.parser import Parser

CONTINUATION = 0
Sent = tuple[int, bool, bytes]

# Some are larger than the parser's buffer is to begin with, and than a frame of 16 bits.
payloads = st.one_of(
    st.text(max_size=200),
    st.binary(max_size=200),
    st.builds(lambda size: "é" * size, st.integers(0, 40_000)),
    st.builds(bytes, st.integers(0, 70_000)),
)
controls = st.lists(st.tuples(st.sampled_from((PING, PONG)), st.binary(max_size=125)), max_size=2)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[list[str | bytes], list[bytes], list[Sent]]:
    """Messages, the pings among them, and the frames they are sent in."""
    messages = draw(st.lists(payloads, max_size=6))
    pings: list[bytes] = []
    sent: list[Sent] = []
    for message in messages:
        data = message.encode() if isinstance(message, str) else message
        ends = draw(st.lists(st.integers(0, len(data)), max_size=4).map(sorted))
        bounds = [0, *ends, len(data)]
        opcode = TEXT if isinstance(message, str) else BINARY
        for start, end in pairwise(bounds):
            for control, payload in draw(controls):
                sent.append((control, True, payload))
                if control == PING:
                    pings.append(payload)
            sent.append((opcode, False, data[start:end]))
            opcode = CONTINUATION
        sent[-1] = (sent[-1][0], True, sent[-1][2])
    return messages, pings, sent


@given(conversations())
def test_any_fragments_make_the_same_messages(talk: Any) -> None:
    expected, pings, sent = talk
    messages = Messages(1 << 20)
    for opcode, fin, payload in sent:
        messages.frame(opcode, fin, False, payload)
    assert (messages.burst, messages.pings, messages.end) == (expected, pings, None)


@given(conversations(), st.data(), st.binary(min_size=4, max_size=4))
def test_any_cuts_of_the_bytes_too(talk: Any, data: Any, mask: bytes) -> None:
    expected, pings, sent = talk
    stream = b"".join(frame(op, payload, fin=fin, mask=mask) for op, fin, payload in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    messages = Messages(1 << 20)

    def parse() -> None:
        parser = Parser(messages)
        for start, end in pairwise([0, *cuts, len(stream)]):
            parser.take(stream[start:end])
            parser.shrink()

    in_a_loop(parse)
    assert (messages.burst, messages.pings, messages.end) == (expected, pings, None)


def in_a_loop(work: Callable[[], None]) -> None:
    """picows wants one to be running."""

    async def main() -> None:
        work()

    asyncio.run(main())


def after(*sent: Sent, max_size: int | None = 100) -> Messages:
    messages = Messages(max_size)
    for opcode, fin, payload in sent:
        messages.frame(opcode, fin, False, payload)
    return messages


BAD_UTF8 = bytes.fromhex("ce ba e1 bd b9 ed a0 80")

REFUSED: dict[str, tuple[int, list[Sent]]] = {
    "a stray continuation": (1002, [(CONTINUATION, True, b"a")]),
    "a new text in a fragmented one": (1002, [(TEXT, False, b"a"), (TEXT, True, b"b")]),
    "a continuation after the last": (1002, [(TEXT, True, b"a"), (CONTINUATION, True, b"b")]),
    "a reserved opcode": (1002, [(3, True, b"")]),
    "a reserved control": (1002, [(11, True, b"")]),
    "a fragmented ping": (1002, [(PING, False, b"")]),
    "a large ping": (1002, [(PING, True, bytes(126))]),
    "bad UTF-8": (1007, [(TEXT, True, BAD_UTF8)]),
    "bad UTF-8 in the second": (1007, [(TEXT, False, b"a"), (CONTINUATION, False, BAD_UTF8)]),
    "half a character": (1007, [(TEXT, False, b"a"), (CONTINUATION, True, b"\xc3")]),
    "one too large": (1009, [(BINARY, True, bytes(101))]),
    "fragments too large": (1009, [(BINARY, False, bytes(60)), (CONTINUATION, False, bytes(41))]),
    "a close of a byte": (1002, [(CLOSE, True, b"a")]),
    "a close without a meaning": (1002, [(CLOSE, True, b"\x03\xed")]),
    "bad UTF-8 in a reason": (1007, [(CLOSE, True, b"\x03\xe8" + BAD_UTF8)]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    code, sent = REFUSED[name]
    end = after(*sent).end
    assert isinstance(end, Violation)
    assert end.code == code


def test_a_reserved_bit_is_refused() -> None:
    messages = Messages(100)
    messages.frame(TEXT, True, True, b"a")
    assert isinstance(messages.end, Violation)
    assert messages.end.code == 1002


@pytest.mark.parametrize("code", [*range(1000, 1004), *range(1007, 1015), 3000, 3999, 4000, 4999])
def test_a_close_is_told_with_its_code_and_reason(code: int) -> None:
    payload = code.to_bytes(2, "big") + "é".encode()
    assert after((CLOSE, True, payload)).end == Closed(code, "é")


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535])
def test_a_code_that_is_none_is_refused(code: int) -> None:
    assert isinstance(after((CLOSE, True, code.to_bytes(2, "big"))).end, Violation)


def test_an_empty_close_is_1005() -> None:
    assert after((CLOSE, True, b"")).end == Closed(1005, "")


@pytest.mark.parametrize("last", [(CLOSE, True, b"\x03\xe8"), (CONTINUATION, True, b"")])
def test_nothing_counts_after_the_end(last: Sent) -> None:
    messages = after((TEXT, True, b"a"), last)
    end = messages.end
    for opcode, fin, payload in [(TEXT, True, b"b"), (PING, True, b"c"), (CLOSE, True, b"d")]:
        messages.frame(opcode, fin, False, payload)
    assert (messages.burst, messages.pings, messages.end) == (["a"], [], end)


def test_sizes_up_to_the_limit_pass_and_each_message_has_its_own() -> None:
    large = [(BINARY, False, bytes(50)), (CONTINUATION, True, bytes(50))]
    assert after(*large, *large, (TEXT, True, b"x" * 100)).burst == [bytes(100)] * 2 + ["x" * 100]
    assert after((BINARY, True, bytes(10_000)), max_size=None).end is None


def test_a_frame_too_large_is_refused_by_its_head() -> None:
    messages = Messages(1000)

    def parse() -> None:
        Parser(messages).take(frame(BINARY, bytes(1001))[:8])

    in_a_loop(parse)
    assert messages.end == Violation(1009, "a message of more than 1000 bytes")


def test_the_parser_keeps_no_large_buffer() -> None:
    def parse() -> None:
        messages = Messages(1 << 24)
        parser = Parser(messages)
        first = parser.capacity
        parser.take(frame(BINARY, bytes(1 << 21))[:-1])
        room = parser.capacity
        assert room > first
        parser.shrink()  # not with part of a frame in it
        assert parser.capacity == room
        parser.take(bytes(1))
        assert [len(message) for message in messages.burst] == [1 << 21]
        assert parser.capacity == first
        parser.take(frame(BINARY, bytes(10_000)))
        assert parser.capacity > first
        parser.shrink()
        assert parser.capacity == first

    in_a_loop(parse)


def test_what_is_wrong_in_here_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """picows would log it, and close."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    def parse() -> None:
        monkeypatch.setattr(Messages, "frame", broken)
        with pytest.raises(ZeroDivisionError):
            Parser(Messages(1000)).take(frame(BINARY))

    in_a_loop(parse)
