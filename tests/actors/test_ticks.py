"""Ticks: the messages of timers among the others in a mailbox; full ones, priorities, batches."""

import random
from typing import Any, ClassVar

import anyio
import pytest

from actors import ActorSystem, Interrupted, Overflow, Restart, receive
from tests.actors.timed import (
    LONG,
    OFTEN,
    Beep,
    Book,
    Desk,
    Generate,
    Halt,
    Other,
    Urgent,
    fail,
    pass_time,
    start,
)
from tests.actors.work import Do, Hold, hold

pytestmark = pytest.mark.anyio


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


async def test_a_kill_makes_a_dead_letter_of_the_tick_in_hand(
    system: ActorSystem, records: Any
) -> None:
    held = Hold()
    ref = await system.spawn(lambda: Desk(Book()))
    ref.tell(Do(lambda actor: actor.start_timer(Do(held), 0)))
    await held.entered.wait()
    await ref.kill()
    assert records.dead() == [(Do(held), "killed")]


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
