"""Notifications from a background thread, to all clients but those that asked for quiet."""

from datetime import datetime
from typing import Any

from actors import ActorRef, Message, receive
from transport import Connection

SUBSCRIBERS = "notifications"

_muted: set[ActorRef] = set()


class Welcome(Message):
    message: str
    timestamp: str


class SystemNotification(Message):
    message: str
    count: int
    timestamp: str
    priority: str


class Mute(Message):
    """Leave me out from now on."""


class Unmute(Message):
    """Leave me in again."""


class Notifications(Connection):
    """`/ws/thread-safe/{client_id}`."""

    async def on_connect(self) -> None:
        self.join(SUBSCRIBERS)
        self.send(Welcome("Connected to thread-safe WebSocket", now()))

    async def on_disconnect(self, code: int) -> None:
        _muted.discard(self.ref)

    @receive
    async def mute(self, message: Mute) -> None:
        _muted.add(self.ref)

    @receive
    async def unmute(self, message: Unmute) -> None:
        _muted.discard(self.ref)

    @receive
    async def other(self, message: dict[str, Any]) -> None:
        """The tutorial prints what a client sends, and answers nothing."""
        # !r: a name with a line break in it must not write a line of its own into the log.
        print(f"Received from {self.path_params['client_id']!r}: {message}")


def notification(count: int) -> SystemNotification:
    """What the thread publishes."""
    return SystemNotification(f"System update #{count}", count, now(), "info")


def muted() -> list[ActorRef]:
    """Whom the thread leaves out. A copy, made in one step that no other thread can divide."""
    return list(_muted)


def now() -> str:
    return datetime.now().astimezone().isoformat()
