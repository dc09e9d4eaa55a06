"""From an actor class to its handlers: what fits, what does not, and when one hears of it."""

# The annotations of this module are strings; those of local classes need the names around them.
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Generic, Literal, NoReturn, Protocol, TypedDict, TypeVar

import pytest

from actors import Actor, ActorSystem, HandlerError, Message, Request, handlers_of, receive

T = TypeVar("T")


class Ping(Message):
    pass


class Pong(Message):
    pass


class Special(Ping):
    pass


class Ask(Request[int]):
    pass


class AskMany(Request[list[int]]):
    pass


class AskAny(Request[T], Generic[T]):
    pass


class AskMaybe(Request[int | None]):
    pass


class AskLiteral(Request[str]):
    pass


class AskFloat(Request[float]):
    pass


class Row(TypedDict):
    id: int


class Named(Protocol):
    name: str


class AskRow(Request[Row]):
    pass


class AskNamed(Request[Named]):
    pass


class AskNothing(Request[None]):
    pass


def names_of(cls: type[Actor]) -> dict[type, str]:
    return {kind: handler.name for kind, handler in handlers_of(cls).items()}


# What fits.


def test_one_handler_for_each_type() -> None:
    class Good(Actor):
        @receive
        async def ping(self, message: Ping) -> None: ...

        @receive
        async def number(self, request: Ask) -> int:
            return 1

        @receive(timeout=5, wire=False)
        async def text(self, message: str, /) -> None: ...

        async def no_handler(self, message: Pong) -> None: ...

    assert names_of(Good) == {Ping: "ping", Ask: "number", str: "text"}
    handler = handlers_of(Good)[str]
    assert (handler.options.timeout, handler.options.wire) == (5, False)


def test_a_union_is_each_of_its_members() -> None:
    class Both(Actor):
        @receive
        async def both(self, message: Ping | Pong) -> None: ...

    assert names_of(Both) == {Ping: "both", Pong: "both"}


def test_replies_that_fit() -> None:
    class Good(Actor):
        @receive
        async def any_number(self, request: AskAny[int]) -> int:
            return 1

        @receive
        async def many(self, request: AskMany) -> list[int]:
            return []

        @receive
        async def maybe(self, request: AskMaybe) -> None: ...

        @receive
        async def literal(self, request: AskLiteral) -> Literal["yes", "no"]:
            return "yes"

        @receive
        async def number(self, request: AskFloat) -> int:
            return 1

    assert len(handlers_of(Good)) == 5


def test_replies_of_which_there_is_doubt_fit() -> None:
    class Good(Actor):
        @receive
        async def row(self, request: AskRow) -> dict[str, Any]:
            return {}

        @receive
        async def named(self, request: AskNamed) -> Sequence[int]:
            return []

        @receive
        async def nothing(self, request: AskNothing) -> None: ...

        @receive
        async def unsaid(self, request: Ask):  # type: ignore[no-untyped-def]
            return 1

        @receive
        async def never(self, message: Ping) -> NoReturn:
            raise ValueError

    assert len(handlers_of(Good)) == 5


def test_inheritance_and_override() -> None:
    class Base(Actor):
        @receive
        async def ping(self, message: Ping) -> None: ...

        @receive
        async def pong(self, message: Pong) -> None: ...

        @receive
        async def gone(self, message: str) -> None: ...

    class Derived(Base):
        async def ping(self, message: Special) -> None:  # type: ignore[override]
            """An override is a handler without another mark, of the type that it names."""

        @receive
        async def ask(self, request: Ask) -> int:
            return 1

        gone = None  # type: ignore[assignment]

    assert names_of(Base) == {Ping: "ping", Pong: "pong", str: "gone"}
    assert names_of(Derived) == {Special: "ping", Pong: "pong", Ask: "ask"}
    assert handlers_of(Derived)[Special].function is Derived.ping


def test_a_mixin_brings_its_handlers() -> None:
    class Mixin:
        @receive
        async def ping(self, message: Ping) -> None: ...

    class Mixed(Mixin, Actor):
        pass

    assert names_of(Mixed) == {Ping: "ping"}


def test_abstract_and_generic_actors_with_local_messages() -> None:
    class Local(Message):
        pass

    class Abstract(Actor, ABC):
        @receive
        @abstractmethod
        async def local(self, message: Local) -> None: ...

    class Parametrized(Generic[T], Actor):
        @receive
        async def local(self, message: Local) -> None: ...

    class Hooked(Actor):
        def __init_subclass__(cls, **kwargs: Any) -> None:
            super().__init_subclass__(**kwargs)

    class Deep(Hooked):
        @receive
        async def local(self, message: Local) -> None: ...

    for cls in (Abstract, Parametrized, Deep):
        assert names_of(cls) == {Local: "local"}


def test_messages_within_the_actors_class() -> None:
    class Outer(Actor):
        class Inner(Message):
            pass

        @receive
        async def inner(self, message: Inner) -> None: ...

    class Derived(Outer):
        pass

    assert names_of(Outer) == names_of(Derived) == {Outer.Inner: "inner"}


def test_an_inherited_annotation_means_what_it_meant_where_it_was_written() -> None:
    def make_base() -> tuple[type[Actor], type]:
        class Word(Message):
            pass

        class Base(Actor):
            @receive
            async def word(self, message: Word) -> None: ...

        return Base, Word

    Base, BaseWord = make_base()  # noqa: N806

    class Word(Message):
        pass

    class Derived(Base):  # type: ignore[misc,valid-type]
        @receive
        async def other(self, message: Word) -> None: ...

    assert names_of(Derived) == {BaseWord: "word", Word: "other"}


def test_the_same_of_modules() -> None:
    """A name of the subclass's module must not capture that of the base's."""
    source = """
from __future__ import annotations
from actors import Actor, Message, receive
{imports}
class Word(Message):
    pass
class {name}({base}):
    @receive
    async def {method}(self, message: Word) -> None: ...
"""
    one: dict[str, Any] = {"__name__": "one"}
    exec(source.format(imports="", name="Base", base="Actor", method="first"), one)
    two: dict[str, Any] = {"__name__": "two", "Base": one["Base"]}
    exec(source.format(imports="", name="Derived", base="Base", method="second"), two)
    assert names_of(two["Derived"]) == {one["Word"]: "first", two["Word"]: "second"}


# Forward references.


@pytest.mark.anyio
async def test_a_forward_reference_is_resolved_at_the_first_spawn(
    system: ActorSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Forward(Actor):
        seen = 0

        @receive
        async def later(self, message: Later) -> None:
            Forward.seen += 1

    class Derived(Forward):
        pass

    with pytest.raises(HandlerError, match="'Later'"):
        await system.spawn(Forward)
    with pytest.raises(HandlerError, match="'Later'"):
        await system.spawn(Derived)
    assert system.stats().actors == 0

    class Later(Message):
        pass

    monkeypatch.setitem(globals(), "Later", Later)
    for cls in (Derived, Forward):
        ref = await system.spawn(cls)
        ref.tell(Later())
        await ref.drain()
    assert Forward.seen == 2


@pytest.mark.anyio
async def test_a_bad_handler_behind_a_forward_reference_is_found_at_the_first_spawn(
    system: ActorSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Forward(Actor):
        @receive
        async def later(self, message: Afterwards) -> int:
            return 1

    class Afterwards(Message):
        pass

    monkeypatch.setitem(globals(), "Afterwards", Afterwards)
    with pytest.raises(HandlerError, match="nobody asked"):
        await system.spawn(Forward)


# What does not fit: one hears of it when the class is defined.


def test_a_plain_function_is_no_handler() -> None:
    with pytest.raises(HandlerError, match=r"Bad\.ping must be an `async def`") as caught:

        class Bad(Actor):
            @receive  # type: ignore[type-var]
            def ping(self, message: Ping) -> None: ...

    assert isinstance(caught.value, TypeError)


def test_an_async_generator_is_no_handler() -> None:
    with pytest.raises(HandlerError, match="async def"):

        class Bad(Actor):
            @receive  # type: ignore[type-var]
            async def ping(self, message: Ping) -> Iterator[int]:  # type: ignore[misc]
                yield 1


def test_the_message_must_be_annotated() -> None:
    with pytest.raises(HandlerError, match="annotate 'message'"):

        class Bad(Actor):
            @receive
            async def ping(self, message) -> None: ...  # type: ignore[no-untyped-def]


def test_a_handler_takes_self_and_one_message() -> None:
    with pytest.raises(HandlerError, match="self and one message"):

        class TooFew(Actor):
            @receive
            async def ping(self) -> None: ...

    with pytest.raises(HandlerError, match="self and one message"):

        class TooMany(Actor):
            @receive
            async def ping(self, message: Ping, other: Pong) -> None: ...

    with pytest.raises(HandlerError, match="self and one message"):

        class ByKeyword(Actor):
            @receive
            async def ping(self, *, message: Ping) -> None: ...


@pytest.mark.parametrize("bad", [Any, object, T, Literal["x"], list[int] | Any])
def test_a_messages_type_must_be_a_class(bad: Any) -> None:
    with pytest.raises(HandlerError, match="must be a class"):

        class Bad(Actor):
            @receive
            async def ping(self, message: bad) -> None: ...


def test_two_handlers_for_one_type() -> None:
    with pytest.raises(HandlerError, match="one and two both handle Ping"):

        class Bad(Actor):
            @receive
            async def one(self, message: Ping) -> None: ...

            @receive
            async def two(self, message: Ping | Pong) -> None: ...


def test_two_handlers_for_one_type_by_inheritance() -> None:
    class Base(Actor):
        @receive
        async def one(self, message: Ping) -> None: ...

    with pytest.raises(HandlerError, match="both handle Ping"):

        class Bad(Base):
            @receive
            async def two(self, message: Ping) -> None: ...


@pytest.mark.parametrize(
    ("request_type", "returned"),
    [
        (Ask, str),
        (Ask, None),
        (Ask, int | str),
        (AskMany, list[str]),
        (AskMany, tuple[int]),
        (AskMaybe, str),
        (AskLiteral, Literal["yes", 1]),
        (AskFloat, str),
        (AskNothing, int),
    ],
)
def test_the_reply_must_be_what_the_request_promises(request_type: Any, returned: Any) -> None:
    with pytest.raises(HandlerError, match="promises"):

        class Bad(Actor):
            @receive
            async def ask(self, request: request_type) -> returned: ...


def test_each_member_of_a_union_is_checked() -> None:
    with pytest.raises(HandlerError, match="nobody asked: Ping"):

        class Bad(Actor):
            @receive
            async def mixed(self, message: AskMany | Ping) -> list[int]:
                return []


def test_what_is_only_told_returns_nothing() -> None:
    with pytest.raises(HandlerError, match="returns int, but nobody asked: Ping is no Request"):

        class Bad(Actor):
            @receive
            async def ping(self, message: Ping) -> int:
                return 1
