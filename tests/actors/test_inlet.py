"""The inlet through which threads reach the loop: its bound, and messages that come late."""

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ClassVar

import anyio
import pytest
from anyio import to_thread

from actors import ActorRef, ActorSystem, MailboxFull, NotRunning, Overflow
from actors import _inlet as inlet_module
from actors._inlet import Inlet, Run
from actors.mailbox import Mailbox
from tests.actors.threads import Log, Note, Seen

pytestmark = pytest.mark.anyio


def test_the_inlet_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inlet_module, "STAGED_LIMIT", 3)
    done: list[int] = []
    inlet = Inlet(lambda transfer: lambda: None)
    for number in range(3):
        inlet.call(lambda number=number: done.append(number))
    with pytest.raises(MailboxFull):
        inlet.call(lambda: done.append(3))
    inlet.transfer()
    assert done == [0, 1, 2]


def test_the_inlet_of_a_closed_loop_refuses_each_time() -> None:
    def waker(transfer: Callable[[], object]) -> Callable[[], None]:
        def wake() -> None:
            raise RuntimeError("the loop is closed")

        return wake

    unused: Any = None
    address = SimpleNamespace(_mailbox=Mailbox(10, Overflow.WAIT, unused, unused))
    telling, calling = Inlet(waker), Inlet(waker)
    for _ in range(3):
        with pytest.raises(NotRunning):
            telling.tell(address, "message")
        with pytest.raises(NotRunning):
            calling.call(lambda: None)


class Staging:
    """An inlet whose loop wakes when the test says so, and one mailbox."""

    def __init__(self) -> None:
        self.wakes = 0
        unused: Any = None
        self.mailbox = Mailbox(1000, Overflow.WAIT, lambda *drop: None, unused)
        self.address = SimpleNamespace(_mailbox=self.mailbox)
        self.inlet = Inlet(self._waker)

    def _waker(self, transfer: Callable[[], object]) -> Callable[[], None]:
        def wake() -> None:
            self.wakes += 1

        return wake

    def tell(self, message: object) -> None:
        self.inlet.tell(self.address, message)

    def come_late(self, run: Run, message: object) -> None:
        """A thread that looked at the run while it was the current one, and appends only now."""
        run.messages.append(message)
        assert self.inlet.run is not run
        self.inlet.rescue(run)

    def settle(self) -> list[object]:
        self.inlet.transfer()
        assert self.mailbox.staged == self.mailbox.transferred == self.mailbox.told
        return list(self.mailbox.queue)


def test_a_message_that_joins_a_run_after_its_transfer_is_transferred_next() -> None:
    staging = Staging()
    staging.tell("first")
    run = staging.inlet.run
    assert staging.settle() == ["first"]
    assert staging.wakes == 1
    staging.come_late(run, "late")
    assert staging.wakes == 2
    assert staging.settle() == ["first", "late"]
    assert staging.settle() == ["first", "late"]


def test_a_message_that_joins_a_run_after_its_end_goes_with_it() -> None:
    staging = Staging()
    staging.tell("first")
    run = staging.inlet.run
    staging.inlet.call(lambda: None)  # ends the run
    staging.come_late(run, "late")
    assert staging.mailbox.staged == 2  # it takes room from now on
    staging.tell("next")
    assert staging.settle() == ["first", "late", "next"]
    assert staging.wakes == 1


def test_what_a_thread_tells_after_a_late_message_does_not_overtake_it() -> None:
    staging = Staging()
    staging.tell("first")
    run = staging.inlet.run
    assert staging.settle() == ["first"]
    staging.tell("another thread's")
    staging.come_late(run, "late")
    staging.tell("next")
    assert staging.settle() == ["first", "another thread's", "late", "next"]


def test_two_late_messages_are_each_transferred_once() -> None:
    staging = Staging()
    staging.tell("first")
    run = staging.inlet.run
    assert staging.settle() == ["first"]
    run.messages.append("late")  # its thread stands before `rescue`
    staging.come_late(run, "later")
    staging.inlet.rescue(run)
    assert staging.settle() == ["first", "late", "later"]


def test_a_thread_that_appends_as_its_run_is_transferred_has_its_message_rescued() -> None:
    staging = Staging()
    target: Any = SimpleNamespace(mailbox=staging.mailbox, name="target")
    ref = ActorRef(target, staging.inlet, thread=-1)  # whoever tells is another thread
    ref.tell("first")

    class Slow(list[object]):
        def append(self, message: object) -> None:
            staging.inlet.transfer()  # the loop comes between the look and the append
            super().append(message)

    staging.inlet.run.messages = Slow(staging.inlet.run.messages)
    ref.tell("late")
    assert staging.settle() == ["first", "late"]


class Roomy(Log):
    mailbox_size: ClassVar[int] = 20_000


async def test_threads_that_join_runs_without_a_lock_lose_nothing(system: ActorSystem) -> None:
    """Often switched, so that many a thread stands between its look at the run and its append."""
    ref = await system.spawn(Roomy)

    def work(thread: int) -> None:
        for number in range(3000):
            ref.tell(Note(thread, number))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        async with anyio.create_task_group() as group:
            for thread in range(6):
                group.start_soon(to_thread.run_sync, work, thread)
    finally:
        sys.setswitchinterval(interval)
    seen = await ref.ask(Seen())
    for thread in range(6):
        assert [note.number for note in seen if note.thread == thread] == list(range(3000))
