"""Where a task waits, down to its innermost `await`."""

import asyncio
import traceback
from collections.abc import Iterator
from types import FrameType
from typing import Any

DEPTH = 12
"""Frames to show, the innermost ones: above them is mostly middleware."""


class Hanging(AssertionError):
    """Something of the application's did not end in time; it says what, and where it waits."""


def stack_of(task: asyncio.Task[Any]) -> str:
    """The end of its stack, as in a traceback; `Task.get_stack` knows the outermost frame only."""
    frames = list(_frames(task.get_coro()))[-DEPTH:]
    return "".join(traceback.StackSummary.extract(iter(frames)).format())


def _frames(work: Any) -> Iterator[tuple[FrameType, int]]:
    while work is not None:
        frame: FrameType | None = getattr(work, "cr_frame", None) or getattr(work, "gi_frame", None)
        if frame is None:
            return
        yield frame, frame.f_lineno
        work = getattr(work, "cr_await", None) or getattr(work, "gi_yieldfrom", None)
