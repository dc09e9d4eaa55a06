"""Clients that go: it is noticed, `on_disconnect` runs once and with the right code."""

import asyncio
import gc
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException, WebSocket
from uvicorn.protocols.utils import ClientDisconnected

from actors import Message, Reason, Request, receive
from transport import Connection, Settings, Sockets
from transport._socket import Socket


class Wait(Message):
    pass


class Note(Message):
    text: str


class Question(Request[int]):
    pass


class Stubborn(Message):
    pass


class Client(Connection):
    journal: list[Any]
    release: asyncio.Event
    busy: asyncio.Event

    async def on_connect(self) -> None:
        self.join("all")

    async def on_disconnect(self, code: int) -> None:
        # It has left, and what it sends now is a dead letter.
        assert self.groups == ("all",)
        assert self.members("all") == []
        self.send("late")
        self.journal.append(code)

    async def on_stop(self, end: Any) -> None:
        self.journal.append(end.how)

    @receive
    async def wait(self, message: Wait) -> None:
        self.busy.set()
        try:
            await self.release.wait()
            self.journal.append("waited")
        except asyncio.CancelledError:
            self.journal.append("cancelled")
            raise

    @receive
    async def note(self, message: Note) -> None:
        self.journal.append(message.text)

    @receive
    async def question(self, request: Question) -> int:
        self.busy.set()
        await self.release.wait()
        return 1


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> type[Client]:
    monkeypatch.setattr(Client, "journal", [], raising=False)
    monkeypatch.setattr(Client, "release", asyncio.Event(), raising=False)
    monkeypatch.setattr(Client, "busy", asyncio.Event(), raising=False)
    return Client


def application(kind: type[Connection] = Client, **settings: Any) -> tuple[FastAPI, Sockets]:
    app = FastAPI()
    sockets = Sockets(app, settings=Settings(**settings))
    sockets.add("/client", kind, name="the client")
    return app, sockets


def nothing_left(house: Any) -> None:
    stats = house.system.stats()
    assert (stats.actors, stats.queued, stats.in_hand) == (0, 0, 0)
    assert house.system.topics() == []
    assert house.system.find("the client") is None


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({"code": 1000, "reason": ""}, 1000),
        ({"code": 4001, "reason": "mine"}, 4001),
        ({"code": 1001, "reason": None}, 1001),
        ({"code": 1005, "reason": ""}, 1005),  # a close frame without a code
        ({"code": 1005}, 1006),  # uvicorn: the connection was lost
        ({"code": 1006}, 1006),
        ({}, 1006),
        ({"code": 0}, 1006),
    ],
)
def test_the_code_of_a_disconnect(
    house: Any, client: Any, event: dict[str, Any], code: int
) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/client")
        peer.vanish({"type": "websocket.disconnect", **event})
        await peer.task
        assert client.journal == [code, "drain"]
        nothing_left(house)

    house(*application(), test)


def test_what_came_before_the_close_is_handled_first(house: Any, client: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/client")
        for text in "abc":
            peer.send({"type": "note", "text": text})
        await peer.disconnect(1000)
        assert client.journal == ["a", "b", "c", 1000, "drain"]

    house(*application(), test)


def test_a_disconnect_is_noticed_while_a_handler_is_busy(house: Any, client: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/client")
        peer.send({"type": "wait"})
        await client.busy.wait()
        peer.vanish()
        # it leaves its groups though its handler goes on
        await house.until(lambda: not house.system.members("all"))
        assert client.journal == []
        client.release.set()
        await peer.task
        assert client.journal == ["waited", 1006, "drain"]
        nothing_left(house)

    house(*application(), test)


def test_a_disconnect_is_noticed_while_the_actor_only_sends(house: Any, client: Any) -> None:
    class Stream(Client):
        async def on_connect(self) -> None:
            await super().on_connect()
            while self.members("all"):
                await self.send("token")
                await asyncio.sleep(0)
            self.journal.append("noticed")

    async def test(house: Any) -> None:
        peer = await house.connect("/client")
        for _ in range(10):
            assert await peer.data() == "token"
        peer.vanish()
        await peer.task
        assert client.journal == ["noticed", 1006, "drain"]

    house(*application(Stream), test)


def test_a_stuck_handler_is_interrupted_and_on_disconnect_still_runs(
    house: Any, client: Any
) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/client")
        peer.send({"type": "wait"})
        peer.send({"type": "note", "text": "left behind"})
        await client.busy.wait()
        peer.vanish()
        await peer.task
        assert client.journal == ["cancelled", 1006, "drain"]
        nothing_left(house)

    house(*application(disconnect_timeout=0.05), test)


def test_a_question_under_way_leaves_nothing_behind(house: Any, client: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/client")
        peer.send({"type": "question", "id": 1})
        await client.busy.wait()
        peer.vanish()
        client.release.set()
        await peer.task
        assert client.journal == [1006, "drain"]
        nothing_left(house)

    house(*application(), test)


TOO_LATE = [
    OSError("gone"),
    ClientDisconnected(),
    # uvicorn, by itself or after its own close
    RuntimeError("Unexpected ASGI message 'websocket.send', after sending 'websocket.close'."),
    RuntimeError(
        "Unexpected ASGI message 'websocket.send', after sending 'websocket.close' or response "
        "already completed."
    ),
    # uvloop's transport
    RuntimeError(
        "unable to perform operation on <TCPTransport closed=True reading=False 0x1>; the handler "
        "is closed"
    ),
]
OTHERS = [
    RuntimeError("no running event loop"),
    RuntimeError("Expected ASGI message 'websocket.send' or 'websocket.close', but got 'so'."),
    ValueError("so"),
]


def test_an_error_of_the_server_on_sending_is_a_lost_connection(
    house: Any, client: Any, logged: Any
) -> None:
    """The server raises these when the connection was lost, or closed by it, a moment before."""

    async def test(house: Any) -> None:
        for error in TOO_LATE:
            peer = await house.connect("/client")
            await house.until(lambda: house.system.members("all"))
            peer.error = error
            house.system.publish("all", "hello")
            await peer.task
            assert client.journal == [1006, "drain"]
            client.journal.clear()
            nothing_left(house)
        assert logged == []

    house(*application(), test)


@pytest.mark.parametrize("how", ["send", "close"])
@pytest.mark.parametrize("error", OTHERS, ids=str)
def test_another_error_of_the_server_is_reported_as_what_it_is(
    house: Any, client: Any, logged: Any, error: Exception, how: str
) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/client")
        await house.until(lambda: house.system.members("all"))
        peer.error = error
        if how == "send":
            house.system.publish("all", "hello")
        else:
            await house.system.members("all")[0].stop()
        await peer.task
        assert client.journal[-1] == ("drain" if how == "send" else "stop")
        (entry,) = logged
        assert (entry["event"], entry["exc_info"]) == ("a send failed", error)
        nothing_left(house)

    house(*application(), test)


def test_another_error_of_the_server_on_accepting_is_reported(house: Any, client: Any) -> None:
    async def test(house: Any) -> None:
        peer = house.dial("/client")
        peer.error = error = RuntimeError("no running event loop")
        with pytest.raises(RuntimeError) as caught:
            await peer.open()
        assert caught.value is error
        house.peers.remove(peer)
        await house.until(lambda: not house.system.stats().actors)
        nothing_left(house)

    house(*application(), test)


@pytest.mark.parametrize(
    "error",
    [
        *TOO_LATE,
        # uvicorn 0.40, when the client has gone already
        RuntimeError(
            "Expected ASGI message 'websocket.send' or 'websocket.close', but got "
            "'websocket.accept'."
        ),
    ],
    ids=str,
)
def test_an_error_of_the_server_on_accepting_is_a_lost_connection(
    house: Any, client: Any, error: Exception
) -> None:
    async def test(house: Any) -> None:
        peer = house.dial("/client")
        peer.error = error
        with pytest.raises(AssertionError, match="without another word"):
            await peer.open()
        await house.until(lambda: not house.system.stats().actors)
        nothing_left(house)

    house(*application(), test)


def test_a_socket_that_was_closed_before_it_was_accepted_is_a_lost_connection(
    house: Any, client: Any
) -> None:
    class Closed(Client):
        async def on_start(self) -> None:
            assert isinstance(self.handshake, WebSocket)
            await self.handshake.close(4000)

    async def test(house: Any) -> None:
        peer = house.dial("/client")
        with pytest.raises(Exception, match="4000"):  # `Refused`
            await peer.open()
        await peer.task
        await house.until(lambda: not house.system.stats().actors)
        nothing_left(house)

    house(*application(Closed), test)


@pytest.mark.parametrize("late", [False, True])
def test_a_send_that_fails_does_not_hide_the_clients_own_code(
    plain_house: Any, client: Any, late: bool
) -> None:
    """Over bursts no write fails: the server says with which code the client went, and once."""

    async def test(house: Any) -> None:
        peer = await house.connect("/client")
        await house.until(lambda: house.system.members("all"))
        peer.error = OSError("gone")
        house.system.publish("all", "hello")
        if late:
            for _ in range(10):
                await asyncio.sleep(0)
        await peer.disconnect(4001)
        assert client.journal == [4001, "drain"]

    plain_house(*application(), test)


def test_an_error_of_the_server_on_closing_is_a_lost_connection(
    plain_house: Any, client: Any
) -> None:
    """Over bursts a close is one of the stream's, which answers for it."""

    class Closer(Client):
        @receive
        async def note(self, message: Note) -> None:
            self.close(4000)

    async def test(house: Any) -> None:
        peer = await house.connect("/client")
        peer.error = RuntimeError(
            "Unexpected ASGI message 'websocket.close', after sending 'websocket.close'."
        )
        peer.send({"type": "note", "text": ""})
        await peer.task
        assert client.journal == [1006, "drain"]

    plain_house(*application(Closer), test)


def test_a_client_that_goes_during_the_handshake_leaves_nothing(house: Any, client: Any) -> None:
    class Slow(Client):
        async def on_start(self) -> None:
            self.join("all")
            self.busy.set()
            await self.release.wait()

    async def test(house: Any) -> None:
        peer = house.dial("/client")
        opening = asyncio.ensure_future(peer.open())
        await client.busy.wait()
        peer.error = OSError("gone")
        peer.vanish()
        client.release.set()
        await peer.task
        with pytest.raises(AssertionError, match="without another word"):
            await opening
        await house.until(lambda: not house.system.stats().actors)
        assert client.journal == ["stop"]  # no `on_disconnect`: it never connected
        nothing_left(house)

    house(*application(Slow), test)


def test_a_cancelled_asgi_task_ends_its_actor(house: Any, client: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/client")
        peer.send({"type": "note", "text": "a"})
        await house.until(lambda: client.journal)
        peer.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await peer.task
        house.peers.remove(peer)
        await house.until(lambda: not house.system.stats().actors)
        assert client.journal == ["a", 1006, "drain"]
        nothing_left(house)

    house(*application(), test)


def test_an_on_disconnect_that_raises_or_hangs_harms_nobody(house: Any, client: Any) -> None:
    class Careless(Client):
        stop_timeout = 0.05

        async def on_disconnect(self, code: int) -> None:
            self.journal.append(code)
            if code == 4000:
                raise RuntimeError("careless")
            await asyncio.Event().wait()

    async def test(house: Any) -> None:
        peer = await house.connect("/client")
        await peer.disconnect(4000)
        assert client.journal == [4000, "drain"]  # `on_stop` ran all the same
        peer = await house.connect("/client")
        await peer.disconnect(4001)
        assert client.journal[2:] == [4001, "drain"]
        nothing_left(house)

    house(*application(Careless), test)


def test_the_end_of_the_lifespan_ends_the_open_sockets(client: Any, house: Any) -> None:
    async def test(house: Any) -> None:
        peer = await house.connect("/client")
        peer.send({"type": "note", "text": "a"})
        await house.until(lambda: client.journal)
        await house.system.stop()
        assert await peer.data() == "late"  # its socket is still open when it hears of the end
        await peer.closed()
        nothing_left(house)

    house(*application(), test)
    assert client.journal == ["a", 1000, "stop"]


class Early(Connection):
    """Has something to say before it is accepted, or refused."""

    how = "refused"
    started: asyncio.Event
    release: asyncio.Event

    async def on_start(self) -> None:
        self.send("hello")
        self.expire(3600.0)
        self.started.set()
        await self.release.wait()
        if self.how == "refused":
            raise HTTPException(403, "no")


@pytest.mark.parametrize("how", ["refused", "gone", "drained"])
def test_of_a_socket_that_is_not_accepted_nothing_is_left(
    house: Any, letters: Any, monkeypatch: Any, how: str
) -> None:
    monkeypatch.setattr(Early, "how", how)
    monkeypatch.setattr(Early, "started", asyncio.Event(), raising=False)
    monkeypatch.setattr(Early, "release", asyncio.Event(), raising=False)
    before = sockets_in_memory()

    async def test(house: Any) -> None:
        peer = house.dial("/early")
        opening = asyncio.ensure_future(peer.open())
        await Early.started.wait()
        if how == "gone":
            peer.error = OSError("gone")
        if how == "drained":
            await house.sockets.drain()
        Early.release.set()
        await asyncio.wait([peer.task])
        opening.cancel()
        await asyncio.wait([opening])
        await house.until(lambda: not house.system.stats().actors)
        assert [letter.message for letter in letters.letters] == ["hello"]
        assert letters.letters[0].reason is Reason.CLIENT_GONE
        house.peers.clear()
        del peer, opening
        assert sockets_in_memory() == before

    app = FastAPI()
    sockets = Sockets(app, instruments=[letters])
    sockets.add("/early", Early)
    house(app, sockets, test)


def sockets_in_memory() -> int:
    gc.collect()
    return sum(type(each) is Socket for each in gc.get_objects())
