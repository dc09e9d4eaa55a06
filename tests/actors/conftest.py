"""What the actors' tests share: both event loops, and a system that must leave nothing behind."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import structlog

from actors import ActorRef, ActorSystem, DeadLetter, Instrument, Stats, telemetry
from actors._task import current_loop


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Each asynchronous test runs on both."""
    backend: str = request.param
    return backend


class Records(Instrument):
    """Writes down all that is reported."""

    def __init__(self) -> None:
        self.letters: list[DeadLetter] = []
        self.moments: list[tuple[str, str]] = []
        self.errors: list[Exception] = []

    def spawned(self, ref: ActorRef) -> None:
        self.moments.append(("spawned", ref.name))

    def crashed(self, ref: ActorRef, error: Exception) -> None:
        self.moments.append(("crashed", ref.name))
        self.errors.append(error)

    def restarted(self, ref: ActorRef, error: Exception | None) -> None:
        self.moments.append(("restarted", ref.name))

    def stopped(self, ref: ActorRef) -> None:
        self.moments.append(("stopped", ref.name))

    def dead_letter(self, letter: DeadLetter) -> None:
        self.letters.append(letter)

    def dead(self) -> list[tuple[object, str]]:
        """The dead letters as (message, reason)."""
        return [(letter.message, letter.reason.value) for letter in self.letters]


@pytest.fixture
def records() -> Records:
    """An instrument of the `system` fixture."""
    return Records()


@pytest.fixture
def log() -> Any:
    """The entries logged, and none of them printed."""
    with structlog.testing.capture_logs() as entries:
        yield entries


def tasks_living() -> int:
    """Tasks of the loop that runs now."""
    return len(current_loop().tasks())


def check_nothing_left(system: ActorSystem, tasks_before: int) -> None:
    """After the system's end: no cell, no name, no topic, no deadline, no message, no task."""
    core: Any = system._core
    stats = system.stats()
    left = {
        "cells": list(core.cells),
        "roots": list(core.roots),
        "topics": system.topics(),
        "deadlines": len(core.deadlines),
        "timer": core.deadlines._timer,
        "actors": stats.actors,
        "queued": stats.queued,
        "in hand": stats.in_hand,
        "unaccounted": telemetry.unaccounted(stats),
        "tasks": tasks_living() - tasks_before,
    }
    assert not {what: number for what, number in left.items() if number}


@pytest.fixture
async def system(anyio_backend: str, records: Records) -> AsyncIterator[ActorSystem]:
    """A running system, checked at the end for anything that it left behind."""
    before = tasks_living()
    # No deadline here: what is entered in a fixture is the runner's as well, which it would cancel.
    async with ActorSystem(instruments=[records]) as system:
        yield system
    check_nothing_left(system, before)


@pytest.fixture(scope="session")
def nothing_left() -> Callable[[ActorSystem, int], None]:
    """`check_nothing_left`, for tests that enter a system themselves."""
    return check_nothing_left


@pytest.fixture(scope="session")
def count_tasks() -> Callable[[], int]:
    """`tasks_living`."""
    return tasks_living


@pytest.fixture(scope="session")
def unaccounted() -> Callable[[Stats], int]:
    """How many messages were told of which nothing is known; 0 if the counts are right."""
    return telemetry.unaccounted
