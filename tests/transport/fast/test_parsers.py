"""A parser that another connection had before: nothing of that one is left in it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transport.wire_frames import BINARY, CLOSE, PING, TEXT, frame
from transport.fast.messages import Messages, Violation
from transport.fast.parser import Parser, Parsers

LIMIT = 50_000

# What a client may send: whole, or not as it should be.
pieces = st.one_of(
    st.builds(lambda text: frame(TEXT, text.encode()), st.text(max_size=100)),
    st.builds(lambda size: frame(BINARY, bytes(size)), st.integers(0, LIMIT + 10)),
    st.builds(lambda text: frame(TEXT, text.encode(), fin=False), st.text(max_size=10)),
    st.builds(lambda data: frame(PING, data), st.binary(max_size=125)),
    st.sampled_from((frame(CLOSE, b"\x03\xe8"), frame(CLOSE), frame(3), frame(TEXT, b"\xff"))),
    st.binary(max_size=20),
)


@st.composite
def clients(draw: st.DrawFn) -> list[bytes]:
    """What one client sends, read by read; it may be gone in the midst of a frame."""
    stream = b"".join(draw(st.lists(pieces, max_size=6)))
    stream = stream[: draw(st.integers(0, len(stream)))] if draw(st.booleans()) else stream
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    return [stream[start:end] for start, end in pairwise([0, *cuts, len(stream)])]


def heard(parser: Parser, reads: list[bytes]) -> Any:
    messages = parser.messages
    for each in reads:
        if messages.end is None:
            parser.take(each)
    return messages.burst, messages.pings, messages.end


def in_a_loop(work: Callable[[asyncio.AbstractEventLoop], None]) -> None:
    async def main() -> None:
        work(asyncio.get_running_loop())

    asyncio.run(main())


@given(st.lists(clients(), min_size=2, max_size=5))
def test_each_connection_is_heard_as_if_it_were_the_only_one(every: list[list[bytes]]) -> None:
    def work(loop: asyncio.AbstractEventLoop) -> None:
        parsers = Parsers(LIMIT)
        for reads in every:
            parser = parsers.parser(loop)
            assert heard(parser, reads) == heard(Parser(Messages(LIMIT)), reads)
            parsers.take_back(parser, loop)

    in_a_loop(work)


CLOSES = frame(CLOSE, b"\x03\xe8")


@pytest.mark.parametrize(
    ("sent", "again"),
    {
        "a message and a close": (frame(TEXT, b"a") + CLOSES, True),
        "nothing": (b"", True),
        "a broken rule of ours": (frame(TEXT, b"\xff"), True),
        "a broken rule of picows's": (frame(3), False),
        "half a frame": (frame(TEXT, b"a")[:-1], False),
        "half a frame behind a close": (CLOSES + frame(TEXT, b"a")[:1], False),
        "a frame larger than its buffer": (frame(BINARY, bytes(9000)), False),
    }.values(),
)
def test_it_is_used_again_if_nothing_is_left_in_it(sent: bytes, again: bool) -> None:
    def work(loop: asyncio.AbstractEventLoop) -> None:
        parsers = Parsers(LIMIT)
        parser = parsers.parser(loop)
        parser.take(sent)
        before = parser.messages
        parsers.take_back(parser, loop)
        following = parsers.parser(loop)
        assert (following is parser) == again
        assert following.messages is not before
        assert heard(following, [frame(BINARY, bytes(LIMIT + 1))[:9]])[2] == Violation(
            1009, f"a message of more than {LIMIT} bytes"
        )

    in_a_loop(work)


def test_not_in_another_loop() -> None:
    parsers, kept = Parsers(None), list[Parser]()

    def work(loop: asyncio.AbstractEventLoop) -> None:
        kept.append(parsers.parser(loop))
        parsers.take_back(kept[-1], loop)

    in_a_loop(work)
    in_a_loop(work)
    assert kept[0] is not kept[1]


def test_so_many_are_kept_and_no_more() -> None:
    def work(loop: asyncio.AbstractEventLoop) -> None:
        parsers = Parsers(None)
        made = {parsers.parser(loop) for _ in range(100)}
        for parser in made:
            parsers.take_back(parser, loop)
        assert len(made & {parsers.parser(loop) for _ in range(100)}) == 64

    in_a_loop(work)


def test_not_if_it_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the next connection would be told of it."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    def work(loop: asyncio.AbstractEventLoop) -> None:
        parsers = Parsers(None)
        parser = parsers.parser(loop)
        monkeypatch.setattr(Messages, "frame", broken)
        with pytest.raises(ZeroDivisionError):
            parser.take(frame(BINARY))
        parsers.take_back(parser, loop)
        assert parsers.parser(loop) is not parser

    in_a_loop(work)


def test_nor_if_its_loop_is_no_longer_the_servers() -> None:
    parsers = Parsers(None)

    def work(loop: asyncio.AbstractEventLoop) -> None:
        late = parsers.parser(loop)

        def other(following: asyncio.AbstractEventLoop) -> None:
            parsers.parser(following)
            parsers.take_back(late, loop)
            assert parsers.parser(following) is not late

        with ThreadPoolExecutor(1) as thread:
            thread.submit(in_a_loop, other).result()

    in_a_loop(work)
