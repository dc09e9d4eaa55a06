"""FastAPI's dependencies on a connection class, and when those with `yield` are closed."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, HTTPException, Query
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocket

from actors import HandlerError, Message, receive
from transport import Connection, Sockets

pytestmark = pytest.mark.usefixtures("both_wires")


class Ask(Message):
    pass


def sync_number() -> int:
    return 1


async def async_number() -> int:
    return 2


class Pager:
    def __init__(self, limit: int = 5) -> None:
        self.limit = limit


async def by_socket(websocket: WebSocket) -> str:
    return websocket.url.path


def connect(app: FastAPI, path: str = "/") -> Any:
    """The first frame of a connection."""
    with TestClient(app) as client, client.websocket_connect(path) as socket:
        return socket.receive_json()


def test_dependencies_of_every_kind_are_filled_in() -> None:
    class User(Connection):
        def __init__(
            self,
            one: Annotated[int, Depends(sync_number)],
            pager: Annotated[Pager, Depends()],
            path: Annotated[str, Depends(by_socket)],
            two: int = Depends(async_number),
        ) -> None:
            self.got = [one, two, pager.limit, path]

        async def on_connect(self) -> None:
            self.send(self.got)

    app = FastAPI()
    Sockets(app).add("/u", User)
    assert connect(app, "/u?limit=9") == [1, 2, 9, "/u"]


def test_a_dependency_used_twice_runs_once_for_each_socket() -> None:
    calls = []

    def counted() -> int:
        calls.append(1)
        return len(calls)

    def above(number: Annotated[int, Depends(counted)]) -> int:
        return number

    class User(Connection):
        def __init__(
            self,
            one: Annotated[int, Depends(counted)],
            two: Annotated[int, Depends(above)],
            three: Annotated[int, Depends(counted, use_cache=False)],
        ) -> None:
            self.got = [one, two, three]

        async def on_connect(self) -> None:
            self.send(self.got)

    app = FastAPI()
    Sockets(app).add("/", User)
    one, two, three = connect(app)
    assert one == two
    assert {one, three} == {1, 2}
    assert connect(app) != [one, two, three]


def test_dependencies_of_the_route_run_for_their_effect() -> None:
    def guard(token: Annotated[str, Query()]) -> None:
        if token != "right":
            raise HTTPException(401, "who are you?")

    class User(Connection):
        async def on_connect(self) -> None:
            self.send("in")

    app = FastAPI()
    sockets = Sockets(app)
    sockets.add("/", User, dependencies=[Depends(guard)])
    with TestClient(app) as client:
        with client.websocket_connect("/?token=right") as socket:
            assert socket.receive_text() == "in"
        with (
            pytest.raises(WebSocketDenialResponse) as refused,
            client.websocket_connect("/?token=wrong"),
        ):
            pass
        assert refused.value.status_code == 401
        assert refused.value.json() == {"detail": "who are you?"}


def test_dependency_overrides() -> None:
    class User(Connection):
        def __init__(self, number: Annotated[int, Depends(sync_number)]) -> None:
            self.number = number

        async def on_connect(self) -> None:
            self.send([self.number])

    app = FastAPI()
    Sockets(app).add("/", User)
    assert connect(app) == [1]
    app.dependency_overrides[sync_number] = lambda: 10
    assert connect(app) == [10]


class Journal(list[str]):
    """What happened, in order."""


def sessions(journal: Journal, *, fails: bool, sync: bool) -> Callable[[], Any]:
    """A `yield` dependency that notes what happens to it, and may fail to close."""

    async def session() -> AsyncIterator[str]:
        journal.append("session opens")
        try:
            yield "session"
        except BaseException as error:
            journal.append(f"session hears {type(error).__name__}")
            raise
        finally:
            journal.append("session closes")
            if fails:
                raise RuntimeError("cannot close")

    def sync_session() -> Iterator[str]:
        journal.append("session opens")
        yield "session"
        journal.append("session closes")

    return sync_session if sync else session


def session_application(
    journal: Journal,
    *,
    keep: bool = False,
    fails: bool = False,
    scope: Any = None,
    sync: bool = False,
    refuse: bool = False,
) -> tuple[FastAPI, Sockets]:
    """A class with a session, which notes what happens when."""
    dependency = Depends(sessions(journal, fails=fails, sync=sync), scope=scope)

    class User(Connection):
        def __init__(self, session: Annotated[str, dependency]) -> None:
            journal.append("init")

        async def on_start(self) -> None:
            journal.append("on_start")
            if refuse:
                raise HTTPException(403)

        async def on_connect(self) -> None:
            journal.append("on_connect")
            self.send(["connected"])

        async def on_disconnect(self, code: int) -> None:
            journal.append("on_disconnect")

        async def on_stop(self, end: Any) -> None:
            journal.append("on_stop")

        @receive
        async def ask(self, message: Ask) -> None:
            journal.append("ask")
            self.send(["asked"])

    app = FastAPI()
    sockets = Sockets(app)
    sockets.add("/", User, keep_dependencies=keep)
    return app, sockets


async def one_conversation(house: Any) -> None:
    peer = await house.connect("/")
    assert await peer.receive() == ["connected"]
    peer.send({"type": "ask"})
    assert await peer.receive() == ["asked"]
    await peer.disconnect()


LIFE = ["on_connect", "ask", "on_disconnect", "on_stop"]


@pytest.mark.parametrize("scope", [None, "request", "function"])
@pytest.mark.parametrize("sync", [False, True])
def test_by_default_a_session_is_closed_before_the_accept(
    house: Any, scope: Any, sync: bool
) -> None:
    journal = Journal()
    house(*session_application(journal, scope=scope, sync=sync), one_conversation)
    assert journal == ["session opens", "init", "on_start", "session closes", *LIFE]


@pytest.mark.parametrize("scope", [None, "request", "function"])
@pytest.mark.parametrize("sync", [False, True])
def test_a_session_that_is_kept_is_closed_after_on_stop(house: Any, scope: Any, sync: bool) -> None:
    journal = Journal()
    app = session_application(journal, keep=True, scope=scope, sync=sync)
    house(*app, one_conversation)
    assert journal == ["session opens", "init", "on_start", *LIFE, "session closes"]


@pytest.mark.parametrize("keep", [False, True])
def test_a_session_hears_of_the_refusal(house: Any, keep: bool) -> None:
    journal = Journal()

    async def test(house: Any) -> None:
        with pytest.raises(Exception, match="403"):
            await house.connect("/")
        assert house.system.stats().actors == 0

    house(*session_application(journal, keep=keep, refuse=True), test)
    assert journal == [
        "session opens",
        "init",
        "on_start",
        "session hears HTTPException",
        "session closes",
    ]


def test_a_session_that_cannot_be_closed_refuses_the_socket(house: Any) -> None:
    journal = Journal()

    async def test(house: Any) -> None:
        peer = house.dial("/")
        with pytest.raises(RuntimeError, match="cannot close"):
            await peer.open()
        house.peers.remove(peer)
        await house.until(lambda: not house.system.stats().actors)

    house(*session_application(journal, fails=True), test)
    assert journal == ["session opens", "init", "on_start", "session closes", "on_stop"]


def test_a_kept_session_that_cannot_be_closed_is_the_servers_to_report(house: Any) -> None:
    journal = Journal()

    async def test(house: Any) -> None:
        peer = await house.connect("/")
        assert await peer.receive() == ["connected"]
        with pytest.raises(RuntimeError, match="cannot close"):
            await peer.disconnect()
        house.peers.remove(peer)
        assert house.system.stats().actors == 0

    house(*session_application(journal, keep=True, fails=True), test)
    assert journal[-3:] == ["on_disconnect", "on_stop", "session closes"]


def test_what_a_base_takes_is_filled_in_through_kwargs() -> None:
    class Base(Connection):
        def __init__(self, one: Annotated[int, Depends(sync_number)], limit: int = 5) -> None:
            self.got = [one, limit]

    class Further(Base):
        def __init__(self, limit: int = 7, **kwargs: Any) -> None:
            super().__init__(limit=limit, **kwargs)

        async def on_connect(self) -> None:
            self.send(self.got)

    class Alone(Base):
        def __init__(self) -> None:  # hands nothing on, so nothing is filled in
            super().__init__(one=3)

        async def on_connect(self) -> None:
            self.send(self.got)

    app = FastAPI()
    sockets = Sockets(app)
    sockets.add("/further", Further)
    sockets.add("/alone", Alone)
    assert connect(app, "/further") == [1, 7]
    assert connect(app, "/further?limit=9") == [1, 9]
    assert connect(app, "/alone?limit=9") == [3, 5]


def test_what_cannot_be_filled_in_is_an_error_when_the_route_is_added() -> None:
    class Local:
        pass

    class Unknown(Connection):
        def __init__(self, local: "Local") -> None:
            pass

    class Nameless(Connection):
        def __init__(self, number: int, /) -> None:
            pass

    sockets = Sockets(FastAPI())
    with pytest.raises(HandlerError, match=r"Unknown.__init__: name 'Local' .* outside"):
        sockets.add("/", Unknown)
    with pytest.raises(HandlerError, match=r"Nameless.__init__: number: int must have a name"):
        sockets.add("/", Nameless)


def test_several_sessions_are_closed_in_reverse_order(house: Any) -> None:
    journal: list[str] = []

    async def outer() -> AsyncIterator[str]:
        yield "outer"
        journal.append("outer closes")

    async def inner(outer: Annotated[str, Depends(outer)]) -> AsyncIterator[str]:
        yield "inner"
        journal.append("inner closes")

    class User(Connection):
        def __init__(self, inner: Annotated[str, Depends(inner)]) -> None:
            pass

        async def on_connect(self) -> None:
            journal.append("on_connect")

    app = FastAPI()
    sockets = Sockets(app)
    sockets.add("/", User)

    async def test(house: Any) -> None:
        peer = await house.connect("/")
        await peer.disconnect()

    house(app, sockets, test)
    assert journal == ["inner closes", "outer closes", "on_connect"]


def test_without_a_dependency_there_is_nothing_to_close(house: Any) -> None:
    class Plain(Connection):
        async def on_connect(self) -> None:
            self.send(["in"])

    app = FastAPI()
    sockets = Sockets(app)
    sockets.add("/", Plain)
    sockets.add("/kept", Plain, keep_dependencies=True)

    async def test(house: Any) -> None:
        for path in ("/", "/kept"):
            peer = await house.connect(path)
            assert await peer.receive() == ["in"]

    house(app, sockets, test)


@pytest.mark.parametrize(
    "kind", [WebSocket, Annotated[WebSocket, "said of it"]], ids=["bare", "annotated"]
)
def test_the_socket_itself_may_be_taken(kind: Any) -> None:
    def init(self: Any, websocket: Any) -> None:
        self.path = websocket.url.path

    async def on_connect(self: Any) -> None:
        self.send([self.path])

    init.__annotations__["websocket"] = kind
    nosy: Any = type("Nosy", (Connection,), {"__init__": init, "on_connect": on_connect})
    app = FastAPI()
    Sockets(app).add("/here", nosy)
    assert connect(app, "/here") == ["/here"]


def test_a_restart_is_given_the_same_objects_closed_as_they_are(house: Any) -> None:
    """FastAPI runs dependencies once for a socket."""
    opened: list[tuple[int, bool]] = []

    class Session:
        is_open = True

    async def session() -> AsyncIterator[Session]:
        own = Session()
        yield own
        own.is_open = False

    class User(Connection):
        def __init__(self, session: Annotated[Session, Depends(session)]) -> None:
            opened.append((id(session), session.is_open))

        @receive
        async def ask(self, message: Ask) -> None:
            raise RuntimeError

    async def test(house: Any) -> None:
        peer = await house.connect("/")
        peer.send({"type": "ask"})
        assert (await peer.receive())["code"] == "crashed"
        await house.until(lambda: len(opened) == 2)
        (first, was_open), (second, is_open) = opened
        assert first == second
        assert (was_open, is_open) == (True, False)

    app = FastAPI()
    sockets = Sockets(app)
    sockets.add("/", User)
    house(app, sockets, test)
