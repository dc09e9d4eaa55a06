"""Close codes, and the errors of the transport.

TransportError
├── LifespanNotRun     the application's lifespan did not run (also a RuntimeError)
├── LimitReached       there is no room: which limit, and when to come back (an HTTPException)
├── CodecError         a codec cannot serve a connection's messages (also a TypeError)
├── BadFrame           a frame from the client that is answered with an error frame
└── Disconnected       the client is gone; `code` says how
"""

import enum
import math

from starlette.exceptions import HTTPException


class CloseCode(enum.IntEnum):
    """The close codes the transport uses (RFC 6455, section 7.4, and its registry; an application's
    own errors are 4000 and the HTTP status)."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_STATUS = 1005
    ABNORMAL = 1006
    INVALID_DATA = 1007
    POLICY_VIOLATION = 1008
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    EXPIRED = 4401
    """Those of the application's own are 4000 and an HTTP status."""
    IDLE = 4408


class TransportError(Exception):
    """The root of the transport's errors."""


class LifespanNotRun(TransportError, RuntimeError):
    """The application's lifespan did not run, so there is no actor system."""


class LimitReached(TransportError, HTTPException):
    """There is no room. `limit`: the name of the setting; `retry_after`: seconds, if it passes."""

    def __init__(
        self, status_code: int, detail: str, limit: str, retry_after: float | None = None
    ) -> None:
        # In whole seconds, as the header has it.
        headers = None if retry_after is None else {"Retry-After": str(math.ceil(retry_after))}
        HTTPException.__init__(self, status_code, detail, headers)
        self.limit = limit
        self.retry_after = retry_after


class CodecError(TransportError, TypeError):
    """A codec cannot carry the messages of a connection class, or a message it was given."""


class BadFrame(TransportError):
    """A frame that cannot become a message. All but `detail` goes into the error frame as it is."""

    def __init__(
        self, code: str, detail: str, path: str | None = None, limit: str | None = None
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.path = path
        self.limit = limit


class Disconnected(TransportError):
    """The client is gone."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the client is gone: {code}")
        self.code = code
