"""Topics and their members: `join`, `leave`, `publish`.

Members are kept by *lane*: how a message reaches members of one kind. The mailbox lane is below;
a transport adds lanes that encode once for all their members. A message is wrapped once per
publish in an `Envelope`, where lanes leave what they made of it for one another.
"""

from collections.abc import Collection, Iterable
from typing import Any, Protocol

from .mailbox import Mailbox
from .ref import ActorRef


class Envelope:
    """A published message, and what has been made of it on the way (encoded forms, by maker)."""

    __slots__ = ("cache", "message")

    def __init__(self, message: object) -> None:
        self.message = message
        self.cache: dict[object, Any] = {}

    def deliver(self, mailboxes: Iterable[Mailbox]) -> None:
        """Put the message into mailboxes; a full one applies its policy, *wait* being *fail*."""
        for mailbox in mailboxes:
            mailbox.offer(self.message)


class Lane(Protocol):
    """The port between a group and members of one kind; lanes are compared by identity."""

    def prepare(self, envelope: Envelope) -> None:
        """Encode the message, if that is to be done, and leave it in the envelope; raise if it
        cannot be. Called before any lane delivers, where a group has members of several."""
        ...

    def deliver(self, envelope: Envelope, members: Collection[Any]) -> None:
        """Hand the message to each member. It must not wait; if it cannot encode the message, it
        raises before anybody gets it."""
        ...


class MailboxLane:
    """Delivers into mailboxes."""

    def prepare(self, envelope: Envelope) -> None:
        pass

    def deliver(self, envelope: Envelope, members: Collection[Mailbox]) -> None:
        envelope.deliver(members)


MAILBOX_LANE = MailboxLane()


class Groups:
    """The topics of one system, touched in its loop's thread only."""

    def __init__(self) -> None:
        self._topics: dict[str, dict[Lane, dict[ActorRef, Any]]] = {}

    def join(self, topic: str, ref: ActorRef, lane: Lane, member: Any) -> None:
        """Make it a member; joining twice is fine. `member` is what its lane delivers to."""
        self._topics.setdefault(topic, {}).setdefault(lane, {})[ref] = member

    def leave(self, topic: str, ref: ActorRef) -> None:
        """End a membership; leaving twice is fine."""
        lanes = self._topics.get(topic)
        if lanes is None:
            return
        for lane, members in list(lanes.items()):
            if members.pop(ref, None) is not None and not members:
                del lanes[lane]
        if not lanes:
            del self._topics[topic]

    def members(self, topic: str) -> list[ActorRef]:
        """The members of a topic, lane by lane in the order they joined."""
        lanes = self._topics.get(topic, {})
        return [ref for members in lanes.values() for ref in members]

    def has_members(self, topic: str) -> bool:
        """Whether anybody is in it."""
        return topic in self._topics

    def topics(self, prefix: str = "") -> list[str]:
        """The topics that have a member and start so."""
        return [topic for topic in self._topics if topic.startswith(prefix)]

    def publish(
        self, topic: str, message: object, exclude: ActorRef | Iterable[ActorRef] = ()
    ) -> None:
        """Hand the message to every member, save those excluded.

        Raises what a lane raises of a message that it cannot encode, before anybody gets it.
        """
        lanes = self._topics.get(topic)
        if lanes is None:
            return
        envelope = Envelope(message)
        excluded = frozenset((exclude,) if isinstance(exclude, ActorRef) else exclude)
        # Copies, since whoever hears of a dead letter may join or leave in the middle of it.
        deliveries: list[tuple[Lane, list[Any]]] = []
        for lane, members in lanes.items():
            if excluded and not excluded.isdisjoint(members):
                chosen = [member for ref, member in members.items() if ref not in excluded]
            else:
                chosen = list(members.values())
            if chosen:
                deliveries.append((lane, chosen))
        if len(deliveries) > 1:  # a single lane raises by itself before anybody gets it
            for lane, _ in deliveries:
                lane.prepare(envelope)
        for lane, chosen in deliveries:
            lane.deliver(envelope, chosen)
