"""What waits to be sent to one client: bounded, with a policy for the client that is slow.

Plain code without a loop, like a mailbox; its one consumer is the write pump. Whoever sends may
await, and then goes on at the client's pace: awaiting waits while more than half is full.
"""

from collections import OrderedDict, deque
from collections.abc import Generator, Hashable, Sequence
from typing import Any, NamedTuple, Protocol

from actors import Reason, Told

from ._frames import cut
from .codec import Frame, Missed
from .exceptions import CloseCode
from .settings import Settings, SlowClient


class Close(NamedTuple):
    """The last thing to send."""

    code: int
    reason: str

    @classmethod
    def cut(cls, code: int, reason: str) -> "Close":
        """With as much of the reason as a close frame takes."""
        # A lone surrogate has no bytes, and is no reason.
        return cls(code, cut(reason.encode(errors="replace")))


class Dropping(Protocol):
    """Who is told of what an outbox drops."""

    def drop(self, frame: Frame, reason: Reason) -> None:
        """A frame will not be sent."""


class Owner(Dropping, Protocol):
    """What an outbox asks of the socket it belongs to."""

    def ready(self) -> None:
        """There is something to send, or a close, and the write pump does not know of it."""

    def missed(self, count: int) -> Frame | None:
        """What tells the client that so many were dropped, unless it cannot be told."""
        ...

    def new_waiter(self) -> Any:
        """A future."""


class Outbox:
    """See the module's head."""

    __slots__ = (
        "_bytes",
        "_dropped",
        "_dropping",
        "_max_bytes",
        "_max_frames",
        "_notes",
        "_owner",
        "_pacers",
        "_policy",
        "_relief",
        "_relief_bytes",
        "_tells_missed",
        "close",
        "gone",
        "in_hand",
        "lined",
        "queue",
        "since",
    )

    def __init__(self, settings: Settings, owner: Owner) -> None:
        self.queue: Any = self._new_queue()
        self.lined = False  # whether it stands in the write pump's line
        self.in_hand: Sequence[Frame] = ()  # what is sent now
        self.since: float | None = None  # since when, by the wire's clock
        self.close: Close | None = None
        self.gone = False
        self._bytes = 0
        self._max_frames = settings.max_outbox
        self._max_bytes = settings.max_outbox_bytes
        self._relief = settings.max_outbox // 2
        self._relief_bytes = settings.max_outbox_bytes // 2
        self._policy = settings.slow_client
        self._tells_missed = settings.tell_missed
        self._dropped = 0  # since the client was last told
        self._notes = 0  # queued frames that tell it so
        self._owner = owner
        self._dropping: Dropping = owner
        self._pacers: list[Any] | None = None

    def _new_queue(self) -> Any:
        return deque[Frame]()

    def put(self, frame: Frame, key: Hashable = None, *, own: bool = False) -> bool:
        """Queue a frame; when full, do as the policy says. Never waits, never raises.

        `own`: the connection's own actor sends it, and may await room: whether it is `crowded`.
        """
        queue, size = self.queue, self._bytes + frame.size
        if (  # what happens a hundred thousand times a second, without a call
            len(queue) < self._max_frames
            and size <= self._max_bytes
            and self.close is None
            and not self._dropped
        ):
            queue.append(frame)
            self._bytes = size
            if not self.lined:
                self.lined = True
                self._owner.ready()
            return own and (len(queue) > self._relief or size > self._relief_bytes)
        self._put(frame, key, own)
        return own and self.crowded

    def _put(self, frame: Frame, key: Hashable, own: bool) -> None:
        if self.close is not None:
            self._dropping.drop(frame, Reason.CLIENT_GONE)
        elif self._has_room(frame, 2 if own and self._policy is SlowClient.WAIT else 1):
            self._append(frame, key)
        else:
            self._overflow(frame, key)

    def _has_room(self, frame: Frame, times: int) -> bool:
        number = len(self.queue) - self._notes  # which must not keep out what they tell of
        return number < self._max_frames * times and (
            self._bytes + frame.size <= self._max_bytes * times or not number
        )

    def _append(self, frame: Frame, key: Hashable) -> None:
        if self._dropped and self._policy is not SlowClient.DROP_OLDEST:
            self._tell_missed()
        self._enqueue(frame, key)
        self._bytes += frame.size
        if not self.lined:
            self.lined = True
            self._owner.ready()

    def _enqueue(self, frame: Frame, key: Hashable) -> None:
        self.queue.append(frame)

    def _overflow(self, frame: Frame, key: Hashable) -> None:
        policy = self._policy
        if policy is SlowClient.DISCONNECT:
            self.finish(Close(CloseCode.TRY_AGAIN_LATER, "the client reads too slowly"))
            self._drop_all(Reason.CLIENT_SLOW)
            self._dropping.drop(frame, Reason.CLIENT_SLOW)
            self.relieve()
            return
        dropped = [frame]
        if policy is SlowClient.DROP_OLDEST:
            dropped.clear()
            while self.queue and not self._has_room(frame, 1):
                dropped.append(self._pop())
            self._append(frame, key)
        if self._tells_missed:
            self._dropped += len(dropped)
        for each in dropped:  # last: it may call back
            self._dropping.drop(each, Reason.CLIENT_SLOW)

    def _tell_missed(self) -> None:
        count, self._dropped = self._dropped, 0
        frame = self._owner.missed(count)
        if frame is not None:
            self._notes += 1
            self._bytes += frame.size
            self.queue.append(frame)

    def _pop(self) -> Frame:
        frame: Frame = self.queue.popleft()
        self._bytes -= frame.size
        if self._notes and isinstance(frame.message, Missed):
            self._notes -= 1
        return frame

    # The side of the wire.

    def take(self, now: float) -> Frame:
        """The next frame, which is in hand from now on, until the next or `sent`."""
        frame = self._next()
        self.in_hand = (frame,)
        self.since = now
        return frame

    def take_burst(self, size: int) -> Sequence[Frame]:
        """The same with as many frames as have `size` bytes together, and one at least."""
        queue = self.queue
        if self._bytes <= size and not (self._dropped or self._notes) and type(queue) is deque:
            whole: list[Frame] = list(self.queue)
            self.in_hand = whole
            queue.clear()
            self._bytes = 0
            return whole
        self.in_hand = burst = [self._next()]
        while queue and (size := size - burst[-1].size) > 0:
            burst.append(self._next())
        return burst

    def _next(self) -> Frame:
        if self._dropped and self._policy is SlowClient.DROP_OLDEST:
            count, self._dropped = self._dropped, 0
            note = self._owner.missed(count)
            if note is not None:
                return note
        return self._pop()

    def sent(self) -> None:
        """Nothing is in hand any more: the server has taken it."""
        self.in_hand = ()
        self.since = None

    @property
    def crowded(self) -> bool:
        """Whether it is more than half full."""
        return len(self.queue) > self._relief or self._bytes > self._relief_bytes

    def pace(self) -> Told:
        """Awaiting it waits while the outbox is more than half full."""
        return _Pace(self)

    def finish(self, close: Close) -> None:
        """Queue nothing more; close once what is queued is sent. The first close counts."""
        if self.close is None:
            if self._dropped and self._policy is not SlowClient.DROP_OLDEST:
                self._tell_missed()
            self.close = close
            if not self.lined:
                self.lined = True
                self._owner.ready()

    def abandon(self) -> None:
        """The client is gone: what is queued will not be sent."""
        self.gone = True
        if self.close is None:
            self.close = Close(CloseCode.ABNORMAL, "")
        in_hand, self.in_hand = self.in_hand, ()
        for frame in in_hand:
            self._dropping.drop(frame, Reason.CLIENT_GONE)
        self._drop_all(Reason.CLIENT_GONE)
        self.relieve()

    def let_go(self, heir: Dropping) -> None:
        """Its owner has left, after `abandon`: what is still put is dropped, and `heir` told."""
        self._dropping = heir
        del self._owner

    def _drop_all(self, reason: Reason) -> None:
        self._dropped = 0
        while self.queue:
            self._dropping.drop(self._pop(), reason)

    def relieve(self) -> None:
        """Let those go on who wait, once enough room has been made."""
        if (self._pacers is None and not self._dropped) or self.crowded:
            return
        if self._dropped and not self.queue and self.close is None:
            self._tell_missed()  # else it is told before what is put next
        if self._pacers is not None:
            pacers, self._pacers = self._pacers, None
            for waiter in pacers:
                if not waiter.done():
                    waiter.set_result(None)

    def new_pacer(self) -> Any:
        if self._pacers is None:
            self._pacers = []
        waiter = self._owner.new_waiter()
        self._pacers.append(waiter)
        return waiter


class ConflatingOutbox(Outbox):
    """Of the frames that wait under one key it keeps the newest, in the place of the first."""

    __slots__ = ()

    queue: "_KeyedQueue"

    def _new_queue(self) -> "_KeyedQueue":
        return _KeyedQueue()

    def put(self, frame: Frame, key: Hashable = None, *, own: bool = False) -> bool:
        waiting = None if key is None or self.close is not None else self.queue.get(key)
        if waiting is None:
            self._put(frame, key, own)
            return own and self.crowded
        if self._bytes - waiting.size + frame.size <= self._max_bytes or len(self.queue) == 1:
            self._bytes += frame.size - waiting.size
            self.queue.replace(key, frame)
        else:
            self.queue.remove(key)
            self._bytes -= waiting.size
            self._put(frame, key, own)
        self._dropping.drop(waiting, Reason.CONFLATED)
        return own and self.crowded

    def _enqueue(self, frame: Frame, key: Hashable) -> None:
        self.queue.append(frame, key)


def new_outbox(settings: Settings, owner: Owner) -> Outbox:
    """The kind of outbox that the settings call for."""
    return (Outbox if settings.conflate is None else ConflatingOutbox)(settings, owner)


class _KeyedQueue:
    """A queue in which what waits under a key is found."""

    __slots__ = ("_frames",)

    def __init__(self) -> None:
        self._frames: OrderedDict[Hashable, Frame] = OrderedDict()

    def __len__(self) -> int:
        return len(self._frames)

    def append(self, frame: Frame, key: Hashable = None) -> None:
        self._frames[object() if key is None else key] = frame

    def popleft(self) -> Frame:
        return self._frames.popitem(last=False)[1]

    def get(self, key: Hashable) -> Frame | None:
        return self._frames.get(key)

    def replace(self, key: Hashable, frame: Frame) -> None:
        self._frames[key] = frame

    def remove(self, key: Hashable) -> None:
        del self._frames[key]


class _Pace(Told):
    __slots__ = ("_outbox",)

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def __await__(self) -> Generator[Any, Any, None]:
        if self._outbox.crowded:
            yield from self._outbox.new_pacer().__await__()


PACED = Told()
