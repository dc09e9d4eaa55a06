"""What the runtime needs to know of an actor class: its handlers by message type, and its lanes.

Made at the first spawn. A handler with a deadline is wrapped here, so that those without pay
nothing for it.
"""

from collections.abc import Callable
from typing import Any, Protocol

from ._deadlines import Deadline
from ._handlers import Function, Handler
from ._lanes import Lanes
from .actor import Actor, handlers_of
from .exceptions import HandlerTimeout
from .ref import check_end_timeout


class Table(dict[type, Function | None]):
    """The function that handles a message of an exact type: that of its nearest base which has one.

    `None` for a type that is not handled, or by batches.
    """

    def __init__(self, cls: type[Actor]) -> None:
        handlers = handlers_of(cls)
        self._declared = {kind: (_bounded(each), each) for kind, each in handlers.items()}
        self.batches: dict[type, Function] = {}
        """The functions that take lists, by exact type; of types met before."""
        self.interruptible: set[type] = set()
        """Types whose handler an interrupt may cancel; of types met before."""
        self.has_on_start = cls.on_start is not Actor.on_start
        self.has_end = cls.__has_end__()
        check_end_timeout(cls.stop_timeout)
        priorities = {kind: each.options.priority for kind, each in handlers.items()}
        interrupts = [kind for kind, each in handlers.items() if each.options.interrupt]
        self.has_interrupts = bool(interrupts)
        self.lanes: Lanes | None = None
        if interrupts or any(priorities.values()):
            self.lanes = Lanes(priorities, interrupts)

    def __missing__(self, kind: type) -> Function | None:
        # Among the declared only: a base that inherited its handler must not hide a nearer one.
        found = next((base for base in kind.__mro__ if base in self._declared), None)
        function = None
        if found is not None:
            function, handler = self._declared[found]
            if handler.options.interruptible:
                self.interruptible.add(kind)
            if handler.batch:
                self.batches[kind] = function
                function = None
        self[kind] = function
        return function


class Timed(Protocol):
    """What a handler with a deadline needs of its cell."""

    def call_later(self, delay: float, function: Callable[[], object]) -> Deadline: ...
    def time_out(self, error: HandlerTimeout) -> None: ...


def table_of(cls: type[Actor]) -> Table:
    """The class's dispatch table: the functions that handle, by exact type."""
    table: Table | None = cls.__dict__.get("__table__")
    if table is None:
        table = cls.__table__ = Table(cls)
    return table


def _bounded(handler: Handler) -> Function:
    """The handler's function, under its deadline if it has one."""
    function, timeout = handler.function, handler.options.timeout
    if timeout is None:
        return function

    async def bounded(actor: Any, message: Any) -> Any:
        cell: Timed = actor.__cell__
        error = HandlerTimeout(f"{handler.name} took more than {timeout:g} s")

        def expire() -> None:
            cell.time_out(error)

        deadline = cell.call_later(timeout, expire)
        try:
            reply = await function(actor, message)
        finally:
            deadline.cancel()
        if deadline.fired:
            raise error  # it swallowed its cancellation
        return reply

    return bounded
