"""Dead letters: the group that gets each, and that none of them makes another without end."""

from typing import Any, ClassVar

import anyio
import pytest

from actors import (
    DEAD_LETTERS,
    Actor,
    ActorSystem,
    DeadLetter,
    Envelope,
    Instrument,
    Overflow,
    Reason,
    receive,
)
from tests.actors.watcher import Note, Seen, Watcher, does
from tests.actors.work import Do, Doer, hold

pytestmark = pytest.mark.anyio


class Morgue(Watcher):
    async def on_start(self) -> None:
        self.join(DEAD_LETTERS)

    @receive
    async def letter(self, letter: DeadLetter) -> None:
        self.book.append((letter.message, letter.target, letter.reason))


async def test_the_group_of_dead_letters_gets_each_until_it_is_left(system: ActorSystem) -> None:
    book: list[Any] = []
    morgue = await system.spawn(lambda: Morgue(book))
    ref = await system.spawn(Doer)
    ref.tell(Note(1))
    held = await hold(ref)
    ref.tell(Note(2))
    ref.stop()
    ref.tell(Note(3))
    held.gate.set()
    await ref.wait()
    ref.tell(Note(4))
    other = await system.spawn(Doer)
    held = await hold(other)
    other.tell(Note(5))
    await other.kill()
    assert await morgue.ask(Seen()) == [
        (Note(1), ref, Reason.UNHANDLED),
        (Note(2), ref, Reason.STOPPED),
        (Note(3), ref, Reason.STOPPED),
        (Note(4), ref, Reason.STOPPED),
        (Note(5), other, Reason.KILLED),
        (Do(held), other, Reason.KILLED),
    ]
    await does(morgue, lambda actor: actor.leave(DEAD_LETTERS))
    ref.tell(Note(6))
    assert len(await morgue.ask(Seen())) == 6


@pytest.mark.parametrize("policy", list(Overflow))
async def test_a_dead_letter_about_a_dead_letter_is_only_counted(
    system: ActorSystem, unaccounted: Any, policy: Overflow
) -> None:
    class Full(Morgue):
        mailbox_size: ClassVar[int] = 1
        overflow: ClassVar[Overflow] = policy

    left: list[Any] = []
    full, morgue = await system.spawn(lambda: Full(left)), await system.spawn(lambda: Morgue([]))
    ref = await system.spawn(Doer)
    await ref.stop()
    held = await hold(full)
    for number in range(3):
        ref.tell(Note(number))
    assert await morgue.ask(Seen()) == [(Note(each), ref, Reason.STOPPED) for each in range(3)]
    reason = Reason.FULL if policy in (Overflow.WAIT, Overflow.FAIL) else Reason.DROPPED
    assert system.stats().dead_letters == {Reason.STOPPED: 3, reason: 2}
    held.gate.set()
    await full.drain()
    kept = 2 if policy is Overflow.DROP_OLDEST else 0
    assert left == [(Note(kept), ref, Reason.STOPPED)]
    assert unaccounted(system.stats()) == 0


async def test_a_member_without_a_handler_or_one_that_ends_makes_no_loop(
    system: ActorSystem, unaccounted: Any
) -> None:
    deaf, morgue = await system.spawn(Doer), await system.spawn(lambda: Morgue([]))
    await does(deaf, lambda actor: actor.join(DEAD_LETTERS))
    await does(morgue, lambda actor: None)
    deaf.tell(Note(1))
    await does(deaf, lambda actor: None)
    await does(deaf, lambda actor: None)
    assert await morgue.ask(Seen()) == [(Note(1), deaf, Reason.UNHANDLED)]
    assert system.stats().dead_letters == {Reason.UNHANDLED: 2}
    held = await hold(morgue)
    deaf.tell(Note(2))
    await does(deaf, lambda actor: None)
    morgue.stop()
    held.gate.set()
    await morgue.wait()
    assert unaccounted(system.stats()) == 0


# Members and instruments that make trouble.


class Quiet(Actor):
    mailbox_size = 2
    overflow = Overflow.DROP_OLDEST

    async def on_start(self) -> None:
        self.join("ops")

    @receive
    async def note(self, message: Note) -> None:
        await anyio.sleep_forever()

    @receive
    async def letter(self, message: DeadLetter) -> None:
        pass


async def test_an_instrument_may_publish_a_dead_letter() -> None:
    """Dead letters that come of a report are counted and not reported: else it never ends."""

    class Publisher(Instrument):
        system: ActorSystem | None = None
        reported = 0

        def dead_letter(self, letter: DeadLetter) -> None:
            self.reported += 1
            assert self.system is not None
            self.system.publish("ops", letter)

    publisher = Publisher()
    with anyio.fail_after(10):
        async with ActorSystem(instruments=[publisher]) as system:
            publisher.system = system
            refs = [await system.spawn(Quiet) for _ in range(3)]
            for ref in refs:
                for number in range(20):
                    ref.tell(Note(number))
                core: Any = ref
                assert len(core._mailbox.queue) <= Quiet.mailbox_size
            stats = system.stats()
            dead = sum(stats.dead_letters.values())
            assert stats.told == stats.handled + stats.queued + stats.in_hand + dead
            assert 0 < publisher.reported < dead
            publisher.system = None
            for ref in refs:
                ref.kill()
            publisher.system = system


class Breaks:
    """A lane that delivers nothing."""

    def deliver(self, envelope: Envelope, members: Any, exclude: Any) -> None:
        raise RuntimeError("not for clients")


class Client(Actor):
    def __membership__(self) -> Any:
        return Breaks(), self

    async def on_start(self) -> None:
        self.join(DEAD_LETTERS)

    @receive
    async def note(self, message: Note) -> None:
        await anyio.sleep_forever()


@pytest.mark.usefixtures("log")
async def test_who_cannot_take_a_dead_letter_ends_like_any_other(system: ActorSystem) -> None:
    stays = await system.spawn(Client)
    for name in ("client", "client"):
        client = await system.spawn(Client, name=name)
        for _ in range(3):
            client.tell(Note(0))
        await client.kill()
        assert system.find(name) is None
        client.tell(Note(0))
    assert system.members(DEAD_LETTERS) == [stays]


async def test_no_text_is_the_topic_of_dead_letters(system: ActorSystem) -> None:
    class Guest(Actor):
        async def on_start(self) -> None:
            self.join(str(DEAD_LETTERS.encode(), "utf-8"))

    guest = await system.spawn(Guest)
    assert system.members(DEAD_LETTERS) == []
    assert system.members("greenroom.dead_letters") == [guest]
