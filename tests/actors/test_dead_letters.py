"""Dead letters: the group that gets each, and that none of them makes another without end."""

from typing import Any, ClassVar

import pytest

from actors import DEAD_LETTERS, ActorSystem, DeadLetter, Overflow, Reason, receive
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
