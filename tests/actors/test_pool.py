"""Pools: which worker gets what, their restarts, and how a pool ends."""

import itertools
import math
import threading
from collections import Counter
from collections.abc import Callable, Hashable
from typing import Any, ClassVar

import anyio
import pytest
from anyio import to_thread
from hypothesis import given, settings
from hypothesis import strategies as st

from actors import (
    Actor,
    ActorCrashed,
    ActorRef,
    ActorStopped,
    ActorSystem,
    AskCycle,
    AskTimeout,
    Backoff,
    Directive,
    End,
    Intensity,
    IntensityExceeded,
    MailboxFull,
    Message,
    NameTaken,
    NotRunning,
    Overflow,
    Pool,
    Reason,
    Request,
    Restart,
    Routing,
    Terminated,
    receive,
)

pytestmark = pytest.mark.anyio

IN_TURN, LEAST = Routing.ROUND_ROBIN, Routing.LEAST_LOADED
OFTEN = Intensity(1000, math.inf)
PATIENCE = 20.0
SOON = 2.0
"""Seconds for what must come at once; less than any deadline that would bring it about."""


class Job(Message):
    number: int
    key: Any = None


class Crash(Message):
    error: type[Exception] = ValueError


class Who(Request[ActorRef]):
    key: Any = None


class Seen(Request[list[int]]):
    pass


class Bad(Request[int]):
    pass


class Do(Request[Any]):
    """Await `function(worker)`."""

    function: Any


class Book:
    """What the workers of a pool did."""

    def __init__(self) -> None:
        self.jobs: list[tuple[ActorRef, Job]] = []
        self.ends: list[str] = []

    def numbers(self) -> list[int]:
        return sorted(job.number for _, job in self.jobs)


class Worker(Actor):
    directives: ClassVar = {OSError: Directive.STOP}

    def __init__(self, book: "Book | None" = None) -> None:
        self.book = Book() if book is None else book
        self.seen: list[int] = []

    @receive
    async def job(self, job: Job) -> None:
        self.seen.append(job.number)
        self.book.jobs.append((self.ref, job))

    @receive
    async def crash(self, crash: Crash) -> None:
        raise crash.error("boom")

    @receive
    async def fail(self, request: Bad) -> int:
        raise ValueError("boom")

    @receive
    async def who(self, request: Who) -> ActorRef:
        return self.ref

    @receive
    async def tell_seen(self, request: Seen) -> list[int]:
        return list(self.seen)

    @receive
    async def do(self, request: Do) -> Any:
        return await request.function(self)

    async def on_stop(self, end: End) -> None:
        self.book.ends.append(end.how)


class Hold:
    """Workers that wait in a handler until the gate opens."""

    def __init__(self) -> None:
        self.gate = anyio.Event()
        self.asks: list[Any] = []

    async def __call__(self, ref: ActorRef) -> None:
        entered = anyio.Event()

        async def wait(worker: Actor) -> None:
            entered.set()
            await self.gate.wait()

        self.asks.append(ref.ask(Do(wait)))
        await entered.wait()


def key_of(message: Any) -> Hashable:
    return message.key  # type: ignore[no-any-return]


async def seen(pool: Pool) -> list[list[int]]:
    """What each living worker has handled."""
    return [await ref.ask(Seen()) for ref in pool.refs if ref.alive]


async def watch(system: ActorSystem, pool: Pool) -> list[Terminated]:
    """What somebody is told of the pool's end."""
    notices: list[Terminated] = []

    class Watcher(Actor):
        async def on_start(self) -> None:
            self.watch(pool.supervisor)

        @receive
        async def ended(self, notice: Terminated) -> None:
            notices.append(notice)

    await system.spawn(Watcher)
    return notices


async def idle(pool: Pool) -> None:
    """Each worker waits for mail."""
    for ref in pool.refs:
        await ref.ask(Seen())
    await anyio.wait_all_tasks_blocked()


# Which worker.


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


def in_thread(work: Callable[[], object]) -> None:
    """Run it to its end in a thread, while this one, the loop's, stands still."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


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


# Workers that have ended.


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


# The end.


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


# Threads.


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
