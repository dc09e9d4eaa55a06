"""A chat with rooms and private messages, in the tutorial's wire format and a little more.

Of the tutorial: `user_joined`, `join_room` -> `room_join`, any other object -> `message`,
`user_left`. Of our own: `members` for a newcomer, `leave_room` -> `room_leave`, `room_members` for
whoever joins a room, `watch_rooms` -> `rooms`, and `message_sent` for the sender of a private
message, whom `message` itself does not go to.
"""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from actors import ActorRef, Message, receive
from transport import Connection, ErrorFrame

EVERYBODY = "chat"
ROOM = "chat/room/"
WATCHERS = "chat/watchers"
NAME = "chat/{client_id}"
"""An actor's name; a second connection under the same one is refused before it is accepted."""


class JoinRoom(Message):
    room_name: str


class LeaveRoom(Message):
    room_name: str


class WatchRooms(Message):
    """Tell me of rooms and their sizes from now on."""


class Speech(msgspec.Struct, frozen=True):
    """Any other object: it has no tag of its own, so it takes what has no known one."""

    content: Any = ""
    timestamp: Any = None
    room_name: str | None = None
    to: str | None = None


class UserJoined(Message):
    client_id: str
    message: str


class UserLeft(Message):
    client_id: str
    message: str


class Members(Message):
    client_ids: list[str]
    rooms: dict[str, list[str]]


class RoomJoin(Message):
    client_id: str
    room_name: str


class RoomLeave(Message):
    client_id: str
    room_name: str


class RoomMembers(Message):
    room_name: str
    client_ids: list[str]


class Rooms(Message):
    """Rooms and how many are in each; 0 for one that is gone."""

    rooms: dict[str, int]


class Said(Message, tag="message"):
    client_id: str
    content: Any
    timestamp: Any
    room_name: str | UnsetType = UNSET
    to: str | UnsetType = UNSET


class MessageSent(Said, tag="message_sent"):
    """The sender's own copy of a private message."""


class Chat(Connection):
    """`/ws/chat/{client_id}`."""

    def __init__(self, client_id: str) -> None:
        self.client_id = client_id

    async def on_connect(self) -> None:
        self.join(EVERYBODY)
        text = f"User {self.client_id} joined the chat"
        self.publish(EVERYBODY, UserJoined(self.client_id, text))
        rooms = {room: self._names(ROOM + room) for room in self._rooms(self.topics(ROOM))}
        self.send(Members(self._names(EVERYBODY), rooms))

    async def on_disconnect(self, code: int) -> None:
        for room in self._rooms(self.groups):
            self._left(room)
        text = f"User {self.client_id} left the chat"
        self.publish(EVERYBODY, UserLeft(self.client_id, text))

    @receive
    async def join_room(self, message: JoinRoom) -> None:
        room = message.room_name
        self.join(ROOM + room)
        self.publish(ROOM + room, RoomJoin(self.client_id, room))
        self.send(RoomMembers(room, self._names(ROOM + room)))
        self._tell_size(room)

    @receive
    async def leave_room(self, message: LeaveRoom) -> None:
        room = message.room_name
        if ROOM + room in self.groups:
            self.leave(ROOM + room)
            self.send(RoomLeave(self.client_id, room))
            self._left(room)

    @receive
    async def watch_rooms(self, message: WatchRooms) -> None:
        self.join(WATCHERS)
        rooms = self._rooms(self.topics(ROOM))
        self.send(Rooms({room: len(self.members(ROOM + room)) for room in rooms}))

    @receive
    async def speak(self, speech: Speech) -> None:
        words = self.client_id, speech.content, speech.timestamp
        if speech.to is not None:
            self._whisper(speech.to, words)
        elif speech.room_name is not None:
            self.publish(ROOM + speech.room_name, Said(*words, room_name=speech.room_name))
        else:
            self.publish(EVERYBODY, Said(*words))

    def _whisper(self, to: str, words: tuple[str, Any, Any]) -> None:
        listener = self.find(NAME.format(client_id=to))
        if listener is None:
            detail = f"nobody here is called {to!r}"
            self.send(ErrorFrame(code="invalid", detail=detail, path="$.to"))
            return
        listener.tell(Said(*words, to=to))  # no handler of its own: it goes to the client
        if listener is not self.ref:
            self.send(MessageSent(*words, to=to))

    def _left(self, room: str) -> None:
        self.publish(ROOM + room, RoomLeave(self.client_id, room))
        self._tell_size(room)

    def _tell_size(self, room: str) -> None:
        self.publish(WATCHERS, Rooms({room: len(self.members(ROOM + room))}))

    def _rooms(self, topics: list[str] | tuple[str, ...]) -> list[str]:
        return [topic.removeprefix(ROOM) for topic in topics if topic.startswith(ROOM)]

    def _names(self, topic: str) -> list[str]:
        return [_client_id(ref) for ref in self.members(topic)]


def _client_id(ref: ActorRef) -> str:
    return ref.name.removeprefix(NAME.format(client_id=""))
