"""The write pump: one for all sockets, and never held up by one of them."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from transport._writer import Writer

pytestmark = pytest.mark.anyio
PATIENCE = 5.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Socket:
    """Flushes as told, and notes what becomes of it."""

    def __init__(self, flush: Callable[[], Awaitable[object]] | None = None) -> None:
        self._flush = flush
        self.flushed = asyncio.Event()
        self.failures: list[Exception] = []
        self.failed = asyncio.Event()

    async def flush(self) -> bool:
        if self._flush is not None:
            await self._flush()
        self.flushed.set()
        return False

    def fail(self, error: Exception) -> None:
        self.failures.append(error)
        self.failed.set()


async def cancelled() -> None:
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


async def broken() -> None:
    raise ValueError("broken")


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


async def stubborn() -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await forever()


async def goes_on(writer: Writer) -> None:
    """A socket that is marked now is written to."""
    socket = Socket()
    writer.mark(socket)
    async with asyncio.timeout(PATIENCE):
        await socket.flushed.wait()


@pytest.mark.parametrize("flush", [cancelled, broken])
async def test_a_flush_that_fails_is_its_own_sockets_failure(
    flush: Callable[[], Awaitable[object]],
) -> None:
    async with asyncio.timeout(PATIENCE), Writer() as writer:
        socket = Socket(flush)
        writer.mark(socket)
        await socket.failed.wait()
        assert len(socket.failures) == 1
        await goes_on(writer)


@pytest.mark.parametrize("stalled", [1, 3])
async def test_stalled_sockets_hold_up_nobody(stalled: int) -> None:
    async with asyncio.timeout(PATIENCE), Writer() as writer:
        stuck = [Socket(forever) for _ in range(stalled)]
        healthy = [Socket() for _ in range(5)]
        for socket in [*stuck, *healthy]:
            writer.mark(socket)
        for socket in healthy:
            await socket.flushed.wait()
        for socket in stuck:
            writer.give_up(socket)
        await goes_on(writer)


@pytest.mark.parametrize("flush", [forever, stubborn])
async def test_what_is_given_up_frees_its_pump(flush: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(PATIENCE), Writer() as writer:
        for _ in range(3):
            socket = Socket(flush)
            writer.mark(socket)
            await asyncio.sleep(0)
            writer.give_up(socket)
            await goes_on(writer)
        assert socket.failures == []


@pytest.mark.parametrize("turns", range(5))
async def test_leaving_ends_while_sends_are_under_way(turns: int) -> None:
    async def slow() -> None:
        await asyncio.sleep(0.01)

    sockets = [Socket(slow) for _ in range(3)]
    async with asyncio.timeout(PATIENCE), Writer() as writer:
        for socket in sockets:
            writer.mark(socket)
        for _ in range(turns):
            await asyncio.sleep(0)
    assert all(socket.flushed.is_set() for socket in sockets)  # what was queued has been sent


async def test_leaving_ends_though_a_socket_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transport._writer.LAST_FLUSH", 0.05)
    socket = Socket(forever)
    async with asyncio.timeout(PATIENCE), Writer() as writer:
        writer.mark(socket)
        await asyncio.sleep(0)
        await goes_on(writer)
    assert not socket.flushed.is_set()


async def test_leaving_right_after_giving_up_ends() -> None:
    socket = Socket(forever)
    async with asyncio.timeout(PATIENCE), Writer() as writer:
        writer.mark(socket)
        await asyncio.sleep(0)
        writer.give_up(socket)


async def test_an_error_of_the_block_comes_out_as_itself() -> None:
    with pytest.raises(LookupError):
        async with Writer():
            raise LookupError("mine")
