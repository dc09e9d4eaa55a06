"""`Settings`: every bound and policy of the transport, in one typed object."""

import enum
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from actors import Intensity


class SlowClient(enum.Enum):
    """What happens when a client's outbox is full. Awaiting `send` waits for room under any."""

    DISCONNECT = "disconnect"
    """What is queued becomes dead letters, and the socket is closed with 1013."""
    DROP_NEWEST = "drop_newest"
    """The new frame becomes a dead letter."""
    DROP_OLDEST = "drop_oldest"
    """The oldest frame becomes a dead letter and makes room."""
    WAIT = "wait"
    """What is published becomes a dead letter. What its own actor sends has as much room again,
    which is never full for an actor that awaits each `send`; past that it is dropped as well."""


class OnCrash(enum.Enum):
    """What follows when a handler of a connection raises."""

    RESTART = "restart"
    """The client gets an error frame, and the connection goes on with fresh state."""
    CLOSE = "close"
    """The client gets an error frame, and the socket is closed with 1011."""


class OnInvalid(enum.Enum):
    """What follows a frame that cannot become a message."""

    REPORT = "report"
    """The client gets an error frame."""
    CLOSE = "close"
    """The client gets an error frame, and the socket is closed with 1008."""


class OnOverload(enum.Enum):
    """What follows a frame for which the mailbox has no room."""

    REPORT = "report"
    """The client gets an `overloaded` error frame; the message is refused."""
    CLOSE = "close"
    """The socket is closed with 1013."""


_SECONDS = ("send_timeout", "idle_timeout", "disconnect_timeout", "ask_timeout", "heartbeat")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Bounds and policies of connections, for all routes of `Sockets` or for one of them.

    Sizes are in bytes, times in seconds. Raises `ValueError` for one out of bounds.
    """

    max_size: int = 1024 * 1024
    """Bytes a message from the client may have; a larger one closes with 1009. The server has a
    bound of its own before this one (`--ws-max-size`)."""
    max_outbox: int = 1024
    """Frames that may wait to be sent to one client."""
    max_outbox_bytes: int = 16 * 1024 * 1024
    """Bytes that may; a frame may have more if nothing else waits."""
    slow_client: SlowClient = SlowClient.DISCONNECT
    """What happens when that many wait."""
    conflate: Callable[[object], Hashable | None] | None = None
    """The key of a message to the client, or `None`: a newer message takes the place of the one
    that waits under the same key, which becomes a dead letter."""
    tell_missed: bool = False
    """Whether the client gets a `missed` frame with their `count` where frames were dropped."""
    send_timeout: float = 10.0
    """How long one frame may take to be sent before the connection is aborted."""
    idle_timeout: float | None = None
    """Close with 4408 a client from which no frame has come for so long (and up to a quarter
    more); `None` for never. A ping's answer does not count, as no application sees it."""
    disconnect_timeout: float = 5.0
    """How long the handler in hand and the queued mail have after the client is gone; then the
    handler is cancelled. `on_disconnect` runs in any case."""
    ask_timeout: float = 5.0
    """How long a `Request` from the client may take to be answered."""
    heartbeat: float | None = None
    """Send the client a `heartbeat` frame this often; `None` for never."""
    on_crash: OnCrash = OnCrash.RESTART
    """What follows a crash."""
    intensity: Intensity = field(default_factory=Intensity)
    """How many crashes within how long (3 in 5 s) close the socket with 1011 in any case."""
    on_invalid: OnInvalid = OnInvalid.REPORT
    """What follows a frame that cannot become a message."""
    on_overload: OnOverload = OnOverload.REPORT
    """What follows a frame for which the mailbox has no room."""

    def __post_init__(self) -> None:
        for name in ("max_size", "max_outbox", "max_outbox_bytes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in _SECONDS:
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"{name} must be above 0 and finite, not {value}")
