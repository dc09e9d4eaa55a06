"""What cancels a system from outside reaches every actor, children before their parents."""

import contextlib
from typing import Any

import anyio
import pytest

from actors import Actor, ActorSystem, Instrument, Message, NotRunning, receive

pytestmark = pytest.mark.anyio

PATIENCE = 10.0


class Work(Message):
    pass


class Told(Instrument):
    """The ends and the dead letters, in order."""

    def __init__(self) -> None:
        self.moments: list[str] = []

    def stopped(self, ref: Any) -> None:
        self.moments.append(f"{ref.name} ended")

    def dead_letter(self, letter: Any) -> None:
        self.moments.append(f"{letter.target.name}: {letter.reason.value}")


class Child(Actor):
    """Has some clean-up to do that nothing may cut short."""

    def __init__(self, moments: list[str]) -> None:
        self.moments = moments

    @receive
    async def work(self, work: Work) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                for _ in range(10):
                    await anyio.lowlevel.checkpoint()
            self.moments.append("unwound")


class Parent(Actor):
    def __init__(self, moments: list[str]) -> None:
        self.moments = moments

    async def on_start(self) -> None:
        child = await self.spawn(lambda: Child(self.moments), name="child")
        child.tell(Work())
        child.tell(Work())


async def test_a_parent_waits_for_a_childs_shielded_clean_up(anyio_backend: str) -> None:
    told = Told()
    with anyio.fail_after(PATIENCE), anyio.CancelScope() as scope:
        async with ActorSystem(instruments=[told]) as system:
            await system.spawn(lambda: Parent(told.moments), name="parent")
            await anyio.wait_all_tasks_blocked()
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert told.moments[-4:] == ["unwound", "child: killed", "child ended", "parent ended"]
    assert told.moments[:-4] == ["child: killed"]  # what was queued


async def test_what_is_spawned_while_it_unwinds_does_not_outlive_it(anyio_backend: str) -> None:
    ref = None
    with anyio.fail_after(PATIENCE), anyio.CancelScope() as scope:
        async with ActorSystem() as system:
            try:
                scope.cancel()
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.wait_all_tasks_blocked()
                    with contextlib.suppress(NotRunning):  # Trio's actors have heard of it by now
                        ref = await system.spawn(Actor)
    assert ref is None or not ref.alive
    assert system.stats().actors == 0
