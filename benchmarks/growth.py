"""What a message and a connection cost as there are more of them, or larger ones.

Three curves. A room of 10 to 5,000: the server's time for a delivery with eight publishes in
flight, and the time until the last member has a lone message. 100 to 10,000 connections: the memory
of an idle one, and the time for a message echoed with one in flight on each. Texts of 16 B to
64 KiB, echoed on 64 connections. Compared are the tutorial's JSON (the 1.0), plain ASGI, and
Greenroom on plain uvicorn and on its own protocol.

It is fair in that each curve of each contender is on one fresh server, from small to large; that at
each point the first messages are parsed, and the timed ones counted and weighed as in `echo` and
`fanout`. A point that the limits of this machine forbid is left out with a note: each connection is
an open file here and one in the server, and a port besides.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import median

from . import cores, load
from .echo import timed
from .fanout import DEPTH, verify
from .options import Options, parse
from .report import show
from .rounds import Contender, Figure
from .servers import Server
from .stacks import BARE, OURS, PLAIN, TUTORIAL, Stack, present

STACKS = (TUTORIAL, BARE, PLAIN, OURS)
MEMBERS = (10, 100, 500, 1000, 5000)
CONNECTIONS = (100, 1000, 10_000)
SIZES = (16, 256, 4096, 65_536)
DELIVERY = "a delivery, by members of the room"
LAST = "a lone message to the last, by members of the room"
IDLE = "an idle connection, by connections"
ECHOED = "a message echoed, by connections"
SIZED = "a text echoed, by its bytes"
SENDERS = 64
"""Connections that send texts of each size."""
EARLY = 500
"""Connections before the first whose memory counts: they fill the holes of the heap."""
_MOST = 10_000  # Greenroom's default for a server
_SPARE = 128  # open files of other kinds


@dataclass(slots=True)
class Trial:
    """The points of each curve, seconds and lone messages for each; collects remarks."""

    members: Sequence[int]
    connections: Sequence[int]
    sizes: Sequence[int]
    seconds: float
    lone: int
    settle: float
    early: int = EARLY
    notes: list[str] = field(default_factory=list[str])

    def figures(self) -> list[Figure]:
        """All that is measured, in order."""
        return [
            *(_figure(DELIVERY, _delivery, "µs", count) for count in self.members),
            *(_figure(LAST, _last, "ms", count) for count in self.members),
            *(_figure(IDLE, _idle, "KiB", count) for count in self.connections),
            *(_figure(ECHOED, _echoed, "µs", count) for count in self.connections),
            *(_figure(SIZED, _sized, "µs", size) for size in self.sizes),
        ]

    def run(self, stack: Stack) -> Mapping[str, float]:
        """One round of one contender."""
        return {**self._rooms(stack), **self._crowds(stack), **self._texts(stack)}

    def _rooms(self, stack: Stack) -> Mapping[str, float]:
        figures: dict[str, float] = {}
        with stack.serving("room") as server, stack.clients(server, 0) as members:
            for count in self.members:
                if not self._room(stack, server, members, count):
                    break
                frame = verify(stack, members)
                load.fan_out(members[0], members, frame, DEPTH, self.seconds / 5)
                waits = [load.lone(members[0], members, frame) for _ in range(self.lone)]
                pace = load.fan_out(members[0], members, frame, DEPTH, self.seconds)
                self._remark(stack, _delivery(count), pace)
                figures[_delivery(count)] = 1e6 / pace.rate
                figures[_last(count)] = median(waits) * 1000
        return figures

    def _crowds(self, stack: Stack) -> Mapping[str, float]:
        figures: dict[str, float] = {}
        with (
            stack.serving("echo", collects=True) as server,
            stack.clients(server, 0) as connected,
        ):
            # The reading comes before the echo: what an idle connection keeps of earlier messages
            # is not what it costs.
            self._connect(stack, server, connected, self.early)
            before = self._reading(server)
            for count in self.connections:
                total = min(self.early + count, _MOST)
                if not self._room(stack, server, connected, total):
                    break
                grown = self._reading(server) - before
                figures[_idle(count)] = grown / (total - self.early) / 1024
            for count in self.connections:
                if _idle(count) in figures:
                    load.keep(connected)
                    pace = self._echo(stack, connected[:count], 40)
                    self._remark(stack, _echoed(count), pace)
                    figures[_echoed(count)] = 1e6 / pace.rate
        return figures

    def _room(self, stack: Stack, server: Server, connected: list[load.Client], count: int) -> bool:
        """Connect up to `count` where the limits permit."""
        if load.allow_files(count + _SPARE) < count + _SPARE:
            self.notes.append(f"left out: {count} connections are more than the open files allowed")
            return False
        self._connect(stack, server, connected, count)
        return True

    def _connect(
        self, stack: Stack, server: Server, connected: list[load.Client], count: int
    ) -> None:
        load.connect(connected, server.port, count, stack.talk.path, stack.talk.greet)
        load.keep(connected)
        time.sleep(self.settle)  # a client hears "accepted" before the application goes on

    def _texts(self, stack: Stack) -> Mapping[str, float]:
        endpoint = "large" if stack.apps == PLAIN.apps else "echo"
        figures: dict[str, float] = {}
        with stack.serving(endpoint) as server, stack.clients(server, SENDERS) as connected:
            for size in self.sizes:
                pace = self._echo(stack, connected, size)
                self._remark(stack, _sized(size), pace)
                figures[_sized(size)] = 1e6 / pace.rate
        return figures

    def _echo(self, stack: Stack, connected: list[load.Client], size: int) -> load.Pace:
        texts = [[f"{number:05}".ljust(size, ".")] for number in range(len(connected))]
        return timed(stack, connected, texts, self.seconds / 5, self.seconds)

    def _reading(self, server: Server) -> int:
        time.sleep(self.settle)
        server.collect()
        return server.resident()

    def _remark(self, stack: Stack, name: str, pace: load.Pace) -> None:
        if pace.busy > 0.95:
            self.notes.append(f"{stack.name}, {name}: the load was busy all the time: a bound")


def _figure(curve: str, name: Callable[[int], str], unit: str, at: int) -> Figure:
    return Figure(name(at), unit, lower_is_better=True, curve=curve, at=at)


def _delivery(count: int) -> str:
    return f"a delivery in a room of {count:,}"


def _last(count: int) -> str:
    return f"until the last of {count:,} has a lone message"


def _idle(count: int) -> str:
    return f"an idle one of {count:,} connections"


def _echoed(count: int) -> str:
    return f"a message echoed, {count:,} connections"


def _sized(size: int) -> str:
    return f"a text of {f'{size // 1024} KiB' if size >= 1024 else f'{size} B'} echoed"


def main(options: Options) -> None:
    """Measure and print."""
    if sys.platform != "linux":
        sys.exit("benchmarks.growth reads /proc: it needs Linux")
    cores.pin(cores.DRIVER)
    trial = (
        Trial(MEMBERS[:2], (100, 200), SIZES, 0.05, 2, 0.05, early=20)
        if options.quick
        else Trial(MEMBERS, CONNECTIONS, SIZES, 0.6, 5, 0.3)
    )
    stacks = present(STACKS, options, trial.notes)
    show(
        "growth",
        options,
        trial.figures(),
        [Contender(stack.name, partial(trial.run, stack)) for stack in stacks],
        trial.notes,
    )


if __name__ == "__main__":
    main(parse("growth", __doc__, rounds=3))
