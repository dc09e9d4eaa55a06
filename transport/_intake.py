"""The intake: what comes of the frames of one client.

Plain code: whoever reads hands each burst to `take`, and while that says so, gives all others a
turn and calls `go_on`. It never waits and never stops taking, so that a disconnect and pongs are
always seen, whatever the actor does.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from starlette.exceptions import HTTPException

from actors import ActorCrashed, ActorError, Context, MailboxFull, Message, Outcome, Timer, Told

from .codec import Data, Reply
from .exceptions import CodecError
from .limits import REPORT_EVERY, Excess, Meter
from .outbox import Outbox
from .session import STEPS, Bug, Question, Refusal, Session, Step


class Owner(Protocol):
    """What an intake has of the socket it belongs to."""

    session: Session
    outbox: Outbox
    code: int | None
    """The close code, once the socket is over."""

    @property
    def context(self) -> Context: ...

    def send(self, message: object) -> Told:
        """Queue a message for the client; raises `CodecError`."""
        ...

    def tell_client(self, message: Message) -> None:
        """The same for one of the transport's own; it raises nothing."""


class Intake:
    """See the module's head. `refused`: how often something was, by the setting that says so."""

    __slots__ = (
        "_admitted",
        "_answered",
        "_clock",
        "_flood",
        "_meter",
        "_owner",
        "_refused",
        "_rest",
        "_unplaced",
        "_unreported",
        "quiet",
    )

    def __init__(self, owner: Owner, clock: Callable[[], float], refused: Counter[str]) -> None:
        self.quiet = 0
        """Counted up by who watches for idle clients; 0 since something came."""
        self._owner = owner
        self._clock = clock
        self._refused = refused
        self._rest: Iterator[Data] = iter(())  # of the burst in hand
        self._admitted = False  # whether the meter has admitted all of it
        self._unplaced: deque[object] | None = None  # what the mailbox had no room for yet
        self._answered = ""  # the `error_id` of the last crash that answered a question
        self._meter: Meter | None = None  # while there is no bound
        settings = owner.session.settings
        if settings.message_rate is not None or settings.byte_rate is not None:
            self._meter = Meter(settings.message_rate, settings.byte_rate)
        self._flood: Timer | None = None  # while the client has just been told that it is too fast
        self._unreported = 0  # messages refused since then

    def take(self, burst: Sequence[Data]) -> bool:
        """Take a burst of frames. True: give all others a turn, then `go_on`."""
        self.quiet = 0
        if self._owner.outbox.close is not None and self._is_closed():
            return True
        meter = self._meter
        if len(burst) == 1 and (meter is None or meter.admits(burst[0], self._clock())):
            return self._take_one(burst[0])
        self._rest = iter(burst)
        # Nearly always all of it is admitted, which is found out in one step.
        self._admitted = meter is None or meter.admits_all(burst, self._clock())
        return self.go_on()

    def _take_one(self, data: Data) -> bool:
        # What `go_on` would do, in half the time.
        owner = self._owner
        step = owner.session.take(data)
        if type(step) in STEPS:
            placed = self._place(step)
        else:
            placed = owner.context.mailbox.put_all((step,)) or self._tell([step])
        return not placed or (owner.outbox.lined and owner.outbox.crowded)

    def go_on(self) -> bool:
        """Take the rest of the burst; what it returns is as with `take`."""
        if self._unplaced is not None and not self._insist(self._unplaced):
            return True
        if self._is_closed():
            self._rest = iter(())
            return False
        take, meter = self._owner.session.take, None if self._admitted else self._meter
        told: list[object] = []
        for data in self._rest:
            if meter is not None and not meter.admits(data, at := self._clock()):
                self._tell(told)
                self._too_fast(meter, meter.excess(data, at))
                return True  # a flood must not keep others from their turn
            step = take(data)
            if type(step) not in STEPS:
                told.append(step)
                continue
            self._tell(told)
            told = []
            if not self._place(step) or self._is_closed():
                return True
        # Frames may be ready without end: the answers to them have to go out.
        return not self._tell(told) or self._owner.outbox.crowded

    def _is_closed(self) -> bool:
        """Closed, expired or refused: it has no say any more, however slowly it reads what comes
        before the close."""
        outbox = self._owner.outbox
        return outbox.close is not None and not outbox.gone

    def stop(self) -> None:
        """The socket is over."""
        if self._flood is not None:
            self._flood.cancel()

    def has_told(self, error_id: str) -> bool:
        """Whether the client knows of that crash, as the answer to a question."""
        return error_id == self._answered

    def _tell(self, messages: list[object]) -> bool:
        """Tell the actor, in order; whether there was room for all of them."""
        if not messages or self._owner.context.mailbox.put_all(messages):
            return True
        # A burst may be larger than the mailbox: the actor has its turn before refusing.
        self._unplaced = deque(messages)
        return self._place_rest(self._unplaced)

    def _place(self, step: object) -> bool:
        """Do or tell it; whether there was room, or else it is kept for later."""
        if self._unplaced is None and self._fits(step):
            return True
        self._unplaced = self._unplaced or deque()
        self._unplaced.append(step)
        return False

    def _insist(self, unplaced: deque[object]) -> bool:
        """The actor had its turn: refuse what does not fit now. Whether the rest did fit."""
        step = unplaced.popleft()
        if not self._fits(step):
            self._do(self._owner.session.overloaded(step))
            if self._owner.outbox.close is not None:
                unplaced.clear()
        return self._place_rest(unplaced)

    def _place_rest(self, unplaced: deque[object]) -> bool:
        while unplaced and self._fits(unplaced[0]):
            unplaced.popleft()
        if not unplaced:
            self._unplaced = None
        return not unplaced

    def _fits(self, step: object) -> bool:
        try:
            if isinstance(step, Step):
                self._do(step)
            else:
                self._owner.context.mailbox.put_now(step)
        except MailboxFull:
            return False
        return True

    def _do(self, step: Step) -> None:
        """What is called for; raises `MailboxFull` for a question."""
        owner = self._owner
        if isinstance(step, Question):
            self._ask(step)
        elif isinstance(step, Bug):
            error_id = owner.context.log("error", "a message cannot be made", step.error)
            self._do(owner.session.unmade(error_id))
        elif isinstance(step, Refusal) and owner.outbox.close is None:
            if step.error is not None:
                owner.tell_client(step.error)
            if step.close is not None:
                owner.outbox.finish(step.close)

    def _too_fast(self, meter: Meter, excess: Excess) -> None:
        """A message was refused: tell the client, but not each time."""
        self._refused[excess.limit] += 1
        self._unreported += 1
        if self._flood is not None:
            return

        def report_again() -> None:
            self._flood = None
            if self._unreported and self._owner.code is None:
                report(excess._replace(retry_after=meter.wait(self._clock())))

        def report(excess: Excess) -> None:
            count, self._unreported = self._unreported, 0
            self._do(self._owner.session.flooded(excess, count))
            self._flood = self._owner.context.call_later(REPORT_EVERY, report_again)

        report(excess)

    def _ask(self, question: Question) -> None:
        owner = self._owner
        answering = _Answering(self, question.id)
        timeout = owner.session.settings.ask_timeout
        outcome = owner.context.ask_waking(question.request, timeout, answering)
        answering.outcome = outcome
        if outcome.done:
            self.answer(question.id, outcome)

    def answer(self, identifier: str | int, outcome: Outcome) -> None:
        """Send the answer to a client's request."""
        owner = self._owner
        try:
            value = outcome.result()
            if isinstance(value, Exception):
                owner.tell_client(owner.session.declared(value, identifier))
            else:
                owner.send(Reply(id=identifier, value=value))
        except ActorError as error:
            if isinstance(error, ActorCrashed):
                self._answered = error.error_id
            owner.tell_client(owner.session.failed(error, identifier))
        except HTTPException as error:
            owner.tell_client(owner.session.refused(error, identifier))
        except CodecError as error:
            error_id = owner.context.log("error", "a reply cannot be encoded", error)
            owner.tell_client(owner.session.crashed(error_id, identifier))


class _Answering:
    """Stands where a task would await an ask: answers the client when the ask has ended."""

    __slots__ = ("_id", "_intake", "outcome")

    def __init__(self, intake: Intake, identifier: str | int) -> None:
        self._intake = intake
        self._id = identifier
        self.outcome: Outcome | None = None

    def done(self) -> bool:
        return False

    def set_result(self, result: None, /) -> None:
        if self.outcome is not None:
            self._intake.answer(self._id, self.outcome)
