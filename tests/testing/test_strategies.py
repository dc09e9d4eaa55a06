"""What the strategies generate is valid and survives JSON, whatever its type; and overrides."""

import math
import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import assume, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from msgspec import UNSET, Meta, Struct

from actors import ActorRef, Message, Terminated
from actors.testing import message
from tests.testing.kinds import (
    FINDING,
    KINDS,
    PATIENT,
    Array,
    Box,
    Call,
    Cat,
    Chain,
    Color,
    Defaults,
    Dog,
    Expression,
    Grown,
    Inner,
    Level,
    Name,
    Options,
    Pair,
    Point,
    Total,
    Tree,
    survives,
)


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
