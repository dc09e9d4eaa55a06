"""The runtime's log, by structlog. A log that fails must not take along what it tells of."""

import contextlib
import uuid
from typing import Any, Literal

import structlog

_logger: Any = structlog.get_logger("greenroom")


def describe(error: BaseException) -> str:
    """The error's type, and what it says, unless saying it raises."""
    name = type(error).__name__
    try:
        return f"{name}: {error}"
    except Exception:  # noqa: BLE001  # it is somebody's `__str__`
        return name


def log(
    level: Literal["warning", "error"],
    event: str,
    error: BaseException | None = None,
    **fields: object,
) -> str:
    """Log an event, with an error's traceback if there is one. Never raises an `Exception`.

    Returns the entry's `error_id`: what may be told to those who must not see the traceback.
    """
    error_id = uuid.uuid4().hex[:12]
    if error is not None:
        fields.update(exc_info=error, error_id=error_id)
    with contextlib.suppress(Exception):
        getattr(_logger, level)(event, **fields)
    return error_id
