"""A mutant: a mistake that somebody could make, and the tests that have to find it."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """`old` is in `file` exactly once, and `new` goes in its place."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    """A mistake. `promise`: what it breaks; `tests`: node ids or files that find it."""

    name: str
    promise: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


def edit(file: str, old: str, new: str) -> Edit:
    """An edit of a file of the runtime, or of the transport if it says so."""
    return Edit(file if "/" in file else f"actors/{file}", old, new)


def mutant(name: str, promise: str, edits: Edit | Iterable[Edit], *tests: str) -> Mutant:
    """A mutant. Tests are those of the actors, unless they say which."""
    edits = (edits,) if isinstance(edits, Edit) else tuple(edits)
    ids = (test if test.startswith("tests/") else f"tests/actors/test_{test}" for test in tests)
    return Mutant(name, promise, edits, tuple(ids))
