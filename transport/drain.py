"""The end of a server that its clients hardly notice: `Drain`, and how it gets in before uvicorn's.

uvicorn's shutdown closes every WebSocket with 1012 before the application hears of anything, and
then waits for them, for ever if one has stalled. So where the server is uvicorn, its shutdown is
put off until the drain is over, which is within a bounded time whatever the clients do.
"""

import asyncio
import math
import random
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from .outbox import Close

AT_ONCE = 100
"""Sockets that are closed in a second when there are few: `spread` is for many."""
LAST_WORDS = 0.5
"""Seconds, of those that the drain has, for what has to be sent when the actors have ended."""
LOOK = 0.1
"""Seconds between two looks at a server's `force_exit`, of which nobody is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """How a server takes leave of its clients, on SIGTERM, on Ctrl-C and on a reload.

    Times are in seconds. Raises `ValueError` for one out of bounds.
    """

    timeout: float = 10.0
    """After so long every handler has been cancelled and every connection is closed or aborted.
    uvicorn's own `--timeout-graceful-shutdown` begins only then."""
    spread: float = 5.0
    """The closes are spread over so long, within `timeout`, so that not all clients come back at
    once. Few are closed sooner, at a hundred a second."""
    code: Literal[1001, 1012] = 1001
    """The close code."""
    retry_after: tuple[float, float] = (1.0, 10.0)
    """Each client is told to come back after a time between these two: in the close's reason, or
    in the header of the 503 that new ones get."""

    def __post_init__(self) -> None:
        if not 0 < self.timeout < math.inf:
            raise ValueError(f"timeout must be above 0 and finite, not {self.timeout}")
        if not 0 <= self.spread < math.inf:
            raise ValueError(f"spread must be at least 0 and finite, not {self.spread}")
        if self.code not in (1001, 1012):
            raise ValueError(f"code must be 1001 or 1012, not {self.code}")
        first, last = self.retry_after
        if not 0 <= first <= last < math.inf:
            raise ValueError(f"retry_after must be two times in order, not {self.retry_after}")

    def come_back(self) -> float:
        """In how many seconds one client should."""
        return random.uniform(*self.retry_after)

    def moments(self, sockets: int) -> list[float]:
        """After how many seconds each of so many sockets takes its leave."""
        spread = min(self.spread, self.timeout - LAST_WORDS, sockets / AT_ONCE)
        return [max(0.0, spread) * number / sockets for number in range(sockets)]


class Leaving(Protocol):
    """A socket, as the drain sees it."""

    def warn(self) -> None:
        """Have its actor told of the drain."""

    def go_away(self, close: Close, timeout: float) -> None:
        """Drain its actor, which has so many seconds, then close."""

    def kill(self) -> None:
        """End it and its actor at once."""


L = TypeVar("L", bound=Leaving)


class Leavers(Protocol[L]):
    """A roster, as the drain sees it."""

    open: set[L]

    @property
    def all(self) -> set[L]: ...
    async def emptied(self) -> None: ...


async def drain(plan: Drain, roster: Leavers[Any], hurried: Callable[[], bool]) -> None:
    """Take leave of all sockets, by the plan's deadline, or at once when `hurried()`."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    leaving = list(roster.open)
    for socket in leaving:
        socket.warn()
    random.shuffle(leaving)

    async def take_leave() -> None:
        for socket, moment in zip(leaving, plan.moments(len(leaving)), strict=True):
            late = start + moment - loop.time()
            if late > 0:
                await asyncio.sleep(late)
            left = start + plan.timeout - LAST_WORDS - loop.time()
            reason = f"retry after {plan.come_back():.1f} s"
            socket.go_away(Close(plan.code, reason), max(0.0, left))
        await roster.emptied()

    async def hurry() -> None:
        while not hurried():  # noqa: ASYNC110  # see `LOOK`
            await asyncio.sleep(LOOK)

    tasks = {asyncio.create_task(take_leave()), asyncio.create_task(hurry())}
    try:
        await asyncio.wait(tasks, timeout=plan.timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for socket in roster.all:
        socket.kill()


def running_server() -> Any | None:
    """The uvicorn `Server` that this process runs in its main thread, if it does.

    It handles the signals for as long as it runs, which is how to find it.
    """
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return server if all(hasattr(server, name) for name in ("shutdown", "force_exit")) else None


def put_off_shutdown(server: Any, drained: Callable[[Callable[[], bool]], Awaitable[None]]) -> None:
    """Have a uvicorn `Server` await `drained(hurried)` before it shuts down.

    By its method rather than by a signal's handler: that also covers ends without a signal, such as
    `--limit-max-requests`.
    """
    shutdown = server.shutdown

    async def after_drain(sockets: Any = None) -> None:
        await drained(lambda: bool(server.force_exit))
        await shutdown(sockets=sockets)

    server.shutdown = after_drain
