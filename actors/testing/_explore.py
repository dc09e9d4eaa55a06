"""A test's body under many schedules."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import anyio
from hypothesis import strategies as st

from ._kit import PATIENCE, TestKit
from ._schedule import Schedule

CHOICES = 60
"""Choices that Hypothesis makes; after them the tasks go on as they come."""

Body: TypeAlias = Callable[[TestKit], Awaitable[object]]


def play(
    body: Body, schedule: Schedule, *, backend: str = "asyncio", patience: float = PATIENCE
) -> None:
    """Run a test's body once, in an event loop and a `TestKit` of its own, by that schedule.

    `backend`: `asyncio` or `trio`. `patience`: see `TestKit`. Raises what the body raises, `Leak`
    and `Stuck`, and `ValueError` for a `patience` that is none.
    """

    async def main() -> None:
        async with TestKit(schedule=schedule.fresh(), patience=patience) as kit:
            await body(kit)

    anyio.run(main, backend=backend)


def explore(
    body: Body,
    *,
    runs: int = 100,
    seed: int | None = None,
    backend: str = "asyncio",
    patience: float = PATIENCE,
) -> None:
    """Run a test's body under many schedules, or under the one of a `seed`.

    The first run takes the tasks as they come, the others by the seeds 1, 2 and so on, so that a
    suite does the same each time. What a run raises is raised, with a note that names the seed to
    replay it with. `runs` is at least 1. `patience`: of each run; see `TestKit`.

    With Hypothesis, which makes a failing schedule simpler, use `schedules`:

    ```python
    @given(schedules())
    def test_transfer(schedule: Schedule) -> None:
        play(body, schedule)
    ```
    """
    if runs < 1:
        raise ValueError(f"at least 1 run, not {runs}")
    for each in range(runs) if seed is None else (seed,):
        try:
            schedule = Schedule(seed=each) if each else Schedule()
            play(body, schedule, backend=backend, patience=patience)
        except BaseException as error:  # pytest's failures and skips are no `Exception`s
            error.add_note(f"The schedule was that of seed={each}: replay it with that seed.")
            raise


def schedules() -> st.SearchStrategy[Schedule]:
    """Schedules for Hypothesis; the simplest takes the tasks as they come.

    Leave `Phase.explain` out of Hypothesis's settings if failing runs are slow: for that it traces
    each of their lines, and has nothing to explain but the schedule.
    """
    # Bytes, since Hypothesis takes a third of the time that it does over a list of as many numbers;
    # always as many, since few are drawn mostly. The zeros at the end change nothing.
    return st.binary(min_size=CHOICES, max_size=CHOICES).map(
        lambda drawn: Schedule(drawn.rstrip(b"\0"))
    )
