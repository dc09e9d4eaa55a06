"""Actors: a mailbox, a behaviour and one task each, supervised; on asyncio and on Trio.

The map, from the ground up (imports point down only):

    _log         tells what went wrong
    exceptions   the errors                    message      Message, Request
    mailbox      bounded FIFO and its policies supervision  crash -> restart or end
    _task        asyncio or Trio               _deadlines   one timer for all deadlines
    _inlet       the way in from threads       _timers      an actor's timers
    _ask         a question under way
    ref          ActorRef: tell, ask, end      _handlers    class -> handlers by type
    _latch       what happens once             _lanes       priorities, interrupts
    registry     name -> ref                   groups       topic -> members, by lane
    telemetry    what is reported              actor        Actor: callbacks, receive
    _dispatch    type -> function that handles _core        what a system's cells share
    _work        take a message, handle it     _ending      drain, stop, kill, on_stop
    _family      children, and their restarts  _recovery    what follows a failure
    _cell        runs one actor                system       ActorSystem: the root
    pool         Pool: equal actors            testing      an extra: to test actors with
"""

from ._handlers import Handler, receive
from ._task import Timer
from .actor import Actor, Context, End, Outcome, handlers_of
from .exceptions import (
    ActorCrashed,
    ActorError,
    ActorStopped,
    AskCycle,
    AskTimeout,
    HandlerError,
    HandlerTimeout,
    IntensityExceeded,
    Interrupted,
    MailboxFull,
    NameTaken,
    NotRunning,
    StopTimeout,
    Unhandled,
)
from .groups import Envelope, Lane
from .mailbox import Overflow, Reason, Told
from .message import Message, Request
from .pool import Pool, Routing
from .ref import ActorRef
from .supervision import Backoff, Directive, Intensity, Restart, Strategy
from .system import ActorSystem
from .telemetry import DEAD_LETTERS, DeadLetter, Instrument, Stats, Terminated

__all__ = [
    "DEAD_LETTERS",
    "Actor",
    "ActorCrashed",
    "ActorError",
    "ActorRef",
    "ActorStopped",
    "ActorSystem",
    "AskCycle",
    "AskTimeout",
    "Backoff",
    "Context",
    "DeadLetter",
    "Directive",
    "End",
    "Envelope",
    "Handler",
    "HandlerError",
    "HandlerTimeout",
    "Instrument",
    "Intensity",
    "IntensityExceeded",
    "Interrupted",
    "Lane",
    "MailboxFull",
    "Message",
    "NameTaken",
    "NotRunning",
    "Outcome",
    "Overflow",
    "Pool",
    "Reason",
    "Request",
    "Restart",
    "Routing",
    "Stats",
    "StopTimeout",
    "Strategy",
    "Terminated",
    "Timer",
    "Told",
    "Unhandled",
    "handlers_of",
    "receive",
]
