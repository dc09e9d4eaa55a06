"""What all sockets of one server share while it runs: system, write pump, gate, roster, drain."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Annotated, Any, Final

from fastapi import Depends
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket

from actors import ActorSystem, Instrument

from ._burst import EXTENSION, Bursts, BurstWire
from ._opening import Openings
from ._roster import Roster
from ._socket import Socket
from ._writer import Writer
from .drain import Drain, drain, put_off_shutdown, running_server
from .exceptions import LifespanNotRun
from .gate import Gate
from .settings import Settings
from .wire import PlainWire, Wire

LENT: ContextVar[ActorSystem | None] = ContextVar("greenroom's lent system", default=None)
"""A running system that applications started in this context run in, instead of one of their own:
a test's, with its clock."""

STATE: Final = "greenroom"
"""Under which name an application's state, and so a request's, has its server."""

REFUSING = 0.1
"""Seconds for the refusals to be sent that a drain began with."""

_NOT_RUN = (
    "the application's lifespan did not run, so there is no actor system. Is there a "
    "`Sockets(app)` on the outermost application? Does the server run the lifespan (uvicorn: not "
    "`--lifespan off`; TestClient: `with TestClient(app) as client`)?"
)


class Server:
    """See the module's head. `settings` are for routes that have none of their own."""

    def __init__(
        self, settings: Settings, instruments: Sequence[Instrument], gate: Gate, plan: Drain
    ) -> None:
        self.settings = settings
        self.gate = gate
        self.roster: Roster[Socket] = Roster()
        self.openings = Openings(gate.check_open)
        self._instruments = instruments
        self._plan = plan
        self._system: ActorSystem | None = None
        self._writer: Writer | None = None
        self._bursts: Bursts | None = None
        self._drained: asyncio.Task[None] | None = None  # from the drain's beginning on
        self._hurried: list[Callable[[], bool]] = []

    def wire(self, websocket: WebSocket) -> Wire:
        """The fastest one that the websocket's server offers. Raises `LifespanNotRun` before this
        one starts and after it ends."""
        if self._writer is None or self._bursts is None:
            raise LifespanNotRun(_NOT_RUN)
        if EXTENSION in (websocket.scope.get("extensions") or {}):
            return BurstWire(websocket, self._bursts, self.clock)
        return PlainWire(websocket, self._writer, self.clock)

    @property
    def system(self) -> ActorSystem:
        """The running system; raises the same."""
        if self._system is None:
            raise LifespanNotRun(_NOT_RUN)
        return self._system

    @property
    def clock(self) -> Callable[[], float]:
        """The system's."""
        return self.system.clock

    @property
    def refused(self) -> Counter[str]:
        """How often something was refused since the start, by the setting that says so."""
        return self.gate.refused

    @asynccontextmanager
    async def run(self) -> AsyncGenerator[None]:
        """Run for as long as this is entered. Leaving it stops the actors, of a system of its own,
        without a drain: `end` does that before."""
        async with Writer() as writer, self._running_system() as system:
            self._system, self._writer, self._drained = system, writer, None
            self._bursts = Bursts()
            self._hurried.clear()
            self.gate.closing = None
            server = running_server()
            if server is not None:
                put_off_shutdown(server, self.drain)
            try:
                yield
            finally:
                self._system = self._writer = self._bursts = None

    @asynccontextmanager
    async def _running_system(self) -> AsyncGenerator[ActorSystem]:
        lent = LENT.get()
        if lent is None:
            async with ActorSystem(instruments=self._instruments) as system:
                yield system
        else:
            lent.observe(self._instruments)
            yield lent

    def leave(self, socket: Socket, client: str | None) -> None:
        """It is over, and so is its actor."""
        self.roster.remove(socket)
        self.gate.leave(client)

    async def end(self) -> None:
        """Drain, and stop all actors."""
        await self.drain()
        await self.system.stop()

    async def drain(self, hurried: Callable[[], bool] = lambda: False) -> None:
        """Take leave of all clients, and refuse new ones; a second call waits for the first.

        Whoever waits may be cancelled, and it goes on: another one relies on it.
        """
        self._hurried.append(hurried)
        if self._drained is None:
            self.gate.closing = self._plan
            self._drained = asyncio.create_task(self._drain(), name="greenroom drain")
        await asyncio.shield(self._drained)

    async def _drain(self) -> None:
        cut_short = self.openings.cut_short()
        await drain(self._plan, self.roster, lambda: any(each() for each in self._hurried))
        if cut_short:
            await asyncio.sleep(REFUSING)


def server_of(connection: HTTPConnection) -> Server:
    """The server that a request came to. Raises `LifespanNotRun`."""
    return _server_in(connection.scope.get("state", {}))


def system_in(state: Mapping[str, Any]) -> ActorSystem:
    """The actor system, by what an application's lifespan yields. Raises `LifespanNotRun`."""
    return _server_in(state).system


def _server_in(state: Mapping[str, Any]) -> Server:
    server = state.get(STATE)
    if server is None:
        raise LifespanNotRun(_NOT_RUN)
    assert isinstance(server, Server)
    return server


def running_system(connection: HTTPConnection) -> ActorSystem:
    """A dependency: the actor system, for HTTP routes. Raises `LifespanNotRun`."""
    return server_of(connection).system


CurrentSystem = Annotated[ActorSystem, Depends(running_system)]
"""Annotate an endpoint's parameter with it, to tell, ask and publish from there."""
