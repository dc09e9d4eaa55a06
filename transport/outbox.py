"""What waits to be sent to one client: bounded, with a policy for the client that is slow.

Plain code without a loop, like a mailbox; its one consumer is the write pump. Whoever sends may
await, and then goes on at the client's pace: awaiting waits while more than half is full.
"""

from collections import deque
from collections.abc import Callable, Generator
from typing import Any, NamedTuple

from actors import Reason, Told

from .codec import Frame
from .exceptions import CloseCode
from .settings import SlowClient


class Close(NamedTuple):
    """The last thing to send."""

    code: int
    reason: str


class Outbox:
    """See the module's head.

    `drop` is told of each frame that will not be sent; `ready` is called when there is something
    to send, or a close, and the write pump does not know of it.
    """

    __slots__ = (
        "_drop",
        "_limit",
        "_new_waiter",
        "_pacers",
        "_policy",
        "_relief",
        "close",
        "gone",
        "in_hand",
        "lined",
        "queue",
        "ready",
        "since",
    )

    def __init__(
        self,
        limit: int,
        policy: SlowClient,
        drop: Callable[[Frame, Reason], None],
        ready: Callable[[], None],
        new_waiter: Callable[[], Any],
    ) -> None:
        self.queue: deque[Frame] = deque()
        self.lined = False  # whether it stands in the write pump's line
        self.in_hand: Frame | None = None  # what the pump sends now
        self.since: float | None = None  # since when, by the wire's clock
        self.close: Close | None = None
        self.gone = False
        self._limit = limit
        self._relief = limit // 2
        self._policy = policy
        self._drop = drop
        self.ready = ready
        self._new_waiter = new_waiter
        self._pacers: list[Any] | None = None

    def put(self, frame: Frame) -> None:
        """Queue a frame; when full, do as the policy says. Never waits, never raises."""
        if len(self.queue) < self._limit and self.close is None:
            self.queue.append(frame)
            if not self.lined:
                self.lined = True
                self.ready()
        elif self.close is not None:
            self._drop(frame, Reason.CLIENT_GONE)
        elif self._policy is SlowClient.DROP_NEWEST:
            self._drop(frame, Reason.CLIENT_SLOW)
        elif self._policy is SlowClient.DROP_OLDEST:
            oldest = self.queue.popleft()
            self.queue.append(frame)
            self._drop(oldest, Reason.CLIENT_SLOW)  # last: it may call back
        else:
            self.finish(Close(CloseCode.TRY_AGAIN_LATER, "the client reads too slowly"))
            self._drop_all(Reason.CLIENT_SLOW)
            self._drop(frame, Reason.CLIENT_SLOW)
            self.relieve()

    @property
    def crowded(self) -> bool:
        """Whether it is more than half full."""
        return len(self.queue) > self._relief

    def pace(self) -> Told:
        """What `send` returns: awaiting it waits while the outbox is more than half full."""
        return PACED if len(self.queue) <= self._relief else _Pace(self)

    def finish(self, close: Close) -> None:
        """Queue nothing more; close once what is queued is sent. The first close counts."""
        if self.close is None:
            self.close = close
            if not self.lined:
                self.lined = True
                self.ready()

    def abandon(self) -> None:
        """The client is gone: what is queued will not be sent."""
        self.gone = True
        if self.close is None:
            self.close = Close(CloseCode.ABNORMAL, "")
        if self.in_hand is not None:
            self.queue.appendleft(self.in_hand)
            self.in_hand = None
        self._drop_all(Reason.CLIENT_GONE)
        self.relieve()

    def _drop_all(self, reason: Reason) -> None:
        while self.queue:
            self._drop(self.queue.popleft(), reason)

    def relieve(self) -> None:
        """Let those go on who wait, once the pump has made enough room."""
        if self._pacers is not None and len(self.queue) <= self._relief:
            pacers, self._pacers = self._pacers, None
            for waiter in pacers:
                if not waiter.done():
                    waiter.set_result(None)

    def new_pacer(self) -> Any:
        if self._pacers is None:
            self._pacers = []
        waiter = self._new_waiter()
        self._pacers.append(waiter)
        return waiter


class _Pace(Told):
    __slots__ = ("_outbox",)

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def __await__(self) -> Generator[Any, Any, None]:
        if len(self._outbox.queue) > self._outbox._relief:
            yield from self._outbox.new_pacer().__await__()


PACED = Told()
