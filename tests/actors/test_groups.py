"""Groups against a model: who gets what is published, and in which order."""

from itertools import permutations
from typing import Any, ClassVar

import anyio
import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from actors import (
    ActorRef,
    ActorSystem,
    Envelope,
    Message,
    Overflow,
    Request,
    Restart,
    receive,
)
from actors.groups import Groups
from tests.actors.work import Doer, hold

TOPICS = ["one", "two"]


class Said(Message):
    number: int


class Join(Request[None]):
    topic: str


class Leave(Request[None]):
    topic: str


class Publish(Request[None]):
    topic: str
    message: Any
    exclude: Any = ()


class Heard(Request[list[int]]):
    pass


class Crash(Message):
    pass


class Member(Doer):
    def __init__(self) -> None:
        self.heard: list[int] = []

    @receive
    async def said(self, said: Said) -> None:
        self.heard.append(said.number)

    @receive
    async def enter(self, request: Join) -> None:
        self.join(request.topic)

    @receive
    async def exit(self, request: Leave) -> None:
        self.leave(request.topic)

    @receive
    async def say(self, request: Publish) -> None:
        self.publish(request.topic, request.message, exclude=request.exclude)

    @receive
    async def tell_heard(self, request: Heard) -> list[int]:
        return list(self.heard)

    @receive
    async def crash(self, crash: Crash) -> None:
        raise ValueError("boom")


indexes = st.integers(0, 3)
topics = st.sampled_from(TOPICS)


class GroupsMachine(RuleBasedStateMachine):
    """The model: for each topic its members in the order they joined, and what each has heard."""

    backend: ClassVar[str]

    @initialize()
    def begin(self) -> None:
        self.portal_manager = start_blocking_portal(self.backend)
        self.portal = self.portal_manager.__enter__()
        self.running = self.portal.wrap_async_context_manager(ActorSystem())
        self.system = self.running.__enter__()
        self.refs: list[ActorRef] = []
        self.heard: dict[ActorRef, list[int]] = {}
        self.topics: dict[str, list[ActorRef]] = {topic: [] for topic in TOPICS}
        self.number = 0
        for _ in range(4):
            self.refs.append(self.spawn())

    def spawn(self) -> ActorRef:
        async def spawn() -> ActorRef:
            return await self.system.spawn(Member, restart=Restart.TRANSIENT)

        ref = self.portal.call(spawn)
        self.heard[ref] = []
        return ref

    def ask(self, ref: ActorRef, request: Request[Any]) -> Any:
        async def ask() -> Any:
            return await ref.ask(request)

        return self.portal.call(ask)

    @rule(index=indexes, topic=topics)
    def join(self, index: int, topic: str) -> None:
        ref = self.refs[index]
        self.ask(ref, Join(topic))
        if ref not in self.topics[topic]:
            self.topics[topic].append(ref)

    @rule(index=indexes, topic=topics)
    def leave(self, index: int, topic: str) -> None:
        ref = self.refs[index]
        self.ask(ref, Leave(topic))
        if ref in self.topics[topic]:
            self.topics[topic].remove(ref)

    @rule(
        index=indexes,
        topic=topics,
        excluded=st.one_of(indexes, st.sets(indexes)),
        how=st.sampled_from(["actor", "system", "thread"]),
    )
    def publish(self, index: int, topic: str, excluded: int | set[int], how: str) -> None:
        self.number += 1
        said = Said(self.number)
        exclude: Any = (
            self.refs[excluded]
            if isinstance(excluded, int)
            else [self.refs[other] for other in excluded]
        )
        if how == "actor":
            self.ask(self.refs[index], Publish(topic, said, exclude))
        elif how == "system":
            self.portal.call(lambda: self.system.publish(topic, said, exclude=exclude))
        else:
            self.system.publish(topic, said, exclude=exclude)
        out = {exclude} if isinstance(exclude, ActorRef) else set(exclude)
        for ref in self.topics[topic]:
            if ref not in out:
                self.heard[ref].append(self.number)

    @rule(index=indexes, how=st.sampled_from(["stop", "drain", "kill"]))
    def end(self, index: int, how: str) -> None:
        """It dies, and another takes its place."""
        ref = self.refs[index]
        self.check()

        async def end() -> None:
            await getattr(ref, how)()

        self.portal.call(end)
        for members in self.topics.values():
            if ref in members:
                members.remove(ref)
        self.refs[index] = self.spawn()

    @precondition(lambda self: self.number > 0)
    @rule(index=indexes)
    def restart(self, index: int) -> None:
        ref = self.refs[index]
        restarted = self.portal.call(lambda: self.system.stats().crashed)
        if restarted % 3 == 2:  # keep within the intensity
            return
        self.check()
        self.portal.call(lambda: ref.tell(Crash()) and None)
        self.heard[ref] = []

    @rule()
    def check(self) -> None:
        for ref in self.refs:
            assert self.ask(ref, Heard()) == self.heard[ref]
        for topic, members in self.topics.items():
            assert self.portal.call(self.system.members, topic) == members
        named = [topic for topic in TOPICS if self.topics[topic]]
        assert sorted(self.portal.call(self.system.topics)) == named

    def teardown(self) -> None:
        if hasattr(self, "running"):
            self.check()
            self.running.__exit__(None, None, None)
            self.portal_manager.__exit__(None, None, None)
            assert self.system.topics() == []


class AsyncioGroups(GroupsMachine):
    backend = "asyncio"


class TrioGroups(GroupsMachine):
    backend = "trio"


AsyncioGroups.TestCase.settings = TrioGroups.TestCase.settings = settings(
    max_examples=30, stateful_step_count=20, deadline=None
)
TestGroupsOnAsyncio = AsyncioGroups.TestCase
TestGroupsOnTrio = TrioGroups.TestCase


@pytest.mark.anyio
async def test_a_publish_reaches_those_who_had_joined_before_it(system: ActorSystem) -> None:
    early, late = await system.spawn(Member), await system.spawn(Member)
    await early.ask(Join("room"))
    system.publish("room", Said(1))
    await late.ask(Join("room"))
    system.publish("room", Said(2))
    assert await early.ask(Heard()) == [1, 2]
    assert await late.ask(Heard()) == [2]


@pytest.mark.anyio
async def test_joining_and_leaving_twice_are_fine(system: ActorSystem) -> None:
    ref = await system.spawn(Member)
    for request in (Join("room"), Join("room")):
        await ref.ask(request)
    system.publish("room", Said(1))
    assert await ref.ask(Heard()) == [1]
    for request in (Leave("room"), Leave("room"), Leave("never joined")):
        await ref.ask(request)
    system.publish("room", Said(2))
    assert await ref.ask(Heard()) == [1]
    assert system.topics() == []


@pytest.mark.anyio
async def test_the_excluded_need_not_be_members(system: ActorSystem) -> None:
    one, two, stranger = [await system.spawn(Member) for _ in range(3)]
    for ref in (one, two):
        await ref.ask(Join("room"))
    exclusions: list[Any] = [one, [one], [one, stranger], (one, two), stranger, []]
    for number, exclude in enumerate(exclusions):
        system.publish("room", Said(number), exclude=exclude)
    heard = [await ref.ask(Heard()) for ref in (one, two, stranger)]
    assert heard == [[4, 5], [0, 1, 2, 4, 5], []]


@pytest.mark.anyio
async def test_topics_by_prefix(system: ActorSystem) -> None:
    ref = await system.spawn(Member)
    for topic in ("room:a", "room:b", "user:a"):
        await ref.ask(Join(topic))
    assert system.topics("room:") == ["room:a", "room:b"]
    assert system.topics() == ["room:a", "room:b", "user:a"]


class Crowded(Member):
    mailbox_size: ClassVar[int] = 1


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("overflow", "kept", "reason"),
    [
        (Overflow.WAIT, [1], "full"),
        (Overflow.FAIL, [1], "full"),
        (Overflow.DROP_NEWEST, [1], "dropped"),
        (Overflow.DROP_OLDEST, [2], "dropped"),
    ],
)
async def test_a_publish_never_blocks_a_full_member_decides(
    system: ActorSystem, records: Any, overflow: Overflow, kept: list[int], reason: str
) -> None:
    class Full(Crowded):
        pass

    Full.overflow = overflow
    full, other = await system.spawn(Full), await system.spawn(Member)
    await full.ask(Join("room"))
    await other.ask(Join("room"))
    held = await hold(full)
    system.publish("room", Said(1))
    system.publish("room", Said(2))
    assert await other.ask(Heard()) == [1, 2]
    (letter,) = records.letters
    assert letter.reason == reason
    held.gate.set()
    await anyio.wait_all_tasks_blocked()
    assert await full.ask(Heard()) == kept


@pytest.mark.anyio
async def test_an_ending_member_hears_no_more(system: ActorSystem, records: Any) -> None:
    ref = await system.spawn(Crowded)
    await ref.ask(Join("room"))
    held = await hold(ref)
    ending = ref.drain()
    assert system.members("room") == []
    system.publish("room", Said(1))
    held.gate.set()
    await ending
    assert records.letters == []


def test_a_lane_gets_all_its_members_at_once_and_one_envelope() -> None:
    """What a transport builds on: encode once for a whole group."""

    class Lane:
        def __init__(self) -> None:
            self.delivered: list[tuple[Envelope, list[str]]] = []

        def prepare(self, envelope: Envelope) -> None:
            pass

        def deliver(self, envelope: Envelope, members: Any) -> None:
            self.delivered.append((envelope, list(members)))

    class FakeCell:
        mailbox = None

    groups = Groups()
    one, two = Lane(), Lane()
    cell: Any = FakeCell()
    refs = [ActorRef(cell, cell, 0) for _ in range(3)]
    for ref, lane, member in zip(refs, (one, two, one), "abc", strict=True):
        groups.join("room", ref, lane, member)
    groups.publish("room", "hello", refs[0])
    ((envelope, members),) = one.delivered
    assert members == ["c"]
    assert two.delivered == [(envelope, ["b"])]
    assert envelope.message == "hello"


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_what_one_lane_cannot_encode_reaches_nobody(order: tuple[int, ...]) -> None:
    class Lane:
        def __init__(self, *, fails: bool) -> None:
            self.fails = fails
            self.delivered: list[str] = []

        def prepare(self, envelope: Envelope) -> None:
            if self.fails and envelope.message == "bad":
                raise TypeError("cannot be encoded")

        def deliver(self, envelope: Envelope, members: Any) -> None:
            self.prepare(envelope)
            self.delivered += members

    groups = Groups()
    lanes = [Lane(fails=False), Lane(fails=True), Lane(fails=False)]
    cell: Any = type("FakeCell", (), {"mailbox": None})()
    refs = [ActorRef(cell, cell, 0) for _ in lanes]
    for index in order:
        groups.join("room", refs[index], lanes[index], str(index))
    with pytest.raises(TypeError, match="cannot be encoded"):
        groups.publish("room", "bad")
    assert [lane.delivered for lane in lanes] == [[], [], []]
    groups.publish("room", "bad", refs[1])  # its lane has nobody to encode for
    groups.publish("room", "good")
    assert [lane.delivered for lane in lanes] == [["0", "0"], ["1"], ["2", "2"]]
    groups.leave("room", refs[0])
    groups.leave("room", refs[2])
    groups.publish("room", "bad", refs[1])  # nor has it when it is the only one
    with pytest.raises(TypeError, match="cannot be encoded"):
        groups.publish("room", "bad")
    assert lanes[1].delivered == ["1"]


@pytest.mark.anyio
async def test_who_hears_of_a_dead_letter_may_change_the_group(anyio_backend: str) -> None:
    from actors import DeadLetter, Instrument

    class Leaving(Instrument):
        def dead_letter(self, letter: DeadLetter) -> None:
            for ref in system.members("room"):
                _ = ref.kill()

    class Full(Crowded):
        overflow: ClassVar[Overflow] = Overflow.FAIL

    async with ActorSystem(instruments=[Leaving()]) as system:
        refs = [await system.spawn(Full) for _ in range(3)]
        for ref in refs:
            await ref.ask(Join("room"))
        for number in (1, 2):
            system.publish("room", Said(number))
        assert system.members("room") == []
