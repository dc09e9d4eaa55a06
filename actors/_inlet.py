"""The one way in from other threads.

What threads tell is staged in order and transferred by the loop, one wake-up of the loop for a
burst. Messages for one actor in a row make a *run*: the room for it is counted when it begins, and
it is transferred at a stroke.

A thread joins the current run without a lock (`ActorRef.tell` does it in place): it appends, and
only then looks whether the run is still the current one. If not, its message may have come too
late for the transfer, and `rescue` sees to it. Everything else is done under the lock.
"""

import threading
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

from ._log import log
from .exceptions import MailboxFull, NotRunning
from .mailbox import DONE, Mailbox, Overflow, Told

STAGED_LIMIT = 65_536
"""Runs and calls of all threads, and messages of a run, that may await their transfer."""
SPARE: Final = 64
"""Places that joining without a lock leaves free: so many threads may have looked for room at
the same moment and found it."""

Call: TypeAlias = Callable[[], object]


class Address(Protocol):
    """A ref: it is staged with what was told to it, as it keeps the ended actor countable."""

    @property
    def _mailbox(self) -> Mailbox: ...


class Run:
    """Messages of any threads for one actor, in a row."""

    __slots__ = ("address", "counted", "free", "messages", "room", "transferred")

    def __init__(self, address: Address | None) -> None:
        self.address = address
        self.messages: list[object] = []
        self.room = 0
        self.free = 0  # as many may join without a lock
        self.counted = 0  # those that the mailbox knows as staged
        self.transferred = False

    def count(self) -> int:
        """Have the mailbox know all as staged, late ones too; returns how many are new."""
        assert self.address is not None
        new = self.messages[self.counted :]
        self.address._mailbox.stage(new)
        self.counted += len(new)
        return len(new)


class Inlet:
    """See the module's head. `waker` makes a function that has its argument called in the loop."""

    __slots__ = ("_closed", "_lock", "_scheduled", "_staged", "_wake", "run")

    def __init__(self, waker: Callable[[Call], Callable[[], None]]) -> None:
        # Reentrant: an allocation under it may collect garbage, and a finalizer may tell.
        self._lock = threading.RLock()
        self._staged: list[Run | Call] = []
        self.run = NO_RUN
        """The run that the next message may join; where there is one, the loop is about to wake."""
        self._scheduled = False
        self._closed = False
        self._wake = waker(self.transfer)

    def tell(self, address: Address, message: object) -> Told:
        """Put a message into an actor's mailbox, after all that this thread told before.

        Raises `MailboxFull` where the mailbox refuses or would have it wait, and `NotRunning`
        after the system's end.
        """
        with self._lock:
            run = self.run
            if run.address is not address or len(run.messages) >= run.room:
                run = self._begin_run(address, message)
            run.messages.append(message)
            if self._scheduled:
                return DONE
            self._scheduled = True
        self._wake_loop()
        return DONE

    def rescue(self, run: Run) -> None:
        """A message joined a run that had ended by then: see that it is transferred."""
        with self._lock:
            late = run.messages[run.counted :]
            if not run.transferred:
                run.count()
            if not run.transferred or not late:
                return
            again = Run(run.address)
            # What its thread tells next must not join a run that was staged before it.
            self._end_run()
            again.messages = late
            run.counted += len(late)
            again.count()
            self._staged.append(again)
            if self._scheduled:
                return
            self._scheduled = True
        self._wake_loop()

    def call(self, call: Call, mailbox: Mailbox | None = None, message: object = None) -> None:
        """Have `call()` run in the loop's thread, after all that this thread told before.

        With a mailbox, on the terms of a message told to it; `call` must count itself as
        transferred there.
        """
        with self._lock:
            self._end_run()
            if mailbox is not None:
                self._room_in(mailbox, message)
            self._stage(call)
            if mailbox is not None:
                mailbox.stage([message])
            if self._scheduled:
                return
            self._scheduled = True
        self._wake_loop()

    def _begin_run(self, address: Address, message: object) -> Run:
        run = Run(address)
        self._end_run()  # after the allocation, in which a finalizer may have begun another
        run.room = self._room_in(address._mailbox, message)
        run.free = run.room - SPARE
        self._stage(run)
        self.run = run
        return run

    def _end_run(self) -> None:
        run, self.run = self.run, NO_RUN
        if run is not NO_RUN:
            run.count()

    def _room_in(self, mailbox: Mailbox, message: object) -> int:
        """How many messages of threads the mailbox has room for, at least one, or `MailboxFull`."""
        room = mailbox.room_for(message)
        if mailbox.closed is not None or mailbox.overflow not in (Overflow.WAIT, Overflow.FAIL):
            # Dropping is for the loop to do; here only what is staged is bounded.
            room = STAGED_LIMIT - (mailbox.staged - mailbox.transferred)
        if room <= 0:
            mailbox.refused_threads += 1
            raise MailboxFull(f"the mailbox has no room for a thread's message: {mailbox.capacity}")
        return room

    def _stage(self, entry: Run | Call) -> None:
        if self._closed:
            raise NotRunning("the actor system has ended")
        if len(self._staged) >= STAGED_LIMIT:
            raise MailboxFull(f"{STAGED_LIMIT} entries of threads await their transfer")
        self._staged.append(entry)

    def _wake_loop(self) -> None:
        try:
            self._wake()
        except RuntimeError as error:
            with self._lock:
                self._closed = True
                self._end_run()
            raise NotRunning("the event loop is closed") from error

    def transfer(self) -> None:
        """Hand over what is staged, in order."""
        with self._lock:
            self._end_run()
            staged, self._staged = self._staged, []
            self._scheduled = False
        for entry in staged:
            try:
                if isinstance(entry, Run):
                    self._transfer_run(entry)
                else:
                    entry()
            except Exception as error:  # noqa: BLE001  # its thread cannot be told any more
                log("error", "a thread's call failed", error)

    def _transfer_run(self, run: Run) -> None:
        assert run.address is not None
        mailbox = run.address._mailbox
        with self._lock:  # else a thread could count the run twice, or not at all
            run.count()
            run.transferred = True
            messages = run.messages[: run.counted]
            taken = mailbox.take_run(messages)
        if not taken:
            mailbox.put_each(messages)

    def close(self) -> None:
        """Transfer what is left and take nothing more."""
        with self._lock:
            self._closed = True
        self.transfer()


NO_RUN: Final = Run(None)
