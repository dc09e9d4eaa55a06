"""What a connection does with its messages: order, requests, crashes, overload, close."""

import asyncio
from itertools import permutations
from typing import Any

import msgspec
import pytest
import structlog
from fastapi import FastAPI

from actors import (
    ActorRef,
    Intensity,
    MailboxFull,
    Message,
    NotRunning,
    Overflow,
    Reason,
    Request,
    receive,
)
from transport import (
    Connection,
    ErrorFrame,
    Json,
    MessagePack,
    OnCrash,
    OnOverload,
    Raw,
    Settings,
    Sockets,
    Text,
)


class Say(Message):
    text: str


class Said(Message):
    text: str


class Tell(Message):
    """To everybody else's client, or with `all` to its own as well."""

    text: str
    all: bool = False


class Boom(Message):
    pass


class Fatal(Message):
    pass


class Wait(Message):
    pass


class Slow(Message):
    pass


class Close(Message):
    code: int
    reason: str = ""


class Stop(Message):
    pass


class Private(Message):
    """Only actors may send it."""

    text: str


class Total(Request[int]):
    of: list[int]


class Unsendable(Request[object]):
    pass


class Draft(msgspec.Struct):
    text: str


class Unset(Request[Draft]):
    pass


class Fails(Request[int]):
    pass


class Hangs(Request[int]):
    pass


class Strict(Message):
    """Its class has a bug."""

    text: str

    def __post_init__(self) -> None:
        {}[self.text]


class Probe(Connection):
    """Does what the tests need. `journal` outlives the restarts."""

    journal: list[Any]
    release: asyncio.Event
    busy: asyncio.Event

    async def on_start(self) -> None:
        self.count = 0
        self.journal.append("start")

    async def on_connect(self) -> None:
        self.journal.append("connect")
        self.join("all")

    async def on_restart(self, error: Exception) -> None:
        self.journal.append(("restart", str(error)))

    async def on_disconnect(self, code: int) -> None:
        self.journal.append(("disconnect", code))

    async def on_stop(self, end: Any) -> None:
        self.journal.append(("stop", end.how))

    @receive
    async def say(self, message: Say) -> None:
        self.count += 1
        self.send(Said(f"{self.count} {message.text}"))

    @receive
    async def tell(self, message: Tell) -> None:
        self.publish("all", Said(message.text), exclude=() if message.all else self.ref)

    @receive
    async def strict(self, message: Strict) -> None:
        self.journal.append("strict")

    @receive
    async def boom(self, message: Boom) -> None:
        raise RuntimeError("boom")

    @receive
    async def wait(self, message: Wait) -> None:
        self.busy.set()
        await self.release.wait()
        self.send(Said("released"))

    @receive(timeout=0.05)
    async def slow(self, message: Slow) -> None:
        await asyncio.Event().wait()

    @receive
    async def leave_with(self, message: Close) -> None:
        self.send(Said("before"))
        self.close(message.code, message.reason)
        self.close(4999, "the second")
        self.send(Said("after"))

    @receive
    async def stop_it(self, message: Stop) -> None:
        self.send(Said("before"))
        self.stop()

    @receive(wire=False)
    async def private(self, message: Private) -> None:
        self.send(Said(f"private {message.text}"))

    @receive
    async def total(self, request: Total) -> int:
        return sum(request.of)

    @receive
    async def unsendable(self, request: Unsendable) -> object:
        return object()

    @receive
    async def unset(self, request: Unset) -> Draft:
        draft = Draft("")
        del draft.text
        return draft

    @receive
    async def fails(self, request: Fails) -> int:
        raise RuntimeError("no")

    @receive
    async def hangs(self, request: Hangs) -> int:
        self.busy.set()
        await self.release.wait()
        return 1


class Small(Probe):
    mailbox_size = 2


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> type[Probe]:
    monkeypatch.setattr(Probe, "journal", [], raising=False)
    monkeypatch.setattr(Probe, "release", asyncio.Event(), raising=False)
    monkeypatch.setattr(Probe, "busy", asyncio.Event(), raising=False)
    return Probe


@pytest.fixture
def logged() -> Any:
    """What is logged, as a list of events; reaches loggers that were made before."""
    with structlog.testing.capture_logs() as events:
        yield events


def application(
    kind: type[Connection] = Probe, instruments: Any = (), **options: Any
) -> tuple[FastAPI, Sockets]:
    settings = {key: options.pop(key) for key in list(options) if hasattr(Settings, key)}
    app = FastAPI()
    sockets = Sockets(app, settings=Settings(**settings), instruments=instruments)
    sockets.add("/probe", kind, **options)
    return app, sockets


def say(text: str) -> dict[str, str]:
    return {"type": "say", "text": text}


def said(text: str) -> dict[str, str]:
    return {"type": "said", "text": text}


async def only(house: Any) -> ActorRef:
    (ref,) = house.system.members("all")
    return ref  # type: ignore[no-any-return]


def test_messages_are_handled_and_answered_in_order(house: Any, probe: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        for number in range(200):
            peer.send(say(str(number)))
        for number in range(200):
            assert await peer.receive() == said(f"{number + 1} {number}")

    house(*application(), test)


def test_a_client_cannot_send_what_only_actors_may(house: Any, probe: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "private", "text": "forged"})
        error = await peer.receive()
        assert (error["type"], error["code"], error["path"]) == ("error", "invalid", "$.type")
        (await only(house)).tell(Private("from an actor"))
        assert await peer.receive() == said("private from an actor")

    house(*application(), test)


def test_requests_are_answered_under_their_ids(house: Any, probe: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "total", "of": [1, 2], "id": 7})
        peer.send({"type": "total", "of": [3], "id": "seven"})
        peer.send({"type": "total", "of": [3]})  # nobody to answer to
        peer.send(say("then"))
        assert await peer.receive() == {"type": "reply", "id": 7, "value": 3}
        assert await peer.receive() == {"type": "reply", "id": "seven", "value": 3}
        assert await peer.receive() == said("1 then")

    house(*application(), test)


def test_a_request_that_fails_is_answered_by_an_error_frame(
    house: Any, probe: Any, logged: Any
) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "fails", "id": 1})
        answer = await peer.receive()
        assert (answer["type"], answer["code"], answer["id"]) == ("error", "crashed", 1)
        assert "no" not in answer["detail"].split()
        assert [entry["error_id"] for entry in logged] == [answer["error_id"]]
        peer.send({"type": "unsendable", "id": 2})
        answer = await peer.receive()
        assert (answer["code"], answer["id"]) == ("crashed", 2)  # the next frame: told once
        assert logged[-1]["error_id"] == answer["error_id"]
        peer.send({"type": "unset", "id": "u"})
        answer = await peer.receive()
        assert (answer["code"], answer["id"]) == ("crashed", "u")
        assert logged[-1]["error_id"] == answer["error_id"]
        assert len(logged) == 3
        peer.send({"type": "hangs", "id": 3})
        answer = await peer.receive()
        assert (answer["code"], answer["id"]) == ("timeout", 3)
        Probe.release.set()
        peer.send({"type": "total", "of": [1], "id": 4})
        assert await peer.receive() == {"type": "reply", "id": 4, "value": 1}

    house(*application(ask_timeout=0.05), test)
    # Neither unsendable reply was a crash of the actor's.
    assert probe.journal.count("start") == 2


def test_a_request_that_was_dropped_is_answered_as_overloaded(
    house: Any, probe: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(Probe, "overflow", Overflow.DROP_NEWEST)
    monkeypatch.setattr(Probe, "mailbox_size", 1)

    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "wait"})
        await probe.busy.wait()
        peer.send(say("fills it"))
        peer.send({"type": "total", "of": [1], "id": 1})
        answer = await peer.receive()
        assert (answer["type"], answer["code"], answer["id"]) == ("error", "overloaded", 1)
        probe.release.set()

    house(*application(), test)


@pytest.mark.parametrize("codec", [Json(), MessagePack()])
def test_a_request_id_too_large_to_send_back_is_refused(house: Any, probe: Any, codec: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send('{"type":"total","of":[1],"id":' + "9" * 30 + "}")
        await peer.data()
        peer.send({"type": "total", "of": [1], "id": 4})
        await peer.data()
        assert probe.journal == ["start", "connect"]

    house(*application(codec=[codec] if codec.kind == "text" else [Json(), codec]), test)


def test_questions_in_hand_when_the_actor_ends_are_answered(house: Any, probe: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "wait"})
        await probe.busy.wait()
        peer.send({"type": "stop"})
        peer.send({"type": "total", "of": [1], "id": 1})
        for _ in range(5):
            await asyncio.sleep(0)
        probe.release.set()
        assert await peer.receive() == said("released")
        assert await peer.receive() == said("before")
        answer = await peer.receive()
        assert (answer["code"], answer["id"]) == ("stopped", 1)
        assert await peer.closed() == (1000, "")

    house(*application(), test)


def test_a_crash_is_told_under_the_id_in_the_log_and_leaves_fresh_state(
    house: Any, probe: Any, logged: Any
) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send(say("a"))
        peer.send({"type": "boom"})
        peer.send(say("b"))
        assert await peer.receive() == said("1 a")
        error = await peer.receive()
        assert (error["type"], error["code"]) == ("error", "crashed")
        assert "boom" not in str(error)
        entries = [entry for entry in logged if entry.get("error_id") == error["error_id"]]
        assert len(entries) == 1
        assert str(entries[0]["exc_info"]) == "boom"
        assert await peer.receive() == said("1 b")  # fresh state, the queue kept
        assert len(house.system.members("all")) == 1  # and the group
        assert probe.journal == ["start", "connect", "start", ("restart", "boom")]

    house(*application(), test)


@pytest.mark.parametrize("codec", [Json(), MessagePack()])
def test_an_error_in_the_making_of_a_message_is_logged_once_and_is_no_crash(
    house: Any, probe: Any, logged: Any, codec: Any
) -> None:
    async def test(house: Any) -> None:
        peer, other = await house.connect("/probe"), await house.connect("/probe")
        for number in range(5):  # more than the intensity would allow, were they crashes
            peer.send(codec.encode({"type": "strict", "text": "secret"}))
            error = msgspec.json.decode(await peer.data())
            assert (error["type"], error["code"]) == ("error", "invalid")
            assert "secret" not in str(error)
            assert len(logged) == number + 1
            assert logged[-1]["error_id"] == error["error_id"]
            assert repr(logged[-1]["exc_info"]) == "KeyError('secret')"
        for client in (peer, other):
            client.send(say("a"))
            assert await client.receive() == said("1 a")
        assert "strict" not in probe.journal
        assert probe.journal.count("start") == 2

    house(*application(codec=[Json(), codec] if codec.kind == "binary" else codec), test)


def test_too_many_crashes_close_with_1011(house: Any, probe: Any, logged: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        other = await house.connect("/probe")
        for _ in range(3):
            peer.send({"type": "boom"})
        for _ in range(3):
            assert (await peer.receive())["code"] == "crashed"
        assert await peer.closed() == (1011, "")
        assert probe.journal[-2:] == [("disconnect", 1011), ("stop", "crash")]
        other.send(say("still here"))
        assert await other.receive() == said("1 still here")

    house(*application(intensity=Intensity(restarts=2, seconds=60)), test)


def test_by_choice_the_first_crash_closes_with_1011(house: Any, probe: Any, logged: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "boom"})
        assert (await peer.receive())["code"] == "crashed"
        assert await peer.closed() == (1011, "")
        assert probe.journal == ["start", "connect", ("disconnect", 1011), ("stop", "crash")]

    house(*application(on_crash=OnCrash.CLOSE), test)


def test_a_crash_in_on_connect_is_a_crash(house: Any, probe: Any, logged: Any) -> None:
    class Unlucky(Probe):
        async def on_connect(self) -> None:
            await super().on_connect()
            raise RuntimeError("on_connect")

    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        assert (await peer.receive())["code"] == "crashed"
        peer.send(say("a"))
        assert await peer.receive() == said("1 a")
        assert probe.journal == ["start", "connect", "start", ("restart", "on_connect")]

    house(*application(Unlucky), test)


def test_one_that_crashes_costs_the_others_nothing(house: Any, probe: Any, logged: Any) -> None:
    async def test(house: Any) -> None:
        peers = [await house.connect("/probe") for _ in range(5)]
        for number in range(20):
            peers[0].send({"type": "boom"})
            for peer in peers[1:]:
                peer.send(say("a"))
                assert await peer.receive() == said(f"{number + 1} a")

    house(*application(), test)


def test_a_handler_past_its_deadline_counts_as_crashed(house: Any, probe: Any, logged: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "slow"})
        peer.send(say("a"))
        error = await peer.receive()
        assert error["code"] == "crashed"
        (entry,) = [entry for entry in logged if entry.get("error_id") == error["error_id"]]
        assert type(entry["exc_info"]).__name__ == "HandlerTimeout"
        assert await peer.receive() == said("1 a")

    house(*application(), test)


def test_a_busy_actors_full_mailbox_refuses_the_newest(
    house: Any, probe: Any, letters: Any
) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "wait"})
        await probe.busy.wait()
        for text in "abcde":
            peer.send(say(text))
        peer.send({"type": "total", "of": [1], "id": 1})
        for _ in range(4):
            error = await peer.receive()
            assert (error["type"], error["code"]) == ("error", "overloaded")
        peer.send("{")  # it still reads
        assert (await peer.receive())["code"] == "malformed"
        probe.release.set()
        assert await peer.receive() == said("released")
        assert await peer.receive() == said("1 a")
        assert await peer.receive() == said("2 b")
        assert letters.letters == []

    house(*application(Small, [letters]), test)


def test_a_refused_request_is_told_under_its_id(house: Any, probe: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "wait"})
        await probe.busy.wait()
        for number in range(3):
            peer.send({"type": "total", "of": [number], "id": number})
        error = await peer.receive()
        assert (error["code"], error["id"]) == ("overloaded", 2)
        probe.release.set()

    house(*application(Small), test)


def test_by_choice_overload_closes_with_1013(house: Any, probe: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "wait"})
        await probe.busy.wait()
        for text in "abcde":
            peer.send(say(text))
        event = await peer.event()
        assert (event["type"], event["code"]) == ("websocket.close", 1013)
        probe.release.set()
        await peer.task
        assert ("disconnect", 1013) in probe.journal

    house(*application(Small, on_overload=OnOverload.CLOSE), test)


def test_a_burst_larger_than_the_mailbox_is_no_overload(house: Any, probe: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        for number in range(100):
            peer.send(say(str(number)))
            peer.send({"type": "total", "of": [number], "id": number})
        for number in range(100):
            assert await peer.receive() == said(f"{number + 1} {number}")
            assert await peer.receive() == {"type": "reply", "id": number, "value": number}

    house(*application(Small), test)


@pytest.mark.parametrize(
    ("code", "reason", "sent"),
    [
        (1000, "done", "done"),
        (4001, "", ""),
        (3000, "é" * 100, "é" * 61),
        (1012, "x" * 200, "x" * 123),
    ],
)
def test_close_flushes_what_is_queued_and_the_first_counts(
    house: Any, probe: Any, letters: Any, code: int, reason: str, sent: str
) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "close", "code": code, "reason": reason})
        assert await peer.receive() == said("before")
        assert await peer.closed() == (code, sent)
        assert probe.journal == ["start", "connect", ("disconnect", code), ("stop", "drain")]
        assert [letter.message for letter in letters.letters] == [Said("after")]
        assert letters.letters[0].reason is Reason.CLIENT_GONE

    house(*application(instruments=[letters]), test)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2000, 2999, 5000])
def test_a_code_no_server_may_send_is_refused(
    house: Any, probe: Any, logged: Any, code: int
) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "close", "code": code})
        assert await peer.receive() == said("before")
        assert (await peer.receive())["code"] == "crashed"
        assert str(probe.journal[-1][1]) == f"a server may not close with {code}"

    house(*application(), test)


def test_stopping_itself_flushes_and_closes_with_1000(house: Any, probe: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "stop"})
        assert await peer.receive() == said("before")
        assert await peer.closed() == (1000, "")
        assert probe.journal == ["start", "connect", ("disconnect", 1000), ("stop", "stop")]

    house(*application(), test)


def test_a_kill_closes_with_1001_and_skips_the_callbacks(house: Any, probe: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send(say("a"))
        assert await peer.receive() == said("1 a")
        await (await only(house)).kill()
        assert await peer.closed() == (1001, "")
        assert probe.journal == ["start", "connect"]

    house(*application(), test)


def test_a_publish_reaches_the_clients_in_order_without_the_excluded(
    house: Any, probe: Any
) -> None:
    async def test(house: Any) -> None:
        one, two, three = [await house.connect("/probe") for _ in range(3)]
        await house.until(lambda: len(house.system.members("all")) == 3)
        for number in range(50):
            one.send({"type": "tell", "text": str(number)})
        for number in range(50):
            for peer in (two, three):
                assert await peer.receive() == said(str(number))
        one.send({"type": "tell", "text": "all", "all": True})
        for peer in (one, two, three):
            assert await peer.receive() == said("all")
        refs = house.system.members("all")
        house.system.publish("all", Said("not the first two"), exclude=refs[:2])
        house.system.publish("all", Said("end"))
        assert [await peer.receive() for peer in (one, two)] == [said("end")] * 2
        assert await three.receive() == said("not the first two")

    house(*application(), test)


def test_a_class_that_handles_what_is_published_gets_it_in_its_mailbox(
    house: Any, probe: Any
) -> None:
    class Listener(Connection):
        async def on_connect(self) -> None:
            self.join("all")

        @receive(wire=False)
        async def private(self, message: Private) -> None:
            self.send(Said(f"heard {message.text}"))

    app, sockets = application()
    sockets.add("/listener", Listener)

    class Bystander(Listener):
        private = None  # type: ignore[assignment]

    sockets.add("/bystander", Bystander)

    async def test(house: Any) -> None:
        listener = await house.connect("/listener")
        bystander = await house.connect("/bystander")
        await house.until(lambda: len(house.system.members("all")) == 2)
        house.system.publish("all", Private("a"))
        assert await listener.receive() == said("heard a")
        assert await bystander.receive() == {"type": "private", "text": "a"}

    house(app, sockets, test)


def test_what_is_told_and_not_handled_goes_to_the_client(
    house: Any, probe: Any, letters: Any
) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send(say("a"))
        assert await peer.receive() == said("1 a")
        ref = await only(house)
        ref.tell(Said("told"))
        ref.tell(object())  # that cannot be encoded
        ref.tell({"plain": 1})
        assert await peer.receive() == said("told")
        assert await peer.receive() == {"plain": 1}
        (letter,) = letters.letters
        assert letter.reason is Reason.UNHANDLED

    house(*application(instruments=[letters]), test)


class Counting(Json):
    count = 0

    def encode(self, message: object) -> str | bytes:
        type(self).count += 1
        return super().encode(message)


def test_a_publish_is_encoded_once_for_a_whole_group(house: Any, probe: Any) -> None:
    async def test(house: Any) -> None:
        peers = [await house.connect("/probe") for _ in range(20)]
        await house.until(lambda: len(house.system.members("all")) == 20)
        Counting.count = 0
        house.system.publish("all", Said("once"))
        frames = [await peer.event() for peer in peers]
        assert Counting.count == 1
        assert all(frame is frames[0] for frame in frames)

    house(*application(codec=Counting()), test)


def test_a_publish_that_cannot_be_encoded_is_the_publishers_error(house: Any, probe: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        await house.until(lambda: house.system.members("all"))
        with pytest.raises(TypeError, match="cannot encode object"):
            house.system.publish("all", object())
        with pytest.raises(TypeError, match="cannot encode str"):
            house.system.publish("all", "\ud800")
        house.system.publish("all", Said("fine"))
        assert await peer.receive() == said("fine")

    house(*application(), test)


@pytest.mark.parametrize("order", list(permutations(["/probe", "/packed", "/told"])))
def test_what_one_codec_cannot_encode_reaches_nobody_of_a_mixed_group(
    house: Any, probe: Any, order: tuple[str, ...]
) -> None:
    class Told(Probe):
        @receive(wire=False)
        async def take(self, message: dict) -> None:  # type: ignore[type-arg]
            self.send(Said(str(message)))

    app, sockets = application()
    sockets.add("/packed", Probe, codec=MessagePack())
    sockets.add("/told", Told)

    async def test(house: Any) -> None:
        peers = {}
        for number, path in enumerate(order, 1):
            peers[path] = await house.connect(path)
            await house.until(lambda number=number: len(house.system.members("all")) == number)
        with pytest.raises(TypeError, match="cannot encode dict"):
            house.system.publish("all", {"n": 2**70})  # too large for MessagePack only
        house.system.publish("all", {"n": 1})
        assert await peers["/probe"].receive() == {"n": 1}
        assert await peers["/packed"].data() == msgspec.msgpack.encode({"n": 1})
        assert await peers["/told"].receive() == said("{'n': 1}")

    house(app, sockets, test)


def test_a_send_that_cannot_be_encoded_is_a_crash_and_no_more(
    house: Any, probe: Any, logged: Any
) -> None:
    class Surrogate(Probe):
        @receive
        async def say(self, message: Say) -> None:
            self.send("\ud800" if message.text == "bad" else message.text)

    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send(say("bad"))
        assert (await peer.receive())["code"] == "crashed"
        peer.send(say("good"))
        assert await peer.data() == "good"

    house(*application(Surrogate), test)


def test_heartbeats_come_until_the_socket_closes(house: Any, probe: Any, letters: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        beats = [await peer.receive() for _ in range(3)]
        assert {beat["type"] for beat in beats} == {"heartbeat"}
        times = [beat["timestamp"] for beat in beats]
        assert times == sorted(times)
        assert times[2] > times[0]
        await peer.disconnect()
        peer.waiting()
        letters.letters.clear()
        await asyncio.sleep(0.1)  # several beats
        assert peer.waiting() == letters.letters == []

    house(*application(heartbeat=0.01, instruments=[letters]), test)


def test_without_being_asked_for_there_is_no_heartbeat() -> None:
    assert Settings().heartbeat is None


class Binary(Connection):
    @receive
    async def text(self, message: str) -> None:
        self.send(message[::-1])

    @receive
    async def raw(self, message: bytes) -> None:
        self.send(message[::-1])


class Mixed(Binary):
    @receive
    async def say(self, message: Say) -> None:
        self.send(Said(message.text))

    @receive
    async def anything(self, message: dict) -> None:  # type: ignore[type-arg]
        self.send({"got": message})

    text = None  # type: ignore[assignment]


def test_text_and_bytes_on_one_socket(house: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send("abc")
        peer.send(b"\x00\xff")
        peer.send("é" * 3)
        assert [await peer.data() for _ in range(3)] == ["cba", b"\xff\x00", "é" * 3]

    house(*application(Binary), test)


def test_json_with_a_catch_all_and_bytes_on_one_socket(house: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send(say("a"))
        peer.send({"type": "other"})
        peer.send(b"\x01\x02")
        assert await peer.receive() == said("a")
        assert await peer.receive() == {"got": {"type": "other"}}
        assert await peer.data() == b"\x02\x01"

    house(*application(Mixed), test)


def test_codecs_by_subprotocol(house: Any, probe: Any) -> None:
    options: dict[str, Any] = {
        "subprotocols": {"json": Json(), "packed": MessagePack()},
        "codec": [Json(), MessagePack()],
    }

    async def test(house: Any) -> None:
        packed = await house.connect("/probe", subprotocols=("unknown", "packed", "json"))
        assert packed.subprotocol == "packed"  # the first one offered that is known
        packed.send(MessagePack().encode(say("a")))
        assert await packed.data() == MessagePack().encode(said("1 a"))
        packed.send("text")
        assert (await packed.closed())[0] == 1003
        plain = await house.connect("/probe", subprotocols=("unknown",))
        assert plain.subprotocol is None
        plain.send(say("a"))
        assert await plain.receive() == said("1 a")
        plain.send(MessagePack().encode(say("b")))
        assert await plain.receive() == said("2 b")

    house(*application(**options), test)


def test_members_with_different_codecs_each_get_theirs(house: Any, probe: Any) -> None:
    async def test(house: Any) -> None:
        one = await house.connect("/probe", subprotocols=("json",))
        two = await house.connect("/probe", subprotocols=("packed",))
        await house.until(lambda: len(house.system.members("all")) == 2)
        house.system.publish("all", Said("a"))
        assert await one.data() == '{"type":"said","text":"a"}'
        assert await two.data() == MessagePack().encode(Said("a"))

    house(*application(subprotocols={"json": Json(), "packed": MessagePack()}), test)


def test_a_class_that_only_sends_takes_no_frames(house: Any) -> None:
    class Feed(Connection):
        async def on_connect(self) -> None:
            self.send(Said("hello"))

    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        assert await peer.receive() == said("hello")
        peer.send("anything")
        assert (await peer.closed())[0] == 1003

    house(*application(Feed), test)


def test_a_text_socket_is_told_of_errors_as_json(house: Any, logged: Any) -> None:
    class Careless(Connection):
        @receive
        async def text(self, message: str) -> None:
            raise RuntimeError

    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send("a")
        assert (await peer.receive())["code"] == "crashed"

    house(*application(Careless, codec=Text()), test)


def test_the_error_frame_leaves_out_what_has_no_value() -> None:
    assert Json().encode(ErrorFrame(code="a", detail="b")) == (
        '{"type":"error","code":"a","detail":"b"}'
    )


def test_before_its_life_a_connection_has_no_socket() -> None:
    connection = Probe()
    for use in (
        lambda: connection.handshake,
        lambda: connection.path_params,
        lambda: connection.send("a"),
        connection.close,
        lambda: connection.ref,
    ):
        with pytest.raises(NotRunning):
            use()


def test_an_actor_told_too_much_refuses(house: Any, probe: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        peer.send({"type": "wait"})
        await probe.busy.wait()
        ref = await only(house)
        ref.tell(Private("1"))
        ref.tell(Private("2"))
        with pytest.raises(MailboxFull):
            ref.tell(Private("3"))
        probe.release.set()
        assert [await peer.receive() for _ in range(3)] == [
            said("released"),
            said("private 1"),
            said("private 2"),
        ]

    house(*application(Small), test)


def test_messages_sent_before_the_accept_come_after_it(house: Any) -> None:
    class Early(Connection):
        async def on_start(self) -> None:
            self.join("early")
            self.send(Said("from on_start"))
            self.publish("early", Said("to itself"))

        async def on_connect(self) -> None:
            self.send(Said("from on_connect"))

    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        texts = ["from on_start", "to itself", "from on_connect"]
        assert [await peer.receive() for _ in texts] == [said(text) for text in texts]

    house(*application(Early), test)


def test_raw_frames_through_a_raw_codec(house: Any) -> None:
    class Bytes(Connection):
        @receive
        async def raw(self, message: bytes) -> None:
            self.send(message)

    async def test(house: Any) -> None:
        peer = await house.connect("/probe")
        for data in (b"", b"\x00" * 70_000):
            peer.send(data)
            assert await peer.data() == data
        peer.send("text")
        assert (await peer.closed())[0] == 1003

    house(*application(Bytes, codec=Raw()), test)
