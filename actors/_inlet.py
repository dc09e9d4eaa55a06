"""The one way in from other threads.

Messages are staged in order and transferred by the loop, one wake-up of the loop for a burst.
Threads hold the lock among themselves; the loop's side needs none, since `deque` operations are
atomic and each counter has one writer.
"""

import threading
from collections import deque
from collections.abc import Callable

from .exceptions import MailboxFull, NotRunning

STAGED_LIMIT = 65_536
"""Messages of all threads that may await their transfer in one system."""


class Inlet:
    """See the module's head. `waker` makes a function that has its argument called in the loop."""

    def __init__(self, waker: Callable[[Callable[[], object]], Callable[[], None]]) -> None:
        self._lock = threading.Lock()
        self._staged: deque[Callable[[], object]] = deque()
        self._scheduled = False
        self._closed = False
        self._wake = waker(self.transfer)

    def put(self, call: Callable[[], object], admit: Callable[[], None] | None = None) -> None:
        """Have `call()` run in the loop's thread, after all that this thread put before.

        `admit` runs first, one thread at a time, and may raise to refuse. Raises `MailboxFull`
        beyond `STAGED_LIMIT`, and `NotRunning` after the system's end.
        """
        with self._lock:
            if self._closed:
                raise NotRunning("the actor system has ended")
            if len(self._staged) >= STAGED_LIMIT:
                raise MailboxFull(f"{STAGED_LIMIT} messages from threads await their transfer")
            if admit is not None:
                admit()
            self._staged.append(call)
            if self._scheduled:
                return
            self._scheduled = True
        try:
            self._wake()
        except RuntimeError as error:
            raise NotRunning("the event loop is closed") from error

    def transfer(self) -> None:
        """Run what is staged now; what comes meanwhile has scheduled its own wake-up."""
        self._scheduled = False
        staged = self._staged
        for _ in range(len(staged)):
            staged.popleft()()

    def close(self) -> None:
        """Transfer what is left and take nothing more."""
        with self._lock:
            self._closed = True
        self.transfer()
