"""The runtime's log, by structlog. A log that fails must not take along what it tells of."""

import contextlib
from typing import Any, Literal

import structlog

_logger: Any = structlog.get_logger("greenroom")


def log(
    level: Literal["warning", "error"],
    event: str,
    error: BaseException | None = None,
    **fields: object,
) -> None:
    """Log an event, with an error's traceback if there is one. Never raises an `Exception`."""
    if error is not None:
        fields["exc_info"] = error
    with contextlib.suppress(Exception):
        getattr(_logger, level)(event, **fields)
