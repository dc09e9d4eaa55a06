"""Notifications from a background thread, to all clients but those that asked for quiet."""

from datetime import datetime

import msgspec

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
    async def text(self, text: str) -> None:
        """The tutorial takes any text, prints it, and answers nothing."""
        match _wish(text):
            case Mute():
                _muted.add(self.ref)
            case Unmute():
                _muted.discard(self.ref)
            case None:
                # !r: what has a line break in it must not write a line of its own into the log.
                print(f"Received from {self.path_params['client_id']!r}: {text!r}")


def _wish(text: str) -> Mute | Unmute | None:
    try:
        return msgspec.json.decode(text, type=Mute | Unmute)
    except (msgspec.DecodeError, RecursionError):
        return None


def notification(count: int) -> SystemNotification:
    """What the thread publishes."""
    return SystemNotification(f"System update #{count}", count, now(), "info")


def muted() -> list[ActorRef]:
    """Whom the thread leaves out. A copy, made in one step that no other thread can divide."""
    return list(_muted)


def now() -> str:
    return datetime.now().astimezone().isoformat()
