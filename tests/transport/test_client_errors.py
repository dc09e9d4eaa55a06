"""What an application raises, and what of it does not end, is told to the test."""

import asyncio
import traceback
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI

from tests.transport.asgi import Bug, Scope, accepting, plain, run, text
from tests.transport.talk import application
from transport import LifespanNotRun
from transport.testing import Hanging, TestServer


def test_what_the_application_raises_in_the_handshake_is_raised() -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        raise Bug

    async def test() -> None:
        async with plain(app) as server:
            with pytest.raises(Bug):
                await server.connect("/")

    run(test)


async def raise_bug(receive: Any, send: Any) -> None:
    while (await receive())["type"] == "websocket.receive":
        await send(text(1))
        raise Bug("in the application")


def test_what_the_application_raises_is_raised_by_who_waits_with_its_traceback() -> None:
    async def test() -> None:
        async with plain(accepting(raise_bug)) as server:
            client = await server.connect("/")
            await client.send_text("a")
            assert await client.receive_text() == "x"  # what came before comes first
            with pytest.raises(Bug) as caught:
                await client.receive_text()
            assert "raise_bug" in "".join(traceback.format_exception(caught.value))
            assert await client.receive_close() == (1006, "")  # it is raised once
            other = await server.connect("/")
            for wait in (other.receive_close, other.receive_nothing, other.ended):
                client = await server.connect("/")
                await client.send_text("a")
                with pytest.raises(Bug):  # where its own client does not wait, another does
                    await wait()

    run(test)


def test_what_the_application_raises_cancels_a_test_that_waits_for_something_else() -> None:
    async def body() -> None:
        async with plain(accepting(raise_bug)) as server:
            client = await server.connect("/")
            await client.send_text("a")
            await asyncio.Event().wait()

    async def test() -> None:
        with pytest.raises(Bug):
            await body()
        current = asyncio.current_task()
        assert current is not None
        assert not current.cancelling()
        await asyncio.sleep(0)

    run(test)


def test_what_the_application_raises_last_is_raised_at_the_end() -> None:
    async def at_the_end(receive: Any, send: Any) -> None:
        await receive()
        raise Bug("one")

    async def body(clients: int, error: Exception | None = None) -> None:
        async with plain(accepting(at_the_end)) as server:
            for _ in range(clients):
                await server.connect("/")
            if error is not None:
                raise error

    async def test() -> None:
        with pytest.raises(Bug):
            await body(1)
        with pytest.raises(ExceptionGroup) as several:
            await body(2)
        assert len(several.value.exceptions) == 2
        with pytest.raises(KeyError) as caught:  # the test's own error goes first
            await body(1, KeyError())
        assert "Bug('one')" in caught.value.__notes__[0]

    run(test)


def test_a_fixture_is_not_cancelled() -> None:
    """Its generator is entered in a task that need not be the test's."""

    async def fixture() -> AsyncIterator[TestServer]:
        async with plain(accepting(raise_bug)) as server:
            yield server

    async def test() -> None:
        generator = fixture()
        server = await anext(generator)
        client = await server.connect("/")
        await client.send_text("a")
        await asyncio.sleep(0.01)  # it fails here
        assert await client.receive_text() == "x"
        with pytest.raises(Bug):
            await client.receive_text()
        assert await anext(generator, None) is None

    run(test)


def test_an_outer_cancellation_is_not_swallowed() -> None:
    ended: list[str] = []

    async def lasting(receive: Any, send: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("application")

    async def body() -> None:
        async with asyncio.timeout(0.02), plain(accepting(lasting)) as server:
            await server.connect("/")
            await asyncio.Event().wait()

    async def test() -> None:
        with pytest.raises(TimeoutError):
            await body()
        assert ended == ["application"]
        assert len(asyncio.all_tasks()) == 1

    run(test)


def test_what_hangs_is_named_with_its_stack() -> None:
    async def hang(receive: Any, send: Any) -> None:
        await stuck_here()

    async def stuck_here() -> None:
        await asyncio.Event().wait()

    async def test() -> None:
        with pytest.raises(Hanging, match=r"(?s)the socket /a.*stuck_here") as caught:
            async with plain(accepting(hang), grace=0.02) as server:
                await server.connect("/a")
        assert "asyncio.Event().wait()" in str(caught.value)
        assert len(asyncio.all_tasks()) == 1  # it was cancelled

    run(test)


@pytest.mark.parametrize("when", ["startup", "shutdown"])
def test_a_lifespan_that_raises_or_hangs_is_told(when: str) -> None:
    hangs = False

    async def trouble(at: str) -> None:
        if at == when and hangs:
            await asyncio.Event().wait()
        if at == when:
            raise Bug

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        await trouble("startup")
        yield
        await trouble("shutdown")

    async def test() -> None:
        nonlocal hangs
        app = FastAPI(lifespan=lifespan)
        with pytest.raises(Bug):
            async with TestServer(app):
                assert when == "shutdown"
        hangs = True
        with pytest.raises(Hanging, match=f"(?s)the {when} of the lifespan"):
            async with TestServer(app, grace=0.02):
                assert when == "shutdown"

    run(test)


def test_a_lifespan_that_ends_in_the_middle_is_told() -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await asyncio.sleep(0.01)
        raise Bug

    async def test() -> None:
        with pytest.raises(Bug):
            async with TestServer(app):
                await asyncio.Event().wait()

    run(test)


def test_without_a_lifespan_there_is_no_system() -> None:
    async def test() -> None:
        async with TestServer(application(), lifespan=False) as server:
            with pytest.raises(LifespanNotRun):
                assert server.system
            with pytest.raises(LifespanNotRun):
                await server.connect("/chat")

    run(test)
