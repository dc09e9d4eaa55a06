"""The kit as a fixture of anyio's plugin for pytest.

Nothing else is here: on Trio the shared fixture's loop runs until the module's last test.
"""

from collections.abc import AsyncIterator

import pytest

from actors import Actor, Message, receive
from actors.testing import TestKit


class Ring(Message):
    pass


class Bell(Actor):
    @receive
    async def ring(self, message: Ring) -> None:
        self.start_timer(Ring(), 1.0)


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    backend: str = request.param
    return backend


@pytest.fixture
async def kit(anyio_backend: str) -> AsyncIterator[TestKit]:
    async with TestKit() as kit:
        yield kit


@pytest.fixture(scope="module")
async def shared_kit(anyio_backend: str) -> AsyncIterator[TestKit]:
    async with TestKit() as kit:
        yield kit


@pytest.mark.anyio
async def test_a_fixture_of_one_test(kit: TestKit) -> None:
    bell = await kit.spawn(Bell)
    bell.tell(Ring())
    await kit.advance(2.5)
    assert kit.stats().handled == 3


@pytest.mark.anyio
@pytest.mark.parametrize("number", [1, 2, 3])
async def test_a_fixture_of_several_tests(shared_kit: TestKit, number: int) -> None:
    bell = await shared_kit.spawn(Bell, name=f"bell {number}")
    bell.tell(Ring())
    await shared_kit.advance(10.0)
    assert shared_kit.stats().actors == number
