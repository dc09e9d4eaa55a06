"""Telling: order, one at a time, the full mailbox, fairness."""

from typing import Any, ClassVar

import anyio
import pytest

from actors import (
    Actor,
    ActorSystem,
    MailboxFull,
    Message,
    Overflow,
    Reason,
    Request,
    receive,
)
from tests.actors.work import Doer, hold

pytestmark = pytest.mark.anyio


class Note(Message):
    number: int


class Special(Note):
    pass


class Seen(Request[list[object]]):
    """What was handled so far. Also says that all told before is done."""


class Log(Doer):
    def __init__(self) -> None:
        self.seen: list[object] = []

    @receive
    async def note(self, note: Note) -> None:
        self.seen.append(note.number)

    @receive
    async def tell_seen(self, request: Seen) -> list[object]:
        return list(self.seen)


class Small(Log):
    mailbox_size: ClassVar[int] = 2


class Refusing(Small):
    overflow: ClassVar[Overflow] = Overflow.FAIL


class DroppingNewest(Small):
    overflow: ClassVar[Overflow] = Overflow.DROP_NEWEST


class DroppingOldest(Small):
    overflow: ClassVar[Overflow] = Overflow.DROP_OLDEST


async def test_handled_in_the_order_told(system: ActorSystem) -> None:
    ref = await system.spawn(Log)
    for number in range(200):
        ref.tell(Note(number))
    assert await ref.ask(Seen()) == list(range(200))


async def test_told_before_tell_returns(system: ActorSystem) -> None:
    ref = await system.spawn(Log)
    ref.tell(Note(1))  # not awaited
    assert system.stats().queued == 1
    assert await ref.ask(Seen()) == [1]


async def test_each_pair_keeps_its_order(system: ActorSystem) -> None:
    class Begin(Message):
        target: Any
        base: int

    class Teller(Actor):
        @receive
        async def begin(self, begin: Begin) -> None:
            for number in range(100):
                await begin.target.tell(Note(begin.base + number))

    ref = await system.spawn(Small)
    tellers = [await system.spawn(Teller) for _ in range(4)]
    for base, teller in enumerate(tellers):
        teller.tell(Begin(ref, 1000 * base))
    for teller in tellers:
        await teller.drain()
    seen: Any = await ref.ask(Seen())
    assert len(seen) == 400
    for base in range(4):
        mine = [number for number in seen if number // 1000 == base]
        assert mine == [1000 * base + number for number in range(100)]


async def test_one_handler_at_a_time_across_awaits(system: ActorSystem) -> None:
    class Step(Message):
        pass

    class Careful(Actor):
        inside = 0
        most = 0

        @receive
        async def step(self, step: Step) -> None:
            self.inside += 1
            self.most = max(self.most, self.inside)
            for _ in range(3):
                await anyio.lowlevel.checkpoint()
            self.inside -= 1

        @receive
        async def tell_most(self, request: Seen) -> list[object]:
            assert self.inside == 0
            return [self.most]

    ref = await system.spawn(Careful)
    for _ in range(20):
        ref.tell(Step())
    assert await ref.ask(Seen()) == [1]


async def test_a_tell_to_oneself_goes_behind_what_is_queued(system: ActorSystem) -> None:
    class Echo(Log):
        @receive
        async def note(self, note: Note) -> None:
            self.seen.append(note.number)
            if note.number == 1:
                await self.ref.tell(Note(10))
                self.seen.append("told")

    ref = await system.spawn(Echo)
    for number in (1, 2, 3):
        ref.tell(Note(number))
    await ref.ask(Seen())
    assert await ref.ask(Seen()) == [1, "told", 2, 3, 10]


async def test_a_subclass_of_a_handled_type_is_handled(system: ActorSystem) -> None:
    ref = await system.spawn(Log)
    ref.tell(Special(7))
    ref.tell(Special(8))
    assert await ref.ask(Seen()) == [7, 8]


async def test_what_has_no_handler_is_a_dead_letter(system: ActorSystem, records: Any) -> None:
    ref = await system.spawn(Log)
    ref.tell("what?")
    assert await ref.ask(Seen()) == []
    (letter,) = records.letters
    assert (letter.message, letter.target, letter.reason) == ("what?", ref, Reason.UNHANDLED)


class Nothing(Actor):
    def __init__(self, crash: bool) -> None:
        self.crash = crash

    @receive
    async def nothing(self, message: int | None) -> None:
        if self.crash:
            raise ValueError
        await anyio.sleep_forever()


@pytest.mark.parametrize("crash", [False, True])
async def test_none_is_a_message_like_any_other(system: ActorSystem, crash: bool) -> None:
    ref = await system.spawn(lambda: Nothing(crash))
    ref.tell(None)
    if crash:
        await ref.wait()
        assert (system.stats().told, system.stats().crashed) == (1, 1)
    else:
        await anyio.wait_all_tasks_blocked()
        assert system.stats().in_hand == 1
        await ref.kill()
        assert list(system.stats().dead_letters.values()) == [1]


async def test_the_awaiting_teller_waits_for_room(system: ActorSystem) -> None:
    ref = await system.spawn(Small)
    held = await hold(ref)
    passed = []

    async def tell_all() -> None:
        for number in range(5):
            await ref.tell(Note(number))
            passed.append(number)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tell_all)
        await anyio.wait_all_tasks_blocked()
        assert passed == [0, 1]
        assert system.stats().queued == 3
        held.gate.set()
    assert passed == [0, 1, 2, 3, 4]
    assert await ref.ask(Seen()) == [0, 1, 2, 3, 4]


async def test_waiting_tellers_go_in_the_order_of_arrival(system: ActorSystem) -> None:
    ref = await system.spawn(Small)
    held = await hold(ref)
    for number in range(6):  # four wait, nobody awaits
        ref.tell(Note(number))
    held.gate.set()
    assert await ref.ask(Seen()) == [0, 1, 2, 3, 4, 5]


async def test_a_cancelled_teller_never_told(
    system: ActorSystem, records: Any, unaccounted: Any
) -> None:
    ref = await system.spawn(Small)
    held = await hold(ref)
    ref.tell(Note(0))
    ref.tell(Note(1))
    scopes = []

    async def tell(number: int) -> None:
        with anyio.CancelScope() as scope:
            scopes.append(scope)
            await ref.tell(Note(number))

    async with anyio.create_task_group() as tasks:
        for number in (2, 3, 4):
            tasks.start_soon(tell, number)
            await anyio.wait_all_tasks_blocked()
        told = system.stats().told
        scopes[1].cancel()
        await anyio.wait_all_tasks_blocked()
        assert system.stats().told == told - 1
        assert unaccounted(system.stats()) == 0
        held.gate.set()
    assert await ref.ask(Seen()) == [0, 1, 2, 4]  # its slot was passed on
    assert records.letters == []


async def test_fail_refuses_to_the_teller(system: ActorSystem, records: Any) -> None:
    ref = await system.spawn(Refusing)
    held = await hold(ref)
    ref.tell(Note(0))
    ref.tell(Note(1))
    with pytest.raises(MailboxFull):
        ref.tell(Note(2))
    assert system.stats().refused == 1
    held.gate.set()
    await anyio.wait_all_tasks_blocked()
    assert await ref.ask(Seen()) == [0, 1]
    assert records.letters == []


async def test_without_a_word_about_it_a_mailbox_is_bounded_and_waits(
    system: ActorSystem, records: Any
) -> None:
    ref = await system.spawn(Log)
    held = await hold(ref)
    passed = []

    async def tell_all() -> None:
        for number in range(1030):
            await ref.tell(Note(number))
            passed.append(number)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tell_all)
        await anyio.wait_all_tasks_blocked()
        assert len(passed) == Log.mailbox_size == 1024
        held.gate.set()
    assert await ref.ask(Seen()) == list(range(1030))
    assert records.letters == []


@pytest.mark.parametrize(
    ("kind", "kept", "lost"),
    [(DroppingNewest, [0, 1], [2, 3]), (DroppingOldest, [2, 3], [0, 1])],
)
async def test_drop_makes_dead_letters(
    system: ActorSystem, records: Any, kind: type[Log], kept: list[int], lost: list[int]
) -> None:
    ref = await system.spawn(kind)
    held = await hold(ref)
    for number in range(4):
        ref.tell(Note(number))
    assert records.dead() == [(Note(number), "dropped") for number in lost]
    held.gate.set()
    await anyio.wait_all_tasks_blocked()
    assert await ref.ask(Seen()) == kept


async def test_a_stop_goes_before_a_full_mailbox_and_its_line(
    system: ActorSystem, records: Any
) -> None:
    ref = await system.spawn(Small)
    held = await hold(ref)
    for number in range(4):
        ref.tell(Note(number))
    ending = ref.stop()
    held.gate.set()
    await ending
    assert [message for message, _ in records.dead()] == [Note(number) for number in range(4)]


@pytest.mark.parametrize(
    ("how", "reason"), [("stop", "stopped"), ("drain", "stopped"), ("kill", "killed")]
)
async def test_a_tell_to_the_ended_is_a_dead_letter(
    system: ActorSystem, records: Any, how: str, reason: str
) -> None:
    ref = await system.spawn(Log)
    await getattr(ref, how)()
    assert not ref.alive
    assert "ended" in repr(ref)
    await ref.tell(Note(1))
    assert records.dead() == [(Note(1), reason)]


async def test_a_tell_after_the_systems_end_is_a_dead_letter(
    records: Any, anyio_backend: str, unaccounted: Any
) -> None:
    async with ActorSystem(instruments=[records]) as system:
        ref = await system.spawn(Log)
    await ref.tell(Note(1))
    assert records.dead() == [(Note(1), "stopped")]
    assert unaccounted(system.stats()) == 0


class Busy(Actor):
    """Never without mail, and never awaits anything that waits."""

    def __init__(self) -> None:
        self.rounds = 0

    @receive
    async def note(self, note: Note) -> None:
        self.rounds += 1
        self.ref.tell(note)

    @receive
    async def tell_rounds(self, request: Seen) -> list[object]:
        return [self.rounds]


async def test_endless_mail_starves_nobody(system: ActorSystem) -> None:
    busy = await system.spawn(Busy)
    busy.tell(Note(1))
    busy.tell(Note(2))
    other = await system.spawn(Log)
    other.tell(Note(5))
    assert await other.ask(Seen()) == [5]  # other actors
    with anyio.move_on_after(0.05) as timer:  # timers
        await anyio.sleep_forever()
    assert timer.cancelled_caught
    (rounds,) = await busy.ask(Seen())
    assert rounds > 0
    await busy.stop()  # its own stop
    assert not busy.alive


async def test_endless_mail_can_be_killed(system: ActorSystem) -> None:
    busy = await system.spawn(Busy)
    busy.tell(Note(1))
    await busy.ask(Seen())
    await busy.kill()
    assert system.stats().actors == 0
