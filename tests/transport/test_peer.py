"""The TCP connection beneath a WebSocket: how it is found, and what an abort does."""

import asyncio
import functools
import socket
import sys
from collections.abc import Callable
from typing import Any

import pytest

from transport._peer import Peer, find


class Transport:
    def abort(self) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 7


class Protocol:
    """As uvicorn's: the application's callables are its methods."""

    def __init__(self) -> None:
        self.transport = Transport()

    async def receive(self) -> None: ...


def closure(inner: Callable[..., Any]) -> Callable[..., Any]:
    async def outer() -> Any:
        return await inner()

    return outer


def partial(inner: Callable[..., Any]) -> Callable[..., Any]:
    return functools.partial(print, inner)


def wrapped(inner: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(inner)
    async def outer() -> None: ...

    return outer


@pytest.mark.parametrize("layers", range(8))
@pytest.mark.parametrize("wrap", [closure, wrapped, partial])
def test_it_is_found_behind_what_middlewares_put_around_it(
    wrap: Callable[[Any], Any], layers: int
) -> None:
    callable_: Any = Protocol().receive
    for _ in range(layers):
        callable_ = wrap(callable_)
    peer = find(callable_)
    assert peer is not None
    assert peer.unsent == 7


def test_where_there_is_none_nothing_is_found() -> None:
    async def receive() -> None: ...

    circle: Any = functools.partial(print)
    circle.__wrapped__ = circle
    empty: Any

    async def unbound() -> None:
        return await empty()  # noqa: F821  # a cell without a value

    assert find(receive, print, circle, unbound, object()) is None


async def _connected() -> tuple[Any, socket.socket, asyncio.Server]:
    loop = asyncio.get_running_loop()
    connected = loop.create_future()

    class Serving(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport
            connected.set_result(self)

        async def receive(self) -> None: ...

    server = await loop.create_server(Serving, "127.0.0.1", 0)
    client = socket.create_connection(server.sockets[0].getsockname())
    return await connected, client, server


def test_an_abort_resets_the_connection_whatever_is_unsent() -> None:
    async def main() -> None:
        protocol, client, server = await _connected()
        with client:
            protocol.transport.write(bytes(20_000_000))
            peer = find(protocol.receive)
            assert peer is not None
            assert peer.unsent > 0
            peer.abort()
            peer.abort()
            await asyncio.sleep(0)
            assert peer.unsent == 0
            with pytest.raises(ConnectionResetError):  # noqa: PT012  # some may have come already
                while client.recv(1 << 20):
                    pass
        server.close()

    asyncio.run(main())


@pytest.mark.parametrize("error", [OSError, ValueError])
def test_one_that_is_closed_already_may_be_aborted_and_has_taken_nothing(
    error: type[Exception],
) -> None:
    """asyncio's socket raises the one then, uvloop's the other."""

    class Closed(Transport):
        aborted = False

        def get_extra_info(self, name: str) -> Any:
            return self

        def setsockopt(self, *arguments: Any) -> None:
            raise error

        getsockopt = setsockopt

        def abort(self) -> None:
            self.aborted = True

    transport = Closed()
    peer = Peer(transport)
    peer.abort()
    assert transport.aborted
    assert peer.taken is None


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not say")
def test_what_the_client_s_system_has_taken_is_known_while_more_is_under_way() -> None:
    async def main() -> None:
        protocol, client, server = await _connected()
        with client:
            peer = find(protocol.receive)
            assert peer is not None
            assert peer.taken is None
            assert peer.waiting == 0
            protocol.transport.write(bytes(20_000_000))
            assert peer.waiting > peer.unsent > 0
            counts: list[int] = []
            for _ in range(50):
                await asyncio.to_thread(client.recv, 1 << 16)
                taken = peer.taken
                assert taken is not None
                counts.append(taken)
            assert counts == sorted(counts)
            assert counts[0] < counts[-1]
            protocol.transport.abort()
            await asyncio.sleep(0)
            assert peer.taken is None
            assert peer.waiting == 0
        server.close()

    asyncio.run(main())
