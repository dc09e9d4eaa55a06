"""The messages of an actor, generated: each type that it handles, in the same order each time."""

from collections import Counter
from datetime import datetime
from typing import Any

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from actors import Actor, HandlerError, Message, Terminated, receive
from actors.testing import messages
from tests.testing.kinds import FINDING, PATIENT, Say, Speak, Total, Tree, survives


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


class Leaf(Message):
    tree: Tree


class Guest(Host):
    @receive
    async def trees(self, batch: list["Leaf"]) -> None: ...

    @receive
    async def at(self, message: datetime) -> None: ...


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
    # A type drawn by its size would be far off; how far these are apart depends on how busy the
    # machine is, by which Hypothesis chooses what to look at again.
    assert max(counts.values()) < 3 * min(counts.values()), counts


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
