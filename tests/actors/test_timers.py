"""Timers: when their messages come, and above all when they do not."""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ClassVar

import anyio
import pytest

from actors import ActorSystem, Directive, Overflow, Restart
from actors._deadlines import Deadlines
from actors._timers import Timers
from actors.mailbox import Mailbox
from actors.testing import TestKit
from tests.actors.timed import LONG, OFTEN, Beep, Book, Desk, Other, fail, pass_time, start
from tests.actors.work import Do, hold

pytestmark = pytest.mark.anyio


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


async def test_a_delay_and_a_period_may_be_huge() -> None:
    book = Book()
    async with TestKit() as kit:
        ref = await kit.spawn(lambda: Desk(book))
        ref.tell(Do(start(1, delay=1e308)))
        ref.tell(Do(start(2, delay=1.0, every=1e308, key="period")))
        await kit.advance(1000.0)
        assert book == [2]
        await ref.stop()  # else the kit would say that a timer is left
    assert book == [2]


async def test_periods_do_not_drift() -> None:
    book = Book()
    async with TestKit() as kit:
        ref = await kit.spawn(lambda: Desk(book))
        ref.tell(Do(start(1, delay=1.0, every=1.0)))
        await kit.advance(1000.0)  # a sixty-fourth more each time would leave out 16
    assert len(book) == 1000


def test_periods_missed_while_the_loop_stood_still_are_left_out() -> None:
    now = 0.0
    due: list[tuple[float, Callable[[], object]]] = []

    def call_later(delay: float, function: Callable[[], object]) -> Any:
        due.append((now + delay, function))
        return SimpleNamespace(cancel=due.clear)

    mailbox = Mailbox(10, Overflow.FAIL, lambda *dropped: None, anyio.Event)  # type: ignore[arg-type]
    Timers(Deadlines(lambda: now, call_later), mailbox).start("key", "tick", 1.0, 1.0)
    moments: list[int] = []
    for late in (0.0, 2.5, 0.0):
        moment, expire = due.pop()
        now = moment + late
        moments.append(int(moment))
        expire()
    assert moments == [1, 2, 5]  # the second came at 4.5, and stands for those of 3 and 4 as well


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


async def test_timers_of_their_own_keys_leave_nothing_once_they_have_fired(
    system: ActorSystem,
) -> None:
    book = Book()
    ref = await system.spawn(lambda: Desk(book))
    ref.tell(Do(lambda actor: [start(key, key=key)(actor) for key in range(50)]))
    await book.has(50)
    left: Any = ref._cell._timers._timers  # type: ignore[attr-defined]
    assert len(left) <= 1
