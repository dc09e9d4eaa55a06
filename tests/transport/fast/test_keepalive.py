"""Who is taken for dead, and when: on a clock that is none."""

from collections.abc import Callable
from typing import Any

import pytest

from transport.fast.keepalive import Keepalive

PING = b"\x89\x04keep"


class Timer:
    def __init__(self, when: float, call: Callable[[], None]) -> None:
        self.when, self.call, self.cancelled = when, call, False

    def cancel(self) -> None:
        self.cancelled = True


class World:
    """A loop, a line and a peer, as the keepalive sees them."""

    def __init__(self, interval: float | None, timeout: float | None) -> None:
        self.now = 0.0
        self.timers: list[Timer] = []
        self.log: list[object] = []
        self.writing_paused = self.reading_paused = False
        self.sent = 0
        self.taken: int | None = None
        world: Any = self
        self.keepalive = Keepalive(world, world, world, interval, timeout)

    def call_later(self, delay: float, call: Callable[[], None]) -> Timer:
        timer = Timer(self.now + delay, call)
        self.timers.append(timer)
        return timer

    def write(self, data: bytes) -> None:
        assert data == PING
        self.log.append(self.now)

    def shrink(self) -> None:
        pass

    def silent(self, reason: str) -> None:
        self.log.append(reason)
        self.keepalive.stop()

    def run(
        self, until: float, *, heard: float = 1e9, talks: bool = True, sends: int = 0
    ) -> list[object]:
        """Let time pass; something comes every so many seconds, or not, and so many bytes go."""
        following = self.now + heard
        while True:
            live = [timer for timer in self.timers if not timer.cancelled]
            when = min([*(timer.when for timer in live), following, until])
            self.now = when
            if when == until:
                return self.log
            if when == following:
                following += heard
                self.keepalive.heard = talks
                self.sent += sends
                if self.taken is not None:
                    self.taken += sends
                continue
            timer = next(timer for timer in live if timer.when == when)
            self.timers.remove(timer)
            timer.call()


def test_a_ping_each_interval_and_a_silent_peer_is_dead_past_the_timeout() -> None:
    assert World(20, 15).run(100) == [20, "keepalive ping timeout"]
    assert World(2, 15).run(100) == [2, 4, 6, 8, 10, 12, 14, 16, "keepalive ping timeout"]


def test_any_sign_of_life_will_do() -> None:
    assert World(20, 20).run(101, heard=19) == [20, 40, 60, 80, 100]


def test_who_falls_silent_later_is_dead_later() -> None:
    world = World(20, 10)
    world.run(101, heard=9)
    assert world.run(200) == [20, 40, 60, 80, 100, "keepalive ping timeout"]
    assert world.now == 200


def test_who_is_not_read_is_not_dead() -> None:
    world = World(20, 10)
    world.reading_paused = True
    assert world.run(101) == [20, 40, 60, 80, 100]
    world.reading_paused = False
    assert world.run(200)[5:] == ["keepalive ping timeout"]


def test_who_talks_but_takes_nothing_is_dead() -> None:
    world = World(20, 10)
    world.writing_paused = True
    assert world.run(100, heard=1) == ["nothing was read for too long"]


def test_who_takes_a_little_is_not() -> None:
    world = World(20, 10)
    world.writing_paused = True
    assert world.run(100, heard=1, sends=1) == []


def test_nor_is_who_takes_a_little_without_a_word() -> None:
    """No ping got to it that it could answer."""
    world = World(20, 10)
    world.writing_paused = True
    assert world.run(100, heard=1, talks=False, sends=1) == []
    assert world.run(200) == ["nothing was read for too long"]


def test_nor_is_who_has_not_got_to_the_ping_yet() -> None:
    """What is under way may be megabytes, of which the server hears nothing."""
    world = World(20, 10)
    world.taken = 0
    assert world.run(101, heard=1, talks=False, sends=1) == [20, 40, 60, 80, 100]
    assert world.run(200)[5:] == ["keepalive ping timeout"]
    world = World(20, 10)
    world.taken = 0
    world.run(25, heard=1, talks=False, sends=1)
    world.taken = None  # it has taken all, and the ping
    assert world.run(200)[1:] == ["keepalive ping timeout"]


@pytest.mark.parametrize("interval", [None, 0])
def test_without_an_interval_there_are_no_pings(interval: float | None) -> None:
    assert World(interval, 10).run(100) == []


def test_without_a_timeout_there_are_only_pings() -> None:
    assert World(20, None).run(101) == [20, 40, 60, 80, 100]


def test_nothing_happens_after_a_stop() -> None:
    world = World(20, 10)
    world.run(25)
    world.keepalive.stop()
    assert world.run(100) == [20]
