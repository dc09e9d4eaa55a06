"""Timers: when their messages come, and above all when they do not."""

import math
import random
from collections.abc import Callable
from typing import Any, ClassVar

import anyio
import pytest

from actors import (
    ActorSystem,
    Directive,
    Interrupted,
    Message,
    Overflow,
    Request,
    Restart,
    receive,
)
from tests.actors.work import Do, Doer, Hold, hold

pytestmark = pytest.mark.anyio

LONG = 1000.0
"""A delay that no test waits for."""
OFTEN = 0.001
PATIENCE = 5.0
"""Seconds within which what is to come has come."""


class Book(list[Any]):
    """What was handled, in order; of the test, so that it survives restarts."""

    news: anyio.Event | None = None

    def add(self, entry: Any) -> None:
        self.append(entry)
        if self.news is not None:
            self.news.set()

    async def has(self, number: int) -> list[Any]:
        with anyio.fail_after(PATIENCE):
            while len(self) < number:
                self.news = anyio.Event()
                await self.news.wait()
        return list(self)


class Beep(Message):
    number: int


class Other(Message):
    pass


class Urgent(Message):
    pass


class Halt(Message):
    pass


class Generate(Request[str]):
    pass


class Desk(Doer):
    def __init__(self, book: Book) -> None:
        self.book = book

    @receive
    async def beep(self, beep: Beep) -> None:
        self.book.add(beep.number)

    @receive
    async def other(self, other: Other) -> None:
        self.book.add("other")


def start(*numbers: int, delay: float = 0.0, **more: Any) -> Callable[[Any], None]:
    """Work that starts a timer for each number, by default of the same key."""

    def work(actor: Any) -> None:
        for number in numbers:
            actor.start_timer(Beep(number), delay, **more)

    return work


async def pass_time(system: ActorSystem) -> None:
    """Wait until every timer that was due when this was called has expired."""
    book = Book()
    ref = await system.spawn(lambda: Desk(book))
    for number in (1, 2):  # the second expires in a tick behind that of all the others
        ref.tell(Do(start(number)))
        await book.has(number)
    await ref.stop()


async def test_a_timer_fires_once_or_again_and_again_until_it_is_cancelled(
    system: ActorSystem, records: Any
) -> None:
    book = Book()
    ref = await system.spawn(lambda: Desk(book))
    ref.tell(Do(start(1)))
    await book.has(1)
    await pass_time(system)
    assert book == [1]
    ref.tell(Do(start(2, every=OFTEN)))
    assert await book.has(4) == [1, 2, 2, 2]
    ref.tell(Do(lambda actor: (actor.cancel_timer(Beep), book.add("cancelled"))))
    while book[-1] != "cancelled":
        await book.has(len(book) + 1)
    await pass_time(system)
    assert book[-1] == "cancelled"
    assert set(records.dead()) <= {(Beep(2), "replaced")}
    assert len(system._core.deadlines) == 0  # type: ignore[union-attr]


async def test_the_first_tick_of_a_periodic_timer_comes_after_the_delay(
    system: ActorSystem,
) -> None:
    book = Book()
    ref = await system.spawn(lambda: Desk(book))
    ref.tell(Do(start(1, delay=LONG, every=OFTEN)))
    await pass_time(system)
    ref.tell(Do(start(2, every=LONG)))
    await book.has(1)
    await pass_time(system)
    assert book == [2]


async def test_a_tick_goes_behind_what_is_queued(system: ActorSystem) -> None:
    book = Book()
    ref = await system.spawn(lambda: Desk(book))
    held = await hold(ref, start(3))
    ref.tell(Beep(1))
    ref.tell(Beep(2))
    await pass_time(system)
    ref.tell(Beep(4))
    held.gate.set()
    assert await book.has(4) == [1, 2, 3, 4]


async def test_a_timer_replaces_that_of_its_key_by_default_its_type(system: ActorSystem) -> None:
    book = Book()
    ref = await system.spawn(lambda: Desk(book))

    def work(actor: Any) -> None:
        actor.start_timer(Beep(1), 0)
        actor.start_timer(Other(), 0)
        actor.start_timer(Beep(2), 0)
        actor.start_timer(Beep(3), 0, key="a")
        actor.start_timer(Beep(4), 0, key="b")
        actor.start_timer(Beep(5), 0, key="a")

    ref.tell(Do(work))
    await book.has(4)
    await pass_time(system)
    assert sorted(book, key=str) == [2, 4, 5, "other"]


@pytest.mark.parametrize(
    ("then", "left"),
    [
        (lambda actor: actor.cancel_timer(Beep), []),
        (lambda actor: actor.cancel_timer(Other), [1]),
        (start(2), [2]),
        (start(2, key="another"), [1, 2]),
    ],
)
async def test_a_queued_message_of_a_replaced_or_cancelled_timer_is_not_handled(
    system: ActorSystem, records: Any, unaccounted: Any, then: Any, left: list[int]
) -> None:
    book = Book()
    ref = await system.spawn(lambda: Desk(book))
    held = await hold(ref, start(1), then)
    await pass_time(system)
    assert len(ref._mailbox) == 1
    held.gate.set()
    await pass_time(system)
    await pass_time(system)
    assert book == left
    assert records.dead() == ([] if 1 in left else [(Beep(1), "replaced")])
    assert unaccounted(system.stats()) == 0


async def test_cancelling_what_does_not_exist_is_fine(system: ActorSystem, records: Any) -> None:
    book = Book()
    ref = await system.spawn(lambda: Desk(book))
    ref.tell(Do(lambda actor: actor.cancel_timer("none")))
    ref.tell(Do(start(1)))
    ref.tell(Do(lambda actor: actor.cancel_timer("none")))
    await book.has(1)
    ref.tell(Do(lambda actor: (actor.cancel_timer(Beep), actor.cancel_timer(Beep))))
    ref.tell(Beep(2))
    assert await book.has(2) == [1, 2]
    assert [moment for moment in records.moments if moment[0] == "crashed"] == []


def fail(actor: Any) -> None:
    raise ValueError("a crash")


@pytest.mark.parametrize("how", ["drain", "stop", "kill", "crash", "itself"])
async def test_no_timer_fires_after_the_end(
    system: ActorSystem, records: Any, log: Any, unaccounted: Any, how: str
) -> None:
    book = Book()
    ref = await system.spawn(lambda: Desk(book))
    last = {"crash": fail, "itself": lambda actor: actor.stop()}.get(how)
    held = await hold(ref, start(1, delay=0.0 if last is None else 0.05, every=OFTEN), last)
    if last is None:
        getattr(ref, how)()
        await pass_time(system)  # before its end, and after it was decided
    held.gate.set()
    await ref.wait()
    told = system.stats().told
    assert len(system._core.deadlines) == 0  # type: ignore[union-attr]
    await pass_time(system)
    assert system.stats().told == told + 4  # by `pass_time`
    assert book == []
    assert not [letter for letter in records.letters if isinstance(letter.message, Beep)]
    assert unaccounted(system.stats()) == 0


async def test_an_actor_that_is_ending_starts_no_timer(system: ActorSystem, records: Any) -> None:
    book = Book()

    class Ending(Desk):
        async def on_stop(self, end: Any) -> None:
            self.start_timer(Beep(1), 0)
            await pass_time(system)
            book.add(end.how)

    ref = await system.spawn(lambda: Ending(book))
    held = await hold(ref)
    ended = ref.drain()
    held.last = start(2)
    held.gate.set()
    await ended
    await pass_time(system)
    assert book == ["drain"]
    assert records.letters == []


@pytest.mark.parametrize("queued", [True, False])
async def test_a_restart_drops_timers_and_their_queued_messages(
    system: ActorSystem, records: Any, log: Any, queued: bool
) -> None:
    book = Book()
    ref = await system.spawn(lambda: Desk(book), restart=Restart.TRANSIENT)
    held = await hold(ref, start(1, every=OFTEN, delay=0.0 if queued else 0.03), fail)
    if queued:
        await pass_time(system)
    ref.tell(Beep(2))
    held.gate.set()
    await book.has(1)
    await anyio.sleep(0.0 if queued else 0.03)
    await pass_time(system)
    assert book == [2]
    assert records.dead() == ([(Beep(1), "replaced")] if queued else [])


async def test_a_resume_keeps_timers_and_their_queued_messages(
    system: ActorSystem, log: Any
) -> None:
    class Resuming(Desk):
        directives: ClassVar[Any] = {ValueError: Directive.RESUME}

    book = Book()
    ref = await system.spawn(lambda: Resuming(book))
    held = await hold(ref, start(1, every=OFTEN), fail)
    await pass_time(system)
    held.gate.set()
    assert await book.has(3) == [1, 1, 1]


async def test_on_start_may_start_timers_and_does_so_again_in_a_restart(
    system: ActorSystem, log: Any
) -> None:
    class Starting(Desk):
        async def on_start(self) -> None:
            self.start_timer(Beep(len(self.book)), 0)

    book = Book()
    ref = await system.spawn(lambda: Starting(book), restart=Restart.TRANSIENT)
    await book.has(1)
    ref.tell(Do(fail))
    await book.has(2)
    await pass_time(system)
    assert book == [0, 1]


async def test_a_failed_on_start_leaves_no_timer(system: ActorSystem, records: Any) -> None:
    class Failing(Desk):
        async def on_start(self) -> None:
            self.start_timer(Beep(1), 0)
            fail(self)

    with pytest.raises(ValueError, match="a crash"):
        await system.spawn(lambda: Failing(Book()))
    assert len(system._core.deadlines) == 0  # type: ignore[union-attr]
    assert records.letters == []


async def test_a_slow_actor_has_one_tick_of_a_timer_queued(system: ActorSystem) -> None:
    book = Book()
    ref = await system.spawn(lambda: Desk(book))
    held = await hold(ref, lambda actor: (start(1, every=OFTEN)(actor), start(2, key=2)(actor)))
    for _ in range(3):
        await pass_time(system)
    assert len(ref._mailbox) == 2  # one of each
    held.gate.set()
    await book.has(4)
    assert sorted(book[:4]) == [1, 1, 1, 2]


@pytest.mark.parametrize(
    ("overflow", "dead"),
    [
        (Overflow.WAIT, (Beep(1), "full")),
        (Overflow.FAIL, (Beep(1), "full")),
        (Overflow.DROP_NEWEST, (Beep(1), "dropped")),
        (Overflow.DROP_OLDEST, (Beep(0), "dropped")),
    ],
)
@pytest.mark.parametrize("declared", [False, True])
async def test_a_tick_that_finds_no_room_is_a_dead_letter_and_the_timer_goes_on(
    system: ActorSystem,
    records: Any,
    unaccounted: Any,
    overflow: Overflow,
    dead: Any,
    declared: bool,
) -> None:
    size, policy = 1, overflow

    class Full(Declaring if declared else Desk):  # type: ignore[misc]
        mailbox_size: ClassVar[int] = size
        overflow: ClassVar[Overflow] = policy

    book = Book()
    ref = await system.spawn(lambda: Full(book))
    held = await hold(ref, start(1, every=OFTEN))
    ref.tell(Beep(0))
    await pass_time(system)
    assert records.dead()[0] == dead
    held.gate.set()
    assert (await book.has(4))[-2:] == [1, 1]
    assert unaccounted(system.stats()) == 0


async def test_a_tick_that_had_to_make_room_does_not_end_its_timer(
    system: ActorSystem, records: Any
) -> None:
    class Dropping(Desk):
        mailbox_size: ClassVar[int] = 1
        overflow: ClassVar[Overflow] = Overflow.DROP_OLDEST

    book = Book()
    ref = await system.spawn(lambda: Dropping(book))
    held = await hold(ref, start(1, every=OFTEN))
    await pass_time(system)
    ref.tell(Beep(2))
    assert records.dead() == [(Beep(1), "dropped")]
    held.gate.set()
    assert (await book.has(3))[-1] == 1


async def test_seconds_out_of_bounds_are_refused(system: ActorSystem) -> None:
    caught = anyio.Event()

    def work(actor: Any) -> None:
        actor.start_timer(Beep(1), 0)
        for wrong in (-1.0, math.inf, math.nan):
            with pytest.raises(ValueError, match="delay is at least 0 seconds and finite"):
                actor.start_timer(Beep(2), wrong)
        for wrong in (0.0, -1.0, math.inf, math.nan):
            with pytest.raises(ValueError, match="period is above 0 seconds and finite"):
                actor.start_timer(Beep(2), 0, every=wrong)
        caught.set()

    book = Book()
    ref = await system.spawn(lambda: Desk(book))
    ref.tell(Do(work))
    await caught.wait()
    assert await book.has(1) == [1]  # and the timer in its place was left alone


async def test_a_kill_makes_a_dead_letter_of_the_tick_in_hand(
    system: ActorSystem, records: Any
) -> None:
    held = Hold()
    ref = await system.spawn(lambda: Desk(Book()))
    ref.tell(Do(lambda actor: actor.start_timer(Do(held), 0)))
    await held.entered.wait()
    await ref.kill()
    assert records.dead() == [(Do(held), "killed")]


async def test_timers_of_their_own_keys_leave_nothing_once_they_have_fired(
    system: ActorSystem,
) -> None:
    book = Book()
    ref = await system.spawn(lambda: Desk(book))
    ref.tell(Do(lambda actor: [start(key, key=key)(actor) for key in range(50)]))
    await book.has(50)
    left: Any = ref._cell._timers._timers  # type: ignore[attr-defined]
    assert len(left) <= 1


class Declaring(Desk):
    @receive(priority=1)
    async def urgent(self, urgent: Urgent) -> None:
        self.book.add("urgent")

    @receive(interrupt=True)
    async def halt(self, halt: Halt) -> None:
        self.book.add("halt")

    @receive(interruptible=True)
    async def generate(self, request: Generate) -> str:
        await self.held(self)
        return "whole"

    held: ClassVar[Hold]


async def test_a_timer_of_a_priority_type_overtakes(system: ActorSystem, records: Any) -> None:
    book = Book()
    ref = await system.spawn(lambda: Declaring(book))
    held = await hold(ref, lambda actor: (start(2)(actor), actor.start_timer(Urgent(), 0)))
    ref.tell(Beep(1))
    await pass_time(system)
    held.gate.set()
    assert await book.has(3) == ["urgent", 1, 2]


async def test_a_timer_may_interrupt(system: ActorSystem, records: Any) -> None:
    book = Book()
    Declaring.held = Hold(lambda actor: actor.start_timer(Halt(), 0))
    ref = await system.spawn(lambda: Declaring(book))
    asked = ref.ask(Generate(), timeout=LONG)
    ref.tell(Beep(1))
    with pytest.raises(Interrupted):
        await asked
    assert await book.has(2) == ["halt", 1]
    assert records.dead() == [(Generate(), "interrupted")]


async def test_an_interrupted_tick_lets_no_second_one_in_beside_the_one_that_waits(
    system: ActorSystem,
) -> None:
    class Working(Desk):
        @receive(interruptible=True)
        async def urgent(self, urgent: Urgent) -> None:
            await working(self)

        @receive(interrupt=True)
        async def halt(self, halt: Halt) -> None:
            await halting(self)

    working, halting = Hold(), Hold()
    ref = await system.spawn(lambda: Working(Book()))
    ref.tell(Do(lambda actor: actor.start_timer(Urgent(), 0, every=OFTEN)))
    await working.entered.wait()
    await pass_time(system)
    ref.tell(Halt())
    await halting.entered.wait()
    await pass_time(system)
    assert len(ref._mailbox) == 1
    await ref.kill()


class Batching(Desk):
    @receive
    async def beeps(self, beeps: list[Beep]) -> None:
        self.book.add(beeps)

    @receive
    async def others(self, others: list[Other]) -> None:
        self.book.add(others)

    beep = other = None  # type: ignore[assignment]


async def test_a_batch_is_of_the_timers_messages(
    system: ActorSystem, records: Any, unaccounted: Any
) -> None:
    def two(actor: Any) -> None:
        actor.start_timer(Beep(1), 0)
        actor.start_timer(Other(), 0)
        actor.start_timer(Beep(2), 0, key=2)
        actor.start_timer(Beep(3), 0, key=3)

    book = Book()
    ref = await system.spawn(lambda: Batching(book))
    held = await hold(ref, two, lambda actor: actor.cancel_timer(2))
    await pass_time(system)
    held.gate.set()
    while sum(map(len, book)) < 3:
        await book.has(len(book) + 1)
    assert sorted((each for batch in book for each in batch), key=str) == [
        Beep(1),
        Beep(3),
        Other(),
    ]
    assert all(len({type(each) for each in batch}) == 1 for batch in book)
    assert records.dead() == [(Beep(2), "replaced")]
    assert unaccounted(system.stats()) == 0


async def test_a_batch_with_a_tick_frees_the_timer_for_the_next(system: ActorSystem) -> None:
    book = Book()
    ref = await system.spawn(lambda: Batching(book))
    held = await hold(ref, start(1, every=OFTEN))
    ref.tell(Beep(0))
    await pass_time(system)
    ref.tell(Beep(2))
    held.gate.set()
    while sum(map(len, book)) < 5:
        await book.has(len(book) + 1)
    assert [beep.number for batch in book for beep in batch][:5] == [0, 1, 2, 1, 1]


@pytest.mark.parametrize("seed", range(4))
async def test_messages_of_timers_are_accounted_for(
    system: ActorSystem, log: Any, unaccounted: Any, seed: int
) -> None:
    chance = random.Random(seed)

    class Small(chance.choice([Desk, Declaring, Batching])):  # type: ignore[misc]
        mailbox_size: ClassVar[int] = 2
        overflow: ClassVar[Overflow] = chance.choice(list(Overflow))

    def work(actor: Any) -> None:
        kind = chance.choice([Beep(1), Other(), Do(fail), Halt(), Urgent()])
        actor.start_timer(kind, 0, every=chance.choice([None, OFTEN]), key=chance.randrange(4))
        actor.cancel_timer(chance.randrange(4))

    refs = [
        await system.spawn(lambda: Small(Book()), restart=chance.choice(list(Restart)))
        for _ in range(6)
    ]
    for _ in range(6):
        for ref in refs:
            system.publish("nobody", Beep(1))
            ref._mailbox.offer(Do(work))
        await anyio.sleep(0.005)
        assert unaccounted(system.stats()) == 0
        await getattr(chance.choice(refs), chance.choice(["wait", "kill", "drain"][1:]))()
        assert unaccounted(system.stats()) == 0
