"""`ActorRef`: the address of an actor, good for its whole life and harmless after it."""

import contextlib
from collections.abc import Awaitable, Callable, Generator
from threading import get_ident
from typing import Any, Protocol, TypeVar

from ._inlet import Inlet
from .exceptions import NotRunning
from .mailbox import DONE, Mailbox, Told
from .message import Request

R = TypeVar("R")

ASK_TIMEOUT = 5.0
"""Seconds an ask waits unless told otherwise."""
STOP_TIMEOUT = 5.0
"""Seconds the handler in hand has to finish unless told otherwise."""


def check_end_timeout(timeout: float) -> None:
    """Raise `ValueError` unless an end may take that long, in seconds; it may be infinite."""
    if not timeout >= 0:
        raise ValueError(f"the timeout of an end is at least 0, not {timeout}")


class Target(Protocol):
    """What a ref needs of the cell behind it."""

    name: str
    mailbox: Mailbox

    def ask(self, request: Request[R], timeout: float) -> Awaitable[R]: ...
    def ask_blocking(self, request: Request[R], timeout: float) -> R: ...
    def drain(self, timeout: float) -> Awaitable[None]: ...
    def stop(self, timeout: float) -> Awaitable[None]: ...
    def kill(self) -> Awaitable[None]: ...
    def __await__(self) -> Generator[Any, Any, None]: ...
    @property
    def alive(self) -> bool: ...
    @property
    def load(self) -> int: ...


class ActorRef:
    """Tell, ask and end an actor. Refs compare by identity: one life, one ref.

    What is told to an actor that has ended becomes a dead letter; what is asked of it fails.
    """

    __slots__ = ("__weakref__", "_cell", "_inlet", "_mailbox", "_thread")

    def __init__(self, cell: Target, inlet: Inlet, thread: int) -> None:
        self._cell = cell
        self._mailbox = cell.mailbox
        self._inlet = inlet
        self._thread = thread

    @property
    def name(self) -> str:
        """The name it was spawned with, or `Class-number`. Unique among the living."""
        return self._cell.name

    @property
    def alive(self) -> bool:
        """Whether it still takes mail."""
        return self._cell.alive

    @property
    def load(self) -> int:
        """Messages it has to handle: queued, waiting for room, in hand, or on their way from
        threads. At least 1 while it is busy with anything else: a start, a restart, a notice.

        From another thread it may be off by what happens at that moment.
        """
        # Read in this order, what moves meanwhile is counted twice rather than not at all.
        mailbox, run, load = self._mailbox, self._inlet.run, 0
        if run.address is self:  # the inlet tells the mailbox of a run only when that ends
            load = -run.counted + len(run.messages)
        load += -mailbox.transferred + mailbox.staged
        return load + self._cell.load

    def tell(self, message: object) -> Told:
        """Put a message into the actor's mailbox, behind all told before.

        A plain function: when it returns, the message has its place. Awaiting what it returns
        waits until that place is in the queue proper, which is the way to be slowed down to the
        actor's pace. From another thread it may be called as well, and never waits.

        Raises `MailboxFull` when a full mailbox refuses (see `Overflow`); from another thread
        also when it would have to wait, and `NotRunning` after the system's end.
        """
        mailbox = self._mailbox
        if get_ident() != self._thread:
            inlet = self._inlet
            run = inlet.run
            if run.address is self and len(run.messages) < run.free:
                run.messages.append(message)
                if inlet.run is not run:
                    inlet.rescue(run)
                return DONE
            return inlet.tell(self, message)
        # The first branch of `Mailbox.put`, without the call: a tenth of the time of a message.
        if len(mailbox.queue) < mailbox.room:
            mailbox.told += 1
            mailbox.queue.append(message)
            if mailbox.waiter is not None:
                mailbox.wake()
            return DONE
        return mailbox.put(message)

    def ask(self, request: Request[R], *, timeout: float = ASK_TIMEOUT) -> Awaitable[R]:
        """Put a request into the mailbox and await the reply.

        A plain function: the request is queued in the order of the calls, awaited or not. Seconds
        of `timeout` must be above 0 and finite; they run from the call.

        The await raises `AskTimeout`; `ActorStopped` when the actor is stopping or gone;
        `ActorCrashed` with the handler's exception as its cause; `Unhandled`; and `AskCycle` when
        the actor waits for the asker in its turn. The call itself raises `MailboxFull`, or
        `AskCycle` for an ask to oneself.
        """
        return self._cell.ask(request, timeout)

    def ask_blocking(self, request: Request[R], *, timeout: float = ASK_TIMEOUT) -> R:
        """`ask` for another thread: blocks it until the reply, raising what `ask` raises.

        Raises `RuntimeError` in the loop's own thread, which it would block for ever.
        """
        return self._cell.ask_blocking(request, timeout)

    def drain(self, *, timeout: float = STOP_TIMEOUT) -> Awaitable[None]:
        """End the actor after what is queued now; what comes later is a dead letter.

        Seconds of `timeout`, at least 0, then it is killed. Awaiting waits for its end.
        """
        check_end_timeout(timeout)
        if get_ident() != self._thread:
            self._call(lambda: self._cell.drain(timeout))
            return self._cell
        return self._cell.drain(timeout)

    def stop(self, *, timeout: float = STOP_TIMEOUT) -> Awaitable[None]:
        """End the actor after the handler in hand; what is queued becomes dead letters.

        Seconds of `timeout`, at least 0, then it is killed; of several stops the shortest counts.
        Awaiting waits for its end.
        """
        check_end_timeout(timeout)
        if get_ident() != self._thread:
            self._call(lambda: self._cell.stop(timeout))
            return self._cell
        return self._cell.stop(timeout)

    def kill(self) -> Awaitable[None]:
        """End the actor now: the handler in hand is cancelled, `on_stop` is skipped."""
        if get_ident() != self._thread:
            self._call(self._cell.kill)
            return self._cell
        return self._cell.kill()

    def wait(self) -> Awaitable[None]:
        """Wait for the actor's end, `on_stop` and cleanup included.

        The await, as that of `drain`, `stop` and `kill`, raises `RuntimeError` in another thread.
        """
        return self._cell

    def _call(self, end: Callable[[], object]) -> None:
        # With the system it has ended already, and ending twice is fine.
        with contextlib.suppress(NotRunning):
            self._inlet.call(end)

    def __repr__(self) -> str:
        return f"<ActorRef {self.name}{'' if self.alive else ' (ended)'}>"
