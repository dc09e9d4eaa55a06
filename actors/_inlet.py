"""The one way in from other threads.

What threads tell is staged in order and transferred by the loop, one wake-up of the loop for a
burst. Messages for one mailbox in a row make a *run*: the room for it is counted when it begins,
and it is transferred at a stroke. Threads hold the lock among themselves; the loop holds it only
to take what is staged.
"""

import threading
from collections.abc import Callable
from typing import TypeAlias

from ._log import log
from .exceptions import MailboxFull, NotRunning
from .mailbox import DONE, Mailbox, Overflow, Told

STAGED_LIMIT = 65_536
"""Runs and calls of all threads, and messages of a run, that may await their transfer."""

Call: TypeAlias = Callable[[], object]
Run: TypeAlias = tuple[Mailbox, list[object]]


class Inlet:
    """See the module's head. `waker` makes a function that has its argument called in the loop."""

    __slots__ = (
        "_acquire",
        "_closed",
        "_last",
        "_lock",
        "_release",
        "_room",
        "_run",
        "_scheduled",
        "_staged",
        "_wake",
    )

    def __init__(self, waker: Callable[[Call], Callable[[], None]]) -> None:
        # Reentrant: an allocation under it may collect garbage, and a finalizer may tell.
        self._lock = threading.RLock()
        self._acquire = self._lock.acquire
        self._release = self._lock.release
        self._staged: list[Run | Call] = []
        # The run that the next message may join: its mailbox, its messages, and the room left.
        self._last: Mailbox | None = None
        self._run: list[object] = []
        self._room = 0
        self._scheduled = False
        self._closed = False
        self._wake = waker(self.transfer)

    def tell(self, mailbox: Mailbox, message: object) -> Told:
        """Put a message into a mailbox of the loop's, after all that this thread told before.

        Raises `MailboxFull` where the mailbox refuses or would have it wait, and `NotRunning`
        after the system's end.
        """
        self._acquire()  # a `with` block would take twice as long, which is felt here
        if mailbox is self._last and self._room:
            # Nothing here raises, and where a run has begun, the loop is about to wake.
            self._room -= 1
            self._run.append(message)
            self._release()
            return DONE
        try:
            self._begin_run(mailbox)
            self._room -= 1
            self._run.append(message)
            if self._scheduled:
                return DONE
            self._scheduled = True
        finally:
            self._release()
        self._wake_loop()
        return DONE

    def call(self, call: Call, mailbox: Mailbox | None = None) -> None:
        """Have `call()` run in the loop's thread, after all that this thread told before.

        With a mailbox, on the terms of a message told to it; `call` must count itself as
        transferred there.
        """
        with self._lock:
            self._end_run()
            if mailbox is not None:
                self._room_in(mailbox)
            self._stage(call)
            if mailbox is not None:
                mailbox.staged += 1
            if self._scheduled:
                return
            self._scheduled = True
        self._wake_loop()

    def _begin_run(self, mailbox: Mailbox) -> None:
        run: list[object] = []
        entry = (mailbox, run)
        self._end_run()  # after the allocations, in which a finalizer may have begun another
        room = self._room_in(mailbox)
        self._stage(entry)
        self._last, self._run, self._room = mailbox, run, room

    def _end_run(self) -> None:
        if self._last is not None:
            self._last.staged += len(self._run)
            self._last = None

    def _room_in(self, mailbox: Mailbox) -> int:
        """How many messages of threads the mailbox has room for, at least one, or `MailboxFull`."""
        staged = mailbox.staged - mailbox.transferred
        room = mailbox.room - len(mailbox.queue) - staged
        if mailbox.closed is not None or mailbox.overflow not in (Overflow.WAIT, Overflow.FAIL):
            # Dropping is for the loop to do; here only what is staged is bounded.
            room = STAGED_LIMIT - staged
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
            if callable(entry):
                try:
                    entry()
                except Exception as error:  # noqa: BLE001  # its thread cannot be told any more
                    log("error", "a thread's call failed", error)
            else:
                mailbox, run = entry
                with self._lock:  # else a thread could count the run twice, or not at all
                    taken = mailbox.take_run(run)
                if not taken:
                    mailbox.put_each(run)

    def close(self) -> None:
        """Transfer what is left and take nothing more."""
        with self._lock:
            self._closed = True
        self.transfer()
