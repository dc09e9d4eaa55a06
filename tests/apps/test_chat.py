"""`/ws/chat/{client_id}` against a real server, over uvicorn's WebSocket protocols and ours."""

import itertools
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from websockets.exceptions import InvalidStatus

LIMIT = 1024 * 1024
"""Bytes a message from a client may have."""
OURS = {"members", "room_members", "room_leave", "rooms", "message_sent"}
"""Frames that the tutorial does not have."""

_numbers = itertools.count()


@pytest.fixture(
    scope="module", params=["websockets-sansio", "wsproto", "transport.fast:WebSocketProtocol"]
)
def server(request: pytest.FixtureRequest, serve_module: Any) -> Any:
    server = serve_module("apps.server:app", ws=request.param)
    server.harm = (*server.harm, "actor crashed")
    server.protocol = request.param
    return server


class Person:
    """A client of the chat; it skips frames about people of earlier tests, who may still leave."""

    def __init__(self, client: Any, client_id: str, mark: str) -> None:
        self.id = client_id
        self.send: Callable[[object], None] = client.send
        self.close: Callable[[], None] = client.close
        self.client = client
        self._mark = mark

    def _receive(self) -> Any:
        while True:
            frame = self.client.receive()
            if frame.get("client_id", self._mark).endswith(self._mark):
                return frame

    def next(self) -> Any:
        """The next of the tutorial's frames, or error."""
        while True:
            frame = self._receive()
            if frame["type"] not in OURS:
                return frame

    def until(self, kind: str) -> Any:
        """The next frame of that type."""
        while True:
            frame = self._receive()
            if frame["type"] == kind:
                return frame


Enter = Callable[..., Person]


@pytest.fixture
def enter(server: Any, dial: Any) -> Enter:
    """Somebody comes in: when this returns the server has told everybody, also `others`."""
    mark = f"~{next(_numbers)}"

    def enter(name: str, *others: Person) -> Person:
        client_id = name + mark
        person = Person(dial(url(server, client_id)), client_id, mark)
        assert person.next() == joined(person)
        for other in others:
            assert other.next() == joined(person)
        return person

    return enter


def url(server: Any, client_id: str) -> str:
    return f"{server.ws_url}/ws/chat/{quote(client_id, safe='')}"


def joined(person: Person) -> dict[str, str]:
    text = f"User {person.id} joined the chat"
    return {"type": "user_joined", "client_id": person.id, "message": text}


def left(person: Person) -> dict[str, str]:
    text = f"User {person.id} left the chat"
    return {"type": "user_left", "client_id": person.id, "message": text}


def in_room(person: Person, room: str) -> dict[str, str]:
    return {"type": "room_join", "client_id": person.id, "room_name": room}


def said(person: Person, content: object, timestamp: object = None, **more: str) -> dict[str, Any]:
    words = {"client_id": person.id, "content": content, "timestamp": timestamp}
    return {"type": "message", **words, **more}


def join_room(room: str, person: Person, *others: Person) -> None:
    """Who joins hears it, and so do the others, who are in it."""
    person.send({"type": "join_room", "room_name": room})
    for member in (person, *others):
        assert member.next() == in_room(person, room)


def check_conversation(*people: Person) -> None:
    """Each speaks and all hear it, as the next thing that they hear."""
    for speaker in people:
        speaker.send({"content": f"{speaker.id} is here"})
        for person in people:
            assert person.next() == said(speaker, f"{speaker.id} is here")


def test_two_clients_see_each_other_join_speak_and_leave(server: Any, dial: Any) -> None:
    # The very two of the issue: these names, and no helper between the test and the frames.
    a = dial(f"{server.ws_url}/ws/chat/a")
    a.until("user_joined", client_id="a")
    b = dial(f"{server.ws_url}/ws/chat/b")
    joined = {"type": "user_joined", "client_id": "b", "message": "User b joined the chat"}
    assert a.until("user_joined") == joined
    assert b.until("user_joined") == joined
    a.send({"type": "message", "content": "hello", "timestamp": "12:00"})
    for client in (a, b):
        assert client.until("message") == {
            "type": "message",
            "client_id": "a",
            "content": "hello",
            "timestamp": "12:00",
        }
    b.send({"type": "message", "content": "hello yourself", "timestamp": 5})
    for client in (a, b):
        assert client.until("message") == {
            "type": "message",
            "client_id": "b",
            "content": "hello yourself",
            "timestamp": 5,
        }
    b.close()
    assert a.until("user_left", client_id="b") == {
        "type": "user_left",
        "client_id": "b",
        "message": "User b left the chat",
    }


def test_who_joins_is_told_to_all(enter: Enter) -> None:
    ann = enter("ann")
    bob = enter("bob", ann)
    enter("cid", ann, bob)


@pytest.mark.parametrize(
    ("sent", "content", "timestamp"),
    [
        ({"type": "message", "content": "x", "timestamp": "now"}, "x", "now"),
        ({"content": "x"}, "x", None),
        ({}, "", None),
        ({"type": "message"}, "", None),
        ({"type": "no such type", "content": "x"}, "x", None),
        ({"type": "user_left", "client_id": "somebody", "message": "lies"}, "", None),
        ({"type": 5, "content": 5}, 5, None),
        ({"type": ["join_room"], "content": [1, {"a": None}]}, [1, {"a": None}], None),
        ({"type": None, "content": None, "timestamp": 1.5}, None, 1.5),
        ({"content": "x", "client_id": "somebody else", "more": [1]}, "x", None),
        ({"content": "x", "room_name": None, "to": None}, "x", None),
        ({"content": "Grüße 🌿 <b>&amp;</b>\n"}, "Grüße 🌿 <b>&amp;</b>\n", None),
        ({"content": "x" * (LIMIT - 20)}, "x" * (LIMIT - 20), None),
    ],
)
def test_any_other_object_is_a_message_to_all(
    enter: Enter, sent: object, content: object, timestamp: object
) -> None:
    ann = enter("ann")
    bob = enter("bob", ann)
    bob.send(sent)
    for person in (ann, bob):
        assert person.next() == said(bob, content, timestamp)


def test_a_room_hears_who_joins_and_nobody_else_does(enter: Enter) -> None:
    ann = enter("ann")
    bob = enter("bob", ann)
    cid = enter("cid", ann, bob)
    join_room("tea", ann)
    join_room("tea", bob, ann)
    join_room("tea", bob, ann)  # joining again is told again, as in the tutorial, and no more
    check_conversation(ann, bob, cid)


def test_a_message_to_a_room_goes_to_it_alone(enter: Enter) -> None:
    ann = enter("ann")
    bob = enter("bob", ann)
    cid = enter("cid", ann, bob)
    join_room("tea", ann)
    join_room("tea", bob, ann)
    join_room("coffee", cid)
    bob.send({"content": "sugar?", "timestamp": 1, "room_name": "tea"})
    for member in (ann, bob):
        assert member.next() == said(bob, "sugar?", 1, room_name="tea")
    # In the tutorial too, one may speak to a group without being in it.
    cid.send({"type": "message", "content": "no!", "room_name": "tea"})
    for member in (ann, bob):
        assert member.next() == said(cid, "no!", room_name="tea")
    cid.send({"content": "anybody?", "room_name": "nowhere"})
    check_conversation(ann, bob, cid)


def test_rooms_do_not_mix_with_the_names_that_the_server_uses(enter: Enter) -> None:
    ann = enter("ann")
    bob = enter("bob", ann)
    for room in ("", "chat", "chat/watchers", "../chat", "room/tea", ann.id, "🌿 {client_id}"):
        join_room(room, ann)
        ann.send({"content": "mine", "room_name": room})
        assert ann.next() == said(ann, "mine", room_name=room)
    check_conversation(ann, bob)


def test_a_message_to_one_client_goes_to_it_alone(enter: Enter) -> None:
    ann = enter("ann")
    bob = enter("bob", ann)
    cid = enter("cid", ann, bob)
    ann.send({"content": "psst", "timestamp": 1, "to": bob.id})
    assert bob.next() == said(ann, "psst", 1, to=bob.id)
    assert ann.until("message_sent") == {
        **said(ann, "psst", 1, to=bob.id),
        "type": "message_sent",
    }
    ann.send({"content": "to myself", "to": ann.id})
    assert ann.next() == said(ann, "to myself", to=ann.id)
    # Whoever names a room as well means the one client: what is private stays private.
    join_room("tea", ann)
    join_room("tea", bob, ann)
    join_room("tea", cid, ann, bob)
    ann.send({"content": "psst", "to": bob.id, "room_name": "tea"})
    assert bob.next() == said(ann, "psst", to=bob.id)
    check_conversation(ann, bob, cid)


def test_a_message_to_nobody_is_an_error(enter: Enter) -> None:
    ann = enter("ann")
    bob = enter("bob", ann)
    ann.send({"content": "psst", "to": "nobody"})
    error = ann.next()
    assert (error["type"], error["code"], error["path"]) == ("error", "invalid", "$.to")
    check_conversation(ann, bob)


def test_who_leaves_is_told_to_all(enter: Enter) -> None:
    ann = enter("ann")
    bob = enter("bob", ann)
    cid = enter("cid", ann, bob)
    cid.close()
    for person in (ann, bob):
        assert person.next() == left(cid)
    check_conversation(ann, bob)


@pytest.mark.parametrize("reset", [False, True], ids=["end of stream", "reset"])
def test_who_vanishes_from_a_room_is_told_to_it_and_to_all(
    server: Any, enter: Enter, savage: Any, reset: bool
) -> None:
    ann = enter("ann")
    bob = enter("bob", ann)
    join_room("tea", ann)
    client_id = ann.id.replace("ann", "gone")
    gone = Person(savage(server.port, f"/ws/chat/{client_id}"), client_id, "")
    for person in (ann, bob):
        assert person.next() == joined(gone)
    gone.send({"type": "join_room", "room_name": "tea"})
    assert ann.next() == in_room(gone, "tea")
    gone.client.vanish(reset=reset)
    assert ann.until("room_leave") == {**in_room(gone, "tea"), "type": "room_leave"}
    for person in (ann, bob):
        assert person.next() == left(gone)
    # The room goes on without it.
    ann.send({"content": "where?", "room_name": "tea"})
    assert ann.next() == said(ann, "where?", room_name="tea")
    check_conversation(ann, bob)


def test_a_second_connection_of_one_name_is_refused_before_accept(
    server: Any, enter: Enter, dial: Any, get: Any
) -> None:
    ann = enter("ann")
    bob = enter("bob", ann)
    names = "/chat/names/" + quote(ann.id)
    assert json.loads(get(server.port, names).body) == {"taken": True}
    with pytest.raises(InvalidStatus) as refusal:
        dial(url(server, ann.id))
    assert refusal.value.response.status_code == 409
    assert ann.id.encode() in refusal.value.response.body
    check_conversation(ann, bob)  # nobody was told of a join, and the first goes on
    ann.close()
    assert bob.next() == left(ann)
    assert json.loads(get(server.port, names).body) == {"taken": False}
    enter("ann", bob)


@pytest.mark.parametrize("name", ["a b", "Zoë 🌿", "{client_id}", "100%", "a?b#c", "..", "<b>"])
def test_any_name_without_a_slash_will_do(enter: Enter, name: str) -> None:
    ann = enter("ann")
    other = enter(name, ann)
    ann.send({"content": "psst", "to": other.id})
    assert other.next() == said(ann, "psst", to=other.id)
    check_conversation(ann, other)


@pytest.mark.parametrize("path", ["/ws/chat", "/ws/chat/", "/ws/chat/a/b", "/ws/chat/a%2Fb"])
def test_without_a_name_there_is_no_chat(server: Any, dial: Any, path: str) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        dial(server.ws_url + path)
    assert refusal.value.response.status_code in (403, 404)


DEEP = "[" * 100_000 + "]" * 100_000
BAD = [
    ("[1]", "invalid", "$"),
    ('"x"', "invalid", "$"),
    ("5", "invalid", "$"),
    ("null", "invalid", "$"),
    ("true", "invalid", "$"),
    ("", "malformed", None),
    ("hello", "malformed", None),
    ('{"content": "x"', "malformed", None),
    ("{'content': 'x'}", "malformed", None),
    ('{"content": NaN}', "malformed", None),
    ('{"content": "\\ud800"}', "malformed", None),
    ('{"content": "x"} {}', "malformed", None),
    (DEEP, "malformed", None),
    ('{"content": ' + DEEP + "}", "malformed", None),
    ('{"type": "join_room", "room_name": "tea", "x": ' + DEEP + "}", "malformed", None),
    ('{"type": "join_room"}', "invalid", "$"),
    ('{"type": "join_room", "room_name": null}', "invalid", "$.room_name"),
    ('{"type": "join_room", "room_name": ["tea"]}', "invalid", "$.room_name"),
    ('{"type": "leave_room", "room_name": 5}', "invalid", "$.room_name"),
    ('{"content": "x", "room_name": 5}', "invalid", "$.room_name"),
    ('{"content": "x", "to": {}}', "invalid", "$.to"),
]


@pytest.mark.parametrize(
    ("sent", "code", "path"), BAD, ids=[f"{number}-{bad[0][:30]}" for number, bad in enumerate(BAD)]
)
def test_bad_input_gets_an_error_frame_and_goes_to_nobody(
    enter: Enter, sent: str, code: str, path: str | None
) -> None:
    ann = enter("ann")
    bob = enter("bob", ann)
    ann.send(sent)
    error = ann.next()
    assert (error["type"], error["code"], error.get("path")) == ("error", code, path)
    assert error["detail"]
    check_conversation(ann, bob)


CLOSING: dict[str, tuple[Callable[[Any], None], int]] = {
    "binary": (lambda client: client.send(b'{"content": "x"}'), 1003),
    "too large": (lambda client: client.send("x" * (LIMIT + 1)), 1009),
    "larger than the server takes": (lambda client: client.send("x" * 17 * LIMIT), 1009),
    "not UTF-8": (lambda client: client.send_as_text(b'{"content": "\xff"}'), 1007),
    "not masked": (lambda client: client.send_raw(b"\x81\x02{}"), 1002),
    "unknown opcode": (lambda client: client.send_raw(b"\x83\x80\0\0\0\0"), 1002),
}


@pytest.mark.parametrize(("send", "code"), CLOSING.values(), ids=CLOSING)
def test_what_cannot_be_answered_closes_that_connection_alone(
    server: Any, enter: Enter, send: Callable[[Any], None], code: int
) -> None:
    if server.protocol == "wsproto" and code in (1002, 1007):
        code = 1006  # uvicorn's wsproto breaks off without a close frame
    ann = enter("ann")
    bob = enter("bob", ann)
    bad = enter("bad", ann, bob)
    send(bad.client)
    assert bad.client.closed() == code
    for person in (ann, bob):
        assert person.next() == left(bad)
    check_conversation(ann, bob)


def test_what_the_page_needs_besides(enter: Enter) -> None:
    """Of our own: who is here, who is in a room, leaving one, and the sizes of rooms."""
    ann = enter("ann")
    room = f"tea of {ann.id}"
    ann.send({"type": "watch_rooms"})
    assert room not in ann.until("rooms")["rooms"]
    join_room(room, ann)
    assert ann.until("room_members")["client_ids"] == [ann.id]
    assert ann.until("rooms")["rooms"] == {room: 1}
    bob = enter("bob", ann)
    members = bob.until("members")
    assert {ann.id, bob.id} <= set(members["client_ids"])
    assert members["rooms"][room] == [ann.id]
    join_room(room, bob, ann)
    assert sorted(bob.until("room_members")["client_ids"]) == [ann.id, bob.id]
    assert ann.until("rooms")["rooms"] == {room: 2}
    bob.send({"type": "leave_room", "room_name": room})
    gone = {**in_room(bob, room), "type": "room_leave"}
    assert bob.until("room_leave") == gone
    assert ann.until("room_leave") == gone
    assert ann.until("rooms")["rooms"] == {room: 1}
    ann.send({"content": "alone", "room_name": room})
    assert ann.next() == said(ann, "alone", room_name=room)
    check_conversation(ann, bob)
