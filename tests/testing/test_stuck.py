"""A test that cannot end is `Stuck`, soon enough, and told who waits where."""

import math
import time
import traceback
from collections.abc import Awaitable, Callable

import anyio
import pytest
from anyio import to_thread

from actors import Actor, ActorRef, AskTimeout, Message, Request, receive
from actors.testing import Schedule, Stuck, TestKit, explore, play

BOTH = pytest.mark.parametrize("backend", ["asyncio", "trio"])
HOUR = 3600.0
SOON = 1.0
"""Of patience: a twentieth of it is enough for what comes from outside in these tests."""


class Tick(Message):
    pass


class Take(Request[int]):
    pass


class Wait(Message):
    of: ActorRef


class Metronome(Actor):
    async def on_start(self) -> None:
        self.start_timer(Tick(), 1.0, every=1.0)

    @receive
    async def tick(self, message: Tick) -> None:
        pass


class Whirl(Actor):
    async def on_start(self) -> None:
        self.ref.tell(Tick())

    @receive
    async def tick(self, message: Tick) -> None:
        self.ref.tell(message)


class Vault(Actor):
    @receive(priority=1)  # which makes its mailbox one of lanes
    async def take(self, request: Take) -> int:
        await anyio.Event().wait()
        return 0


class Heir(Actor):
    @receive
    async def wait_for(self, order: Wait) -> None:
        await order.of.wait()


async def wait_for_a_metronome(kit: TestKit) -> None:
    metronome = await kit.spawn(Metronome, name="metronome")
    await metronome.wait()


async def wait_for_a_whirl(kit: TestKit) -> None:
    whirl = await kit.spawn(Whirl, name="whirl")
    await whirl.wait()


async def poll_time(kit: TestKit) -> None:
    while not kit.crashes:
        await kit.advance(1.0)


async def poll_the_loop(kit: TestKit) -> None:
    while not kit.crashes:
        await anyio.lowlevel.checkpoint()


@BOTH
@pytest.mark.parametrize(
    ("body", "names"),
    [
        (wait_for_a_metronome, "metronome has a timer for Tick"),
        (wait_for_a_whirl, "whirl has 1 in its mailbox, a Tick first|whirl handles Tick"),
        (poll_time, r"waits at test_stuck.py:\d+: `await kit.advance\(1.0\)`"),
        (poll_the_loop, r"waits at test_stuck.py:\d+: `await anyio.lowlevel"),
    ],
)
def test_what_goes_on_and_on_is_stuck(
    body: Callable[[TestKit], Awaitable[None]], names: str, backend: str
) -> None:
    begun = time.monotonic()
    with pytest.raises(Stuck, match=f"(?s)goes on and on: for 0.3 s.*({names})"):
        play(body, Schedule(), backend=backend, patience=0.3)
    assert time.monotonic() - begun < 20


@BOTH
def test_who_waits_where_is_told(backend: str) -> None:
    async def body(kit: TestKit) -> None:
        vault = await kit.spawn(Vault, name="vault")
        heir = await kit.spawn(Heir, name="heir")
        await kit.advance(5.0)
        taking = vault.ask(Take(), timeout=HOUR)
        heir.tell(Wait(vault))
        heir.tell(Tick())
        vault.tell(Tick())
        with pytest.raises(AskTimeout):
            await taking
        await heir.wait()

    with pytest.raises(Stuck) as raised:
        play(body, Schedule(), backend=backend, patience=SOON)
    assert raised.value.__cause__ is not None
    lines = traceback.extract_tb(raised.value.__cause__.__traceback__)
    assert any(line.line == "await heir.wait()" for line in lines), "the test's own is shown"
    told = str(raised.value)
    assert told.startswith("no actor can go on, no timer is left, and nothing has come from")
    assert "`await heir.wait()`" in told
    assert "vault handles Take, for 3600" in told
    assert "`await anyio.Event().wait()`" in told
    assert "heir handles Wait, for 3600" in told
    assert "heir has 1 in its mailbox, a Tick first" in told
    assert "vault has 1 in its mailbox, a Tick first" in told


@BOTH
def test_a_callback_that_waits_is_told(backend: str) -> None:
    class Slow(Actor):
        async def on_start(self) -> None:
            await anyio.Event().wait()

    async def body(kit: TestKit) -> None:
        await kit.spawn(Slow, name="slow")

    with pytest.raises(Stuck, match=r"slow is in .*Slow\.on_start, for 0 s .* at test_stuck"):
        play(body, Schedule(), backend=backend, patience=SOON)


@BOTH
def test_a_long_list_is_cut(backend: str) -> None:
    async def body(kit: TestKit) -> None:
        for _ in range(30):
            await kit.spawn(Metronome)
        await anyio.Event().wait()

    with pytest.raises(Stuck, match=r"and \d+ more$") as raised:
        play(body, Schedule(), backend=backend, patience=SOON)
    assert len(str(raised.value).splitlines()) == 1 + 20 + 1


@BOTH
def test_what_comes_from_outside_is_waited_for(backend: str) -> None:
    async def body(kit: TestKit) -> None:
        probe = await kit.probe()
        for _ in range(6):
            await to_thread.run_sync(time.sleep, 0.2)  # each of them a rest for the kit
            probe.ref.tell(Tick())
            await probe.expect(Tick)

    play(body, Schedule(), backend=backend, patience=20.0)
    with pytest.raises(Stuck):
        play(body, Schedule(), backend=backend, patience=SOON)


@BOTH
def test_patience_begins_anew_with_each_rest(backend: str) -> None:
    async def body(kit: TestKit) -> None:
        kit._loop._busy = 19  # seconds, of 20
        await anyio.sleep(0.1)
        await kit.settle()
        assert kit._loop._busy <= 1

    play(body, Schedule(), backend=backend)


@pytest.mark.parametrize("patience", [0.0, -1.0, math.nan])
def test_patience_is_above_zero(patience: float) -> None:
    for enter in (
        lambda: TestKit(patience=patience),
        lambda: play(poll_time, Schedule(), patience=patience),
        lambda: explore(poll_time, patience=patience),
    ):
        with pytest.raises(ValueError, match="patience must be above 0 seconds, not"):
            enter()


@BOTH
def test_patience_may_be_endless(backend: str) -> None:
    async def body(kit: TestKit) -> None:
        await kit.spawn(Metronome)
        await kit.advance(10.0)

    play(body, Schedule(), backend=backend, patience=math.inf)
