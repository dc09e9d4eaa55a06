"""Names and their actors."""

import itertools
from typing import Generic, Protocol, TypeVar

from .exceptions import NameTaken
from .ref import ActorRef


class Named(Protocol):
    """What the registry needs of a cell."""

    introduced: bool
    """Whether `on_start` has returned, so that it may be found."""

    @property
    def ref(self) -> ActorRef: ...


N = TypeVar("N", bound=Named)


class Registry(Generic[N]):
    """All cells of a system, by their names, in the order of their starts."""

    def __init__(self) -> None:
        self.cells: dict[str, N] = {}
        self._numbers = itertools.count(1)

    def add(self, name: str | None, kind: type, cell: N) -> str:
        """Add a cell under its name, or a new `Class-number`; returns that. Raises `NameTaken`."""
        if name is None:
            name = f"{kind.__name__}-{next(self._numbers)}"
            while name in self.cells:
                name = f"{kind.__name__}-{next(self._numbers)}"
        elif not name:
            raise ValueError("a name must not be empty")
        elif name in self.cells:
            raise NameTaken(f"the name {name!r} belongs to another actor")
        self.cells[name] = cell
        return name

    def find(self, name: str) -> ActorRef | None:
        """The actor of that name, once `on_start` has returned."""
        cell = self.cells.get(name)
        return cell.ref if cell is not None and cell.introduced else None
