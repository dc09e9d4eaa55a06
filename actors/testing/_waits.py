"""Where tasks wait: in which line of user code, and whether for the kit's loop or for another."""

import linecache
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Final, NamedTuple

from .._ask import message_in
from .._cell import Cell
from .._task import Running
from .._work import NOTHING, Batch
from ._loop import Parked, VirtualLoop

MOST = 20
"""Lines that a report has at most."""

_FRAMEWORKS: Final = {"actors", "anyio", "asyncio", "trio"}
_PARKED: Final = Parked.__await__.__code__


class Wait(NamedTuple):
    """What a task awaits."""

    function: str
    """The innermost of the user's own; empty if there is none."""
    line: str
    in_kit: bool
    """Whether the kit's loop wakes it, in virtual time."""


def wait_of(coroutine: Any) -> Wait:
    """Where a coroutine waits. (Of an asynchronous generator Python shows only the outside.)"""
    frames = list(_frames(coroutine))
    in_kit = any(frame.f_code is _PARKED for frame in frames)
    for frame in reversed(frames):
        if str(frame.f_globals.get("__name__")).partition(".")[0] not in _FRAMEWORKS:
            file, number = frame.f_code.co_filename, frame.f_lineno
            code = linecache.getline(file, number).strip()
            line = f"{Path(file).name}:{number}: `{code}`"
            return Wait(frame.f_code.co_qualname, line, in_kit)
    return Wait("", "", in_kit)


def _frames(coroutine: Any) -> Iterator[FrameType]:
    """Those of a coroutine and of what it awaits, the innermost last."""
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is None:
            return
        yield frame
        inner = getattr(coroutine, "cr_await", None)
        coroutine = inner or getattr(coroutine, "gi_yieldfrom", None)


def waits_outside(owner: object, tasks: Iterable[Running], known: set[Any]) -> Wait | None:
    """What an actor awaits that the kit's clock knows nothing of; `None` if it does not.

    One that waits for tasks of its own is as much in the kit as these: none may be but the
    `known`, and those of actors.
    """
    outside: Wait | None = None
    for each in tasks:
        if each.owner is owner:
            wait = wait_of(each.coroutine)
            outside = None if wait.in_kit or not wait.line else wait
        elif each.owner is None and each.task not in known and wait_of(each.coroutine).in_kit:
            return None
    return outside


def report(loop: VirtualLoop, cells: Iterable[Cell]) -> str:
    """Who waits for what, in as many lines."""
    waits: dict[object, Wait] = {}
    lines: list[str] = []
    for each in loop.tasks():
        wait = waits[each.owner] = wait_of(each.coroutine)
        if each.owner is None and wait.line:
            lines.append(f"the task {each.name} waits at {wait.line}")
    for cell in cells:
        lines += _of_actor(cell, waits.get(cell, Wait("", "", True)), loop.waited(cell))
    shown = lines[:MOST] + ([f"and {len(lines) - MOST} more"] if len(lines) > MOST else [])
    return "".join(f"\n- {line}" for line in shown)


def _of_actor(cell: Cell, wait: Wait, seconds: float) -> Iterator[str]:
    item = cell.in_hand[0] if isinstance(cell.in_hand, Batch) else cell.in_hand
    if wait.line:
        doing = f"is in {wait.function}" if item is NOTHING else f"handles {_kind(item)}"
        yield f"{cell.name} {doing}, for {seconds:g} s of virtual time, at {wait.line}"
    queue = cell.mailbox.queue
    if queue:
        yield f"{cell.name} has {len(queue)} in its mailbox, a {_kind(queue[0])} first"
    for timer in () if cell._timers is None else cell._timers._timers.values():
        yield f"{cell.name} has a timer for {_kind(timer._message)}"


def _kind(item: object) -> str:
    return type(message_in(item)).__name__
