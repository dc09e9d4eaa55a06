"""`Settings`: every bound and policy of the transport, in one typed object."""

import enum
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from actors import Intensity

from .limits import Rate
from .origin import check_patterns


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

    RESUME = "resume"
    """The client gets an error frame, and the connection goes on with the state it has."""
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


class OnFlood(enum.Enum):
    """What follows a message that comes faster than a rate allows."""

    REPORT = "report"
    """The message is refused; the client gets a `too_fast` error frame, once a second at most."""
    CLOSE = "close"
    """The socket is closed with 1008."""


_MESSAGE_RATE = Rate(100, burst=200)
_BYTE_RATE = Rate(1024 * 1024, burst=4 * 1024 * 1024)
MAX_DEPTH = 256
"""How deep `max_depth` may be: what may be decoded must be possible to encode as well, and msgspec
gives that up at a depth that depends on the stack."""
_NUMBERS = ("max_size", "max_outbox", "max_outbox_bytes", "max_depth", "max_groups")
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
    that waits under the same key, which becomes a dead letter. It is not asked about the
    transport's own frames: replies, errors, heartbeats."""
    tell_missed: bool = False
    """Whether the client gets a `missed` frame with their `count` where frames were dropped."""
    send_timeout: float = 10.0
    """How long one frame may take to be sent before the connection is aborted; under our own
    protocol, how long what waits may make no progress. On Linux also, once all is sent, how long
    the client's system may take none of it: seen after twice that at most."""
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
    """More crashes than so many within so long (3 in 5 s) close the socket with 1011 regardless."""
    on_invalid: OnInvalid = OnInvalid.REPORT
    """What follows a frame that cannot become a message."""
    on_overload: OnOverload = OnOverload.REPORT
    """What follows a frame for which the mailbox has no room."""
    origins: tuple[str, ...] = ()
    """Whose pages may open a socket, besides those of its own host: `"https://example.com"`,
    `"https://*.example.com"` for all hosts below that one, `"*"` for any page of anybody. A client
    that sends no `Origin` is no browser, and is let in."""
    message_rate: Rate | None = _MESSAGE_RATE
    """Messages a second from one client: 100, and 200 at once. `None` for any number."""
    byte_rate: Rate | None = _BYTE_RATE
    """Bytes of messages a second from one client: 1 MiB, and 4 MiB at once. `None` for any
    number."""
    on_flood: OnFlood = OnFlood.REPORT
    """What follows a message that comes faster than that."""
    max_depth: int = 64
    """How deep a frame of `Json` or `MessagePack` may be nested, at most 256."""
    max_groups: int = 256
    """Groups that a connection may be in; to join one more raises `LimitReached`, a 429."""

    def __post_init__(self) -> None:
        origins: Any = self.origins  # of who does not check types, too
        if isinstance(origins, str):
            raise ValueError(f"origins must be a tuple of them, not {origins!r}")
        object.__setattr__(self, "origins", tuple(origins))  # a list could not be hashed
        check_patterns(self.origins)
        if self.max_depth > MAX_DEPTH:
            raise ValueError(f"max_depth must be at most {MAX_DEPTH}, not {self.max_depth}")
        for name in _NUMBERS:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in _SECONDS:
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"{name} must be above 0 and finite, not {value}")
