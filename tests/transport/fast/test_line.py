"""How long a peer has at the end: on a clock that is none."""

from collections.abc import Callable
from typing import Any

import pytest

from transport.fast.line import PATIENCE, Line


class World:
    """A loop and a transport. The peer takes `pace` bytes a second of what is `unsent`."""

    def __init__(self, unsent: int, pace: int, *, tls: bool = False) -> None:
        self.now = 0.0
        self.tls = tls
        self.unsent, self.pace = unsent, pace
        self.aborted: float | None = None
        self.closed: float | None = None
        self.timers: list[Any] = []
        world: Any = self
        self.line = Line(world, world)
        self.line.write(bytes(unsent))

    # As a loop.

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, call: Callable[..., None], *arguments: Any) -> Any:
        timer = Timer(when, lambda: call(*arguments))
        self.timers.append(timer)
        return timer

    def call_later(self, delay: float, call: Callable[..., None]) -> Any:
        return self.call_at(self.now + delay, call)

    # As a transport.

    def get_extra_info(self, name: str) -> None:
        return None

    def get_write_buffer_size(self) -> int:
        return max(0, self.unsent - int(self.pace * self.now))

    def is_closing(self) -> bool:
        return False

    def can_write_eof(self) -> bool:
        return not self.tls

    def write_eof(self) -> None: ...

    def write(self, data: bytes) -> None: ...

    def close(self) -> None:
        self.closed = self.now

    def abort(self) -> None:
        self.aborted = self.now

    def end(self) -> float | None:
        """When it is aborted."""
        while live := [timer for timer in self.timers if not timer.cancelled]:
            timer = min(live, key=Timer.when)
            self.timers.remove(timer)
            self.now = timer.when()
            timer.call()
        return self.aborted


class Timer:
    def __init__(self, when: float, call: Callable[[], None]) -> None:
        self._when, self.call, self.cancelled = when, call, False

    def when(self) -> float:
        return self._when

    def cancel(self) -> None:
        self.cancelled = True


@pytest.mark.parametrize(
    ("unsent", "pace", "end"),
    [(0, 0, PATIENCE), (1000, 0, PATIENCE), (1000, 100, 10.0), (1000, 30, 40.0), (1000, 1, 1000.0)],
    ids=["it does not answer", "it does not read", "it has read all", "slowly", "very slowly"],
)
def test_a_peer_has_so_long_from_when_it_stops_reading(unsent: int, pace: int, end: float) -> None:
    world = World(unsent, pace)
    world.line.finish()
    assert world.end() == end


def test_at_the_servers_end_it_has_so_long_and_no_more() -> None:
    world = World(1000, 1)
    world.line.finish(0.5, strictly=True)
    assert world.end() == 0.5
    world = World(1000, 1)
    world.line.finish()
    world.line.close()  # for which it is not asked twice
    assert world.end() == PATIENCE


def test_the_nearest_moment_counts() -> None:
    world = World(1000, 0)
    world.line.expect(5)
    world.line.expect(2)
    world.line.expect(7)
    assert world.end() == 2


def test_a_connection_that_is_lost_is_not_aborted() -> None:
    world = World(1000, 1)
    world.line.finish()
    world.line.lost()
    assert world.end() is None


@pytest.mark.parametrize("unsent", [0, 1])
def test_who_is_done_is_waited_for_only_if_it_has_something_to_take(unsent: int) -> None:
    world = World(unsent, 0)
    world.line.finish(done=True)
    assert world.closed == (None if unsent else 0.0)
    assert world.end() == (PATIENCE if unsent else None)


def test_over_tls_who_may_be_sending_has_a_moment_to_read_why() -> None:
    """There is no half-close: what it sends behind ours would reset the connection."""
    world = World(0, 0, tls=True)
    world.line.finish(midway=True)
    assert world.closed is None
    assert world.end() == PATIENCE
    assert world.closed == 1.0


@pytest.mark.parametrize("done", [False, True])
def test_over_tls_nobody_is_waited_for_longer_than_elsewhere(done: bool) -> None:
    """Who says no goodbye of TLS keeps its connection: asyncio waits for that three times as
    long."""
    world = World(0, 0, tls=True)
    world.line.finish(done=done)
    assert world.closed == 0.0
    assert world.end() == PATIENCE
