"""What may be wrong with the network of a client that has none."""

import asyncio
import contextlib
from typing import Any

import pytest

from tests.transport.asgi import accepting, plain, run, text, turns
from tests.transport.talk import Chat, Said, Say, application
from transport import SlowClient
from transport.testing import ClientDisconnected, TestServer

pytestmark = pytest.mark.usefixtures("both_wires")


def test_a_stalled_client_fills_its_window_and_then_sends_wait() -> None:
    log: list[int] = []
    begin = asyncio.Event()

    async def flood(receive: Any, send: Any) -> None:
        await begin.wait()
        for number in range(20):
            await send(text(996))  # with its head 1000 bytes
            log.append(number)
        await receive()

    async def test() -> None:
        async with plain(accepting(flood), window=10_000) as server:
            client = await server.connect("/")
            transport = client.transport
            client.stall()
            begin.set()
            await turns()
            assert len(log) == 10
            assert transport.get_write_buffer_size() == 10_000
            await client.receive_nothing(within=0.01)
            client.take(2)
            await client.receive_text()
            await client.receive_text()
            await client.receive_nothing(within=0.01)
            # It writes again once a quarter is left only, as transports do.
            assert len(log) == 10
            client.take(6)
            await turns()
            assert len(log) == 18
            client.resume()
            for _ in range(18):
                assert await client.receive_text() == "x" * 996
            assert len(log) == 20
            assert transport.get_write_buffer_size() == 0

    run(test)


def test_a_window_of_nothing_has_the_next_send_wait() -> None:
    log: list[int] = []
    begin = asyncio.Event()

    async def flood(receive: Any, send: Any) -> None:
        await begin.wait()
        for number in range(5):
            await send(text(1))
            log.append(number)
        await receive()

    async def test() -> None:
        async with plain(accepting(flood)) as server:
            client = await server.connect("/")
            client.stall(window=0)
            begin.set()
            await turns()
            assert log == []
            client.take()
            await turns()
            assert log == [0]
            client.take(2)
            await turns()
            assert log == [0, 1, 2]
            client.throttle(0.01, window=0)
            for _ in range(5):
                await client.receive_text()
            client.stall(window=0)
            client.vanish()  # whatever its window
            await client.ended()

    run(test)


def test_a_send_that_waits_raises_when_its_client_goes() -> None:
    raised: list[BaseException] = []

    async def flood(receive: Any, send: Any) -> None:
        await receive()
        try:
            await send(text(1))
        except OSError as error:
            raised.append(error)

    async def test() -> None:
        async with plain(accepting(flood)) as server:
            client = await server.connect("/")
            client.stall(window=0)
            await client.send_text("go")
            await turns()
            client.vanish()
            await client.ended()
            assert isinstance(raised[0], ClientDisconnected)

    run(test)


def test_a_send_to_a_client_that_is_gone_raises_and_may_escape() -> None:
    async def send_on(receive: Any, send: Any) -> None:
        await receive()
        await send(text(1))

    async def test() -> None:
        async with plain(accepting(send_on)) as server:
            client = await server.connect("/")
            client.vanish()
            await client.ended()
        with pytest.raises(ClientDisconnected):
            raise ClientDisconnected
        assert issubclass(ClientDisconnected, OSError)

    run(test)


def test_the_transport_beneath_can_be_aborted() -> None:
    events: list[Any] = []

    async def abort(receive: Any, send: Any) -> None:
        transport = receive.__self__.transport
        await send(text(100))
        await receive()
        sends = asyncio.ensure_future(send(text(100)))
        await turns()
        assert not sends.done()
        assert not transport.is_closing()
        assert transport.get_extra_info("peername") == ("203.0.113.1", 5000)
        assert transport.get_extra_info("socket") is None
        transport.close()  # which frees nothing, since the window is full
        await turns()
        assert not sends.done()
        transport.abort()
        assert transport.is_closing()
        with contextlib.suppress(ClientDisconnected):
            await sends
            raise AssertionError
        events.append(await receive())

    async def test() -> None:
        async with plain(accepting(abort)) as server:
            client = await server.connect("/", client=("203.0.113.1", 5000))
            client.stall(window=0)
            await client.send_text("now")
            await client.ended()
            client.resume()
            assert await client.receive_text() == "x" * 100
            assert await client.receive_close() == (1006, "")
        assert events == [{"type": "websocket.disconnect", "code": 1005}]

    run(test)


def test_what_was_on_its_way_at_a_close_may_still_be_read() -> None:
    async def bye(receive: Any, send: Any) -> None:
        await receive()
        for _ in range(3):
            await send(text(10))
        await send({"type": "websocket.close", "code": 4000, "reason": "bye"})

    async def test() -> None:
        async with plain(accepting(bye)) as server:
            client = await server.connect("/")
            client.stall()
            await client.send_text("go")
            await client.ended()
            await client.receive_nothing(within=0.01)
            client.resume()
            for _ in range(3):
                await client.receive_text()
            assert await client.receive_close() == (4000, "bye")

    run(test)


def test_a_half_open_client_is_lost_past_the_keepalive() -> None:
    async def test() -> None:
        app = application()
        async with TestServer(app, ping_interval=0.01, ping_timeout=0.01) as server:
            client = await server.connect("/chat")
            client.half_open()
            await client.send(Say("never arrives"))
            await client.close()
            await client.ended()
            assert Chat.codes == [1006]
        async with TestServer(app, ping_interval=None, ping_timeout=None) as server:
            client = await server.connect("/chat")
            client.half_open()
            with pytest.raises(AssertionError):
                await client.ended(timeout=0.05)
            client.resume()  # there is no way back
            server.system.publish("all", Said("lost"))
            await client.receive_nothing(within=0.01)

    run(test)


def test_each_policy_can_be_seen() -> None:
    async def test() -> None:
        app = application(max_outbox=4, slow_client=SlowClient.DROP_OLDEST)
        async with TestServer(app) as server:
            client = await server.connect("/chat")
            await client.send(Say("in"))
            await client.receive(Said)
            client.stall(window=0)
            server.system.publish("all", Said("in hand"))
            await turns()
            for number in range(10):
                server.system.publish("all", Said(str(number)))
            client.resume()
            got = [(await client.receive(Said)).text for _ in range(5)]
            assert got == ["in hand", "6", "7", "8", "9"]

    run(test)
