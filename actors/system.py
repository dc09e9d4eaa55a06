"""`ActorSystem`: the root of all actors, and the task group they run in."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from threading import get_ident
from types import TracebackType
from typing import Any

from . import _cell
from ._core import Core
from ._deadlines import Deadline
from ._task import TaskLoop, Timer, current_loop
from .actor import Actor
from .exceptions import NotRunning
from .ref import STOP_TIMEOUT, ActorRef, check_end_timeout
from .supervision import Backoff, Intensity, Restart
from .telemetry import Instrument, Stats


class ActorSystem:
    """Owns the actors of one event loop, asyncio's or Trio's, for as long as it is entered.

    ```python
    async with ActorSystem() as system:
        ref = await system.spawn(Counter)
    ```

    Leaving the block stops the actors, the last started first; one whose handler takes more than
    `stop_timeout` seconds is killed. If the block raises, they are killed; if it is cancelled, the
    cancellation reaches every actor. No task of an actor outlives the block.
    """

    def __init__(
        self, *, instruments: Sequence[Instrument] = (), stop_timeout: float = STOP_TIMEOUT
    ) -> None:
        check_end_timeout(stop_timeout)
        self._instruments = instruments
        self._stop_timeout = stop_timeout
        self._core: Core | None = None
        self._nursery: Any = None

    async def __aenter__(self) -> "ActorSystem":
        if self._core is not None:
            raise NotRunning("an actor system is entered once; make another one")
        loop = self._new_loop()
        core = Core(loop, self._instruments, get_ident())
        self._nursery = loop.nursery(core.abort)
        core.nursery = await self._nursery.__aenter__()
        self._core = core
        return self

    def _new_loop(self) -> TaskLoop:
        """The loop that runs now; the tests' systems have another clock and order of steps."""
        return current_loop()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        core = self._running
        core.stopping = True
        if error is not None and not isinstance(error, Exception):
            await self._leave(core, error)
            return
        try:
            if error is None:
                await self.stop()
            else:
                # The nursery need not hear of it: it would wrap the error in a group.
                for cell in reversed(core.roots):
                    await cell.kill()
        except BaseException as cancelled:
            await self._leave(core, cancelled)
            raise
        await self._leave(core, None)

    async def stop(self) -> None:
        """Stop all actors, the last started first, as leaving the block does; spawn no more.

        One that takes longer than `stop_timeout` is killed; so that it does not cost the others
        their `on_stop`, all that are left are told to stop at that moment, each with as long.
        """
        core = self._running
        core.stopping = True

        def stop_all() -> None:
            for cell in reversed(core.roots):
                cell.stop(self._stop_timeout)

        deadline = Deadline(core.deadlines, self._stop_timeout, stop_all)
        for cell in reversed(core.roots):
            await cell.stop(self._stop_timeout)
        deadline.cancel()

    async def _leave(self, core: Core, error: BaseException | None) -> None:
        core.inlet.close()
        core.deadlines.close()
        try:
            await self._nursery.__aexit__(
                None if error is None else type(error),
                error,
                None if error is None else error.__traceback__,
            )
        finally:
            core.nursery = None
            for cell in reversed(list(core.cells.values())):
                cell.release()  # its task was cancelled before its first step

    @property
    def _running(self) -> Core:
        if self._core is None:
            raise NotRunning(
                "the actor system is not running: `async with ActorSystem() as system`"
            )
        return self._core

    def spawn(
        self,
        factory: Callable[[], Actor],
        *,
        name: str | None = None,
        restart: Restart = Restart.TEMPORARY,
        intensity: Intensity = Intensity(),  # noqa: B008  # frozen
        backoff: Backoff | None = None,
    ) -> Awaitable[ActorRef]:
        """Start an actor and return its ref once `on_start` has returned.

        `factory`: an actor class, or anything else that makes a new actor when called without
        arguments (`lambda: Counter(5)`); it is called again for each restart. `name`: unique among
        the living; found by `find`. `restart`: whether it is restarted when it fails; `intensity`:
        how often at most; `backoff`: after how long (at once, unless told). What supervises it is
        its own alone: another root's failures never count here.

        Raises what the factory or `on_start` raises (then nothing is left behind), `NameTaken`,
        `HandlerError`, and `NotRunning` outside of the `async with` block.
        """
        return _cell.spawn(self._running, None, factory, name, restart, (intensity, backoff))

    def find(self, name: str) -> ActorRef | None:
        """The living actor of that name, or `None`."""
        return self._running.registry.find(name)

    def publish(
        self, topic: str, message: object, *, exclude: ActorRef | Iterable[ActorRef] = ()
    ) -> None:
        """Hand a message to every member of a group, save those excluded; from any thread.

        It never waits: a member whose mailbox is full applies its policy, *wait* counting as
        *fail*, which makes a dead letter. From another thread it raises `MailboxFull` when too
        much awaits its transfer to the loop, and `NotRunning` after the end.
        """
        core = self._running
        core.publish(topic, message, exclude)

    def members(self, topic: str) -> list[ActorRef]:
        """The members of a group."""
        return self._running.groups.members(topic)

    def topics(self, prefix: str = "") -> list[str]:
        """The groups that have a member and whose topic starts so."""
        return self._running.groups.topics(prefix)

    # For transports.

    @property
    def clock(self) -> Callable[[], float]:
        """Seconds of its clock: a steady one, in a `TestKit` the virtual one.

        Raises `NotRunning` outside of the `async with` block.
        """
        return self._running.loop.now

    def call_later(self, delay: float, function: Callable[[], object]) -> Timer:
        """Call the function in `delay` seconds of that clock, late by a sixty-fourth at most.

        Not at all if the block is left before. Raises `NotRunning` outside of it.
        """
        return Deadline(self._running.deadlines, delay, function)

    def observe(self, instruments: Iterable[Instrument]) -> None:
        """Have these told as well from now on. Raises `NotRunning` outside of the block."""
        core = self._running
        core.instruments = (*core.instruments, *instruments)

    def stats(self) -> Stats:
        """Counts since the start. Call it in the loop's thread."""
        return self._running.stats()
