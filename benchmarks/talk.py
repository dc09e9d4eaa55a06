"""How one talks to a contender: what its clients send, and where its replies keep the text."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .frames import BrokenReply, client_frame
from .load import Client


def _plain(_kind: str, payload: Mapping[str, object]) -> bytes:
    return json.dumps(payload).encode()


def _replied(reply: bytes) -> dict[str, object]:
    return dict(json.loads(reply))


def _original(reply: bytes) -> dict[str, object]:
    return dict(json.loads(reply)["original"])


def _socketio(kind: str, payload: Mapping[str, object]) -> bytes:
    return b"42" + json.dumps([kind, payload]).encode()


def _socketio_replied(reply: bytes) -> dict[str, object]:
    if not reply.startswith(b"42"):  # 4: a message of Engine.IO, 2: an event of Socket.IO
        raise BrokenReply(f"{reply!r} is no event")
    _event, payload = json.loads(reply[2:])
    return dict(payload)


def _socketio_opens(client: Client) -> None:
    """Engine.IO's handshake, then that of Socket.IO's default namespace."""
    for said, first in (b"", b"0{"), (b"40", b"40{"):
        if said:
            client.socket.sendall(client_frame(said))
        (reply,) = client.replies(1)
        if not reply.startswith(first):
            raise BrokenReply(f"{reply!r} instead of {first!r}...")


@dataclass(frozen=True, slots=True)
class Talk:
    """The words of one protocol on top of the WebSocket."""

    path: str = "/ws/{}"
    """Where clients connect; the `{}` is the number of each."""
    greet: Callable[[Client], object] | None = None
    """Says and hears what comes before the first message."""
    wrap: Callable[[str, Mapping[str, object]], bytes] = _plain
    """A message of some kind, as a client sends it."""
    unwrap: Callable[[bytes], dict[str, object]] = _replied
    """A reply, as one reads it."""

    def say(self, text: str) -> bytes:
        """The frame with a text that is to come back."""
        return client_frame(self.wrap("say", {"type": "say", "text": text}))

    def post(self, content: str) -> bytes:
        """The frame with a text that is to go to everybody."""
        payload = {"type": "post", "content": content, "timestamp": 1700000000.25}
        return client_frame(self.wrap("post", payload))

    def text(self, reply: bytes) -> str:
        """The text of an echo; raises BrokenReply where there is none."""
        return self._field(self.unwrap(reply), "text")

    def content(self, reply: bytes) -> str:
        """The text of what went to everybody."""
        return self._field(self.unwrap(reply), "content")

    def _field(self, payload: Mapping[str, object], name: str) -> str:
        if name not in payload:
            raise BrokenReply(f"no {name} in {payload}")
        return str(payload[name])


JSON = Talk()
"""A JSON object in a text frame."""
DUAL = Talk(greet=lambda client: client.replies(1), unwrap=_original)
"""As the tutorial's dual queues do: a welcome, then replies with the message inside."""
SOCKETIO = Talk(
    "/socket.io/?EIO=4&transport=websocket&n={}", _socketio_opens, _socketio, _socketio_replied
)
