"""The loop of a test: one parked task wakes at a time, and time passes when nothing else is left.

It stands on the real loop, asyncio's or Trio's, at the runtime's own seams: whoever parks through
`new_waiter` or `checkpoint`, or starts, is woken when the schedule picks it, after all others have
come to rest. What user code awaits besides (a socket, `asyncio.sleep`) is the real loop's, and in
real time. (Paused clocks that jump are Trio's and Tokio's; exploring by a seed is the idea of
PULSE for Erlang.)
"""

import heapq
import itertools
import weakref
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio

from .._deadlines import TICK
from .._task import Hand, Running, TaskLoop, Timer, Work
from ..mailbox import Waiter
from ._schedule import Schedule

BUSY = 20
"""Parts of `patience`: one is for something from outside, when no actor can go on."""
MOMENT = 0.001
"""Real seconds after which a thread is looked for again: none tells of its end."""


def _wake(waiter: Waiter) -> None:
    if not waiter.done():  # it may have been cancelled
        waiter.set_result(None)


class Parked:
    """What a task parks on: once it is set, the schedule wakes it in its turn."""

    __slots__ = ("_inner", "_loop", "_set")

    def __init__(self, loop: "VirtualLoop", inner: Waiter) -> None:
        self._loop = loop
        self._inner = inner
        self._set = False

    def done(self) -> bool:
        return self._set or self._inner.done()

    def set_result(self, result: None, /) -> None:
        self._set = True
        self._loop.make_ready(self)

    def wake(self) -> None:
        """Let its task go on."""
        _wake(self._inner)

    def __await__(self) -> Generator[Any, Any, None]:
        yield from self._inner.__await__()
        self._loop.went_on()


class VirtualTimer:
    """A call at a moment of virtual time."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[[], object]) -> None:
        self.function: Callable[[], object] | None = function

    def cancel(self) -> None:
        self.function = None


class VirtualLoop(TaskLoop):
    """See the module's head. `drive` and `watch` have to run in tasks of their own."""

    def __init__(self, inner: TaskLoop, schedule: Schedule, patience: float) -> None:
        self._inner = inner
        self._schedule = schedule
        self._part = patience / BUSY
        self._busy = 0  # parts without a rest
        self._time = 0.0
        self.now = lambda: self._time
        self.chance = schedule.chance
        self.new_waiter = lambda: Parked(self, inner.new_waiter())
        self._ready: list[Parked] = []
        self._timers: list[tuple[float, int, VirtualTimer]] = []
        self._numbers = itertools.count()
        self._settling: list[Waiter] = []
        self._sleepers: list[tuple[Callable[[], bool], Waiter]] = []
        self._driver: Waiter | None = None  # what it parks on when there is nothing to do
        self._free = False
        self._since: weakref.WeakKeyDictionary[Any, float] = weakref.WeakKeyDictionary()
        self.before_time_passes: Callable[[], object] = lambda: None
        self._held: float | None = None  # since when threads work, in real time

    # A loop to the runtime.

    def nursery(self, abort: Callable[[], object]) -> AbstractAsyncContextManager[Any]:
        return self._inner.nursery(abort)

    def start(self, nursery: Any, work: Work, name: str, owner: object) -> Hand:
        first = self.new_waiter()
        first.set_result(None)

        async def in_turn() -> None:
            await first
            await work()

        self._since[owner] = self._time
        return self._inner.start(nursery, in_turn, name, owner)

    def owner(self) -> object:
        return self._inner.owner()

    def call_later(self, nursery: Any, delay: float, function: Callable[[], object]) -> Timer:
        timer = VirtualTimer(function)
        heapq.heappush(self._timers, (self._time + delay, next(self._numbers), timer))
        self._stir()
        return timer

    def thread_waker(self, function: Callable[[], object]) -> Callable[[], None]:
        return self._inner.thread_waker(function)

    def checkpoint(self) -> Awaitable[None]:
        waiter = self.new_waiter()
        waiter.set_result(None)
        return waiter

    async def settle(self) -> None:
        """Wait until no actor can go on without time passing."""
        waiter = self._inner.new_waiter()
        self._settling.append(waiter)
        self._stir()
        await waiter

    def tasks(self) -> list[Running]:
        return self._inner.tasks()

    def threads_work(self) -> bool:
        return self._inner.threads_work()

    # A stage to the test.

    def went_on(self) -> None:
        """The task that runs now has been waiting here until now."""
        owner = self._inner.owner()
        if owner is not None:
            self._since[owner] = self._time

    def waited(self, owner: object) -> float:
        """Virtual seconds since an actor's task last went on, as far as this loop knows."""
        return self._time - self._since.get(owner, self._time)

    async def sleep(self, delay: float, until: Callable[[], bool] = lambda: False) -> None:
        """Let `delay` seconds of virtual time pass, and what is due by then come.

        Less once `look` finds `until()` true, and up to a thirty-second more.
        """
        waiter = self._inner.new_waiter()
        sleeper = until, waiter
        # A deadline is late by a tick at most, and one of `delay` seconds belongs to them.
        timer = self.call_later(None, delay + 1.5 * TICK, lambda: _wake(waiter))
        self._sleepers.append(sleeper)
        try:
            await waiter
        finally:
            timer.cancel()
            self._sleepers.remove(sleeper)

    def look(self) -> None:
        """Wake the sleepers that have what they wait for."""
        for until, waiter in self._sleepers:
            if until():
                _wake(waiter)

    def make_ready(self, parked: Parked) -> None:
        """A parked task could go on."""
        if self._free:
            parked.wake()
            return
        self._ready.append(parked)
        self._stir()

    def _stir(self) -> None:
        driver, self._driver = self._driver, None
        if driver is not None:
            _wake(driver)

    async def drive(self, stuck: Callable[[str], object]) -> None:
        """Take one step after the other; call `stuck(why)` when nothing is left to be one."""
        while True:
            await self._inner.settle()
            if self._ready:
                self._ready.pop(self._schedule.choose(len(self._ready))).wake()
            elif self._settling:
                _wake(self._settling.pop(0))
            elif self._waits_for_threads():
                await anyio.sleep(MOMENT)
            elif not self._let_time_pass():
                await self._rest(stuck)

    async def watch(self, stuck: Callable[[str], object]) -> None:
        """Call `stuck(why)` when the steps have not come to an end for the whole of `patience`."""
        # A pause of the whole process, as in a debugger, counts as one part at most.
        while self._busy < BUSY:
            await anyio.sleep(self._part)
            self._busy += 1
        stuck(
            f"the test goes on and on: for {self._part * BUSY:g} s, and {self._time:g} s of "
            f"virtual time"
        )

    def release(self) -> None:
        """Let everybody go on as they come from now on: the test has failed or was cancelled.

        While it unwinds nobody comes to rest (anyio cancels again and again), so no step could be
        chosen.
        """
        self._free = True
        for parked in self._ready:
            parked.wake()
        self._ready.clear()

    def _waits_for_threads(self) -> bool:
        """Whether anyio's threads (FastAPI's for a plain `def`) work, for one part at most.

        Time would race while one of them works for a millisecond.
        """
        if not self._inner.threads_work():
            self._held = None
            return False
        now = self._inner.now()
        if self._held is None:
            self._held = now
        return now - self._held < self._part

    def _let_time_pass(self) -> bool:
        """Jump to the next timer; whether there is one."""
        while self._timers:
            moment, _, timer = heapq.heappop(self._timers)
            if timer.function is not None:
                self.before_time_passes()
                self._time = max(self._time, moment)
                timer.function()
                return True
        return False

    async def _rest(self, stuck: Callable[[str], object]) -> None:
        self._busy = 0
        self._driver = driver = self._inner.new_waiter()
        with anyio.move_on_after(self._part) as grace:
            await driver
        if grace.cancelled_caught:
            stuck(
                f"no actor can go on, no timer is left, and nothing has come from outside for "
                f"{self._part:g} s"
            )
