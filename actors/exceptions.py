"""Every error the runtime raises, in one tree.

ActorError
├── HandlerError      a handler does not fit (also a TypeError); raised when its class is defined
├── NotRunning        the system, or what was asked of it, is not running
├── NameTaken         the name belongs to a living actor
├── MailboxFull       refused to the teller: the mailbox has no room
├── ActorStopped      an ask to an actor that is stopping or gone
├── ActorCrashed      an ask whose handler raised; `__cause__` is what it raised
├── Unhandled         an ask for which the actor has no handler
├── Interrupted       an ask whose handler was cancelled by an interrupt
├── AskCycle          an ask whose target waits for the asker, or that is to oneself
├── AskTimeout        an ask that was not answered in time (also a TimeoutError)
├── HandlerTimeout    a handler that ran past its deadline (also a TimeoutError)
├── IntensityExceeded an actor's children failed too often; `__cause__` is the last failure
└── StopTimeout       an `on_stop` that ran past its deadline (also a TimeoutError)
"""


class ActorError(Exception):
    """The root of the runtime's errors."""


class HandlerError(ActorError, TypeError):
    """A handler whose signature, message type or reply type does not fit."""


class NotRunning(ActorError, RuntimeError):
    """The system has not started, has ended, or the actor has no life yet."""


class NameTaken(ActorError):
    """Another living actor holds the name."""


class MailboxFull(ActorError):
    """The mailbox has no room and its policy is to refuse, or a thread told a full mailbox."""


class ActorStopped(ActorError):
    """The actor asked is stopping or has ended, so no answer will come."""


class ActorCrashed(ActorError):
    """The handler of an ask raised. Its exception is the `__cause__` of this one.

    `error_id`: that of the crash in the log.
    """

    def __init__(self, text: str, error_id: str) -> None:
        super().__init__(text, error_id)
        self.error_id = error_id

    def __str__(self) -> str:
        return str(self.args[0])


class Unhandled(ActorError):
    """The actor asked has no handler for the request's type."""


class Interrupted(ActorError):
    """The handler of an ask was cancelled by an interrupt, while its actor lived on."""


class AskCycle(ActorError):
    """An awaited ask whose target waits, by asks of its own, for the asker; it names them all."""


class AskTimeout(ActorError, TimeoutError):
    """No answer came within the ask's timeout."""


class HandlerTimeout(ActorError, TimeoutError):
    """A handler ran past the deadline given to `@receive(timeout=...)`."""


class IntensityExceeded(ActorError):
    """Children failed more often than the supervisor's intensity allows: its own failure now."""


class StopTimeout(ActorError, TimeoutError):
    """`on_stop` ran past its deadline."""
