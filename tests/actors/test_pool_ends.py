"""How a pool ends: by its last worker, its owner, a drain, a stop, a kill or a thread."""

from collections import Counter
from typing import Any, ClassVar

import anyio
import pytest

from actors import Actor, ActorStopped, ActorSystem, NotRunning, Pool, Reason, receive
from tests.actors.pooled import (
    IN_TURN,
    LEAST,
    SOON,
    Book,
    Do,
    Hold,
    Job,
    Who,
    Worker,
    key_of,
    watch,
)
from tests.actors.threads import in_thread

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("routing", [IN_TURN, LEAST, key_of])
async def test_the_pool_ends_with_its_last_worker(
    system: ActorSystem, records: Any, routing: Any
) -> None:
    pool = await Pool.spawn(system, Worker, size=2, routing=routing)
    pool.refs[0].stop()
    pool.tell(Job(1))
    pool.refs[1].drain()
    assert not pool.alive  # though nobody has had a turn yet
    pool.tell(Job(2))
    with pytest.raises(ActorStopped):
        await pool.ask(Who(), timeout=SOON)
    assert records.dead() == [(Job(2), "stopped"), (Who(), "stopped")]
    await pool.wait()
    assert system.stats().actors == 0
    assert repr(pool).endswith("of 2 (ended)>")
    pool.tell(Job(3))
    with pytest.raises(ActorStopped):
        await pool.ask(Who(), timeout=SOON)
    assert records.dead()[2:] == [(Job(3), "stopped"), (Who(), "stopped")]


async def test_a_pool_that_its_owner_ends_takes_no_more(system: ActorSystem, records: Any) -> None:
    class Owner(Actor):
        async def on_start(self) -> None:
            self.pool = await Pool.spawn(self, Worker, size=2)

        @receive
        async def do(self, request: Do) -> Any:
            return await request.function(self)

    async def pool_of(owner: Any) -> Any:
        return owner.pool

    owner = await system.spawn(Owner)
    pool: Pool = await owner.ask(Do(pool_of))
    hold = Hold()
    await hold(pool.refs[1])
    owner.stop()
    await anyio.wait_all_tasks_blocked()  # the last worker holds up all others
    assert pool.refs[0].alive
    assert not pool.alive
    pool.tell(Job(1))
    with pytest.raises(ActorStopped):
        await pool.ask(Who(), timeout=SOON)
    assert [letter.reason for letter in records.letters] == [Reason.STOPPED] * 2
    hold.gate.set()
    await owner.wait()
    assert system.stats().actors == 0


async def test_a_drain_handles_all_that_is_queued(system: ActorSystem, records: Any) -> None:
    book = Book()

    class Small(Worker):
        mailbox_size: ClassVar[int] = 5

    pool = await Pool.spawn(system, lambda: Small(book), size=3)
    hold = Hold()
    for ref in pool.refs[:2]:
        await hold(ref)
    for number in range(60):
        pool.tell(Job(number))
    draining = pool.drain()
    assert not pool.alive
    pool.tell(Job(60))
    await pool.refs[2].wait()
    await anyio.wait_all_tasks_blocked()  # its end must not stop the others
    hold.gate.set()
    await draining
    assert book.numbers() == [*range(60)]
    assert book.ends == ["drain"] * 3
    assert records.dead() == [(Job(60), "stopped")]
    assert not pool.supervisor.alive
    await pool.drain()  # twice is fine


async def test_a_drain_has_an_end(system: ActorSystem, records: Any) -> None:
    pool = await Pool.spawn(system, Worker, size=2)
    hold = Hold()
    for ref in pool.refs:
        await hold(ref)
        ref.tell(Job(1))
    with anyio.fail_after(SOON):
        await pool.drain(timeout=0.05)
    assert Counter(reason for _, reason in records.dead()) == {"killed": 4}


async def test_a_stop_finishes_what_is_in_hand(system: ActorSystem, records: Any) -> None:
    book = Book()
    pool = await Pool.spawn(system, lambda: Worker(book), size=2)
    hold = Hold()
    for ref in pool.refs:
        await hold(ref)
        ref.tell(Job(1))
    stopping = pool.stop()
    assert not any(ref.alive for ref in pool.refs)  # all at once, not one after the other
    hold.gate.set()
    with anyio.fail_after(SOON):
        await stopping
        for ask in hold.asks:
            assert await ask is None
    assert book.ends == ["stop", "stop"]
    assert records.dead() == [(Job(1), "stopped")] * 2
    assert system.stats().actors == 0


@pytest.mark.parametrize("how", ["drain", "stop", "kill"])
async def test_who_watches_the_pool_hears_how_it_ended(system: ActorSystem, how: str) -> None:
    pool = await Pool.spawn(system, Worker)
    notices = await watch(system, pool)
    await getattr(pool, how)()
    await anyio.wait_all_tasks_blocked()
    assert [notice.how for notice in notices] == [how]


async def test_a_stop_takes_as_long_as_one_worker(system: ActorSystem) -> None:
    pool = await Pool.spawn(system, Worker, size=20)
    hold = Hold()
    for ref in pool.refs:
        await hold(ref)
    with anyio.fail_after(SOON):
        await pool.stop(timeout=0.2)
    assert system.stats().actors == 0


async def test_a_kill_cancels_what_is_in_hand(system: ActorSystem, records: Any) -> None:
    book = Book()
    pool = await Pool.spawn(system, lambda: Worker(book), size=2)
    hold = Hold()
    for ref in pool.refs:
        await hold(ref)
    with anyio.fail_after(SOON):
        await pool.kill()
    assert book.ends == []
    assert system.stats().actors == 0
    for ask in hold.asks:
        with pytest.raises(ActorStopped):
            await ask


async def test_a_worker_may_end_its_pool(system: ActorSystem) -> None:
    pool = await Pool.spawn(system, Worker, size=2)

    async def stop(worker: Actor) -> str:
        pool.stop()
        return "stopped"

    with anyio.fail_after(SOON):
        assert await pool.ask(Do(stop)) == "stopped"
        await pool.wait()


@pytest.mark.parametrize("how", ["drain", "stop", "kill"])
async def test_a_thread_ends_the_pool_behind_what_it_told(
    system: ActorSystem, records: Any, how: str
) -> None:
    book = Book()
    pool = await Pool.spawn(system, lambda: Worker(book), size=2)

    def act() -> None:
        for number in range(10):
            pool.tell(Job(number))
        getattr(pool, how)()

    in_thread(act)
    await pool.wait()
    assert book.numbers() == ([*range(10)] if how == "drain" else [])
    assert len(records.letters) == 10 - len(book.jobs)


async def test_after_the_systems_end(anyio_backend: str, records: Any) -> None:
    async with ActorSystem(instruments=[records]) as system:
        pool = await Pool.spawn(system, Worker)
    assert not pool.alive
    pool.tell(Job(1))
    assert records.dead() == [(Job(1), "stopped")]
    with pytest.raises(NotRunning):
        pool.ask(Who())
    with pytest.raises(NotRunning):
        await Pool.spawn(system, Worker)
