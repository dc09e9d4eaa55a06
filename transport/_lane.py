"""How a group reaches the clients of one route: encoded once, appended to each outbox."""

from collections.abc import Collection, Sequence
from typing import Protocol

from actors import Context, Envelope

from .outbox import Outbox
from .session import Session


class Member(Protocol):
    """What a lane has of a socket."""

    outbox: Outbox

    @property
    def context(self) -> Context: ...


class ClientLane:
    """See the module's head. `types`: what the route's class handles; a message of these goes to
    its mailbox instead."""

    def __init__(self, session: Session, types: Sequence[type]) -> None:
        self._session = session
        self._codec = session.codec
        self._types = tuple(types)

    def prepare(self, envelope: Envelope) -> None:
        """Encode what goes to clients; raises `CodecError`."""
        if not isinstance(envelope.message, self._types):
            self._codec.frame(envelope)
            self._session.key(envelope.message)

    def deliver(self, envelope: Envelope, members: Collection[Member]) -> None:
        """Hand it to each of the members."""
        if isinstance(envelope.message, self._types):
            envelope.deliver([socket.context.mailbox for socket in members])
            return
        frame = self._codec.frame(envelope)
        key = self._session.key(envelope.message)
        if len(members) > 1:
            _ = frame.wire  # made once, if by anybody
        for socket in members:
            socket.outbox.put(frame, key)
