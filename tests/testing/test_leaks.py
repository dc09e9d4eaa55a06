"""Which tasks the kit takes for left behind, and who may leave it."""

import asyncio

import anyio
import pytest

from actors.testing import Leak, TestKit

BOTH = pytest.mark.parametrize("backend", ["asyncio", "trio"])


def test_a_task_is_not_another_one_of_its_name() -> None:
    keep: list[asyncio.Task[None]] = []

    async def main() -> None:
        first = asyncio.create_task(asyncio.sleep(0), name="twin")

        async def leave_one() -> None:
            async with TestKit():
                await first
                keep.append(asyncio.create_task(asyncio.sleep(1000), name="twin"))

        with pytest.raises(Leak, match="the task twin"):
            await leave_one()
        keep[0].cancel()

    asyncio.run(main())


def test_what_was_there_before_may_stay() -> None:
    async def main() -> None:
        before = asyncio.create_task(asyncio.sleep(1000), name="twin")
        async with TestKit():
            await asyncio.sleep(0)
        before.cancel()

    asyncio.run(main())


def test_a_runner_may_run_each_step_by_itself() -> None:
    """As anyio's does, by a task that only waits for the one in which all fixtures run."""
    loop = asyncio.new_event_loop()
    kit = TestKit()
    steps: asyncio.Queue[str] = asyncio.Queue()
    done: asyncio.Queue[str] = asyncio.Queue()

    async def fixtures() -> None:
        await steps.get()
        try:
            async with kit:
                done.put_nowait("entered")
                await steps.get()
        except Leak as leak:
            done.put_nowait(str(leak))
        else:
            done.put_nowait("left")

    async def step() -> str:
        steps.put_nowait("go on")
        return await done.get()

    runner = loop.create_task(fixtures())
    assert loop.run_until_complete(step()) == "entered"
    assert loop.run_until_complete(step()) == "left"
    loop.run_until_complete(runner)
    loop.close()


@BOTH
def test_another_task_cannot_leave_it(backend: str) -> None:
    async def main() -> None:
        kit = TestKit()

        async def leave() -> None:
            with pytest.raises(RuntimeError, match="in the task that entered it"):
                await kit.__aexit__(None, None, None)

        async with kit, anyio.create_task_group() as tasks:
            tasks.start_soon(leave)

    anyio.run(main, backend=backend)
