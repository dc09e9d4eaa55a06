"""Pools: the errors of who spawns, tells or asks one, and the restarts of its workers."""

import math
from typing import Any, ClassVar

import anyio
import pytest
from anyio import to_thread

from actors import (
    Actor,
    ActorCrashed,
    ActorRef,
    ActorSystem,
    AskCycle,
    AskTimeout,
    Intensity,
    IntensityExceeded,
    MailboxFull,
    NameTaken,
    Overflow,
    Pool,
)
from tests.actors.pooled import (
    OFTEN,
    SOON,
    Bad,
    Book,
    Crash,
    Do,
    Hold,
    Job,
    Who,
    Worker,
    seen,
    watch,
)

pytestmark = pytest.mark.anyio


# Errors.


@pytest.mark.parametrize("size", [0, -1])
async def test_a_pool_has_at_least_one_worker(system: ActorSystem, size: int) -> None:
    with pytest.raises(ValueError, match=f"at least 1 worker, not {size}"):
        await Pool.spawn(system, Worker, size=size)


async def test_what_is_no_routing_is_refused(system: ActorSystem) -> None:
    nonsense: Any = "round_robin"
    with pytest.raises(TypeError, match="'round_robin'"):
        await Pool.spawn(system, Worker, routing=nonsense)


async def test_a_key_that_cannot_be_had_is_the_tellers_error(
    system: ActorSystem, records: Any
) -> None:
    pool = await Pool.spawn(system, Worker, routing=lambda message: message.key[0])
    for put in (pool.tell, pool.ask):
        with pytest.raises(IndexError):
            put(Who(""))
        with pytest.raises(TypeError, match=r"the key of Who is not hashable: \['x'\]"):
            put(Who([["x"]]))
    assert system.stats().told == 0
    assert records.letters == []
    assert await pool.ask(Who("x")) in pool.refs


async def test_a_full_worker_does_as_its_overflow_says(system: ActorSystem) -> None:
    class Refusing(Worker):
        mailbox_size: ClassVar[int] = 1
        overflow: ClassVar[Overflow] = Overflow.FAIL

    pool = await Pool.spawn(system, Refusing, size=1)
    hold = Hold()
    await hold(pool.refs[0])
    pool.tell(Job(1))
    with pytest.raises(MailboxFull):
        pool.tell(Job(2))
    hold.gate.set()


async def test_a_failed_start_leaves_nothing(system: ActorSystem, records: Any) -> None:
    started = 0

    class Third(Worker):
        async def on_start(self) -> None:
            nonlocal started
            started += 1
            if started == 3:
                raise ValueError("the third")

    with pytest.raises(ValueError, match="the third"):
        await Pool.spawn(system, Third, name="pool")
    await anyio.wait_all_tasks_blocked()
    assert system.stats().actors == 0
    pool = await Pool.spawn(system, Third, name="pool")  # the names are free
    assert [ref.name for ref in pool.refs] == ["pool/1", "pool/2", "pool/3", "pool/4"]
    assert system.find("pool") is pool.supervisor
    with pytest.raises(NameTaken):
        await Pool.spawn(system, Third, name="pool")
    assert repr(pool) == "<Pool pool of 4>"


async def test_a_worker_that_asks_its_pool_may_meet_itself(system: ActorSystem) -> None:
    pool = await Pool.spawn(system, Worker, size=2)

    async def ask_twice(worker: Actor) -> list[ActorRef]:
        other = await pool.ask(Who())
        with pytest.raises(AskCycle):
            await pool.ask(Who())
        return [worker.ref, other]

    assert await pool.ask(Do(ask_twice), timeout=SOON) == list(pool.refs)


async def test_an_ask_has_its_own_timeout(system: ActorSystem) -> None:
    pool = await Pool.spawn(system, Worker, size=1)
    hold = Hold()
    await hold(pool.refs[0])
    with anyio.fail_after(SOON):
        with pytest.raises(AskTimeout, match=r"0\.05 s"):
            await pool.ask(Who(), timeout=0.05)
        with pytest.raises(AskTimeout, match=r"0\.05 s"):
            await to_thread.run_sync(lambda: pool.ask_blocking(Who(), timeout=0.05))
    hold.gate.set()


# Restarts.


async def test_a_crash_keeps_the_pool_and_its_refs(system: ActorSystem, log: Any) -> None:
    pool = await Pool.spawn(system, Worker, size=2, intensity=OFTEN)
    refs = pool.refs
    for number in range(4):
        pool.tell(Job(number))
    pool.tell(Crash())  # to the first
    pool.tell(Job(5))
    pool.tell(Job(6))
    with pytest.raises(ActorCrashed):
        await refs[0].ask(Bad())
    pool.tell(Job(7))
    pool.tell(Job(8))
    assert pool.refs is refs
    assert pool.alive
    assert await seen(pool) == [[8], [1, 3, 5, 7]]
    assert len(log) == 2


async def test_a_worker_that_stops_itself_starts_anew(system: ActorSystem) -> None:
    pool = await Pool.spawn(system, Worker, size=1)

    async def stop(worker: Actor) -> None:
        worker.stop()

    pool.tell(Job(1))
    await pool.ask(Do(stop))
    pool.tell(Job(2))
    assert await seen(pool) == [[2]]


async def test_crashing_too_often_ends_the_pool(
    system: ActorSystem, records: Any, log: Any
) -> None:
    book = Book()
    pool = await Pool.spawn(system, lambda: Worker(book), size=3, intensity=Intensity(2, math.inf))
    notices = await watch(system, pool)
    for _ in range(3):  # each worker once: the limit is the pool's
        assert pool.alive
        pool.tell(Crash())
        await anyio.wait_all_tasks_blocked()
    await pool.wait()
    await anyio.wait_all_tasks_blocked()
    assert not pool.alive
    assert not any(ref.alive for ref in pool.refs)
    assert book.ends == ["crash", "stop", "stop"]
    (notice,) = notices
    assert notice.how == "crash"
    assert isinstance(notice.error, IntensityExceeded)
    assert system.stats().actors == 1
