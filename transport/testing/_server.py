"""`TestServer`: an application under its lifespan, and its clients."""

import asyncio
import functools
import inspect
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import copy_context
from types import TracebackType
from typing import Any, NoReturn

from starlette.types import ASGIApp, Receive, Scope, Send

from actors import ActorSystem, Timer

from .._server import LENT, system_in
from ..codec import Codec, Json
from ._client import Client
from ._handshake import Denied, Headers, websocket_scope
from ._lifespan import Lifespan
from ._line import Address
from ._patience import Patience
from ._peer import ClientDisconnected
from ._stacks import Hanging, stack_of

WINDOW = 64 * 1024
UNWIND = 1.0
"""Seconds that what was cancelled has to end."""
_DENIAL: Mapping[str, Any] = {"websocket.http.response": {}}


class TestServer:
    """Serves an ASGI application to clients in the test's own loop (asyncio): no port, no thread.

    ```python
    async with TestServer(app) as server:
        ann = await server.connect("/rooms/tea/ann")
        await ann.send(Say(text="hello"))
        assert (await ann.receive(Said)).text == "hello"
    ```

    `app`: any ASGI application; its lifespan runs once, unless `lifespan` is false. `system`: a
    running system for its actors, a `TestKit`: then timers, deadlines and the client's waits are
    in virtual time, and the kit's probes are in the same groups. The lifespan's end stops it.

    `timeout`: seconds that a client waits for a frame. `grace`: seconds that the lifespan may take
    to start, and it and open sockets to end. `window`: bytes that may be on their way to a client.
    `ping_interval`, `ping_timeout`: as uvicorn's, for `Client.half_open`.

    What the application raises is raised in the test: by a client's call that waits, or where none
    does, by cancelling the block, which then raises it. (In an asynchronous generator, so in a
    fixture, it is raised by the next call or at the end.) Leaving the block has open clients
    vanish, waits for the application, and raises `Hanging` for what does not end. Entering it twice
    raises `RuntimeError`.
    """

    __test__ = False  # it is no test case, whatever pytest makes of the name

    def __init__(
        self,
        app: ASGIApp,
        *,
        system: ActorSystem | None = None,
        timeout: float = 1.0,
        grace: float = 10.0,
        window: int = WINDOW,
        lifespan: bool = True,
        ping_interval: float | None = 20.0,
        ping_timeout: float | None = 20.0,
    ) -> None:
        self._app = app
        self._system = system
        self._timeout = timeout
        self._grace = grace
        self._window = window
        self._has_lifespan = lifespan
        pings = ping_interval is not None and ping_timeout is not None
        self._pong = (ping_interval or 0) + (ping_timeout or 0) if pings else None
        self._state: dict[str, Any] = {}
        self._lifespan: Lifespan | None = None
        self._clients: list[Client] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._errors: list[tuple[Client | None, BaseException]] = []
        self._waiting: list[Client | None] = []
        self._block: asyncio.Task[Any] | None = None  # to be cancelled for an error's sake
        self._cancelled = False
        self._entered = self._leaving = False

    def __aenter__(self) -> Awaitable["TestServer"]:
        # The task that a fixture's generator is entered in need not be the test's.
        generator = sys._getframe(1).f_code.co_flags & inspect.CO_ASYNC_GENERATOR
        return self._enter(None if generator else asyncio.current_task())

    async def _enter(self, block: asyncio.Task[Any] | None) -> "TestServer":
        if self._entered:
            raise RuntimeError("a TestServer is entered once; make another one")
        self._entered = True
        self._patience = Patience(self._system)
        if self._has_lifespan:
            context = copy_context()
            context.run(LENT.set, self._system)
            self._lifespan = Lifespan(self._app, self._patience, self._grace, context)
            try:
                await self._lifespan.start()
            except BaseException:
                self._lifespan.task.cancel()
                raise
            self._state = self._lifespan.state
            self._lifespan.task.add_done_callback(self._lifespan_ended)
        self._block = block
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        block, self._block = self._block, None
        if self._cancelled:
            assert block is not None
            if not block.uncancel() and isinstance(error, asyncio.CancelledError):
                error = None  # it was for the sake of what is raised below
        try:
            if isinstance(error, asyncio.CancelledError | GeneratorExit):
                await self._cancel()
                return
            await self._leave()
        except asyncio.CancelledError:
            await self._cancel()
            raise
        errors = [each for _, each in self._errors]
        if error is not None:
            for each in errors:
                error.add_note(f"besides, the application raised {each!r}")
        elif len(errors) == 1:
            _raise(errors[0])
        elif errors:
            raise BaseExceptionGroup("the application raised more than once", errors)

    @property
    def system(self) -> ActorSystem:
        """The application's actor system. Raises `LifespanNotRun` if it has none."""
        return system_in(self._state)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application with its lifespan's state: for `httpx.ASGITransport(app=server)`."""
        await self._app({**scope, "state": dict(self._state)}, receive, send)

    async def connect(
        self,
        path: str,
        *,
        headers: Headers = (),
        subprotocols: Sequence[str] = (),
        origin: str | None = None,
        client: Address | None = ("127.0.0.1", 50_000),
        scheme: str = "ws",
        codec: Codec | None = None,
        window: int | None = None,
        timeout: float = 5.0,
        extensions: Mapping[str, Any] = _DENIAL,
    ) -> Client:
        """A client that the application has accepted.

        `path`: with the query, percent-encoded where need be. `client`: its address and port,
        `None` as on a Unix socket. `codec`: of `send` and `receive`, JSON without. `window`:
        instead of the server's. `timeout`: real seconds for the whole handshake. `extensions`:
        `{}` for a server that can refuse by a bare 403 only.

        Raises `Denied` if it is refused, what the application raised, `AssertionError` if there is
        no answer in time or one that no browser would take, and `RuntimeError` outside of the
        block.
        """
        if self._leaving or not self._entered:
            raise RuntimeError("a client connects inside of `async with TestServer(app) as server`")
        scope = websocket_scope(path, headers, subprotocols, origin, client, scheme)
        scope["state"] = dict(self._state)
        scope["extensions"] = dict(extensions)
        one = Client(
            self,
            self._window if window is None else window,
            client,
            codec or Json(),
            self._timeout,
            self._pong,
        )
        self._start(one, scope)
        try:
            answered = await self._wait(
                one, lambda: one._answer is not None or one._done, timeout, real=True
            )
        except BaseException:
            one.vanish()
            raise
        if isinstance(one._answer, Denied):
            raise one._answer
        if one._answer is None:
            one.vanish()
            end = "ended without" if answered else f"took {timeout:g} s without"
            raise AssertionError(f"{path}: the application {end} accepting or refusing")
        if one.subprotocol is not None and one.subprotocol not in subprotocols:
            one.vanish()
            raise AssertionError(f"{path}: {one.subprotocol!r} was accepted, but was not offered")
        return one

    def _start(self, client: Client, scope: Scope) -> None:
        peer = client._peer
        call = self._app(scope, peer.receive, peer.send)
        task = asyncio.ensure_future(_finished(call))
        task.set_name(f"the socket {scope['path']}")
        self._clients.append(client)
        self._tasks.add(task)
        task.add_done_callback(functools.partial(self._socket_ended, client))

    # For the clients.

    def _stir(self) -> None:
        """Something has come."""
        self._patience.stir()

    def _call_later(self, delay: float, function: Callable[[], object]) -> Timer:
        """In the seconds of the actors' clock."""
        return self._patience.call_later(delay, function)

    async def _wait(
        self,
        client: Client,
        condition: Callable[[], bool],
        timeout: float,
        *,
        before: Callable[[], bool] = lambda: False,
        real: bool = False,
    ) -> bool:
        """Wait until the condition holds; whether it does.

        Raises what the application raised, unless `before()`. With `real`, in the loop's seconds.
        """
        self._waiting.append(client)
        try:
            await self._patience.until(
                lambda: condition() or self._error_for(client) is not None, timeout, real=real
            )
        finally:
            self._waiting.remove(client)
        found = None if before() else self._error_for(client)
        if found is not None:
            self._errors.remove(found)
            _raise(found[1])
        return condition()

    def _error_for(self, client: Client) -> tuple[Client | None, BaseException] | None:
        """One of its own socket, else one of a socket whose client does not wait."""
        own = (found for found in self._errors if found[0] is client)
        others = (found for found in self._errors if found[0] not in self._waiting)
        return next(own, None) or next(others, None)

    # What becomes of the application.

    def _socket_ended(self, client: Client, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        client._done = True
        client._peer.ended()
        if task.cancelled():
            if not self._leaving:
                self._failed(client, RuntimeError(f"{task.get_name()} was cancelled"))
        elif (error := task.exception()) is not None and not isinstance(error, ClientDisconnected):
            self._failed(client, error)
        self._patience.stir()

    def _lifespan_ended(self, task: asyncio.Task[None]) -> None:
        if not self._leaving and not task.cancelled() and (error := task.exception()) is not None:
            self._failed(None, error)

    def _failed(self, client: Client | None, error: BaseException) -> None:
        self._errors.append((client, error))
        if self._block is not None and not self._waiting and not self._cancelled:
            self._cancelled = self._block.cancel()

    async def _leave(self) -> None:
        for client in self._clients:
            client.vanish()
        if not await self._patience.until(lambda: not self._tasks, self._grace):
            stacks = "".join(f"{task.get_name()}\n{stack_of(task)}" for task in self._tasks)
            message = f"not done {self._grace:g} s after its client has gone:\n{stacks}"
            self._errors.append((None, Hanging(message)))
            self._leaving = True
            await _unwind(list(self._tasks))
        self._leaving = True
        if self._lifespan is not None:
            try:
                await self._lifespan.stop()
            except Exception as error:  # noqa: BLE001  # it is raised with what else there is
                self._errors.append((None, error))

    async def _cancel(self) -> None:
        self._leaving = True
        lifespan = [self._lifespan.task] if self._lifespan is not None else []
        await _unwind([*self._tasks, *lifespan])


async def _finished(call: Awaitable[None]) -> None:
    await call


async def _unwind(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=UNWIND)


def _raise(error: BaseException) -> NoReturn:
    """Raise it with its own context, not with what is being handled here."""
    context = error.__context__
    try:
        raise error
    finally:
        error.__context__ = context
