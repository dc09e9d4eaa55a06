"""A background thread that publishes to a group: what the tutorial's threads do."""

import threading
from collections.abc import Callable, Collection

from actors import ActorRef, ActorSystem, MailboxFull, NotRunning


class Ticker:
    """Publishes `make(count)` to `topic` every `every` seconds, from a thread of its own.

    `muted`: asked each time for the members to leave out. As a context manager it runs for as
    long as it is entered.
    """

    def __init__(
        self,
        system: ActorSystem,
        topic: str,
        every: float,
        make: Callable[[int], object],
        muted: Callable[[], Collection[ActorRef]] = tuple,
    ) -> None:
        self._system = system
        self._topic = topic
        self._every = every
        self._make = make
        self._muted = muted
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"ticker {topic}", daemon=True)

    def __enter__(self) -> "Ticker":
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        # Not joined: the thread may be waiting for the loop that this runs in. It ends at once.
        self._ended.set()

    def _run(self) -> None:
        count = 0
        while not self._ended.wait(self._every):
            try:
                self._system.publish(self._topic, self._make(count), exclude=self._muted())
            except MailboxFull:
                pass  # the loop is far behind: this tick is left out, the next may get through
            except NotRunning:
                return
            count += 1
