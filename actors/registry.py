"""Names and their actors."""

import itertools

from .exceptions import NameTaken
from .ref import ActorRef


class Registry:
    """Which living actor has which name. A name is reserved first, and found once it is bound."""

    def __init__(self) -> None:
        self._refs: dict[str, ActorRef | None] = {}
        self._numbers = itertools.count(1)

    def reserve(self, name: str | None, kind: str) -> str:
        """Hold a name, or a new `kind-number`. Raises `NameTaken`."""
        if name is None:
            name = f"{kind}-{next(self._numbers)}"
            while name in self._refs:
                name = f"{kind}-{next(self._numbers)}"
        elif not name:
            raise ValueError("a name must not be empty")
        elif name in self._refs:
            raise NameTaken(f"the name {name!r} belongs to another actor")
        self._refs[name] = None
        return name

    def bind(self, name: str, ref: ActorRef) -> None:
        """Let the reserved name be found."""
        self._refs[name] = ref

    def release(self, name: str) -> None:
        """Free the name."""
        self._refs.pop(name, None)

    def find(self, name: str) -> ActorRef | None:
        """The actor of that name, once `on_start` has returned."""
        return self._refs.get(name)

    def __len__(self) -> int:
        return len(self._refs)
