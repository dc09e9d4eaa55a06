"""The dispatch table of an actor class: from a message's exact type to the function that handles.

Built at the first spawn. A handler with a deadline is wrapped here, so that those without pay
nothing for it.
"""

from collections.abc import Callable
from typing import Any, Protocol

from ._deadlines import Deadline
from ._handlers import Function, Handler
from .actor import Actor, handlers_of
from .exceptions import HandlerTimeout


class Table(dict[type, Function | None]):
    """Functions by message type, `None` for a type that is not handled.

    A type that is met for the first time gets the handler of its nearest base, if one has any.
    """

    def __init__(self, cls: type[Actor]) -> None:
        for kind, handler in handlers_of(cls).items():
            self[kind] = _bounded(handler)
        self.has_on_start = cls.on_start is not Actor.on_start
        self.has_end = cls.__has_end__()

    def __missing__(self, kind: type) -> Function | None:
        for base in kind.__mro__[1:]:
            function = self.get(base)
            if function is not None:
                break
        else:
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
