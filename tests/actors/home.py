"""A parent, its members, and a book of who started and who ended."""

import functools
import math
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import anyio

from actors import Actor, ActorRef, ActorSystem, End, Request, receive
from actors.supervision import Backoff, Directive, Intensity, Restart, Strategy
from tests.actors.stateful import Crash, Note, Seen, Stateful
from tests.actors.work import Hold, hold

ONE, ALL, REST = Strategy.ONE_FOR_ONE, Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE
PERMANENT, TRANSIENT, TEMPORARY = Restart.PERMANENT, Restart.TRANSIENT, Restart.TEMPORARY
OFTEN = Intensity(1000, math.inf)
LONG = Backoff(1000.0, 1000.0)
SOON = 2.0
"""Seconds for an answer: less than any deadline that would rescue an actor that is stuck."""
Hook = Callable[[Any], Awaitable[None]]


class Bad(Request[int]):
    pass


class Home:
    """A parent, its members, and a book of who started (`+a`) and whose `on_stop` ran (`-a stop`).

    With `grand`, each member has a child (`a1`), whose `on_stop` tells when the member's life ends.
    """

    parent: ActorRef

    def __init__(self, grand: bool) -> None:
        self.grand = grand
        self.book: list[str] = []
        self.refs: dict[str, ActorRef] = {}
        self.on_start: dict[str, Hook] = {}
        self.on_restart: dict[str, Hook] = {}
        self.on_stop: dict[str, Hook] = {}
        self.ends: dict[str, End] = {}
        self.errors: dict[str, Exception] = {}

    def __getitem__(self, name: str) -> ActorRef:
        return self.refs[name]

    async def seen(self, name: str) -> list[int]:
        return await self.refs[name].ask(Seen(), timeout=SOON)

    async def note(self, *names: str) -> None:
        """Give each a state: `[1]`."""
        for name in names:
            self[name].tell(Note(1))
            assert await self.seen(name) == [1]

    async def fresh(self, names: str) -> str:
        """Which of them have lost their state."""
        return "".join([name for name in names if await self.seen(name) == []])

    async def held(self, name: str) -> Hold:
        """That member is in a handler now."""
        return await hold(self[name])


class Member(Stateful):
    directives: ClassVar = {
        KeyError: Directive.RESUME,
        OSError: Directive.STOP,
        FileNotFoundError: Directive.RESTART,
    }

    def __init__(self, home: Home, name: str) -> None:
        super().__init__()
        self.home, self.called = home, name

    async def on_start(self) -> None:
        home, name = self.home, self.called
        home.book.append(f"+{name}")
        home.refs[name] = self.ref
        if home.grand and len(name) == 1:
            await self.spawn(lambda: Member(home, f"{name}1"))
        if name in home.on_start:
            await home.on_start[name](self)

    async def on_restart(self, error: Exception) -> None:
        self.home.errors[self.called] = error
        if self.called in self.home.on_restart:
            await self.home.on_restart[self.called](self)

    async def on_stop(self, end: End) -> None:
        self.home.ends[self.called] = end
        if self.called in self.home.on_stop:
            await self.home.on_stop[self.called](self)
        self.home.book.append(f"-{self.called} {end.how}")

    @receive
    async def bad(self, request: Bad) -> int:
        raise KeyError("asked")


async def family(
    system: ActorSystem,
    members: "str | dict[str, Restart]",
    strategy: Strategy = ONE,
    *,
    intensity: Intensity = OFTEN,
    backoff: Backoff | None = None,
    grand: bool = False,
) -> Home:
    """A family under a root of their own, called `parent`; transient members unless told."""
    home = Home(grand)
    types = members if isinstance(members, dict) else dict.fromkeys(members, TRANSIENT)

    class Parent(Member):
        async def on_start(self) -> None:
            home.book.append("+parent")
            for name, restart in types.items():
                factory = functools.partial(Member, home, name)
                await self.spawn(factory, name=name, restart=restart)

    Parent.strategy, Parent.intensity, Parent.backoff = strategy, intensity, backoff
    home.parent = home.refs["parent"] = await system.spawn(
        lambda: Parent(home, "parent"), name="parent", restart=TRANSIENT
    )
    home.book.clear()
    return home


async def stop_itself(actor: Actor) -> None:
    actor.stop()


def raising(error: Exception, times: int = 1) -> Hook:
    """A hook that raises the first times."""
    left = [error] * times

    async def hook(actor: Any) -> None:
        if left:
            raise left.pop()

    return hook


async def rests(home: Home, *names: str) -> None:
    """Crash each, and wait until it waits for its restart."""
    for name in names:
        home[name].tell(Crash())
        await anyio.wait_all_tasks_blocked()
