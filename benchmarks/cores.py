"""Cores: one for what is measured, another for what drives it.

Two processes that wander over the same cores disturb each other in every round differently; pinned
ones disturb each other alike, so the ratios hold even where the absolute figures wobble.
"""

import os


def allowed() -> list[int]:
    """The cores this process may run on; empty where the system cannot pin (macOS)."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


# Taken at import, before anything is pinned: a forked child inherits the pin of its parent.
_ALLOWED = allowed()

COUNT = len(_ALLOWED) or os.cpu_count() or 1
"""Cores there are for all of it."""

MEASURED = _ALLOWED[0] if len(_ALLOWED) > 1 else None
"""The core of a server, or of an in-process contender. None: not pinned."""

DRIVER = _ALLOWED[-1] if len(_ALLOWED) > 1 else None
"""The core of the load generator. None: not pinned."""


def pin(core: int | None) -> None:
    """Keep this process, and the threads it will start, on one core; None leaves it alone."""
    if core is not None:
        os.sched_setaffinity(0, {core})


def notes() -> list[str]:
    """What a reader must know of the machine before comparing figures."""
    if not _ALLOWED:
        return ["this system cannot pin a process to a core: expect a wider spread"]
    if len(_ALLOWED) == 1:
        return ["one core only: a server and its load share it"]
    return []
