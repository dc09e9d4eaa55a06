"""A child: one measurement in a fresh process.

Each round of each contender gets a process and an event loop of its own, pinned to the same core,
so that nobody inherits another's fragmented heap, warm caches or half-full garbage generations.
Children are forked from a parent that has imported everything already: importing FastAPI takes
longer than a quick round. All contenders carry the same imports, so the collector, left in its
default state, walks the same heap for each.
"""

import asyncio
import multiprocessing
import traceback
from collections.abc import Callable, Coroutine
from importlib.util import find_spec
from multiprocessing.connection import Connection
from typing import Any

from uvicorn.importer import import_from_string

from . import cores
from .options import Options

Measurement = Callable[[int], Coroutine[Any, Any, float]]
"""Takes how much to do, returns how much of it was done in a second."""

Peers = dict[str, Callable[..., float]]
"""What a peer is measured by, with what it takes as it likes; at most one."""

CONTEXT = multiprocessing.get_context("fork")

_PATIENCE = 120.0


def measure(measurement: Measurement, size: int) -> float:
    """Run `measurement(size)` in a fresh process and return its figure.

    A tenth of the size goes first, in a loop of its own, as a warm-up: the interpreter specialises
    its bytecode in the first runs. Raises RuntimeError with the child's traceback when it fails,
    or when it has not answered within two minutes.
    """
    ours, theirs = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=_measure, args=(theirs, measurement, size), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(_PATIENCE):
            raise RuntimeError(f"{measurement.__qualname__} took more than {_PATIENCE:.0f} s")
        try:
            answer = ours.recv()
        except EOFError:
            process.join(1.0)
            raise RuntimeError(
                f"{measurement.__qualname__} died with exit code {process.exitcode}"
            ) from None
    finally:
        process.kill()
        process.join()
        ours.close()
    if isinstance(answer, float):
        return answer
    raise RuntimeError(f"{measurement.__qualname__} failed:\n{answer}")


def peer(name: str, function: str, module: str, options: Options, notes: list[str]) -> Peers:
    """`function` ("module:attribute") of a peer that needs the package `module`, by the name of
    the contender; empty when it is not there or was not asked for, which `notes` hears."""
    if options.leaves_out(name, peer=True):
        return {}
    if find_spec(module) is None:
        notes.append(f"left out: {name}, for {module} is not installed")
        return {}
    return {name: import_from_string(function)}


def _measure(answer: "Connection[float | str, Any]", measurement: Measurement, size: int) -> None:
    cores.pin(cores.MEASURED)
    try:
        asyncio.run(measurement(max(1, size // 10)))
        answer.send(asyncio.run(measurement(size)))
    except BaseException:  # noqa: BLE001  # whatever it is, the parent raises it
        answer.send(traceback.format_exc())
