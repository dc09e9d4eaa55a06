"""The rules of one socket, without I/O: what a frame from the client leads to."""

import re
from collections.abc import Hashable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, cast

import msgspec
from starlette.exceptions import HTTPException

from actors import ActorCrashed, ActorError, AskTimeout, MailboxFull, Request

from .codec import Data, ErrorFrame, Heartbeat, Reply, SocketCodec
from .exceptions import BadFrame, CloseCode, CodecError, LimitReached
from .limits import Excess, size_of
from .outbox import Close
from .settings import OnFlood, OnInvalid, OnOverload, Settings


class Step:
    """What follows a frame, unless it is a message: then the actor is told it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Question(Step):
    """Ask the connection's actor, and send the answer under the client's id."""

    request: Request[Any]
    id: str | int


@dataclass(frozen=True, slots=True)
class Refusal(Step):
    """Send the error frame, if there is one; then close, if there is a close."""

    error: ErrorFrame | None
    close: Close | None = None


@dataclass(frozen=True, slots=True)
class Bug(Step):
    """Log the error, and go on with `Session.unmade`: the message's class raised it."""

    error: Exception


STEPS: Final = frozenset[type]((Question, Refusal, Bug))
"""All there are. Looked up by a message's type: msgspec's metaclass makes `isinstance` dear."""

_VERDICTS = (ValueError, TypeError, AssertionError)
"""What a message's class raises of a frame that it does not want. The rest is its own fault."""

_OURS = frozenset((ErrorFrame, Heartbeat, Reply))
"""What the transport itself tells a client. An application's keys are for its own messages: no
answer may take another's place."""

_LOGGED = "something went wrong here; it was logged"


class Session:
    """Decides by the codec and the settings. Stateless, so one serves all sockets of a route."""

    __slots__ = ("_shallow", "_small", "codec", "conflates", "settings")

    def __init__(self, codec: SocketCodec, settings: Settings) -> None:
        self.codec = codec
        self.settings = settings
        self.conflates = settings.conflate is not None
        # What is no longer can be neither too large, as a character has four bytes at most, nor too
        # deep.
        self._small = settings.max_size // 4
        self._shallow = settings.max_depth * codec.level

    def key(self, message: object) -> Hashable | None:
        """Under which key a message to the client waits, if there are keys. Raises `CodecError`."""
        conflate = self.settings.conflate
        if conflate is None or type(message) in _OURS:
            return None
        try:
            key = conflate(message)
            hash(key)
        except Exception as error:  # whatever it is, the message cannot be sent
            raise CodecError(f"no key for {type(message).__name__}: {error!r}") from error
        return key

    def take(self, data: Data) -> object:
        """What the client's frame leads to: a message to tell, or a `Step`."""
        size, codec = len(data), self.codec
        if size > self._small and size_of(data) > (limit := self.settings.max_size):
            return Refusal(None, Close(CloseCode.TOO_BIG, f"a message may have {limit} bytes"))
        decode = codec.text if type(data) is str else codec.binary
        if decode is None:
            kind = "text" if isinstance(data, str) else "binary"
            return Refusal(
                None, Close(CloseCode.UNSUPPORTED_DATA, f"{kind} frames are not taken here")
            )
        try:
            if size > self._shallow and codec.is_deeper(data, depth := self.settings.max_depth):
                raise BadFrame("malformed", f"nested deeper than {depth}", limit="max_depth")
            message = decode(data)
            # By its exact type: msgspec's metaclass makes `isinstance` the dearest thing in here.
            if type(message) in codec.requests:
                return self._question(cast(Request[Any], message), data)
        except BadFrame as error:
            return self._invalid(error)
        except _VERDICTS as error:
            return self._invalid(BadFrame("invalid", str(error)))
        except Exception as error:  # noqa: BLE001  # whatever it is, the client gets an answer
            return Bug(error)
        return message

    def unmade(self, error_id: str) -> Refusal:
        """What follows when a message's class has a bug: nothing that the actor would notice."""
        return self._invalid(BadFrame("invalid", _LOGGED), error_id)

    def overloaded(self, step: object) -> Refusal:
        """What follows when the actor's mailbox has no room for what a frame led to."""
        detail = "too many messages wait to be handled"
        if self.settings.on_overload is OnOverload.CLOSE:
            return Refusal(None, Close(CloseCode.TRY_AGAIN_LATER, detail))
        identifier = step.id if isinstance(step, Question) else None
        return Refusal(ErrorFrame(code="overloaded", detail=detail, id=identifier))

    def flooded(self, excess: Excess, count: int) -> Refusal:
        """What follows when `count` messages came too fast, the last of them by that much."""
        rate = excess.rate
        unit = "bytes" if excess.limit == "byte_rate" else "messages"
        bounds = f"at most {rate.per_second:g} {unit} a second, {rate.burst:g} at once"
        if self.settings.on_flood is OnFlood.CLOSE:
            return Refusal(None, Close(CloseCode.POLICY_VIOLATION, f"too fast: {bounds}"))
        frame = ErrorFrame(
            code="too_fast",
            detail=f"{count} messages were refused: {bounds}",
            limit=excess.limit,
            retry_after=round(excess.retry_after, 3),
        )
        return Refusal(frame)

    def refused(self, error: HTTPException, identifier: str | int | None = None) -> ErrorFrame:
        """What the client is told of a message that its handler refused."""
        limited = error if isinstance(error, LimitReached) else None
        return ErrorFrame(
            code=_code_of(error.status_code),
            detail=text_of(error.detail),
            id=identifier,
            limit=None if limited is None else limited.limit,
            retry_after=None if limited is None else limited.retry_after,
            status=error.status_code,
        )

    def crashed(self, error_id: str, identifier: str | int | None = None) -> ErrorFrame:
        """What the client is told of a crash: where to find it in the log, and no more."""
        return ErrorFrame(code="crashed", detail=_LOGGED, id=identifier, error_id=error_id)

    def declared(self, error: Exception, identifier: str | int) -> ErrorFrame:
        """What the client is told of an exception that its request declares as a reply."""
        code = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(error).__name__).lower()
        return ErrorFrame(code=code, detail=text_of(str(error)), id=identifier)

    def failed(self, error: ActorError, identifier: str | int) -> ErrorFrame:
        """What the client is told of a question that failed."""
        if isinstance(error, ActorCrashed):
            return self.crashed(error.error_id, identifier)
        if isinstance(error, AskTimeout):
            return ErrorFrame(code="timeout", detail="no answer in time", id=identifier)
        code = "overloaded" if isinstance(error, MailboxFull) else "stopped"
        return ErrorFrame(code=code, detail=str(error), id=identifier)

    def _invalid(self, error: BadFrame, error_id: str | None = None) -> Refusal:
        detail = error.detail or "the message was refused"  # by a bare `assert`
        frame = ErrorFrame(
            code=error.code, detail=detail, path=error.path, error_id=error_id, limit=error.limit
        )
        close = None
        if self.settings.on_invalid is OnInvalid.CLOSE:
            close = Close(CloseCode.POLICY_VIOLATION, f"{error.code} frame")
        return Refusal(frame, close)

    def _question(self, request: Request[Any], data: Data) -> object:
        identifier = self.codec.request_id(data)
        # Without an id there is nothing to answer to: it is handled like anything told.
        return request if identifier is None else Question(request, identifier)


def text_of(detail: object) -> str:
    """An `HTTPException`'s detail, which should be JSON. Whatever it is, it becomes a text that can
    be sent: who asks has an error in hand already."""
    if not isinstance(detail, str):
        try:
            return msgspec.json.encode(detail).decode()
        except Exception:  # noqa: BLE001  # it is any object's own code
            return f"<{type(detail).__name__}>"
    return detail.encode(errors="replace").decode()  # no lone surrogates


def _code_of(status: int) -> str:
    """The phrase of a status: 403 is `forbidden`."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        return f"status_{status}"
    return re.sub(r"[^a-z]+", "_", phrase.lower().replace("'", ""))
