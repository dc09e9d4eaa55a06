"""A supervisor that a test asks for decisions, and the children it decides about."""

from collections.abc import Callable
from typing import Any

from actors import Intensity, Restart
from actors.supervision import Backoff, Directive, Strategy, Supervisor

PERMANENT, TRANSIENT, TEMPORARY = Restart.PERMANENT, Restart.TRANSIENT, Restart.TEMPORARY
RESTART, RESUME, STOP = Directive.RESTART, Directive.RESUME, Directive.STOP
BY_ITSELF = None
OFTEN = Intensity(restarts=1000)


def no_random() -> float:
    raise AssertionError("without a backoff there is no chance")


def supervisor(
    strategy: Strategy = Strategy.ONE_FOR_ONE,
    intensity: Intensity = OFTEN,
    backoff: Backoff | None = None,
    random: Callable[[], float] = no_random,
) -> Supervisor[Any]:
    return Supervisor(strategy, intensity, backoff, random)


def family(*restarts: Restart) -> dict[str, Restart]:
    """Children called a, b, c in order of start."""
    return dict(zip("abcdefgh", restarts, strict=False))
