"""Asking: replies, failures at once, timeouts that leave nothing."""

from typing import Any, ClassVar

import anyio
import pytest

from actors import (
    Actor,
    ActorCrashed,
    ActorError,
    ActorRef,
    ActorStopped,
    ActorSystem,
    AskTimeout,
    MailboxFull,
    Message,
    NotRunning,
    Overflow,
    Request,
    Restart,
    Unhandled,
    receive,
)

pytestmark = pytest.mark.anyio

LONG = 1000.0
"""A timeout that no test waits for."""


class Double(Request[int]):
    number: int


class Fail(Request[int]):
    pass


class Wait(Request[str]):
    """Answered when the gate opens."""

    entered: Any
    gate: Any


class Nobody(Request[int]):
    pass


class Answering(Actor):
    def __init__(self) -> None:
        self.seen: list[int] = []

    @receive
    async def double(self, request: Double) -> int:
        self.seen.append(request.number)
        return 2 * request.number

    @receive
    async def fail(self, request: Fail) -> int:
        raise ValueError("no")

    @receive
    async def wait(self, request: Wait) -> str:
        request.entered.set()
        await request.gate.wait()
        return "late or not"


class SmallAnswering(Answering):
    mailbox_size: ClassVar[int] = 1


def deadlines(system: ActorSystem) -> int:
    core: Any = system._core
    return len(core.deadlines)


class Held:
    """An actor that is busy with a question."""

    def __init__(self, ref: ActorRef) -> None:
        self.ref = ref
        self.entered = anyio.Event()
        self.gate = anyio.Event()
        self.asked = ref.ask(Wait(self.entered, self.gate), timeout=LONG)


async def held(ref: ActorRef) -> Held:
    busy = Held(ref)
    await busy.entered.wait()
    return busy


async def test_the_reply(system: ActorSystem) -> None:
    ref = await system.spawn(Answering)
    assert await ref.ask(Double(21)) == 42
    assert deadlines(system) == 0


async def test_asks_that_nobody_awaits_yet_are_queued_in_the_order_of_the_calls(
    system: ActorSystem,
) -> None:
    class Order(Answering):
        @receive
        async def tell_order(self, request: Request[list[int]]) -> list[int]:
            return self.seen

    ref = await system.spawn(Order)
    asked = [ref.ask(Double(number)) for number in range(5)]
    assert system.stats().queued == 5
    order: Request[list[int]] = Request()
    assert await ref.ask(order) == [0, 1, 2, 3, 4]
    assert [await each for each in reversed(asked)] == [8, 6, 4, 2, 0]
    assert await asked[0] == 0  # a second await has the same answer


async def test_an_ask_to_oneself_fails_at_once(system: ActorSystem) -> None:
    class Inward(Answering):
        @receive
        async def double(self, request: Double) -> int:
            with pytest.raises(ActorError, match="asks itself"):
                await self.ref.ask(Double(1), timeout=LONG)
            return 7

    ref = await system.spawn(Inward)
    assert await ref.ask(Double(1)) == 7


async def test_an_ask_to_the_ended_fails_at_once(system: ActorSystem) -> None:
    ref = await system.spawn(Answering)
    await ref.stop()
    with pytest.raises(ActorStopped):
        await ref.ask(Double(1), timeout=LONG)
    assert deadlines(system) == 0


@pytest.mark.parametrize("how", ["stop", "drain"])
async def test_asks_to_one_that_ends_fail_at_once(system: ActorSystem, how: str) -> None:
    ref = await system.spawn(Answering)
    busy = await held(ref)
    queued = ref.ask(Double(1), timeout=LONG)
    ending = getattr(ref, how)()
    with pytest.raises(ActorStopped):
        await ref.ask(Double(2), timeout=LONG)
    busy.gate.set()
    if how == "drain":
        assert await queued == 2
    else:
        with pytest.raises(ActorStopped):
            await queued
    await ending
    assert await busy.asked == "late or not"  # the handler in hand may finish
    assert deadlines(system) == 0


async def test_the_ask_in_hand_fails_at_once_at_a_kill(system: ActorSystem) -> None:
    ref = await system.spawn(Answering)
    busy = await held(ref)
    queued = ref.ask(Double(1), timeout=LONG)
    ref.kill()
    with pytest.raises(ActorStopped, match="killed"):
        await busy.asked
    with pytest.raises(ActorStopped, match="killed"):
        await queued


async def test_a_crash_reaches_the_asker_with_its_cause(system: ActorSystem, log: Any) -> None:
    ref = await system.spawn(Answering)
    asked = ref.ask(Fail(), timeout=LONG)
    queued = ref.ask(Double(1), timeout=LONG)
    with pytest.raises(ActorCrashed, match="ValueError: no") as caught:
        await asked
    assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(ActorStopped):
        await queued
    await ref.wait()


async def test_asks_still_queued_survive_a_restart(system: ActorSystem, log: Any) -> None:
    ref = await system.spawn(Answering, restart=Restart.TRANSIENT)
    asked = ref.ask(Fail(), timeout=LONG)
    queued = ref.ask(Double(1), timeout=LONG)
    with pytest.raises(ActorCrashed):
        await asked
    assert await queued == 2


async def test_without_a_handler(system: ActorSystem) -> None:
    ref = await system.spawn(Answering)
    with pytest.raises(Unhandled, match="Nobody"):
        await ref.ask(Nobody(), timeout=LONG)
    assert await ref.ask(Double(1)) == 2


async def test_a_timeout_leaves_nothing_and_its_late_reply_is_a_dead_letter(
    system: ActorSystem, records: Any, unaccounted: Any
) -> None:
    ref = await system.spawn(Answering)
    entered, gate = anyio.Event(), anyio.Event()
    with pytest.raises(AskTimeout, match="Wait within"):
        await ref.ask(Wait(entered, gate), timeout=0.03)
    assert deadlines(system) == 0
    gate.set()
    assert await ref.ask(Double(4)) == 8  # and not the late reply
    assert records.dead() == [("late or not", "late")]
    assert unaccounted(system.stats()) == 0


async def test_an_ask_that_times_out_in_the_queue_is_not_handled(
    system: ActorSystem, records: Any
) -> None:
    ref = await system.spawn(Answering)
    busy = await held(ref)
    with pytest.raises(AskTimeout):
        await ref.ask(Double(1), timeout=0.03)
    busy.gate.set()
    await busy.asked
    assert await ref.ask(Double(2)) == 4
    assert records.dead() == [(Double(1), "abandoned")]


async def test_an_ask_that_nobody_awaits_times_out_as_well(system: ActorSystem) -> None:
    ref = await system.spawn(Answering)
    busy = await held(ref)
    unawaited = ref.ask(Double(1), timeout=0.01)
    with pytest.raises(AskTimeout):
        await ref.ask(Double(2), timeout=0.05)
    assert deadlines(system) == 1  # that of `busy`
    busy.gate.set()
    with pytest.raises(AskTimeout):
        await unawaited


async def test_a_cancelled_asker_leaves_nothing(system: ActorSystem, records: Any) -> None:
    ref = await system.spawn(Answering)
    busy = await held(ref)
    with anyio.CancelScope() as scope:
        asked = ref.ask(Double(1), timeout=LONG)
        scope.cancel()
        await asked
    assert scope.cancelled_caught
    assert deadlines(system) == 1  # that of `busy`
    busy.gate.set()
    assert await busy.asked == "late or not"
    assert await ref.ask(Double(3)) == 6
    assert records.dead() == [(Double(1), "abandoned")]


async def test_an_ask_awaited_after_its_awaiter_was_cancelled_has_no_reply(
    system: ActorSystem,
) -> None:
    ref = await system.spawn(Answering)
    busy = await held(ref)
    asked = ref.ask(Double(1), timeout=LONG)
    with anyio.move_on_after(0.01):
        await asked
    busy.gate.set()
    with pytest.raises(ActorError, match="given up"):
        await asked


async def test_two_tasks_may_await_one_ask(system: ActorSystem) -> None:
    busy = await held(await system.spawn(Answering))
    answers: list[str] = []

    async def wait() -> None:
        answers.append(await busy.asked)

    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        busy.gate.set()
    assert answers == ["late or not"] * 2


@pytest.mark.parametrize("first", [True, False])
async def test_of_two_tasks_that_await_one_ask_one_may_be_cancelled(
    system: ActorSystem, first: bool
) -> None:
    busy = await held(await system.spawn(Answering))
    answers: list[str] = []
    scopes = [anyio.CancelScope(), anyio.CancelScope()]

    async def wait(scope: anyio.CancelScope) -> None:
        with scope:
            answers.append(await busy.asked)

    async with anyio.create_task_group() as tasks:
        for scope in scopes:
            tasks.start_soon(wait, scope)
            await anyio.wait_all_tasks_blocked()
        scopes[not first].cancel()
        await anyio.wait_all_tasks_blocked()
        busy.gate.set()
    assert answers == ["late or not"]


@pytest.mark.parametrize("how", ["timeout", "cancel"])
async def test_an_ask_that_waited_for_room_and_gave_up_never_asked(
    system: ActorSystem, records: Any, how: str
) -> None:
    ref = await system.spawn(SmallAnswering)
    busy = await held(ref)
    ref.tell(Double(0))
    told = system.stats().told
    if how == "timeout":
        with pytest.raises(AskTimeout):
            await ref.ask(Double(1), timeout=0.03)
    else:
        with anyio.move_on_after(0.03):
            await ref.ask(Double(1), timeout=LONG)
    assert system.stats().told == told
    busy.gate.set()
    await busy.asked
    assert await ref.ask(Double(2)) == 4
    assert records.letters == []


async def test_an_ask_of_a_full_mailbox(system: ActorSystem, records: Any) -> None:
    class Refusing(SmallAnswering):
        overflow: ClassVar[Overflow] = Overflow.FAIL

    class Dropping(SmallAnswering):
        overflow: ClassVar[Overflow] = Overflow.DROP_OLDEST

    refusing, dropping = await system.spawn(Refusing), await system.spawn(Dropping)
    one, two = await held(refusing), await held(dropping)
    first = refusing.ask(Double(1), timeout=LONG)
    with pytest.raises(MailboxFull):
        refusing.ask(Double(2), timeout=LONG)  # refused by the call
    lost = dropping.ask(Double(1), timeout=LONG)
    kept = dropping.ask(Double(2), timeout=LONG)
    with pytest.raises(MailboxFull, match="dropped"):
        await lost
    one.gate.set()
    two.gate.set()
    assert (await first, await kept) == (2, 4)


@pytest.mark.parametrize("timeout", [0, -1, float("inf"), float("nan")])
async def test_a_timeout_is_above_0_and_finite(system: ActorSystem, timeout: float) -> None:
    ref = await system.spawn(Answering)
    with pytest.raises(ValueError, match="finite"):
        ref.ask(Double(1), timeout=timeout)
    assert system.stats().told == 0


async def test_a_timeout_may_be_huge(system: ActorSystem) -> None:
    ref = await system.spawn(Answering)
    assert await ref.ask(Double(2), timeout=1e308) == 4


async def test_an_ask_has_a_timeout_unless_told_otherwise(system: ActorSystem) -> None:
    ref = await system.spawn(Answering)
    busy = await held(ref)
    asked = ref.ask(Double(1))
    assert deadlines(system) == 2
    busy.gate.set()
    assert await asked == 2
    assert await busy.asked == "late or not"


async def test_after_the_systems_end(anyio_backend: str) -> None:
    async with ActorSystem() as system:
        ref = await system.spawn(Answering)
    with pytest.raises(NotRunning):
        ref.ask(Double(1), timeout=LONG)
    assert deadlines(system) == 0


async def test_actors_ask_one_another(system: ActorSystem) -> None:
    class Sum(Request[int]):
        pass

    class Adding(Actor):
        async def on_start(self) -> None:
            self.helper = await self.spawn(Answering)

        @receive
        async def sum(self, request: Sum) -> int:
            return await self.helper.ask(Double(2)) + await self.helper.ask(Double(3))

    ref = await system.spawn(Adding)
    assert await ref.ask(Sum()) == 10


async def test_what_was_asked_may_be_told(system: ActorSystem, records: Any) -> None:
    ref = await system.spawn(Answering)
    ref.tell(Double(1))
    assert await ref.ask(Double(2)) == 4
    assert records.letters == []
    assert system.stats().handled == 2


async def test_a_message_told_may_not_be_an_answer_to_anybody(system: ActorSystem) -> None:
    class Tell(Message):
        pass

    class Other(Answering):
        @receive
        async def told(self, message: Tell) -> None:
            return None

    ref = await system.spawn(Other)
    one, two = ref.ask(Double(1)), ref.ask(Double(2))
    ref.tell(Tell())
    assert (await two, await one) == (4, 2)


class Overdrawn(Exception):
    pass


class Withdraw(Request[int | Overdrawn]):
    amount: int


async def test_an_error_that_is_declared_as_a_reply_is_one(system: ActorSystem, log: Any) -> None:
    class Account(Actor):
        balance = 10

        @receive
        async def withdraw(self, request: Withdraw) -> int:
            if request.amount < 0:
                raise ValueError(request.amount)
            if request.amount > self.balance:
                raise Overdrawn(request.amount - self.balance)
            self.balance -= request.amount
            return self.balance

    account = await system.spawn(Account, restart=Restart.TRANSIENT)
    assert await account.ask(Withdraw(3)) == 7
    reply = await account.ask(Withdraw(9))
    assert isinstance(reply, Overdrawn)
    assert (reply.args, reply.__traceback__) == ((2,), None)
    assert await account.ask(Withdraw(7)) == 0, "its state is kept: it did not crash"
    assert system.stats().crashed == 0
    with pytest.raises(ActorCrashed):
        await account.ask(Withdraw(-1))
    account.tell(Withdraw(99))  # nobody gets the reply, so it is a crash
    assert await account.ask(Withdraw(0)) == 10
    assert system.stats().crashed == 2
