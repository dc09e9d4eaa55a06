"""Routing: which worker of a pool gets what."""

import itertools
from collections import Counter
from collections.abc import Hashable
from typing import Any, ClassVar

import anyio
import pytest
from anyio import to_thread
from hypothesis import given, settings
from hypothesis import strategies as st

from actors import ActorRef, ActorSystem, Backoff, Pool, Restart, Routing
from tests.actors.pooled import (
    IN_TURN,
    LEAST,
    PATIENCE,
    SOON,
    Book,
    Crash,
    Hold,
    Job,
    Seen,
    Who,
    Worker,
    idle,
    key_of,
    seen,
)
from tests.actors.threads import in_thread

pytestmark = pytest.mark.anyio


async def test_in_turn_each_gets_as_much(system: ActorSystem) -> None:
    pool = await Pool.spawn(system, Worker, size=3)
    for number in range(9):
        await pool.tell(Job(number))
    assert await seen(pool) == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]
    asked = [pool.ask(Who()) for _ in range(3)]
    assert [await ask for ask in asked] == list(pool.refs)


async def test_the_least_loaded_is_not_the_busy_one(system: ActorSystem) -> None:
    pool = await Pool.spawn(system, Worker, size=3, routing=LEAST)
    hold = Hold()
    await hold(pool.refs[1])
    for _ in range(4):  # two are idle, and share
        assert await pool.ask(Who()) is pool.refs[0]
        await anyio.wait_all_tasks_blocked()
        assert await pool.ask(Who()) is pool.refs[2]
        await anyio.wait_all_tasks_blocked()
    for ref in (pool.refs[0], pool.refs[2]):
        await hold(ref)
    pool.refs[0].tell(Job(0))
    pool.refs[1].tell(Job(0))
    assert [ref.load for ref in pool.refs] == [2, 2, 1]
    for number in range(1, 5):
        pool.tell(Job(number))
    assert [ref.load for ref in pool.refs] == [3, 3, 3]
    hold.gate.set()
    assert sorted(map(len, await seen(pool))) == [2, 2, 2]


async def test_the_load_counts_all_that_an_actor_has_to_handle(
    system: ActorSystem, log: Any
) -> None:
    class Small(Worker):
        mailbox_size: ClassVar[int] = 5

    ref = await system.spawn(
        Small, restart=Restart.PERMANENT, backoff=Backoff(1000, 1000, jitter=0)
    )
    await ref.ask(Seen())
    await anyio.wait_all_tasks_blocked()
    assert ref.load == 0
    hold = Hold()
    await hold(ref)
    assert ref.load == 1  # in hand
    in_thread(lambda: [ref.tell(Job(number)) for number in range(2)])
    assert ref.load == 3  # on their way
    await anyio.wait_all_tasks_blocked()
    for number in range(6):
        ref.tell(Job(number))
    assert ref.load == 9  # five queued, three waiting for room
    hold.gate.set()
    await ref.ask(Seen())
    await anyio.wait_all_tasks_blocked()
    assert ref.load == 0
    ref.tell(Crash())
    assert ref.load == 1
    await anyio.wait_all_tasks_blocked()
    assert ref.load == 1  # it rests before its restart
    await ref.kill()
    assert ref.load == 0


@pytest.mark.parametrize("routing", [IN_TURN, LEAST])
async def test_a_threads_burst_is_spread_before_the_loop_sees_it(
    system: ActorSystem, routing: Routing
) -> None:
    pool = await Pool.spawn(system, Worker, size=4, routing=routing)
    await idle(pool)

    def tell() -> None:
        for number in range(80):
            pool.tell(Job(number))

    in_thread(tell)
    assert [ref.load for ref in pool.refs] == [20] * 4
    await anyio.wait_all_tasks_blocked()
    assert list(map(len, await seen(pool))) == [20] * 4


KEYS = st.one_of(st.integers(0, 6), st.sampled_from(["a", "b", ("c", 1)]))
STEPS = st.lists(st.one_of(KEYS, KEYS, KEYS, st.sampled_from(["turn", "end"])), max_size=60)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@settings(max_examples=50, deadline=None)
@given(steps=STEPS, size=st.integers(1, 5))
def test_by_key_each_key_has_one_worker_and_its_order(
    backend: str, steps: list[Any], size: int
) -> None:
    book = Book()
    told: list[Job] = []
    ends: dict[ActorRef, int] = {}

    async def main() -> None:
        with anyio.fail_after(PATIENCE):
            await play()

    async def play() -> None:
        async with ActorSystem() as system:
            pool = await Pool.spawn(system, lambda: Worker(book), size=size, routing=key_of)
            for number, step in enumerate(steps):
                living = [ref for ref in pool.refs if ref.alive]
                if step == "turn":
                    await anyio.lowlevel.checkpoint()
                elif step != "end":
                    told.append(Job(number, step))
                    pool.tell(told[-1])
                elif len(living) > 1:
                    ended = living[number % len(living)]
                    await ended.drain()
                    ends[ended] = number
            await pool.drain()

    anyio.run(main, backend=backend)
    workers: dict[Hashable, ActorRef] = {}
    for ref, job in book.jobs:
        former = workers.get(job.key, ref)
        assert former is ref or ends[former] < job.number
        workers[job.key] = ref
    for key in workers:
        handled = [job for _, job in book.jobs if job.key == key]
        assert handled == [job for job in told if job.key == key]
    assert len(book.jobs) == len(told)


async def test_keys_are_spread(system: ActorSystem) -> None:
    pool = await Pool.spawn(system, Worker, size=4, routing=key_of)
    for number in range(0, 4000, 4):  # whose remainders by the size are all the same
        await pool.tell(Job(number, key=number))
    shares = list(map(len, await seen(pool)))
    assert sum(shares) == 1000
    assert all(150 < share < 350 for share in shares)


async def test_the_keys_of_one_that_ended_are_spread_and_the_others_stay(
    system: ActorSystem,
) -> None:
    pool = await Pool.spawn(system, Worker, size=4, routing=key_of)
    owners = [[await pool.ask(Who(key)) for key in range(400)]]
    for ended in (1, 2):
        await pool.refs[ended].stop()
        owners.append([await pool.ask(Who(key)) for key in range(400)])
        for before, after in zip(*owners[-2:], strict=True):
            assert after.alive
            assert after is before or before is pool.refs[ended]
        moved = Counter(
            after for before, after in zip(*owners[-2:], strict=True) if after is not before
        )
        assert len(moved) == 4 - ended
        assert min(moved.values()) > 10


async def test_an_idle_worker_is_preferred_to_one_that_rests(system: ActorSystem, log: Any) -> None:
    pool = await Pool.spawn(
        system, Worker, size=2, routing=LEAST, backoff=Backoff(1000, 1000, jitter=0)
    )
    await idle(pool)
    pool.refs[0].tell(Crash())
    await anyio.wait_all_tasks_blocked()
    for _ in range(4):
        assert await pool.ask(Who(), timeout=SOON) is pool.refs[1]
        await anyio.wait_all_tasks_blocked()
    await pool.kill()


@pytest.mark.parametrize("routing", [IN_TURN, LEAST, key_of])
@pytest.mark.parametrize("how", ["stop", "drain", "kill", "directive"])
async def test_one_that_has_ended_is_passed_over(
    system: ActorSystem, records: Any, log: Any, routing: Any, how: str
) -> None:
    pool = await Pool.spawn(system, Worker, size=3, routing=routing)
    ended = pool.refs[1]
    if how == "directive":
        ended.tell(Crash(OSError))
        await ended.wait()
    else:
        getattr(ended, how)()  # not awaited: it takes no more mail at once
    for number in range(60):
        pool.tell(Job(number, key=number))
    shares = list(map(len, await seen(pool)))
    assert sum(shares) == 60
    assert min(shares) > 0
    if routing is not key_of:  # the turn of the one that has ended goes to either
        assert max(shares) - min(shares) <= 2
    assert records.letters == []
    assert pool.alive
    assert (len(pool), len(pool.refs)) == (3, 3)


@pytest.mark.parametrize("routing", [IN_TURN, LEAST, key_of])
async def test_four_threads_have_each_message_handled_once(
    system: ActorSystem, records: Any, unaccounted: Any, routing: Any
) -> None:
    book = Book()

    class Big(Worker):
        mailbox_size: ClassVar[int] = 100_000

    pool = await Pool.spawn(system, lambda: Big(book), size=3, routing=routing)

    def tell(thread: int) -> None:
        for number in range(1000):
            pool.tell(Job(thread * 1000 + number, key=number % 10))
            if number % 250 == 0:
                assert pool.ask_blocking(Who(number)) in pool.refs

    async with anyio.create_task_group() as tasks:
        for thread in range(4):
            tasks.start_soon(to_thread.run_sync, tell, thread)
        for number in range(4000, 5000):
            pool.tell(Job(number, key=number % 10))
            if number % 10 == 0:
                await anyio.lowlevel.checkpoint()
    shares = await seen(pool)
    assert sorted(number for share in shares for number in share) == [*range(5000)]
    for share, teller in itertools.product(shares, range(5)):
        theirs = [number for number in share if number // 1000 == teller]
        assert theirs == sorted(theirs)
    if routing is IN_TURN:  # of which the asks had some as well
        assert max(map(len, shares)) - min(map(len, shares)) <= 16
    if routing is key_of:
        assert len({(job.key, ref) for ref, job in book.jobs}) == 10
    assert unaccounted(system.stats()) == 0
    assert records.letters == []
