"""Instruments: which moments they hear of, and that one which fails harms nobody."""

from typing import Any

import pytest

from actors import ActorRef, ActorSystem, DeadLetter, Instrument, Restart
from tests.actors.stateful import Note, Seen, Stateful
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


async def test_an_instrument_that_raises_harms_nobody(anyio_backend: str, log: Any) -> None:
    class Bad(Instrument):
        def spawned(self, ref: ActorRef) -> None:
            raise RuntimeError("spawned")

        def dead_letter(self, letter: DeadLetter) -> None:
            raise RuntimeError("letter")

    async with ActorSystem(instruments=[Bad()]) as system:
        ref = await system.spawn(Stateful)
        ref.tell("nothing for you")
        ref.tell(Note(1))
        assert await ref.ask(Seen()) == [1]
    assert [entry["moment"] for entry in log] == ["spawned", "dead_letter"]
