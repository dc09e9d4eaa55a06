"""`Pool`: one address for several equal actors; each message goes to one of them.

Whoever tells picks the worker, in the very call and in any thread. No router actor stands on the
way, with a mailbox to bound and a hop to pay; so it is with Akka's routers. That a pool starts,
supervises and ends its own workers is theirs and Erlang's poolboy's.
"""

import enum
import itertools
import operator
import zlib
from collections.abc import Awaitable, Callable, Hashable
from hashlib import blake2b
from typing import Any, Protocol, TypeVar, cast

from ._handlers import receive
from .actor import Actor
from .mailbox import Told
from .message import Request
from .ref import ASK_TIMEOUT, STOP_TIMEOUT, ActorRef
from .supervision import Backoff, Intensity, Restart
from .telemetry import Terminated

R = TypeVar("R")

_LOAD = operator.attrgetter("load")


class Routing(enum.Enum):
    """Which worker gets a message. (A function of the message instead routes by key.)"""

    ROUND_ROBIN = "round_robin"
    """Each in turn: the cheapest, and right for work of even length."""
    LEAST_LOADED = "least_loaded"
    """The one of the smallest `ActorRef.load`, equal ones in turn; it looks at all of them."""


class Owner(Protocol):
    """An `ActorSystem` or an `Actor`."""

    def spawn(
        self, factory: Callable[[], Actor], *, name: str | None = None
    ) -> Awaitable[ActorRef]: ...


class Pool:
    """Tell, ask and end a pool of equal actors, as an `ActorRef` does one; from `Pool.spawn`.

    A worker that crashes, or stops itself, starts anew under its own ref and keeps its queue. One
    that has ended for good (`Directive.STOP`, or by its own ref) is passed over, and the pool ends
    with the last. What is told to a pool that ends or has ended becomes a dead letter of one of its
    actors; what is asked of it fails at once.

    For each teller and worker the order is that of the calls. A full worker does what its
    `overflow` says, though others may have room. Two threads that tell at the same moment may take
    the same worker for the least loaded.
    """

    __slots__ = ("__weakref__", "_after", "_key", "_living", "_refs", "_turns", "supervisor")

    supervisor: ActorRef
    """The workers' parent, which has the pool's name and ends when the pool does: for `watch`."""

    def __init__(
        self,
        supervisor: ActorRef,
        refs: tuple[ActorRef, ...],
        routing: Routing | Callable[[Any], Hashable],
    ) -> None:
        self.supervisor = supervisor
        self._refs = refs
        self._living = refs  # nobody is missing; some may have ended since
        self._key = None if isinstance(routing, Routing) else routing
        # Threads that tell at once must not share a turn: `next` of a count is one step.
        self._turns = itertools.count() if routing is Routing.ROUND_ROBIN else None
        self._after = 0

    @classmethod
    async def spawn(
        cls,
        owner: Owner,
        factory: Callable[[], Actor],
        *,
        size: int = 4,
        routing: Routing | Callable[[Any], Hashable] = Routing.ROUND_ROBIN,
        name: str | None = None,
        intensity: Intensity = Intensity(),  # noqa: B008  # frozen
        backoff: Backoff | None = None,
    ) -> "Pool":
        """Start `size` actors, at least 1, and return their pool once each `on_start` has returned.

        `owner`: the system, or the actor that the pool ends before. `factory`: as for
        `ActorSystem.spawn`. `routing`: a `Routing`; or a function of a message that gives its key,
        and messages of equal keys go to one worker for as long as that lives: to the same in every
        process, if keys are strings, bytes, numbers, `None`, members of an enum or tuples of these;
        others go by their own `hash`. It is called in the teller's thread, and what it raises, the
        teller gets. `name`: of the supervisor; the workers are `name/1` and so on. `intensity`: how
        many restarts, of all workers together, are too many, which ends the pool; `backoff`: how
        long one that failed waits for its restart.

        Raises what the factory or an `on_start` raises (then nothing is left behind), `ValueError`
        for a `size` below 1, and what `owner.spawn` raises. An owner that is restarted has ended
        its pool: spawn it in `on_start`.
        """
        if size < 1:
            raise ValueError(f"a pool has at least 1 worker, not {size}")
        if not (isinstance(routing, Routing) or callable(routing)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"routing must be a Routing or a function, not {routing!r}")
        limits = intensity, backoff

        class PoolSupervisor(_Supervisor):
            intensity, backoff = limits

        names = [name and f"{name}/{number}" for number in range(1, size + 1)]
        workers: list[ActorRef] = []
        supervisor = await owner.spawn(lambda: PoolSupervisor(factory, names, workers), name=name)
        return cls(supervisor, tuple(workers), routing)

    @property
    def refs(self) -> tuple[ActorRef, ...]:
        """The workers, in the order of their starts; those that have ended, too."""
        return self._refs

    def __len__(self) -> int:
        """How many workers it was started with."""
        return len(self._refs)

    @property
    def alive(self) -> bool:
        """Whether it still takes mail: a worker does, and nobody ended their supervisor."""
        return self.supervisor.alive and any(ref.alive for ref in self._refs)

    def tell(self, message: object) -> Told:
        """Put a message into a worker's mailbox, as `ActorRef.tell` does.

        Raises what that and the key's function raise, and `TypeError` for an unhashable key.
        """
        return self._route(message).tell(message)

    def ask(self, request: Request[R], *, timeout: float = ASK_TIMEOUT) -> Awaitable[R]:
        """Put a request into a worker's mailbox and await the reply, as `ActorRef.ask` does.

        Raises what that and `tell` raise. A worker that asks its own pool may meet itself, which is
        an `AskCycle`.
        """
        return self._route(request).ask(request, timeout=timeout)

    def ask_blocking(self, request: Request[R], *, timeout: float = ASK_TIMEOUT) -> R:
        """`ask` for another thread: blocks it until the reply, raising what `ask` raises."""
        return self._route(request).ask_blocking(request, timeout=timeout)

    def drain(self, *, timeout: float = STOP_TIMEOUT) -> Awaitable[None]:
        """End the workers, all at once, after what is queued now; the rest is dead letters.

        Seconds of `timeout`, then they are killed. Awaiting waits for the pool's end; a worker must
        not await that of its own pool, which waits for the worker's handler.
        """
        for ref in reversed(self._refs):
            ref.drain(timeout=timeout)
        return self.wait()

    def stop(self, *, timeout: float = STOP_TIMEOUT) -> Awaitable[None]:
        """End the workers, all at once, after the handlers in hand; see `drain` and `ActorRef`."""
        for ref in reversed(self._refs):
            ref.stop(timeout=timeout)
        return self.wait()

    def kill(self) -> Awaitable[None]:
        """End the workers now: handlers in hand are cancelled, each `on_stop` is skipped."""
        for ref in reversed(self._refs):
            ref.kill()
        return self.supervisor.kill()

    def wait(self) -> Awaitable[None]:
        """Wait for the pool's end, which comes after that of all workers, cleanup included."""
        return self.supervisor.wait()

    def __repr__(self) -> str:
        ended = "" if self.alive else " (ended)"
        return f"<Pool {self.supervisor.name} of {len(self)}{ended}>"

    # Routing.

    def _route(self, message: object) -> ActorRef:
        """The worker for a message; one that has ended, or the supervisor, if none takes mail."""
        if self.supervisor._mailbox.closed is not None:
            return self.supervisor  # the workers end one after the other by now
        if self._turns is not None:
            return self._next_in_turn(self._turns)
        if self._key is not None:
            return self._of_key(self._key, message)
        return self._least_loaded()

    def _next_in_turn(self, turns: "itertools.count[int]") -> ActorRef:
        while True:
            living = self._living
            ref = living[next(turns) % len(living)]
            # Nobody comes back to life, so the living are looked for only when one is missing.
            if ref._mailbox.closed is None or not self._forget_ended():
                return ref

    def _least_loaded(self) -> ActorRef:
        living = self._forget_ended() or self._refs
        # `min` takes the first of equals: from behind the last one taken on, so that they share.
        first = self._after % len(living)
        ref = min(living[first:] + living[:first], key=_LOAD)
        self._after = living.index(ref) + 1
        return ref

    def _of_key(self, function: Callable[[Any], Hashable], message: object) -> ActorRef:
        key = function(message)
        try:
            # A tuple's, since that of an int is the int: 4, 8, 12 would meet.
            mixed = hash((_lasting(key),))
        except TypeError as error:
            raise TypeError(
                f"the key of {type(message).__name__} is not hashable: {key!r}"
            ) from error
        refs = self._refs
        ref = refs[mixed % len(refs)]
        if ref._mailbox.closed is None or not (living := self._forget_ended()):
            return ref
        # The keys of one that has ended are spread over the others, and move again only when their
        # new worker ends as well (rendezvous hashing, of Thaler and Ravishankar; by a digest, since
        # the hashes of tuples that differ in a small number are not independent).
        return max(living, key=lambda ref: blake2b(f"{mixed}/{refs.index(ref)}".encode()).digest())

    def _forget_ended(self) -> tuple[ActorRef, ...]:
        """The workers that take mail; if there is any, only these have turns from now on."""
        living = tuple([ref for ref in self._living if ref._mailbox.closed is None])
        self._living = living or self._living
        return living


def _lasting(key: Hashable) -> Hashable:
    """What stands for a key, and hashes to the same in every process: strings would not."""
    if type(key) is int:
        return key  # at once, since that is what most keys are or are made of, besides strings
    if isinstance(key, str):
        return zlib.crc32(key.encode("utf-8", "surrogatepass"))
    if isinstance(key, bytes):
        return zlib.crc32(key)
    if isinstance(key, tuple):
        return tuple(map(_lasting, cast(tuple[Hashable, ...], key)))
    if key is None:
        return 0  # until Python 3.12 it was hashed by where it lies
    if isinstance(key, enum.Enum) and type(key).__hash__ is enum.Enum.__hash__:
        return _lasting(f"{type(key).__qualname__}.{key.name}")
    return key


class _Supervisor(Actor):
    """Starts the workers into `workers`, restarts them, and ends with the last."""

    def __init__(
        self, factory: Callable[[], Actor], names: list[str | None], workers: list[ActorRef]
    ) -> None:
        self._factory = factory
        self._names = names
        self._workers = workers
        self._left = len(names)

    async def on_start(self) -> None:
        for name in self._names:
            worker = await self.spawn(self._factory, name=name, restart=Restart.PERMANENT)
            self._workers.append(worker)
            self.watch(worker)

    @receive
    async def count(self, notice: Terminated) -> None:
        # Its own end would stop those that still drain, so it is the last to end.
        self._left -= 1
        if not self._left and notice.how == "drain":
            self.ref.drain()
        elif not self._left:
            self.stop()
