"""What an actor may be told, as Hypothesis strategies derived from its handlers' types.

Every instance is valid by its type and its `msgspec.Meta`, and comes back equal from JSON as far as
that can carry it. Hence floats are finite (NaN equals nothing, JSON has no infinity), integers have
64 bits, and offsets from UTC are whole minutes. Recursive types nest a few levels deep. (To derive
generators from types is QuickCheck's idea; Hypothesis's `from_type` knows no msgspec constraints.)
"""

import enum
from collections.abc import Callable, Mapping
from datetime import UTC, timedelta, timezone
from functools import partial
from types import MappingProxyType
from typing import Any, Final, TypeAlias, TypeVar

from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument
from hypothesis.strategies import SearchStrategy
from msgspec import inspect as mi

from actors import Actor, handlers_of

from . import _nodes as nodes

T = TypeVar("T")
Strategy: TypeAlias = SearchStrategy[Any]
Overrides: TypeAlias = Mapping[type, Strategy]

_NONE: Final[Overrides] = MappingProxyType({})
_WIDER: Final = 3  # items of a collection beyond its least, where these recur: trees grow fast


def messages(cls: type[Actor], *, overrides: Overrides = _NONE) -> SearchStrategy[object]:
    """Messages and requests that an actor class handles, each handled type equally likely.

    A handler of batches of `M` counts as one of `M`. Failures shrink towards the type handled
    first. `overrides` are those of `message`; one that is `st.nothing()` leaves its type out, say
    `Terminated`. Raises `TypeError` like `message`, or if nothing is handled, and `HandlerError`.
    """
    derived: list[tuple[type, Strategy]] = [
        (kind, message(kind, overrides=overrides)) for kind in handlers_of(cls)
    ]
    made = {kind: strategy for kind, strategy in derived if not strategy.is_empty}
    if not made:
        raise TypeError(f"{cls.__qualname__} handles no message")
    # `one_of` would flatten the alternatives within a type, and so prefer types that have some.
    return st.sampled_from(list(made)).flatmap(made.__getitem__)


def message(kind: type[T], *, overrides: Overrides = _NONE) -> SearchStrategy[T]:
    """Instances of a message type, or of any other that msgspec knows.

    `overrides` maps a type to the strategy for it, wherever it occurs: exactly that type, not its
    subclasses; `object` stands for `Any` too. Constraints hold all the same. A field may be its
    default, if that is valid, but a `default_factory` is not called: it may read a clock. What
    `__post_init__` refuses is not generated. For NaN and infinities, override `float`.

    Raises `TypeError` for a type within that has no strategy, such as `ActorRef` or a class of
    one's own, or that no value can meet.
    """
    if kind in overrides:
        return overrides[kind]
    name = getattr(kind, "__qualname__", str(kind))
    try:
        info = mi.type_info(kind)
    except (TypeError, NameError, RecursionError) as error:
        raise TypeError(f"{name}: {error}; give an override for {name}") from error
    return _Derivation(info, name, overrides).strategy


class _Derivation:
    """From what msgspec knows of a type to its strategy."""

    def __init__(self, info: mi.Type, name: str, overrides: Overrides) -> None:
        self._overrides = overrides
        self._recursive = nodes.recursive(info, overrides)
        self._made: dict[tuple[int, int, bool], Strategy] = {}
        depth = 1
        self._build(info, name, depth)  # the first to tell, with the right path, what is amiss
        # The least depth at which each recursive type has a value. It is at most their number:
        # the shallowest value of a type never holds another one of it.
        for node in self._recursive.values():
            while self._build(node, name, depth).is_empty:
                depth += 1
                if depth > len(self._recursive):
                    shown = nodes.shown_type(node)
                    raise TypeError(f"{name}: {shown} never ends: each holds another")
        self.strategy = self._build(info, name, 2 * depth + 1)  # one more turn, at least
        if self.strategy.is_empty:
            raise TypeError(f"{name}: the overrides leave no value")

    def _build(self, node: mi.Type, where: str, depth: int, hashed: bool = False) -> Strategy:
        """A node's strategy; an empty one if `depth` does not do for a recursive type.

        `where`: the message and its field. `hashed`: for an item of a set, or a key.
        """
        while isinstance(node, mi.Metadata):
            node = node.type
        try:
            if nodes.python_type(node) in self._overrides:
                made = _meeting(node, self._overrides[nodes.python_type(node)])
            elif isinstance(node, nodes.Object):
                made = self._object(node, where, depth, hashed)
            elif isinstance(node, mi.CollectionType | mi.DictType):
                made = self._collection(node, where, depth, hashed)
            elif isinstance(node, mi.TupleType):
                made = st.tuples(*[self._build(t, where, depth, hashed) for t in node.item_types])
            elif isinstance(node, mi.UnionType):
                made = st.one_of([self._build(t, where, depth, hashed) for t in node.types])
            else:
                made = _plain(node, where, hashed)
            made.validate()
        except (InvalidArgument, ValueError) as error:
            raise TypeError(f"{where}: no value can meet its type: {error}") from error
        return made

    def _object(self, node: nodes.Object, where: str, depth: int, hashed: bool) -> Strategy:
        if id(node) in self._recursive:
            if depth == 0:
                return st.nothing()
            depth -= 1
        key = id(node), depth, hashed
        if key not in self._made:
            self._made[key] = self._fields(node, where, depth, hashed)
        return self._made[key]

    def _fields(self, node: nodes.Object, where: str, depth: int, hashed: bool) -> Strategy:
        made = {
            field.name: self._build(field.type, f"{where}.{field.name}", depth, hashed)
            for field in nodes.given_fields(node)
        }
        if isinstance(node, mi.TypedDictType):
            optional = {each.name: made.pop(each.name) for each in node.fields if not each.required}
            return st.fixed_dictionaries(made, optional=optional)
        for name, default in nodes.defaults(node).items():
            made[name] = st.just(default) | made[name]
        if any(each.is_empty for each in made.values()):
            return st.nothing()
        return st.builds(_maker(nodes.python_type(node)), **made)

    def _collection(
        self, node: mi.CollectionType | mi.DictType, where: str, depth: int, hashed: bool
    ) -> Strategy:
        sizes = nodes.sizes(node)
        least, most = sizes["min_size"], sizes["max_size"]
        if any(id(each) in self._recursive for each in nodes.below(node, self._overrides)):
            sizes["max_size"] = min(least + _WIDER, least + _WIDER if most is None else most)
        if isinstance(node, mi.DictType):
            # JSON's keys are strings: where any would do, others would not come back.
            any_key = isinstance(node.key_type, mi.AnyType)
            keys = st.text() if any_key else self._build(node.key_type, where, depth, True)
            parts = [keys, self._build(node.value_type, where, depth)]
        else:
            hashed = hashed or isinstance(node, mi.SetType | mi.FrozenSetType)
            parts = [self._build(node.item_type, where, depth, hashed)]
        if any(part.is_empty for part in parts):  # too deep for an item, but it may need none
            return st.nothing() if least else st.builds(nodes.python_type(node))
        return _GROUPS[type(node)](*parts, **sizes)


def _plain(node: mi.Type, where: str, hashed: bool) -> Strategy:
    kind = nodes.python_type(node)
    if kind is object:
        return _SCALARS if hashed else _ANYTHING
    # An enum with a metaclass of its own is decoded like others, but `inspect` does not know it.
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return st.sampled_from(list(kind))
    if type(node) in _LEAVES:
        return _LEAVES[type(node)](node)
    shown = nodes.shown_type(node)
    raise TypeError(f"{where}: no strategy for {shown}: give one by overrides={{{shown}: ...}}")


def _maker(cls: Any) -> Callable[..., Any]:
    def make(**values: Any) -> Any:
        try:
            return cls(**values)
        except (TypeError, ValueError):  # by which msgspec knows, too, that it is not valid
            if not hasattr(cls, "__post_init__"):
                raise
            reject()

    make.__name__ = make.__qualname__ = cls.__name__  # which Hypothesis reports
    return make


def _meeting(node: mi.Type, strategy: Strategy) -> Strategy:
    return strategy.filter(partial(nodes.meets, node)) if nodes.has_constraints(node) else strategy


def _counted(unit: Any, first: int, last: int, kind: type = int) -> Strategy:
    return st.integers(first, last).map(lambda count: kind(count * unit))


def _integers(node: mi.IntType) -> Strategy:
    return _counted(*nodes.integers(node))


def _floats(node: mi.FloatType) -> Strategy:
    if node.multiple_of is None:
        return st.floats(*nodes.float_range(node), allow_nan=False, allow_infinity=False)
    return st.one_of([_counted(*each, kind=float) for each in nodes.multiples(node)])


def _strings(node: mi.StrType) -> Strategy:
    if node.pattern is None:
        return st.text(**nodes.sizes(node))
    return _meeting(node, st.from_regex(node.pattern, alphabet=st.characters(codec="utf-8")))


def _bytes(node: mi.BytesType | mi.ByteArrayType | mi.MemoryViewType) -> Strategy:
    return st.binary(**nodes.sizes(node)).map(nodes.python_type(node))


_AWARE: Final = st.just(UTC) | st.integers(-1439, 1439).map(
    lambda minutes: timezone(timedelta(minutes=minutes))
)
_ZONES: Final[dict[Any, Any]] = {True: _AWARE, False: st.none(), None: st.none() | _AWARE}
_SCALARS: Final[Strategy] = st.one_of(
    st.none(), st.booleans(), _integers(mi.IntType()), _floats(mi.FloatType()), st.text()
)
_ANYTHING: Final[Strategy] = st.recursive(
    _SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5
)
_LEAVES: Final[dict[type[mi.Type], Callable[[Any], Strategy]]] = {
    mi.NoneType: lambda _: st.none(),
    mi.BoolType: lambda _: st.booleans(),
    mi.IntType: _integers,
    mi.FloatType: _floats,
    mi.StrType: _strings,
    mi.BytesType: _bytes,
    mi.ByteArrayType: _bytes,
    mi.MemoryViewType: _bytes,
    mi.DateTimeType: lambda node: st.datetimes(timezones=_ZONES[node.tz]),
    mi.TimeType: lambda node: st.times(timezones=_ZONES[node.tz]),
    mi.DateType: lambda _: st.dates(),
    mi.TimeDeltaType: lambda _: st.timedeltas(),
    mi.UUIDType: lambda _: st.uuids(),
    mi.DecimalType: lambda _: st.decimals(allow_nan=False, allow_infinity=False),
    mi.LiteralType: lambda node: st.sampled_from(node.values),
}
_GROUPS: Final[dict[type[mi.Type], Callable[..., Strategy]]] = {
    mi.ListType: st.lists,
    mi.VarTupleType: lambda *parts, **sizes: st.lists(*parts, **sizes).map(tuple),
    mi.SetType: st.sets,
    mi.FrozenSetType: st.frozensets,
    mi.DictType: st.dictionaries,
}
