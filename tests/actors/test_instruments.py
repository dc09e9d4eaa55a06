"""Instruments: which moments they hear of, and that one which fails harms nobody."""

from typing import Any

import pytest

from actors import ActorSystem, Restart
from tests.actors.work import Do
from tests.actors.worker import Ready, Worker

pytestmark = pytest.mark.anyio


async def test_the_moments_of_a_life_are_reported(
    system: ActorSystem, records: Any, log: Any
) -> None:
    ref = await system.spawn(Worker, name="it", restart=Restart.TRANSIENT)
    ref.tell(Do(lambda actor: 1 / 0))
    await ref.ask(Ready())
    await ref.stop()
    assert records.moments == [
        ("spawned", "it"),
        ("crashed", "it"),
        ("restarted", "it"),
        ("stopped", "it"),
    ]
