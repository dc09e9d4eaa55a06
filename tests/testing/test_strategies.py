"""What the strategies generate is valid, survives JSON, and comes in the same order each time."""

import enum
import math
import re
from collections import Counter, namedtuple
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
import pytest
from hypothesis import HealthCheck, Phase, assume, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from msgspec import UNSET, Meta, Struct, UnsetType

from actors import Actor, ActorRef, HandlerError, Message, Request, Terminated, receive
from actors.testing import message, messages

# The machine may be busy; what is slow is not what is tested here.
FINDING = settings(deadline=None, max_examples=1000, phases=[Phase.generate], database=None)
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

T = TypeVar("T")


def survives(value: Any, kind: Any) -> None:
    """It is valid, and comes back from JSON as it was, types and all."""
    back = msgspec.json.decode(msgspec.json.encode(value), type=kind)
    assert back == value
    assert type(back) is type(value)
    assert msgspec.convert(msgspec.to_builtins(value), kind) == value


# Types of all kinds.


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


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@settings(PATIENT, max_examples=25)
@given(data=st.data())
def test_each_kind_is_valid_and_survives_json(kind: Any, data: st.DataObject) -> None:
    survives(data.draw(message(kind)), kind)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@settings(PATIENT, max_examples=5)
@given(data=st.data())
def test_each_kind_as_a_field(kind: Any, data: st.DataObject) -> None:
    holder: Any = msgspec.defstruct("Holder", [("it", kind), ("maybe", kind, None)])
    survives(data.draw(message(holder)), holder)


# Types made of types, as Hypothesis puts them together.


def constrained() -> st.SearchStrategy[Any]:
    small = st.integers(-50, 50)
    numbers = st.builds(
        lambda kind, low, width, step: Annotated[
            kind, Meta(ge=low, le=low + width + step, multiple_of=step)
        ],
        st.sampled_from([int, float]),
        small,
        st.integers(0, 100),
        st.integers(1, 20),
    )
    lengths = st.tuples(st.integers(0, 3), st.integers(0, 5)).map(
        lambda pair: Meta(min_length=pair[0], max_length=pair[0] + pair[1])
    )
    sized = st.builds(
        lambda kind, meta: Annotated[kind, meta],
        st.sampled_from([str, bytes, list[int], dict[str, int], set[int], tuple[int, ...]]),
        lengths,
    )
    return numbers | sized


LEAVES = [bool, int, float, str, bytes, datetime, date, time, timedelta, UUID, Decimal]
LEAVES += [Any, Color, Level, Inner, Point, Pair, Options, Tree, Box[str], Array, Total]
KEYS = [str, int, float, date, UUID, Color, Level, Inner]


def extended(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        inner.map(lambda kind: list[kind]),
        inner.map(lambda kind: dict[str, kind]),
        inner.map(lambda kind: kind | None),
        inner.map(lambda kind: Box[kind]),
        inner.map(lambda kind: Annotated[list[kind], Meta(max_length=2)]),
        st.lists(inner, max_size=3).map(lambda kinds: tuple[tuple(kinds)]),
        st.tuples(inner, inner).filter(plain).map(lambda pair: pair[0] | pair[1]),
        st.lists(inner, min_size=1, max_size=3).map(struct_of),
    )


def plain(pair: tuple[Any, Any]) -> bool:
    """Without what blurs a union: to msgspec a constraint on one `int` holds for all of them, and
    JSON does not tell a Struct from a dict where it reads `Any`."""
    return not re.search("Annotated|Any", repr(pair))


MADE: list[Any] = []
"""Kept alive: no user's types come and go, and msgspec crashed once on such."""


def struct_of(kinds: list[Any]) -> Any:
    fields = [(f"f{number}", kind) for number, kind in enumerate(kinds)]
    MADE.append(msgspec.defstruct("Made", fields, frozen=True))
    return MADE[-1]


TYPES = st.recursive(
    st.sampled_from(LEAVES)
    | constrained()
    | st.sampled_from(KEYS).map(lambda kind: set[kind])
    | st.sampled_from(KEYS[:-1]).map(lambda kind: dict[kind, int]),
    extended,
    max_leaves=6,
)


@settings(PATIENT, max_examples=100)
@given(kinds=st.lists(TYPES, min_size=1, max_size=3), data=st.data())
def test_types_made_of_types(kinds: list[Any], data: st.DataObject) -> None:
    kind = struct_of(kinds)
    try:
        msgspec.json.Decoder(kind)
    except TypeError:
        assume(False)  # a union that msgspec cannot tell apart
    survives(data.draw(message(kind)), kind)


# What is in reach.


@pytest.mark.parametrize(
    ("kind", "condition"),
    [
        (Tree, lambda tree: tree.children and tree.children[0].children),
        (Chain, lambda chain: chain.b.c.d[0].a is not None),
        (Expression, lambda it: isinstance(it.node, Call) and it.node.arguments),
        (Grown, lambda grown: grown.some and grown.by_name),
        (Options, lambda options: "age" in options),
        (Options, lambda options: "age" not in options),
        (Defaults, lambda it: it.unset is UNSET and it.plain == 12 and it.inner is not Inner(1)),
        (Defaults, lambda it: it.unset is not UNSET and it.plain != 12),
        (datetime, lambda it: it.tzinfo is None),
        (datetime, lambda it: it.tzinfo is not None and it.utcoffset()),
        (Cat | Dog, lambda it: isinstance(it, Dog)),
        (Annotated[float, Meta(multiple_of=0.1)], lambda it: it in (0.2, 0.4)),
        (Any, lambda it: isinstance(it, dict) and it),
    ],
)
def test_all_that_matters_is_found(kind: Any, condition: Any) -> None:
    found = find(message(kind), lambda it: bool(condition(it)), settings=FINDING)
    assert condition(found)


def depth(tree: Tree) -> int:
    return 1 + max(map(depth, tree.children), default=0)


@settings(PATIENT)
@given(message(Tree))
def test_recursion_is_bounded(tree: Tree) -> None:
    assert depth(tree) <= 3


def test_invalid_defaults_and_factories_are_left_alone() -> None:
    def called() -> int:
        raise AssertionError("a factory may read a clock")

    kind = msgspec.defstruct("Made", [("at", int, msgspec.field(default_factory=called))])
    find(message(kind), lambda _: True, settings=FINDING)
    with pytest.raises(NoSuchExample):
        find(message(Defaults), lambda it: not it.wrong or not it.made, settings=FINDING)


@pytest.mark.parametrize("kind", [float, Any, list[float], Annotated[float, Meta(gt=0)]])
@settings(PATIENT)
@given(data=st.data())
def test_floats_equal_themselves(kind: Any, data: st.DataObject) -> None:
    value = data.draw(message(kind))
    assert value == value
    assert not isinstance(value, float) or math.isfinite(value)


# Overrides, and what needs one.


class Clock:
    pass


class Task(Message):
    owner: ActorRef
    count: Annotated[int, Meta(ge=0)]
    notes: dict[str, list[Name]]
    box: Box[int]
    extra: Any = None


class Held(Message):
    task: Task
    clock: Clock | None = None


class Nobody(ActorRef):
    def __init__(self) -> None:
        pass

    def __repr__(self) -> str:
        return "Nobody()"


NOBODY = Nobody()


@settings(PATIENT)
@given(
    message(
        Held,
        overrides={
            ActorRef: st.just(NOBODY),
            Clock: st.builds(Clock),
            int: st.integers(-3, 3),
            str: st.just("note"),
            object: st.just("anything"),
        },
    )
)
def test_overrides_hold_everywhere_and_constraints_still_do(held: Held) -> None:
    assert held.task.owner is NOBODY
    assert held.clock is None or type(held.clock) is Clock
    assert 0 <= held.task.count <= 3
    assert -3 <= held.task.box.item <= 3
    assert {note for notes in held.task.notes.values() for note in notes} <= {"note"}
    assert held.task.extra in (None, "anything")


def test_a_whole_type_is_overridden_and_not_looked_into() -> None:
    task = Task(NOBODY, 1, {}, Box(1))
    strategy = message(Held, overrides={Task: st.just(task), Clock: st.nothing()})
    assert find(strategy, lambda _: True, settings=FINDING) == Held(task, None)
    assert find(message(Clock, overrides={Clock: st.builds(Clock)}), lambda _: True)


def test_an_override_of_a_generic_type_takes_all_its_forms() -> None:
    kind = msgspec.defstruct("Made", [("a", Box[int]), ("b", Box)])
    strategy = message(kind, overrides={Box: st.just(Box(7))})
    assert find(strategy, lambda _: True, settings=FINDING) == kind(Box(7), Box(7))


class Endless(Struct):
    other: "EndlessToo"


class EndlessToo(Struct):
    other: tuple[Endless]


class Nowhere(Message):
    it: "Missing"  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (Held, "Held.task.owner: no strategy for ActorRef: give one by overrides={ActorRef: ...}"),
        (Clock, "Clock: no strategy for Clock: give one by overrides={Clock: ...}"),
        (Terminated, "Terminated.ref: no strategy for ActorRef"),
        (msgspec.Raw, "Raw: no strategy for Raw"),
        (Endless, "Endless: Endless never ends"),
        (Nowhere, "Nowhere: name 'Missing' is not defined; give an override for Nowhere"),
        (
            msgspec.defstruct("Vague", [("it", str | date)]),
            "Vague: Type unions may not contain more than one str-like type",
        ),
        (
            msgspec.defstruct("Empty", [("it", Annotated[int, Meta(ge=5, le=3)])]),
            "Empty.it: no value can meet its type",
        ),
        (
            msgspec.defstruct(
                "Few", [("it", Annotated[list[int], Meta(min_length=5, max_length=3)])]
            ),
            "Few.it: no value can meet its type",
        ),
        (
            msgspec.defstruct("Far", [("it", Annotated[float, Meta(gt=1, lt=2, multiple_of=5)])]),
            "Far.it: no value can meet its type: no multiple of 5",
        ),
    ],
)
def test_what_has_no_strategy_says_what_to_do(kind: Any, says: str) -> None:
    with pytest.raises(TypeError, match=re.escape(says)):
        message(kind)


# Actors.


class Host(Actor):
    @receive
    async def total(self, message: Total) -> int:
        return sum(message.of)

    @receive
    async def say(self, message: Say | Speak) -> None: ...

    @receive
    async def text(self, message: str) -> None: ...

    @receive
    async def data(self, message: bytes | dict[str, Any]) -> None: ...


class Guest(Host):
    @receive
    async def trees(self, batch: list["Leaf"]) -> None: ...

    @receive
    async def at(self, message: datetime) -> None: ...


class Leaf(Message):
    tree: Tree


@settings(PATIENT)
@given(messages(Guest))
def test_an_actors_messages(told: object) -> None:
    assert type(told) in {Total, Say, Speak, str, bytes, dict, Leaf, datetime}
    survives(told, type(told))


def test_each_handled_type_is_equally_likely() -> None:
    counts: Counter[type] = Counter()

    # Many in each example, as Hypothesis goes back to examples that it finds worth another look.
    @settings(PATIENT, max_examples=60, derandomize=True, database=None)
    @given(st.lists(messages(Guest), min_size=30, max_size=30))
    def count(told: list[object]) -> None:
        counts.update(map(type, told))

    count()
    assert len(counts) == 8
    del counts[Total]  # the simplest: Hypothesis tries that more often, on purpose
    assert max(counts.values()) < 2 * min(counts.values()), counts


def test_failures_shrink_to_the_type_handled_first() -> None:
    assert find(messages(Guest), lambda _: True) == Total([])


def test_the_order_is_the_same_each_time() -> None:
    def drawn() -> list[object]:
        found: list[object] = []

        @settings(max_examples=50, deadline=None, derandomize=True, database=None)
        @given(messages(Guest))
        def draw(told: object) -> None:
            found.append(told)

        draw()
        return found

    assert drawn() == drawn()


class Watcher(Actor):
    @receive
    async def gone(self, message: Terminated) -> None: ...

    @receive
    async def say(self, message: Say) -> None: ...


class Silent(Actor):
    pass


def test_an_override_may_leave_a_type_out() -> None:
    with pytest.raises(TypeError, match=r"Terminated\.ref"):
        messages(Watcher)
    strategy = messages(Watcher, overrides={Terminated: st.nothing()})
    with pytest.raises(NoSuchExample):
        find(strategy, lambda told: not isinstance(told, Say), settings=FINDING)


def test_an_actor_must_handle_something() -> None:
    with pytest.raises(TypeError, match="Silent handles no message"):
        messages(Silent)


def test_handlers_must_resolve() -> None:
    class Lost(Actor):
        @receive
        async def nowhere(self, message: "Missing") -> None: ...  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(HandlerError):
        messages(Lost)
