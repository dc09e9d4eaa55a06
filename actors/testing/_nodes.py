"""What `msgspec.inspect` knows of a type, a tree of nodes, and what our strategies ask of it."""

import math
import operator
import re
import sys
from collections.abc import Callable, Container, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from types import NoneType
from typing import Any, Final, Literal, TypeAlias, get_origin, get_type_hints
from uuid import UUID

import msgspec
from msgspec import inspect as mi

Object: TypeAlias = mi.StructType | mi.DataclassType | mi.NamedTupleType | mi.TypedDictType

_TYPES: Final[dict[type[mi.Type], Any]] = {
    mi.AnyType: object,
    mi.NoneType: NoneType,
    mi.BoolType: bool,
    mi.IntType: int,
    mi.FloatType: float,
    mi.StrType: str,
    mi.BytesType: bytes,
    mi.ByteArrayType: bytearray,
    mi.MemoryViewType: memoryview,
    mi.DateTimeType: datetime,
    mi.TimeType: time,
    mi.DateType: date,
    mi.TimeDeltaType: timedelta,
    mi.UUIDType: UUID,
    mi.DecimalType: Decimal,
    mi.LiteralType: Literal,
    mi.ListType: list,
    mi.SetType: set,
    mi.FrozenSetType: frozenset,
    mi.VarTupleType: tuple,
    mi.TupleType: tuple,
    mi.DictType: dict,
    mi.RawType: msgspec.Raw,
    mi.ExtType: msgspec.msgpack.Ext,
}


def python_type(node: mi.Type) -> Any:
    """The Python type of a node; a generic one without its arguments; `None` for a union."""
    cls = getattr(node, "cls", None) or _TYPES.get(type(node))
    return get_origin(cls) or cls


def shown_type(node: mi.Type) -> str:
    """What it is called in an error."""
    return getattr(python_type(node), "__qualname__", type(node).__name__.removesuffix("Type"))


def _parts(node: mi.Type) -> Iterator[mi.Type]:
    """The nodes right below. Nodes are Structs that hold them alone, in tuples or in fields."""
    waiting: list[Any] = list(msgspec.structs.astuple(node))
    for each in waiting:
        if isinstance(each, mi.Type | mi.Field):
            yield each.type if isinstance(each, mi.Field) else each
        elif each.__class__ is tuple:
            waiting.extend(each)


def below(node: mi.Type, border: Container[type]) -> list[mi.Type]:
    """The nodes within a node, as far as the types of the border; itself only if it recurs."""
    # By identity: msgspec has one node for each class, and to compare two might never end.
    found: dict[int, mi.Type] = {}
    waiting = list(_parts(node))
    while waiting:
        each = waiting.pop()
        if id(each) not in found and python_type(each) not in border:
            found[id(each)] = each
            waiting.extend(_parts(each))
    return list(found.values())


def recursive(node: mi.Type, border: Container[type]) -> dict[int, mi.Type]:
    """The nodes that occur within themselves, by identity."""
    return {
        id(each): each
        for each in [node, *below(node, border)]
        if isinstance(each, Object) and any(inner is each for inner in below(each, border))
    }


def given_fields(node: Object) -> list[mi.Field]:
    """Its fields, without those that a dataclass sets itself."""
    known = getattr(python_type(node), "__dataclass_fields__", {})
    return [field for field in node.fields if field.name not in known or known[field.name].init]


def defaults(node: Object) -> dict[str, Any]:
    """The defaults that are what their fields take: msgspec does not check that. No factories'."""
    hints = get_type_hints(python_type(node), include_extras=True)
    found: dict[str, Any] = {}
    for field in given_fields(node):
        if field.required or field.default_factory is not msgspec.NODEFAULT:
            continue
        if field.default is msgspec.NODEFAULT:
            found[field.name] = msgspec.UNSET  # which `inspect` does not show
        elif _is_valid(field.default, hints.get(field.name, Any)):
            found[field.name] = field.default
    return found


def _is_valid(value: object, hint: Any) -> bool:
    try:
        msgspec.convert(msgspec.to_builtins(value), hint)
    except (TypeError, ValueError, NotImplementedError):
        return False
    return True


def sizes(node: Any) -> dict[str, Any]:
    """How long it may be, as arguments of a strategy."""
    return {"min_size": node.min_length or 0, "max_size": node.max_length}


_CHECKS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "ge": operator.ge,
    "gt": operator.gt,
    "le": operator.le,
    "lt": operator.lt,
    "multiple_of": lambda value, step: value % step == 0,
    "min_length": lambda value, length: len(value) >= length,
    "max_length": lambda value, length: len(value) <= length,
    "pattern": lambda value, pattern: re.search(pattern, value) is not None,
    "tz": lambda value, aware: (value.tzinfo is not None) == aware,
}


def has_constraints(node: mi.Type) -> bool:
    return any(getattr(node, name, None) is not None for name in _CHECKS)


def meets(node: mi.Type, value: object) -> bool:
    """Whether a value of the node's type meets its constraints."""
    limits = ((check, getattr(node, name, None)) for name, check in _CHECKS.items())
    return all(limit is None or check(value, limit) for check, limit in limits)


def integers(node: mi.IntType) -> tuple[int, int, int]:
    """A unit, and how many of it, least and most, make the integers of 64 bits that it takes."""
    low = -(2**63) if node.ge is None else node.ge
    low = low if node.gt is None else node.gt + 1
    high = 2**63 - 1 if node.le is None else node.le
    high = high if node.lt is None else node.lt - 1
    step = node.multiple_of or 1
    return step, -(-low // step), high // step


def float_range(node: mi.FloatType) -> tuple[float, float]:
    """The least and the greatest finite number that it takes."""
    low = -sys.float_info.max if node.ge is None else float(node.ge)
    high = sys.float_info.max if node.le is None else float(node.le)
    return (
        low if node.gt is None else math.nextafter(node.gt, math.inf),
        high if node.lt is None else math.nextafter(node.lt, -math.inf),
    )


def multiples(node: mi.FloatType) -> list[tuple[Fraction, int, int]]:
    """The same for floats, by several units. Raises `ValueError` if it takes none.

    To msgspec 0.2 is a multiple of 0.1, but 0.3 is not: what counts is the float, which for 0.1 is
    a bit more than that. A product is exact as long as it has no more than 53 bits, not counting
    the zeros at its end. So the units are the step, twice the step and so on.
    """
    low, high = (Fraction(bound) for bound in float_range(node))
    step = Fraction(node.multiple_of or 1)
    most = 2**53 // (step.numerator // (step.numerator & -step.numerator))
    units = (step * 2**shift for shift in range(sys.float_info.max_exp - sys.float_info.min_exp))
    ranges = (
        (unit, max(math.ceil(low / unit), -most), min(math.floor(high / unit), most))
        for unit in units
    )
    # Zero is a multiple of every unit: once is enough.
    fitting = (each for each in ranges if each[1] <= each[2] and (each[0] == step or any(each[1:])))
    found = list(islice(fitting, 16))
    if not found:
        raise ValueError(f"no multiple of {node.multiple_of} lies there")
    return found
