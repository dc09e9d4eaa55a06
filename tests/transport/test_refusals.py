"""What a connection may not do: refused messages, groups, and tokens that expire."""

import asyncio
from types import MappingProxyType
from typing import Any

import pytest
import structlog
from fastapi import HTTPException

from actors import Actor, ActorCrashed, Directive, Intensity, receive
from tests.transport import guarded
from transport import Connection, Json, OnCrash, Settings

COUNT = {"type": "count"}


async def refusal(peer: Any) -> dict[str, Any]:
    frame: dict[str, Any] = await peer.receive()
    assert frame.pop("type") == "error"
    return frame


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "bad_request"),
        (403, "forbidden"),
        (404, "not_found"),
        (418, "im_a_teapot"),
        (429, "too_many_requests"),
        (499, "status_499"),
    ],
)
def test_an_http_exception_refuses_the_message_and_is_no_crash(
    house: Any, letters: Any, status: int, code: str
) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/guest")
        with structlog.testing.capture_logs() as logs:
            for _ in range(10):  # more often than crashes may come
                peer.send({"type": "refuse", "status": status})
                told = await refusal(peer)
                assert told == {"code": code, "detail": "no", "status": status}
        assert logs == []
        stats = house.system.stats()
        assert (stats.handled, stats.crashed) == (10, 0)
        assert letters.letters == []

    house(*guarded.build(instruments=[letters]), test)


def test_state_is_kept(house: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/guest")
        for count in (1, 2, 3):
            peer.send(COUNT)
            assert (await peer.receive())["count"] == count
            peer.send({"type": "refuse", "status": 409, "detail": {"why": [1]}})
            assert (await refusal(peer))["detail"] == '{"why":[1]}'

    house(*guarded.build(), test)


def test_a_request_that_is_refused_is_answered_under_its_id(house: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/guest")
        peer.send({"type": "find", "id": 7})
        assert await refusal(peer) == {
            "code": "not_found",
            "detail": "there is none",
            "id": 7,
            "status": 404,
        }
        peer.send({"type": "find"})  # without an id it is told
        assert await refusal(peer) == {
            "code": "not_found",
            "detail": "there is none",
            "status": 404,
        }
        # An actor that asks gets the exception itself, and the client hears nothing.
        (ref,) = [house.system.find(name) for name in house.system._core.cells]
        with pytest.raises(HTTPException, match="404: there is none"):
            await ref.ask(guarded.Find())
        assert peer.waiting() == []
        stats = house.system.stats()
        assert (stats.handled, stats.crashed) == (3, 0)

    house(*guarded.build(), test)


def test_raised_by_on_connect_it_closes_with_4000_and_the_status(house: Any) -> None:
    async def test(house: Any) -> None:
        with structlog.testing.capture_logs() as logs:
            peer = await house.connect("/unwelcome")
            assert await peer.closed() == (4403, "not you")
        assert logs == []

    house(*guarded.build(), test)


def test_an_actor_that_is_no_connection_crashes_by_it(house: Any) -> None:
    class Plain(Actor):
        @receive
        async def refuse(self, message: guarded.Find) -> int:
            raise HTTPException(404)

    async def test(house: Any) -> None:
        ref = await house.system.spawn(Plain)
        with structlog.testing.capture_logs() as logs, pytest.raises(ActorCrashed):
            await ref.ask(guarded.Find())
        await ref.wait()
        assert len(logs) == 1

    house(*guarded.build(), test)


def test_groups_are_joined_and_published_to_by_those_who_may(house: Any) -> None:
    async def test(house: Any) -> None:
        peer, other = await house.connect("/guest"), await house.connect("/guest")
        for each in (peer, other):
            for topic in ("tea", "news"):
                each.send({"type": "join", "topic": topic})
                assert (await each.receive())["text"] == f"in {topic}"
        for sent, detail in (
            ({"type": "join", "topic": "secret 1"}, "you may not join 'secret 1'"),
            (
                {"type": "publish", "topic": "news", "text": "x"},
                "you may not publish that to 'news'",
            ),
            (
                {"type": "publish", "topic": "tea", "text": "shit"},
                "you may not publish that to 'tea'",
            ),
        ):
            peer.send(sent)
            told = await refusal(peer)
            assert told == {"code": "forbidden", "detail": detail, "status": 403}
        assert house.system.members("secret 1") == []
        peer.send({"type": "publish", "topic": "tea", "text": "hello"})
        assert (await other.receive())["text"] == (await peer.receive())["text"] == "hello"

    house(*guarded.build(), test)


def test_in_so_many_groups_and_no_more(house: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/few")
        for topic in "abcabc":  # joining twice is fine
            peer.send({"type": "join", "topic": topic})
            assert (await peer.receive())["type"] == "said"
        peer.send({"type": "join", "topic": "d"})
        assert await refusal(peer) == {
            "code": "too_many_requests",
            "detail": "you are in 3 groups already",
            "limit": "max_groups",
            "status": 429,
        }
        assert house.system.topics() == ["a", "b", "c"]

    house(*guarded.build(), test)


async def expire(peer: Any, seconds: float | None) -> None:
    peer.send({"type": "expire", "seconds": seconds})
    assert (await peer.receive())["text"] == "so be it"


def test_a_connection_expires_with_4401(house: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/guest")
        loop = asyncio.get_running_loop()
        began = loop.time()
        await expire(peer, 0.2)
        assert await peer.closed() == (4401, "expired")
        assert loop.time() - began >= 0.2

    house(*guarded.build(), test)


def test_a_fresh_token_puts_it_off_and_none_calls_it_off(house: Any) -> None:
    async def test(house: Any) -> None:
        peer, other = await house.connect("/guest"), await house.connect("/guest")
        for each in (peer, other):
            await expire(each, 0.05)
        await expire(peer, 0.3)
        await expire(other, None)
        await asyncio.sleep(0.15)
        assert peer.waiting() == []
        assert await peer.closed() == (4401, "expired")
        other.send(COUNT)
        assert (await other.receive())["count"] == 1

    house(*guarded.build(), test)


def test_a_token_outlives_no_restart(house: Any) -> None:
    """The actor is a new one, its client is not."""

    async def test(house: Any) -> None:
        peer = await house.connect("/guest")
        await expire(peer, 0.2)
        with structlog.testing.capture_logs():
            peer.send({"type": "boom"})
            assert (await refusal(peer))["code"] == "crashed"
        assert await peer.closed() == (4401, "expired")

    house(*guarded.build(), test)


@pytest.mark.parametrize("seconds", [0, -3600])
def test_what_has_expired_already_closes_at_once(house: Any, seconds: float) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/guest")
        await expire(peer, seconds)
        assert await peer.closed() == (4401, "expired")

    house(*guarded.build(), test)


class Odd(Connection):
    directives = MappingProxyType({KeyError: Directive.RESTART, LookupError: Directive.STOP})

    async def on_start(self) -> None:
        self.count = 0
        with pytest.raises(ValueError, match="finite"):
            self.expire(float("inf"))

    @receive
    async def add(self, message: guarded.Count) -> None:
        self.count += 1
        self.send(guarded.Counted(self.count))

    @receive
    async def text(self, message: guarded.Say) -> None:
        raise {"key": KeyError, "index": IndexError, "value": ValueError}[message.text]


def odd(**settings: Any) -> Any:
    app, sockets = guarded.build()
    sockets.add("/odd", Odd, settings=Settings(on_crash=OnCrash.RESUME, **settings))
    return app, sockets


async def count(peer: Any) -> int:
    peer.send(COUNT)
    got: int = (await peer.receive())["count"]
    return got


async def crash(peer: Any, text: str) -> None:
    peer.send({"type": "say", "text": text})
    assert (await refusal(peer))["code"] == "crashed"


def test_by_choice_a_crash_keeps_the_state(house: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/odd")
        with structlog.testing.capture_logs() as logs:
            for expected in (1, 2, 3):
                assert await count(peer) == expected
                await crash(peer, "value")
        assert [log["event"] for log in logs] == ["actor crashed"] * 3
        assert await count(peer) == 4

    house(*odd(), test)


def test_what_the_class_says_of_an_error_goes_first(house: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/odd")
        with structlog.testing.capture_logs():
            assert await count(peer) == 1
            await crash(peer, "key")
            assert await count(peer) == 1  # a fresh one
            await crash(peer, "index")
            assert (await peer.closed())[0] == 1011

    house(*odd(), test)


def test_too_many_crashes_close_it_all_the_same(house: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/odd")
        with structlog.testing.capture_logs():
            for _ in range(3):
                await crash(peer, "value")
            assert (await peer.closed())[0] == 1011

    house(*odd(intensity=Intensity(2, 60.0)), test)


class Mute(Json):
    """A codec that carries only what its application sends."""

    def encode(self, message: object) -> Any:
        if not isinstance(message, guarded.Counted):
            raise TypeError(f"no {type(message).__name__}")
        return super().encode(message)


def test_an_error_that_cannot_be_told_costs_nobody_anything(house: Any, logged: Any) -> None:
    """A crash, a refusal, a bad frame: where the codec cannot carry it, it is logged."""

    async def test(house: Any) -> None:
        peer = await house.connect("/mute")
        for message in ("{", {"type": "refuse", "status": 400}, {"type": "boom"}):
            peer.send(message)
        peer.send(COUNT)
        assert (await peer.receive())["count"] == 1
        unsaid = [each for each in logged if each["event"] == "the client cannot be told"]
        assert len(unsaid) == 3

    app, sockets = guarded.build()
    sockets.add("/mute", guarded.Guest, codec=Mute())
    house(app, sockets, test)


def test_a_refusal_may_have_any_detail(house: Any) -> None:
    """What cannot be sent is named; it is no reason to end."""

    class Odd(Connection):
        @receive
        async def go(self, message: guarded.Count) -> None:
            raise HTTPException(400, details.pop())

        @receive
        async def find_odd(self, request: guarded.Find) -> int:
            raise HTTPException(400, details.pop())

    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    details: list[Any] = []

    async def test(house: Any) -> None:
        peer = await house.connect("/odd")
        for detail, told in ((object(), "<object>"), ("a\ud800", "a?"), (deep, "<list>"), (1, "1")):
            for message in (COUNT, {"type": "find", "id": 1}):
                details.append(detail)
                peer.send(message)
                assert (await refusal(peer))["detail"] == told

    app, sockets = guarded.build()
    sockets.add("/odd", Odd)
    house(app, sockets, test)


@pytest.mark.parametrize(("status", "code"), [(403, 4403), (1234, 1011)])
def test_a_status_that_is_none_closes_with_1011(house: Any, status: int, code: int) -> None:
    class Odd(Connection):
        async def on_connect(self) -> None:
            raise HTTPException(status, "no")

    async def test(house: Any) -> None:
        peer = await house.connect("/odd")
        assert await peer.closed() == (code, "no")

    app, sockets = guarded.build()
    sockets.add("/odd", Odd)
    house(app, sockets, test)


def test_of_whom_on_connect_refuses_nothing_is_handled(house: Any, letters: Any) -> None:
    """Neither what came while it made up its mind."""
    asked, decided = asyncio.Event(), asyncio.Event()
    handled: list[str] = []
    codes: list[int] = []

    class Doubtful(guarded.Guest):
        async def on_connect(self) -> None:
            asked.set()
            await decided.wait()
            raise HTTPException(403, "not you")

        async def on_disconnect(self, code: int) -> None:
            codes.append(code)

        @receive
        async def say(self, message: guarded.Say) -> None:
            handled.append(message.text)

    async def test(house: Any) -> None:
        peer = await house.connect("/doubtful")
        await asked.wait()
        peer.send({"type": "say", "text": "delete it all"})
        await house.until(lambda: house.system.stats().queued)
        decided.set()
        assert await peer.closed() == (4403, "not you")
        assert handled == []
        assert codes == [4403]
        assert [letter.message for letter in letters.letters] == [guarded.Say("delete it all")]

    app, sockets = guarded.build(instruments=[letters])
    sockets.add("/doubtful", Doubtful)
    house(app, sockets, test)
