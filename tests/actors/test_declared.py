"""What handlers declare: priorities, interrupts, batches."""

import contextlib
from typing import Any, ClassVar

import anyio
import pytest

from actors import (
    Actor,
    ActorCrashed,
    ActorSystem,
    HandlerError,
    Interrupted,
    MailboxFull,
    Message,
    Overflow,
    Request,
    Restart,
    receive,
)
from actors.testing import Schedule, TestKit, play

BOTH = pytest.mark.parametrize("backend", ["asyncio", "trio"])
pytestmark = pytest.mark.anyio

LONG = 1000.0
"""A timeout that no test waits for."""


class Note(Message):
    number: int


class Urgent(Message):
    number: int


class VeryUrgent(Urgent):
    pass


class Hold(Message):
    pass


class Halt(Message):
    pass


class HaltAll(Halt):
    pass


class Generate(Request[str]):
    pass


class Stubborn(Message):
    pass


class Seen(Request[list[Any]]):
    pass


class Desk(Actor):
    """Holds until told to go on, and writes down what it handles."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    async def on_start(self) -> None:
        # Of the class, so that tests reach them; of the start, so that they belong to the loop.
        type(self).entered, type(self).gate = anyio.Event(), anyio.Event()

    entered: ClassVar[anyio.Event]
    gate: ClassVar[anyio.Event]

    @receive
    async def note(self, note: Note) -> None:
        self.seen.append(note.number)

    @receive(priority=2)
    async def urgent(self, urgent: Urgent) -> None:
        self.seen.append(f"urgent {urgent.number}")

    @receive
    async def hold(self, hold: Hold) -> None:
        self.entered.set()
        await self.gate.wait()

    @receive(priority=-1)
    async def tell_seen(self, request: Seen) -> list[Any]:
        return list(self.seen)


class Busy(Desk):
    """A desk whose work may be interrupted."""

    mailbox_size: ClassVar[int] = 4

    @receive(interrupt=True)
    async def halt(self, halt: Halt) -> None:
        self.seen.append("halt")

    @receive(interruptible=True)
    async def generate(self, request: Generate) -> str:
        self.entered.set()
        try:
            await self.gate.wait()
        except BaseException:
            self.seen.append("cancelled")
            raise
        return "whole"

    @receive(interruptible=True)
    async def stubborn(self, message: Stubborn) -> None:
        self.entered.set()
        self.ref.tell(Halt())
        await anyio.lowlevel.checkpoint()
        self.seen.append("went on")


class Refusing(Busy):
    overflow: ClassVar[Overflow] = Overflow.FAIL


async def test_higher_priorities_are_handled_first_and_equal_ones_in_order(
    system: ActorSystem,
) -> None:
    ref = await system.spawn(Desk)
    ref.tell(Hold())
    await Desk.entered.wait()
    asked = ref.ask(Seen())
    for number in range(3):
        ref.tell(Note(number))
        ref.tell(VeryUrgent(number) if number else Urgent(number))
    Desk.gate.set()
    assert await asked == ["urgent 0", "urgent 1", "urgent 2", 0, 1, 2]


async def test_a_stop_goes_before_priorities_and_a_drain_behind_all(
    system: ActorSystem, records: Any
) -> None:
    book: list[Any] = []

    class Ending(Desk):
        async def on_stop(self, end: Any) -> None:
            book.append((end.how, self.seen))

    for how in ("drain", "stop"):
        ref = await system.spawn(Ending)
        ref.tell(Hold())
        await Ending.entered.wait()
        ref.tell(Note(1))
        ended = getattr(ref, how)()
        ref.tell(Urgent(2))
        Ending.gate.set()
        await ended
    assert book == [("drain", [1]), ("stop", [])]
    dead = [(Urgent(2), "stopped"), (Note(1), "stopped"), (Urgent(2), "stopped")]
    assert records.dead() == dead


@pytest.mark.parametrize("message", [Halt(), HaltAll()])
async def test_an_interrupt_cancels_the_handler_in_hand_and_is_handled_next(
    system: ActorSystem, records: Any, message: Halt
) -> None:
    ref = await system.spawn(Busy)
    asked = ref.ask(Generate(), timeout=LONG)
    await Busy.entered.wait()
    ref.tell(Note(1))
    ref.tell(message)
    with pytest.raises(Interrupted, match="interrupted while it handled Generate"):
        await asked
    assert await ref.ask(Seen()) == ["cancelled", "halt", 1]  # and its state is kept
    assert records.dead() == [(Generate(), "interrupted")]
    assert system.stats().crashed == 0


async def test_a_handler_that_is_not_interruptible_is_left_alone(
    system: ActorSystem, records: Any
) -> None:
    ref = await system.spawn(Busy)
    ref.tell(Hold())
    await Busy.entered.wait()
    ref.tell(Note(1))
    ref.tell(Halt())
    asked = ref.ask(Seen())
    for _ in range(5):
        await anyio.lowlevel.checkpoint()
    assert system.stats().in_hand == 1
    Busy.gate.set()
    assert await asked == ["halt", 1]
    assert records.letters == []


async def test_an_interrupt_without_anything_in_hand_is_handled(system: ActorSystem) -> None:
    ref = await system.spawn(Busy)
    ref.tell(Halt())
    assert await ref.ask(Seen()) == ["halt"]


class Parking(Busy):
    """Awaits something in each handler, where a stray cancellation would meet it."""

    @receive(interrupt=True)
    async def halt(self, halt: Halt) -> None:
        await anyio.lowlevel.checkpoint()
        await super().halt(halt)

    @receive
    async def note(self, note: Note) -> None:
        await anyio.lowlevel.checkpoint()
        await super().note(note)


async def test_an_interrupt_that_comes_as_the_handler_goes_on_cancels_nothing_later(
    system: ActorSystem, records: Any, anyio_backend: str
) -> None:
    ref = await system.spawn(Parking)
    asked = ref.ask(Generate(), timeout=LONG)
    await Parking.entered.wait()
    ref.tell(Note(1))
    Parking.gate.set()
    ref.tell(Halt())  # there is nothing more that it awaits
    if anyio_backend == "trio":  # asyncio cancels it all the same
        assert await asked == "whole"
    assert (await ref.ask(Seen()))[-2:] == ["halt", 1]
    assert [message for message, _ in records.dead() if message != Generate()] == []
    with contextlib.suppress(Interrupted):
        await asked


async def test_a_second_interrupt_leaves_the_clean_up_alone(system: ActorSystem) -> None:
    class Cleaning(Busy):
        @receive(interruptible=True)
        async def generate(self, request: Generate) -> str:
            try:
                return await super().generate(request)
            finally:
                with anyio.CancelScope(shield=True):
                    cleaning.set()
                    await clean.wait()
                self.seen.append("clean")

    cleaning, clean = anyio.Event(), anyio.Event()
    ref = await system.spawn(Cleaning)
    asked = ref.ask(Generate(), timeout=LONG)
    await Cleaning.entered.wait()
    ref.tell(Halt())
    await cleaning.wait()
    ref.tell(Halt())
    clean.set()
    with pytest.raises(Interrupted):
        await asked
    assert await ref.ask(Seen()) == ["cancelled", "clean", "halt", "halt"]


async def test_an_actor_does_not_interrupt_itself(system: ActorSystem, records: Any) -> None:
    ref = await system.spawn(Busy)
    ref.tell(Stubborn())
    assert await ref.ask(Seen()) == ["went on", "halt"]
    assert records.letters == []


async def test_an_interrupt_gets_into_a_full_mailbox_and_their_lane_is_bounded(
    system: ActorSystem,
) -> None:
    ref = await system.spawn(Refusing)
    ref.tell(Hold())
    await Refusing.entered.wait()
    for number in range(4):
        ref.tell(Note(number))
    with pytest.raises(MailboxFull):
        ref.tell(Note(4))
    for _ in range(16):
        ref.tell(Halt())
    with pytest.raises(MailboxFull):
        ref.tell(Halt())
    assert system.stats().queued == 20
    Refusing.gate.set()
    ref.drain()
    await ref.wait()
    assert system.stats().handled == 21


async def test_an_interrupt_by_another_thread_and_by_a_publish(system: ActorSystem) -> None:
    ref = await system.spawn(Busy)
    asked = ref.ask(Generate(), timeout=LONG)
    await Busy.entered.wait()
    await anyio.to_thread.run_sync(ref.tell, Halt())
    with pytest.raises(Interrupted):
        await asked

    async def join(actor: Any) -> None:
        actor.join("room")

    Busy.entered = anyio.Event()
    asked = ref.ask(Generate(), timeout=LONG)
    ref._cell.call(join)  # type: ignore[attr-defined]
    await Busy.entered.wait()
    assert system.members("room") == []  # it is busy
    ref.tell(Halt())
    with pytest.raises(Interrupted):
        await asked
    assert await ref.ask(Seen()) == ["cancelled", "halt", "cancelled", "halt"]
    Busy.entered = anyio.Event()
    asked = ref.ask(Generate(), timeout=LONG)
    await Busy.entered.wait()
    system.publish("room", Halt())
    with pytest.raises(Interrupted):
        await asked


class Batching(Desk):
    @receive
    async def numbers(self, notes: list[Note]) -> None:
        self.seen.append([note.number for note in notes])
        if len(notes) == 7:
            raise ValueError("seven")

    note = None  # type: ignore[assignment]


async def test_a_batch_is_what_stands_in_a_row(system: ActorSystem) -> None:
    ref = await system.spawn(Batching)
    ref.tell(Hold())
    await Batching.entered.wait()
    for number in range(3):
        ref.tell(Note(number))
    ref.tell(Hold())
    ref.tell(Note(3))
    Batching.gate.set()
    assert await ref.ask(Seen()) == [[0, 1, 2], [3]]
    assert system.stats().handled == 7


async def test_a_batch_is_bounded(system: ActorSystem) -> None:
    ref = await system.spawn(Batching)
    ref.tell(Hold())
    await Batching.entered.wait()
    for number in range(300):
        ref.tell(Note(number))
    Batching.gate.set()
    batches = await ref.ask(Seen())
    assert [len(batch) for batch in batches] == [128, 128, 44]
    assert [number for batch in batches for number in batch] == list(range(300))


@pytest.mark.parametrize("size", [128, 64])
async def test_batches_let_others_have_a_turn(system: ActorSystem, size: int) -> None:
    class Turns(Batching):
        mailbox_size = 129 * 20

        @receive
        async def halt(self, halt: Halt) -> None:
            pass

    ref = await system.spawn(Turns)
    ref.tell(Hold())
    await Turns.entered.wait()
    for number in range(size * 20):
        ref.tell(Note(number))
        if number % size == size - 1:
            ref.tell(Halt())  # which ends the batch
    asked = ref.ask(Seen())
    Turns.gate.set()
    turns = 0
    while not asked.done:  # type: ignore[attr-defined]
        await anyio.lowlevel.checkpoint()
        turns += 1
    assert turns >= size * 20 // 128
    assert len(await asked) == 20


async def test_a_crash_takes_the_whole_batch(system: ActorSystem, log: Any) -> None:
    ref = await system.spawn(Batching, restart=Restart.TRANSIENT)
    ref.tell(Hold())
    await Batching.entered.wait()
    for number in range(7):
        ref.tell(Note(number))
    ref.tell(Urgent(1))  # first, so the batch begins anew behind it
    Batching.gate.set()
    assert await ref.ask(Seen()) == []
    assert system.stats().crashed == 7
    assert [entry["message"] for entry in log] == ["Note"]


async def test_a_kill_makes_dead_letters_of_a_batch_in_hand(
    system: ActorSystem, records: Any
) -> None:
    entered = anyio.Event()

    class Slow(Actor):
        @receive
        async def numbers(self, notes: list[Note]) -> None:
            entered.set()
            await anyio.sleep_forever()

    ref = await system.spawn(Slow)
    for number in range(3):
        ref.tell(Note(number))
    await entered.wait()
    assert system.stats().in_hand == 3
    await ref.kill()
    assert records.dead() == [(Note(number), "killed") for number in range(3)]


@BOTH
def test_a_batch_that_a_timer_began_is_interrupted(backend: str) -> None:
    async def body(kit: TestKit) -> None:
        halted: list[float] = []

        class Batches(Actor):
            async def on_start(self) -> None:
                self.start_timer(Note(1), 1.0)

            @receive(interruptible=True)
            async def notes(self, messages: list[Note]) -> None:
                await kit.advance(LONG)

            @receive(interrupt=True)
            async def halt(self, message: Halt) -> None:
                halted.append(kit.time)

        ref = await kit.spawn(Batches)
        await kit.advance(2.0)
        ref.tell(Halt())
        await kit.settle()
        assert len(halted) == 1
        assert halted[0] < 2.1, "not when the batch is done"

    play(body, Schedule(), backend=backend)


async def test_a_batch_that_is_full_lets_waiting_tellers_in(system: ActorSystem) -> None:
    class Small(Batching):
        mailbox_size: ClassVar[int] = 2

    ref = await system.spawn(Small)
    async with anyio.create_task_group() as group:
        for number in range(9):
            group.start_soon(told, ref, number)
    seen = await ref.ask(Seen())
    assert sorted(number for batch in seen for number in batch) == list(range(9))


async def told(ref: Any, number: int) -> None:
    await ref.tell(Note(number))


async def test_a_list_of_anything_else_is_a_message_itself(system: ActorSystem) -> None:
    class Lists(Desk):
        @receive
        async def numbers(self, numbers: list[int]) -> None:
            self.seen.append(numbers)

    ref = await system.spawn(Lists)
    ref.tell([1, 2])
    assert await ref.ask(Seen()) == [[1, 2]]


async def test_a_failing_ask_beside_batches_is_told(system: ActorSystem, log: Any) -> None:
    class Failing(Batching):
        @receive
        async def generate(self, request: Generate) -> str:
            raise ValueError("no")

    ref = await system.spawn(Failing)
    with pytest.raises(ActorCrashed):
        await ref.ask(Generate())


def test_requests_and_interrupts_are_not_taken_by_batches() -> None:
    with pytest.raises(HandlerError, match="one by one"):

        class Asked(Actor):
            @receive
            async def generate(self, requests: list[Generate]) -> None: ...

    with pytest.raises(HandlerError, match="one by one"):

        class Interrupting(Actor):
            @receive(interrupt=True)
            async def halt(self, halts: list[Halt]) -> None: ...

    with pytest.raises(HandlerError, match="no priority"):

        class Both(Actor):
            @receive(interrupt=True, priority=1)
            async def halt(self, halt: Halt) -> None: ...


async def test_the_nearest_base_handles_whatever_was_met_before(system: ActorSystem) -> None:
    class Base(Message):
        pass

    class Left(Base):
        pass

    class Right(Base):
        pass

    class Both(Left, Right):
        pass

    class Picky(Desk):
        @receive
        async def base(self, message: Base) -> None:
            self.seen.append("base")

        @receive
        async def right(self, message: Right) -> None:
            self.seen.append("right")

    ref = await system.spawn(Picky)
    ref.tell(Left())
    ref.tell(Both())
    assert await ref.ask(Seen()) == ["base", "right"]
