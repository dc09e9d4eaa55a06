"""What is told and what is asked: `Message` and `Request`.

Both are frozen `msgspec.Struct`s, so that a message can be shared by any number of actors, and
both carry a tag: on the wire `{"type": "join_room", ...}` is a `JoinRoom`.
"""

import re
from typing import Generic, TypeVar, dataclass_transform

import msgspec

R = TypeVar("R")

_BORDER = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def _tag(class_name: str) -> str:
    """`JoinRoom` -> `join_room`, `HTTPError` -> `http_error`."""
    return _BORDER.sub("_", class_name.rpartition(".")[2]).lower()


# Tells the type checkers that subclasses are frozen too, as msgspec has it.
@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Message(msgspec.Struct, frozen=True, tag_field="type", tag=_tag):
    """Something told to an actor. Subclass it with annotated fields.

    The tag on the wire is the class name in snake case; `class Say(Message, tag="speak")` sets
    another one.
    """


class Request(Message, Generic[R]):
    """Something asked of an actor, answered with an `R`.

    `class Total(Request[int])` makes `await ref.ask(Total())` an `int` for the type checkers, and
    a handler of `Total` that returns anything else an error when its class is defined.

    An error that is among the replies, as in `class Withdraw(Request[int | Overdrawn])`, is one
    when the handler raises it as well: the asker gets it as the value, and nothing has crashed.
    """
