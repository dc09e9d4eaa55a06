"""`Actor`: the class you subclass; its callbacks, and what it may do from inside."""

import math
import sys
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Protocol, TypeVar, cast

from ._handlers import Handlers, collect
from ._task import Timer
from .exceptions import HandlerError, NotRunning
from .groups import MAILBOX_LANE, Lane
from .mailbox import Mailbox, Overflow, Reason
from .message import Request
from .ref import STOP_TIMEOUT, ActorRef
from .supervision import Backoff, Directive, Intensity, Restart, Strategy, directive_for

A = TypeVar("A", bound="Actor")


@dataclass(frozen=True, slots=True)
class End:
    """How a life ended, for `on_stop`. `error` is set after a crash only."""

    how: Literal["drain", "stop", "crash"]
    error: Exception | None = None


class Outcome(Protocol):
    """An ask that has ended."""

    @property
    def done(self) -> bool: ...
    def result(self) -> Any:
        """The reply; raises what the ask failed with."""


class Context(Protocol):
    """What an actor may do with the cell that runs it; the lower part is for transports."""

    mailbox: Mailbox
    joined: dict[str, None]

    @property
    def ref(self) -> ActorRef: ...
    def spawn(
        self,
        factory: "Callable[[], Actor]",
        *,
        name: str | None,
        restart: Restart,
    ) -> Awaitable[ActorRef]: ...
    def find(self, name: str) -> ActorRef | None: ...
    def join(self, topic: str) -> None: ...
    def leave(self, topic: str) -> None: ...
    def start_timer(
        self, key: Hashable, message: object, delay: float, every: float | None
    ) -> None: ...
    def cancel_timer(self, key: Hashable) -> None: ...
    def watch(self, ref: ActorRef) -> None: ...
    def unwatch(self, ref: ActorRef) -> None: ...
    def members(self, topic: str) -> list[ActorRef]: ...
    def topics(self, prefix: str) -> list[str]: ...
    def publish(
        self, topic: str, message: object, exclude: ActorRef | Iterable[ActorRef]
    ) -> None: ...
    def stop_itself(self) -> None: ...

    def call(self, function: Callable[[Any], Awaitable[None]], *, first: bool = False) -> None:
        """Have the actor's task call `function(actor)` after all told before, or before all of it;
        never refused."""

    def ask_waking(self, request: Request[Any], timeout: float, waiter: Any) -> Outcome:
        """Ask without awaiting: `waiter.set_result(None)` is called once the ask has ended. Raises
        `MailboxFull` where it would have to wait."""
        ...

    def drain_or_interrupt(self, timeout: float) -> None:
        """End after what is queued; past `timeout` seconds the handler in hand is cancelled and
        the rest becomes dead letters, but `on_stop` runs all the same."""

    def dead_letter(self, message: object, reason: Reason) -> None:
        """Report something of this actor's that was not delivered."""

    def log(
        self, level: Literal["warning", "error"], event: str, error: BaseException | None = None
    ) -> str:
        """Log an event of this actor's; returns the entry's `error_id`. Never raises."""
        ...

    def call_later(self, delay: float, function: Callable[[], object]) -> Timer:
        """Call the function in `delay` seconds, late by a sixty-fourth at most."""
        ...


class Actor:
    """One behaviour with its own state: handles one message at a time, in the order told.

    Subclass it, mark handlers with `@receive`, and spawn it. Inside, everything happens in the
    loop's thread, one handler at a time, so state needs no lock. From another thread use the
    actor's ref, or `publish`; what changes anything else here raises `RuntimeError` there. (The
    model is Hewitt's; the callbacks' meanings follow Erlang/OTP's `gen_server`.)
    """

    mailbox_size: ClassVar[int] = 1024
    """Messages the mailbox holds, at least 1."""
    overflow: ClassVar[Overflow] = Overflow.WAIT
    """What a full mailbox does."""
    stop_timeout: ClassVar[float] = STOP_TIMEOUT
    """Seconds `on_stop` may take."""
    directives: ClassVar[Mapping[type[Exception], Directive]] = MappingProxyType({})
    """What a crash calls for, by the exception's type or its nearest base; else a restart."""
    strategy: ClassVar[Strategy] = Strategy.ONE_FOR_ONE
    """Which of its children are restarted when one of them fails."""
    intensity: ClassVar[Intensity] = Intensity()
    """How many restarts of its children are too many: then it fails itself."""
    backoff: ClassVar[Backoff | None] = None
    """How long a child that failed waits for its restart; `None` for not at all."""

    __framework__ = True
    __cell__: Context | None = None
    __handlers__: ClassVar[Handlers | None] = {}
    __names__: ClassVar[dict[str, Any]] = {}
    __table__: ClassVar[Any] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # The names around the class statement, for annotations of classes local to a function;
        # between it and here there may be a metaclass (ABCMeta), or other bases.
        depth = 1
        while sys._getframe(depth).f_code.co_name in ("__init_subclass__", "__new__"):
            depth += 1
        names = dict(sys._getframe(depth).f_locals)
        try:
            cls.__handlers__ = collect(cls, names)
        except NameError:
            cls.__handlers__ = None
            cls.__names__ = names

    # Callbacks: override what you need.

    async def on_start(self) -> None:
        """Called before the first message, and again after each restart.

        If it raises at the first start, `spawn` raises and nothing is left behind.
        """

    async def on_stop(self, end: End) -> None:
        """Called once at the end after a drain, a stop or a last crash; not after a kill.

        The actor has left its groups and takes no more mail. It has `stop_timeout` seconds. The
        last crash may have been that of `on_start` in a restart.
        """

    async def on_restart(self, error: Exception) -> None:
        """Called on the fresh actor after `on_start`, with the error that ended the one before."""

    # What an actor may do.

    @property
    def ref(self) -> ActorRef:
        """This actor's own address. Raises `NotRunning` before it is spawned (so in `__init__`)."""
        return self.__context__.ref

    @property
    def groups(self) -> tuple[str, ...]:
        """The topics joined, in order; in `on_stop`, those it was in when it ended."""
        return tuple(self.__context__.joined)

    def spawn(
        self,
        factory: "Callable[[], Actor]",
        *,
        name: str | None = None,
        restart: Restart = Restart.TEMPORARY,
    ) -> Awaitable[ActorRef]:
        """Start a child, which ends before this actor does. See `ActorSystem.spawn`.

        This actor's `strategy`, `intensity` and `backoff` say what follows when it fails.
        """
        return self.__context__.spawn(factory, name=name, restart=restart)

    def find(self, name: str) -> ActorRef | None:
        """The living actor of that name."""
        return self.__context__.find(name)

    def join(self, topic: str) -> None:
        """Become a member of a group; joining twice is fine. A restart keeps memberships.

        An actor that is ending has left its groups, and joins none.
        """
        self.__context__.join(topic)

    def leave(self, topic: str) -> None:
        """End a membership; leaving twice is fine. At its end an actor leaves all its groups."""
        self.__context__.leave(topic)

    def members(self, topic: str) -> list[ActorRef]:
        """The members of a group, itself included."""
        return self.__context__.members(topic)

    def topics(self, prefix: str = "") -> list[str]:
        """The groups that have a member and whose topic starts so."""
        return self.__context__.topics(prefix)

    def publish(
        self, topic: str, message: object, *, exclude: ActorRef | Iterable[ActorRef] = ()
    ) -> None:
        """Hand a message to every member of a group, itself included, save those excluded.

        It never waits: a member whose mailbox is full applies its policy, *wait* counting as
        *fail*, which makes a dead letter.
        """
        self.__context__.publish(topic, message, exclude)

    def start_timer(
        self,
        message: object,
        delay: float,
        *,
        every: float | None = None,
        key: Hashable = None,
    ) -> None:
        """Have a message told to this actor in `delay` seconds, and then `every` so many again.

        `key`: a timer of the same key is replaced, even if its message is queued already (then a
        dead letter, `replaced`); by default the message's type. Seconds are finite, `delay` at
        least 0, `every` above 0, else `ValueError`. A timer is late by a sixty-fourth at most, and
        periods count from when it was due, so that this does not add up; those missed while the
        loop stood still are left out. A message that finds the mailbox full is a dead letter; while
        one waits to be handled, the same timer adds no further one. A restart and the end cancel
        all timers, also those whose message is queued. (Keyed timers that cannot outlive a restart
        are Akka's.)
        """
        if not 0 <= delay < math.inf:
            raise ValueError(f"a timer's delay is at least 0 seconds and finite, not {delay}")
        if every is not None and not 0 < every < math.inf:
            raise ValueError(f"a timer's period is above 0 seconds and finite, not {every}")
        if key is None:
            key = cast(Hashable, type(message))
        self.__context__.start_timer(key, message, delay, every)

    def cancel_timer(self, key: Hashable) -> None:
        """Cancel the timer of that key, or message type; none is no error.

        A message of its that is queued already will not be handled.
        """
        self.__context__.cancel_timer(key)

    def watch(self, ref: ActorRef) -> None:
        """Have this actor told `Terminated` once that one has ended, at once if it has already.

        It arrives behind all that was told to this actor before, needs no room in the mailbox, and
        comes once, however often it was asked for. A restart is no end, and keeps the watches of
        either. Without a handler for `Terminated` it is ignored. Raises `ValueError` for oneself.
        """
        self.__context__.watch(ref)

    def unwatch(self, ref: ActorRef) -> None:
        """Watch no more: no notice comes, not even one that is queued."""
        self.__context__.unwatch(ref)

    def stop(self) -> None:
        """End this actor after the handler in hand. What is queued becomes dead letters.

        A handler that takes more than 5 s from now is killed, and `on_stop` skipped. A
        `PERMANENT` actor is restarted after its `on_stop`, and keeps what is queued.
        """
        self.__context__.stop_itself()

    # What the runtime asks of an actor; a transport may answer differently. The names are such
    # that no user's attribute meets them by accident.

    @property
    def __context__(self) -> Context:
        if self.__cell__ is None:
            raise NotRunning(f"{type(self).__name__} has not started: use on_start, not __init__")
        return self.__cell__

    def __attach__(self, context: Context) -> None:
        """It has been given a cell to live in."""
        self.__cell__ = context

    def __membership__(self) -> tuple[Lane, Any]:
        """The lane its groups reach it by, and what that lane delivers to."""
        return MAILBOX_LANE, self.__context__.mailbox

    def __unhandled__(self, message: object) -> bool:
        """A message without a handler; whether it was dealt with all the same."""
        return False

    def __refuses__(self, error: Exception, *, asked: bool) -> bool:
        """Whether a handler that raised that turned its message down, which is no crash.

        The message counts as handled then, and whoever asked gets the error itself. Must not
        raise."""
        return False

    def __directive__(self, error: Exception) -> Directive:
        """What a crash calls for. Must not raise."""
        return directive_for(error, self.directives)

    def __crashed__(self, error: Exception, error_id: str, *, restarts: bool) -> None:
        """It crashed; the error was logged under `error_id`. Must not raise."""

    @classmethod
    def __has_end__(cls) -> bool:
        """Whether its end calls for something to be awaited."""
        return cls.on_stop is not Actor.on_stop

    async def __finish__(self, end: End) -> None:
        """The end that may be awaited; skipped by a kill."""
        await self.on_stop(end)

    def __ended__(self, end: End | None) -> None:
        """The very end; `None` after a kill. Must not raise."""


def handlers_of(cls: type[Actor]) -> Handlers:
    """The class's handlers, resolved now at the latest. Raises `HandlerError`."""
    if cls.__handlers__ is None:
        for base in cls.__mro__[1:]:
            if issubclass(base, Actor):
                handlers_of(base)
        try:
            cls.__handlers__ = collect(cls, cls.__names__)
        except NameError as error:
            raise HandlerError(f"{cls.__qualname__}: a handler's annotation: {error}") from None
        cls.__names__ = {}
    return cls.__handlers__
