"""Crashes: contained, logged once, and followed by an end or by a restart."""

import asyncio
from typing import Any, ClassVar

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import (
    Actor,
    ActorCrashed,
    ActorRef,
    ActorSystem,
    End,
    Intensity,
    Request,
    Restart,
    receive,
)
from actors.supervision import Action, Directive, Supervisor
from tests.actors.stateful import Crash, Note, Seen, Stateful
from tests.actors.work import Do

pytestmark = pytest.mark.anyio


class Keeper(Stateful):
    def __init__(self, book: list[Any]) -> None:
        super().__init__()
        self.book = book

    async def on_start(self) -> None:
        self.book.append("start")

    async def on_restart(self, error: Exception) -> None:
        self.book.append(f"restart after {error}")

    async def on_stop(self, end: End) -> None:
        self.book.append(end.how)


async def spawn(system: ActorSystem, book: list[Any], **options: Any) -> ActorRef:
    return await system.spawn(lambda: Keeper(book), **options)


async def test_a_crash_ends_that_actor_alone_and_is_logged_once(
    system: ActorSystem, records: Any, log: Any
) -> None:
    book: list[Any] = []
    other = await spawn(system, [])
    ref = await spawn(system, book, name="it")
    ref.tell(Crash())
    ref.tell(Note(1))
    await ref.wait()
    assert book == ["start", "crash"]
    assert await other.ask(Seen()) == []
    (entry,) = log
    assert (entry["event"], entry["actor"], entry["message"]) == ("actor crashed", "it", "Crash")
    assert (entry["log_level"], entry["restarts"], str(entry["exc_info"])) == (
        "error",
        False,
        "boom",
    )
    assert len(entry["error_id"]) == 12
    assert records.dead() == [(Note(1), "stopped")]
    assert system.stats().crashed == 1


async def test_an_error_that_cannot_be_told_is_a_crash_like_any_other(
    system: ActorSystem, log: Any
) -> None:
    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise LookupError("no words")

    class Ask(Request[int]):
        pass

    class Asked(Stateful):
        @receive
        async def fail(self, request: Ask) -> int:
            raise Unspeakable

    other = await spawn(system, [])
    ref = await system.spawn(Asked, name="it", restart=Restart.TRANSIENT)
    with pytest.raises(ActorCrashed, match=r"^it crashed: Unspeakable$"):
        await ref.ask(Ask())
    assert await ref.ask(Seen()) == await other.ask(Seen()) == []
    assert [entry["event"] for entry in log] == ["actor crashed"]


async def test_a_hook_that_raises_ends_that_actor_and_its_children_alone(
    system: ActorSystem, records: Any, log: Any
) -> None:
    class Broken(Keeper):
        async def on_start(self) -> None:
            await self.spawn(lambda: Keeper([]), name="child")

        def __crashed__(self, error: Exception, error_id: str, *, restarts: bool) -> None:
            raise LookupError("which it must not")

    other = await spawn(system, [], name="other")
    ref = await system.spawn(lambda: Broken([]), name="it", restart=Restart.TRANSIENT)
    ref.tell(Crash())
    ref.tell(Note(1))
    await ref.wait()
    assert records.moments[-2:] == [("stopped", "child"), ("stopped", "it")]
    assert records.dead() == [(Note(1), "killed")]
    assert [(entry["event"], entry["actor"]) for entry in log] == [
        ("actor crashed", "it"),
        ("an actor's own machinery failed", "it"),
    ]
    assert await other.ask(Seen()) == []


async def test_a_last_hook_that_raises_keeps_nobody_waiting(system: ActorSystem, log: Any) -> None:
    class Broken(Keeper):
        def __ended__(self, end: End | None) -> None:
            raise LookupError("which it must not")

    other = await spawn(system, [])
    ref = await system.spawn(lambda: Broken([]), name="it")
    await ref.stop()
    assert system.find("it") is None
    assert [entry["event"] for entry in log] == ["an actor's own machinery failed"]
    assert await other.ask(Seen()) == []


ENOUGH = 3000
"""Lives in a row, after which a test gives up."""


@pytest.mark.parametrize("way", ["resume", "restart", "on_start", "own stop"])
async def test_lives_that_end_in_a_circle_starve_nobody(
    system: ActorSystem, log: Any, way: str
) -> None:
    ends = 0

    def end(actor: Actor) -> None:
        nonlocal ends
        ends += 1
        if ends >= ENOUGH:
            return
        if way == "own stop":
            actor.stop()
        else:
            raise ValueError("awaits nothing")

    class Circling(Keeper):
        directives: ClassVar = {ValueError: Directive.RESUME} if way == "resume" else {}

        async def on_start(self) -> None:
            if way == "on_start" and ends:
                end(self)

        @receive
        async def crash(self, message: Crash) -> None:
            self.ref.tell(message)
            end(self)

    other = await spawn(system, [])
    often = Intensity(10 * ENOUGH, 1000.0)
    ref = await system.spawn(lambda: Circling([]), restart=Restart.PERMANENT, intensity=often)
    ref.tell(Crash())
    await other.ask(Seen())
    assert 0 < ends < 100
    await ref.kill()


async def test_a_restart_keeps_queue_ref_name_and_groups_but_no_state(
    system: ActorSystem, records: Any, log: Any
) -> None:
    book: list[Any] = []
    ref = await spawn(system, book, name="it", restart=Restart.TRANSIENT)

    async def join(actor: Actor) -> None:
        actor.join("room")

    ref.tell(Do(join))
    ref.tell(Note(1))
    ref.tell(Crash())
    ref.tell(Note(2))
    assert await ref.ask(Seen()) == [2]  # fresh, and the crashed message is not delivered again
    assert system.find("it") is ref
    assert system.members("room") == [ref]
    system.publish("room", Note(3))
    assert await ref.ask(Seen()) == [2, 3]
    assert book == ["start", "start", "restart after boom"]
    assert records.letters == []
    assert [entry["restarts"] for entry in log] == [True]


async def test_a_restart_drops_the_children(system: ActorSystem, log: Any) -> None:
    book: list[Any] = []
    ref = await spawn(system, [], restart=Restart.TRANSIENT)

    async def spawn_child(actor: Actor) -> None:
        await actor.spawn(lambda: Keeper(book))

    ref.tell(Do(spawn_child))
    ref.tell(Crash())
    assert await ref.ask(Seen()) == []
    assert book == ["start", "stop"]
    assert system.stats().actors == 1


async def test_a_temporary_actor_is_not_restarted_by_default(system: ActorSystem, log: Any) -> None:
    ref = await spawn(system, [])
    ref.tell(Crash())
    await ref.wait()
    assert not ref.alive


async def test_too_many_restarts_end_it(system: ActorSystem, log: Any) -> None:
    book: list[Any] = []
    intensity = Intensity(restarts=2, seconds=1000)
    ref = await spawn(system, book, restart=Restart.TRANSIENT, intensity=intensity)
    for _ in range(4):
        ref.tell(Crash())
    await ref.wait()
    again = ["start", "restart after boom"]
    assert book == ["start", *again, *again, "crash"]
    assert system.stats().crashed == 3


async def test_a_failed_restart_counts_as_a_crash(system: ActorSystem, log: Any) -> None:
    class Fragile(Keeper):
        async def on_start(self) -> None:
            await super().on_start()
            if 1 < self.book.count("start") < 4:
                raise LookupError("not yet")

    book: list[Any] = []
    ref = await system.spawn(lambda: Fragile(book), restart=Restart.TRANSIENT)
    ref.tell(Crash())
    assert await ref.ask(Seen()) == []
    assert book == ["start"] * 4 + ["restart after not yet"]
    assert [str(entry["exc_info"]) for entry in log] == ["boom", "not yet", "not yet"]
    assert system.stats().crashed == 1  # messages, that is


@pytest.mark.parametrize("raises", [False, True])
async def test_a_factory_that_fails_at_a_restart_is_a_crash(
    system: ActorSystem, log: Any, raises: bool
) -> None:
    book: list[Any] = []
    made = 0

    def make() -> Any:
        nonlocal made
        made += 1
        if made == 1:
            return Keeper(book)
        if raises:
            raise LookupError("no more")
        return None

    other = await spawn(system, [])
    ref = await system.spawn(make, restart=Restart.TRANSIENT)
    ref.tell(Crash())
    await ref.wait()
    assert book == ["start", "crash"]
    assert made == 4  # once, and three restarts, which is the default intensity
    assert await other.ask(Seen()) == []


async def test_a_crash_while_stopping_is_no_reason_to_restart(
    system: ActorSystem, log: Any
) -> None:
    book: list[Any] = []
    entered, gate = anyio.Event(), anyio.Event()

    async def hold(actor: Actor) -> None:
        entered.set()
        await gate.wait()
        raise ValueError("late")

    ref = await spawn(system, book, restart=Restart.TRANSIENT)
    ref.tell(Do(hold))
    await entered.wait()
    ending = ref.stop()
    gate.set()
    await ending
    assert book == ["start", "crash"]


async def test_a_crash_while_draining_restarts_and_the_drain_goes_on(
    system: ActorSystem, records: Any, log: Any
) -> None:
    class Joining(Keeper):
        async def on_start(self) -> None:
            await super().on_start()
            self.join("room")

    book: list[Any] = []
    ref = await system.spawn(lambda: Joining(book), restart=Restart.TRANSIENT)
    ref.tell(Crash())
    ref.tell(Note(1))
    asked = ref.ask(Seen())
    await ref.drain()
    assert await asked == [1]
    assert book == ["start", "start", "restart after boom", "drain"]
    assert records.letters == []
    assert system.members("room") == []


async def test_a_kill_while_a_restart_waits_for_the_children(system: ActorSystem, log: Any) -> None:
    book: list[Any] = []
    entered = anyio.Event()

    class Child(Actor):
        @receive
        async def note(self, note: Note) -> None:
            entered.set()
            await anyio.sleep_forever()

    async def act(actor: Actor) -> None:
        child = await actor.spawn(Child)
        child.tell(Note(1))
        await entered.wait()
        raise ValueError("boom")

    ref = await spawn(system, book, restart=Restart.TRANSIENT)
    ref.tell(Do(act))
    await entered.wait()
    await anyio.wait_all_tasks_blocked()
    with anyio.fail_after(3):  # and not the five seconds of the child
        await ref.kill()
    assert book == ["start"]  # no second start


async def test_a_stray_cancellation_is_a_crash_of_that_actor_alone(
    system: ActorSystem, log: Any, anyio_backend: str
) -> None:
    async def await_something_cancelled(actor: Actor) -> None:
        if anyio_backend == "asyncio":
            future = asyncio.get_running_loop().create_future()
            future.cancel()
            await future
        else:  # on Trio it only comes out of a scope, as an error of the user's own
            with anyio.fail_after(0):
                await anyio.sleep_forever()

    book: list[Any] = []
    ref = await spawn(system, book, restart=Restart.TRANSIENT)
    ref.tell(Do(await_something_cancelled))
    assert await ref.ask(Seen()) == []
    assert len(log) == 1
    assert system.stats().crashed == 1


async def test_scopes_and_groups_of_the_user_work_in_handlers(
    system: ActorSystem, log: Any
) -> None:
    done: list[str] = []

    async def act(actor: Actor) -> None:
        with anyio.move_on_after(0.01):
            await anyio.sleep_forever()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep_forever)
            await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
        done.append("here")

    async def fail(actor: Actor) -> None:
        async def boom() -> None:
            raise ValueError("in a group")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(boom)
            await anyio.sleep_forever()

    ref = await spawn(system, [], restart=Restart.TRANSIENT)
    ref.tell(Do(act))
    ref.tell(Do(fail))
    assert await ref.ask(Seen()) == []
    assert done == ["here"]
    (entry,) = log
    assert isinstance(entry["exc_info"], ExceptionGroup)


async def test_a_crash_in_the_handler_of_an_ask_and_of_a_tell_restart_alike(
    system: ActorSystem, log: Any
) -> None:
    class Bad(Request[int]):
        pass

    class Asked(Keeper):
        @receive
        async def bad(self, request: Bad) -> int:
            raise ValueError("asked")

    ref = await system.spawn(lambda: Asked([]), restart=Restart.TRANSIENT)
    with pytest.raises(ActorCrashed):
        await ref.ask(Bad())
    ref.tell(Bad())
    assert await ref.ask(Seen()) == []
    assert system.stats().crashed == 2


def action_after_crash(supervisor: Supervisor[None], restart: Restart, now: float) -> Action:
    """What follows the crash of an only child."""
    return supervisor.decide(None, {None: restart}, now, Directive.RESTART).action


@given(
    restarts=st.integers(0, 5),
    seconds=st.floats(0.1, 10),
    gaps=st.lists(st.floats(0, 5), max_size=30),
)
def test_the_intensity_is_a_sliding_window(
    restarts: int, seconds: float, gaps: list[float]
) -> None:
    supervisor = Supervisor[None](intensity=Intensity(restarts, seconds))
    granted: list[float] = []
    now = 0.0
    for gap in gaps:
        now += gap
        recent = [time for time in granted if time > now - seconds]
        if action_after_crash(supervisor, Restart.TRANSIENT, now) is Action.RESTART:
            assert len(recent) < restarts
            granted.append(now)
        else:
            assert len(recent) >= restarts


def test_a_temporary_actor_is_never_restarted() -> None:
    supervisor = Supervisor[None](intensity=Intensity(5, 5))
    assert action_after_crash(supervisor, Restart.TEMPORARY, 0.0) is Action.END


@pytest.mark.parametrize(("restarts", "seconds"), [(-1, 5.0), (1, 0.0), (1, float("nan"))])
def test_an_intensity_must_make_sense(restarts: int, seconds: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        Intensity(restarts, seconds)
