"""Any actor class against order and conservation, under programs and schedules of Hypothesis."""

import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias, cast

import hypothesis
from hypothesis import strategies as st

from .._cell import Cell
from .._dispatch import Table
from .._handlers import receive
from ..actor import Actor, handlers_of
from ..exceptions import ActorError, MailboxFull
from ..mailbox import Overflow
from ..message import Message, Request
from ..ref import ActorRef
from ..supervision import Intensity, Restart
from ..telemetry import unaccounted
from ._explore import play, schedules
from ._kit import PATIENCE, TestKit
from ._schedule import Schedule
from ._strategies import message as message_of
from ._strategies import messages
from ._waits import Wait, waits_outside

TELLERS = 3
ASK_TIMEOUT = 60.0
"""Virtual seconds."""
EXPLAIN = hypothesis.Phase.explain


class Tell(NamedTuple):
    """One of the tellers tells a message."""

    teller: int
    message: object


class Ask(NamedTuple):
    """The test asks, and awaits the answer at the end."""

    request: Request[Any]


class Pass(NamedTuple):
    """Virtual time passes."""

    seconds: float


class Settle(NamedTuple):
    """All come to rest."""


Step: TypeAlias = Tell | Ask | Pass | Settle
End: TypeAlias = Literal["drain", "stop", "kill"]


def check_actor(
    factory: Callable[[], Actor],
    *,
    allow: tuple[type[Exception], ...] = (),
    invariant: Callable[[Any], object] | None = None,
    overrides: Mapping[type, st.SearchStrategy[Any]] | None = None,
    backend: str = "asyncio",
    settings: hypothesis.settings | None = None,
    patience: float = PATIENCE,
) -> None:
    """Tell and ask an actor whatever it handles, from several sides, and check what it promises.

    Hypothesis makes programs of tells by three tellers, asks, and passing time, with an end by a
    drain, a stop or a kill, and a schedule for each. Checked are: what each teller told is handled
    in order (among equals, where the actor declares priorities); each message was handled, is a
    dead letter or was refused to its teller; the system's counts add up; each ask ends; after a
    drain nothing is left unhandled; nothing is left behind.

    `factory`: an actor class, or what makes the actor. `allow`: errors that its handlers may raise,
    after which it is restarted; any other is raised here. `invariant`: called with the actor
    whenever it is at rest; it must not raise or return `False`. `overrides`: see `messages`.
    `backend`: `asyncio` or `trio`. `settings`: Hypothesis's, by default without its phase
    `explain`, which is slow. `patience`: of each program; see `TestKit`.

    Raises `AssertionError` with what is wrong, after Hypothesis has made the program simpler. It
    is wrong, too, to wait for what is outside of the kit's clock (`asyncio.sleep`, a socket, a
    thread): time would not, and so the actor would be seen through its deadlines alone.
    """
    cls, overrides = type(factory()), overrides or {}
    said = messages(cls, overrides=overrides)
    # Mostly tells, so that a program has something to mix up.
    steps: list[st.SearchStrategy[Step]] = [
        st.just(Settle()),  # the first is what others are simplified to
        *(st.builds(Tell, st.integers(0, TELLERS - 1), said) for _ in range(4)),
        st.builds(Pass, st.floats(0.0, 10.0)),
    ]
    requests: list[type[Any]] = [kind for kind in handlers_of(cls) if issubclass(kind, Request)]
    asked: list[st.SearchStrategy[Any]] = [
        message_of(kind, overrides=overrides) for kind in requests
    ]
    steps.append(st.builds(Ask, st.one_of(asked)))  # nothing, if there are none

    @(settings or hypothesis.settings(deadline=None, phases=set(hypothesis.Phase) - {EXPLAIN}))
    @hypothesis.given(
        # Without a least size most would be too short to mix anything up.
        st.lists(st.one_of(steps), min_size=10, max_size=40),
        st.sampled_from(("drain", "stop", "kill")),
        schedules(),
    )
    def run(program: list[Step], end: End, schedule: Schedule) -> None:
        trial = _Trial(factory, cls, allow, invariant, program, end)
        play(trial.run, schedule, backend=backend, patience=patience)

    run()


class Say(Message):
    """To a teller: tell it that."""

    message: Any


class Teller(Actor):
    """Tells the actor under test what it is told to."""

    mailbox_size = 10_000

    def __init__(self, trial: "_Trial", ref: ActorRef) -> None:
        self.trial = trial
        self.target = ref

    @receive
    async def say(self, order: Say) -> None:
        try:
            self.target.tell(order.message)
        except MailboxFull:
            self.trial.refused.append(order.message)


class _Trial:
    """One program with one actor."""

    def __init__(
        self,
        factory: Callable[[], Actor],
        cls: type[Actor],
        allow: tuple[type[Exception], ...],
        invariant: Callable[[Any], object] | None,
        program: list[Step],
        end: End,
    ) -> None:
        self._factory = factory
        self._class = _observed(cls, self)
        self._allow = allow
        self._invariant = invariant
        self._program = program
        self._end = end
        self._actor: Actor | None = None
        self._lane_of = self._class.__table__.lanes
        self.handled: list[object] = []
        """What handlers were given, in that order."""
        self.refused: list[object] = []
        self._outside: Wait | None = None
        self._told: list[list[object]] = [[] for _ in range(TELLERS + 1)]  # the last is the test

    def _make(self) -> Actor:
        self._actor = actor = self._factory()
        # A subclass of its own class that differs in its table alone.
        actor.__class__ = self._class
        return actor

    async def run(self, kit: TestKit) -> None:
        try:
            await self._run(kit)
        except AssertionError as error:
            self._check_outside(error)
            raise
        self._check_outside(None)

    def _look_outside(self, kit: TestKit, known: set[Any]) -> None:
        """Note what the actor awaits, if it is nothing of the kit's, though all the kit rests."""
        actor = self._actor
        if actor is not None and self._outside is None:
            self._outside = waits_outside(actor.__cell__, kit._loop.tasks(), known)

    def _check_outside(self, error: AssertionError | None) -> None:
        if self._outside is not None:
            raise AssertionError(
                f"{self._outside.function} waits outside of the kit's clock, which does not wait "
                f"for it, at {self._outside.line}; have it use timers, or give it a stand-in"
            ) from error

    async def _run(self, kit: TestKit) -> None:
        known = {each.task for each in kit._loop.tasks()}

        def look() -> None:
            self._look_outside(kit, known)

        kit._loop.before_time_passes = look
        target = await kit.spawn(
            self._make, restart=Restart.TRANSIENT, intensity=Intensity(10_000, 1.0)
        )
        tellers = [await kit.spawn(lambda: Teller(self, target)) for _ in range(TELLERS)]
        answers: list[Awaitable[object]] = []
        for step in self._program:
            if isinstance(step, Tell):
                self._told[step.teller].append(step.message)
                tellers[step.teller].tell(Say(step.message))
            elif isinstance(step, Ask):
                self._told[-1].append(step.request)
                try:
                    answers.append(target.ask(step.request, timeout=ASK_TIMEOUT))
                except MailboxFull:
                    self.refused.append(step.request)
            elif isinstance(step, Pass):
                await kit.advance(step.seconds)
            else:
                await kit.settle()
                look()
                self._check_rest(kit)
        for teller in tellers:
            await teller.drain()
        alive = target.alive
        await getattr(target, self._end)()
        for answer in answers:
            with contextlib.suppress(ActorError):  # it has ended, which is what counts
                await answer
        self._check_rest(kit)
        self._check_fates(kit, target, drained=alive and _drained(target))
        self._check_order()

    def _check_rest(self, kit: TestKit) -> None:
        for error in kit.crashes:
            if not isinstance(error, self._allow):
                raise AssertionError(f"a handler raised {error!r}") from error
        stats = kit.stats()
        if left := unaccounted(stats):
            raise AssertionError(f"{left} of {stats.told} told are not accounted for: {stats}")
        if self._invariant is not None and self._invariant(self._actor) is False:
            raise AssertionError("the invariant does not hold")

    def _check_fates(self, kit: TestKit, target: ActorRef, *, drained: bool) -> None:
        dead = [letter.message for letter in kit.dead_letters if letter.target is target]
        left = Counter(id(message) for told in self._told for message in told)
        for message in (*self.handled, *dead, *self.refused):
            left[id(message)] -= 1
        for told in self._told:
            for message in told:
                if left[id(message)] > 0:
                    raise AssertionError(f"nobody knows what became of {message!r}")
        handled = {id(message) for message in self.handled}
        # What it told itself may have come after the drain; what the test told has not.
        unheard = [each for each in dead if id(each) in left and id(each) not in handled]
        drops = target._mailbox.overflow in (Overflow.DROP_NEWEST, Overflow.DROP_OLDEST)
        if drained and unheard and not drops and not kit.crashes:
            raise AssertionError(f"{unheard!r} was queued before the drain, and not handled")

    def _check_order(self) -> None:
        times = Counter(id(message) for told in self._told for message in told)
        places: dict[int, int] = {}
        for place, each in enumerate(self.handled):
            places.setdefault(id(each), place)  # it may put one off, by telling it to itself
        for told in self._told:
            last: dict[Any, tuple[int, object]] = {}
            for message in told:
                if times[id(message)] > 1 or id(message) not in places:
                    continue  # told twice (as equal numbers are), or not handled
                lane = None if self._lane_of is None else self._lane_of.of(message)
                place, before = last.get(lane, (-1, None))
                if places[id(message)] < place:
                    raise AssertionError(f"{message!r} was handled before {before!r}")
                last[lane] = places[id(message)], message


def _drained(target: ActorRef) -> bool:
    """Whether it ended by a drain, and not by itself in the middle of one, or past its deadline."""
    return cast(Cell, target._cell).obituary(target).how == "drain"


class _Observed(Table):
    """A table whose functions write down what they are given."""

    def __init__(self, cls: type[Actor], trial: _Trial) -> None:
        super().__init__(cls)
        self._trial = trial

    def __missing__(self, kind: type) -> Any:
        function = super().__missing__(kind)
        if function is not None:
            function = self[kind] = self._observing(function)
        elif kind in self.batches:
            self.batches[kind] = self._observing(self.batches[kind], batch=True)
        return function

    def _observing(
        self, function: Callable[[Any, Any], Awaitable[Any]], *, batch: bool = False
    ) -> Any:
        async def observed(actor: Any, message: Any) -> Any:
            self._trial.handled.extend(message if batch else [message])
            return await function(actor, message)

        return observed


def _observed(cls: type[Actor], trial: _Trial) -> type[Actor]:
    observed = cast(type[Actor], type(cls.__name__, (cls,), {"__module__": cls.__module__}))
    observed.__table__ = _Observed(observed, trial)
    return observed
