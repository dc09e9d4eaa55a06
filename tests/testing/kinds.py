"""Types of all kinds, as a user may write them, and how it is seen that a value is one."""

import enum
from collections import namedtuple
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import (
    Annotated,
    Any,
    Final,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Required,
    TypedDict,
    TypeVar,
)
from uuid import UUID

import msgspec
from hypothesis import HealthCheck, Phase, settings
from msgspec import UNSET, Meta, Struct, UnsetType

from actors import Message, Request

# The machine may be busy; what is slow is not what is tested here.
FINDING = settings(deadline=None, max_examples=1000, phases=[Phase.generate], database=None)


PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def survives(value: Any, kind: Any) -> None:
    """It is valid, and comes back from JSON as it was, types and all."""
    back = msgspec.json.decode(msgspec.json.encode(value), type=kind)
    assert back == value
    assert type(back) is type(value)
    assert msgspec.convert(msgspec.to_builtins(value), kind) == value


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Meaning(enum.EnumMeta):
    """A metaclass of one's own, which `msgspec.inspect` does not see through."""


class Odd(enum.Enum, metaclass=Meaning):
    ONE = 1
    THREE = 3


@dataclass
class Point:
    x: int
    y: float = 0.5
    names: list[str] = field(default_factory=list)
    norm: float = field(init=False, default=0.0)


class Pair(NamedTuple):
    left: Annotated[int, Meta(ge=3)]
    right: str = "right"


Bare = namedtuple("Bare", "one two")


class Options(TypedDict, total=False):
    name: Required[str]
    age: Annotated[int, Meta(ge=0, le=150)]


class Loose(TypedDict):
    first: int
    second: NotRequired[bool]


class Inner(Struct, frozen=True):
    value: int
    color: Color = Color.RED


T = TypeVar("T")


class Box(Struct, Generic[T]):
    item: T
    more: list[T] = []


class Array(Struct, array_like=True):
    a: int
    b: str


class Renamed(Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    first_name: str = "x"
    last_name: str


class Cat(Struct, tag=True):
    lives: Annotated[int, Meta(ge=0, le=9)]


class Dog(Struct, tag=True):
    name: str


class Tree(Struct):
    value: int
    children: list["Tree"] = []


class Chain(Struct):
    """Four types in a circle, of which only the last lets it end."""

    b: "ChainB"


class ChainB(Struct):
    c: "ChainC"


class ChainC(Struct):
    d: tuple["ChainD", int]


class ChainD(Struct):
    a: Chain | None


class Literals(Struct, tag="literal"):
    value: int | str


class Call(Struct, tag="call"):
    function: "Expression"
    arguments: list["Expression"]
    named: dict[str, "Expression"]


class Lambda(Struct, tag="lambda"):
    body: "Expression"


class Expression(Struct):
    node: Literals | Call | Lambda
    then: "Expression | None" = None


class Grown(Struct):
    """Recursive through something that needs an item."""

    some: Annotated[list["Grown"], Meta(min_length=1, max_length=2)] | None
    by_name: dict[str, "Grown"]


class Ordered(Struct):
    """Refuses what is not in order."""

    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low is above high")


class Defaults(Struct):
    plain: Annotated[int, Meta(ge=10)] = 12
    wrong: Annotated[str, Meta(min_length=1, max_length=3)] = ""
    unset: int | UnsetType = UNSET
    made: Annotated[list[int], Meta(min_length=1)] = msgspec.field(default_factory=list)
    inner: Inner = Inner(1)
    final: Final[int] = 3


class Total(Request[int]):
    of: list[int]


class Say(Message):
    text: str


class Speak(Say, tag="speak"):
    loud: bool


Name = NewType("Name", str)
KINDS: dict[str, Any] = {
    "none": None,
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "datetime": datetime,
    "aware": Annotated[datetime, Meta(tz=True)],
    "naive": Annotated[datetime, Meta(tz=False)],
    "time": time,
    "aware_time": Annotated[time, Meta(tz=True)],
    "naive_time": Annotated[time, Meta(tz=False)],
    "date": date,
    "timedelta": timedelta,
    "uuid": UUID,
    "decimal": Decimal,
    "any": Any,
    "object": object,
    "color": Color,
    "level": Level,
    "odd": Odd,
    "literal": Literal["a", 1, None],
    "new_type": Name,
    "list": list,
    "dict": dict,
    "set": set,
    "frozenset": frozenset,
    "tuple": tuple,
    "empty": tuple[()],
    "fixed": tuple[int, str, Color],
    "variadic": tuple[float, ...],
    "sequence": Sequence[int],
    "mapping": Mapping[str, int],
    "int_keys": dict[int, str],
    "date_keys": dict[date, UUID],
    "enum_keys": dict[Color, list[Level]],
    "literal_keys": dict[Literal["a", "b"], None],
    "structs": set[Inner],
    "nested_sets": set[frozenset[int]],
    "any_tuples": frozenset[tuple[Any, ...]],
    "optional": int | None,
    "union": int | float | str | bool | list[int] | dict[str, Any] | None,
    "tagged": Cat | Dog,
    "dataclass": Point,
    "named_tuple": Pair,
    "bare": Bare,
    "typed_dict": Options,
    "loose": Loose,
    "box": Box[int],
    "open_box": Box,
    "box_of_boxes": Box[Box[Inner]],
    "array": Array,
    "renamed": Renamed,
    "tree": Tree,
    "chain": Chain,
    "expression": Expression,
    "grown": Grown,
    "ordered": Ordered,
    "defaults": Defaults,
    "request": Total,
    "say": Say,
    "speak": Speak,
    "between": Annotated[int, Meta(gt=3, lt=6)],
    "most": Annotated[int, Meta(le=-5)],
    "sevens": Annotated[int, Meta(multiple_of=7, ge=-20, lt=100)],
    "far": Annotated[int, Meta(gt=2**62)],
    "floats": Annotated[float, Meta(gt=0, lt=1)],
    "at_most": Annotated[float, Meta(le=-2.5)],
    "tenths": Annotated[float, Meta(multiple_of=0.1)],
    "some_tenths": Annotated[float, Meta(multiple_of=0.1, gt=0, le=1)],
    "wholes": Annotated[float, Meta(multiple_of=3)],
    "huge": Annotated[float, Meta(multiple_of=3, ge=1e300)],
    "short": Annotated[str, Meta(min_length=2, max_length=4)],
    "pattern": Annotated[str, Meta(pattern="^[a-z]+-[0-9]{2}$")],
    "short_pattern": Annotated[str, Meta(pattern="^[a-z]*$", min_length=1, max_length=5)],
    "anywhere": Annotated[str, Meta(pattern="a|b")],
    "few_bytes": Annotated[bytes, Meta(min_length=1, max_length=3)],
    "few": Annotated[list[Annotated[int, Meta(ge=0)]], Meta(min_length=1, max_length=3)],
    "few_in_set": Annotated[set[int], Meta(min_length=2, max_length=3)],
    "few_in_dict": Annotated[dict[str, int], Meta(min_length=2, max_length=3)],
    "few_in_tuple": Annotated[tuple[int, ...], Meta(min_length=2)],
    "described": Annotated[int, Meta(ge=1, description="one or more", extra={"a": 1})],
}
