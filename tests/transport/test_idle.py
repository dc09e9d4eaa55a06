"""A client that says nothing for too long is closed; one that says anything is not."""

import asyncio
from typing import Any

from tests.transport.probe import application, said, say
from transport import Settings

IDLE = 0.2
"""Seconds, of real time: nothing but the passing of time is what is tested."""


def test_a_client_that_says_nothing_is_closed_with_4408(house: Any, probe: Any) -> None:
    async def test(house: Any) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        peer = await house.connect("/probe")
        assert await peer.closed() == (4408, "nothing came for 0.2 s")
        assert loop.time() - begun >= IDLE

    house(*application(idle_timeout=IDLE), test)
    assert ("disconnect", 4408) in probe.journal


def test_a_client_that_says_something_now_and_then_stays(house: Any, probe: Any) -> None:
    async def test(house: Any) -> None:
        loop = asyncio.get_running_loop()
        peer = await house.connect("/probe")
        end = loop.time() + 2 * IDLE
        number = 0
        while loop.time() < end:
            number += 1
            peer.send(say("still there"))
            assert await peer.receive() == said(f"{number} still there")
            await asyncio.sleep(IDLE / 10)

    house(*application(idle_timeout=IDLE), test)
    assert ("disconnect", 4408) not in probe.journal


def test_by_default_it_may_be_silent() -> None:
    assert Settings().idle_timeout is None
