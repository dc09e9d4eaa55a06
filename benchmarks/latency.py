"""How long an answer takes: percentiles, at a pace that all can keep.

So many messages a second come from 64 connections in turn, whether the answers to those before
have come or not, and each answer's wait counts from the moment its message was *due*: a server that
halts for a while then pays for all the messages it would have had, not for one ("coordinated
omission" is the name of the mistake). Compared are all contenders of `echo`.

It is fair in that all get the same bytes at the same moments; that the driver does not sleep
between two messages, so its own lateness is some microseconds; and that each connection's first
reply is parsed, and the others must come to the same number of bytes.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import ceil
from time import perf_counter

from . import cores, load
from .echo import verify
from .frames import BrokenReply
from .options import Options, parse
from .report import show
from .rounds import Contender, Figure
from .stacks import ALL, Stack, present

PER_SECOND = 1500
PERCENTILES = {
    "half of the answers within": 0.5,
    "99 of 100 answers within": 0.99,
    "999 of 1000 answers within": 0.999,
}


@dataclass(slots=True)
class Trial:
    """How many connections, messages a second, seconds; collects remarks."""

    connections: int
    per_second: int
    seconds: float
    notes: list[str] = field(default_factory=list[str])

    def run(self, stack: Stack) -> Mapping[str, float]:
        """One round of one contender."""
        with (
            stack.serving("echo") as server,
            stack.clients(server, self.connections) as connected,
        ):
            texts = [f"connection {number:02}, {'.' * 40}" for number in range(self.connections)]
            frames = [stack.talk.say(text) for text in texts]
            size = sum(
                verify(stack, client, frame, [text])
                for client, frame, text in zip(connected, frames, texts, strict=True)
            )
            open_loop(connected, frames, self.per_second, self.seconds / 5)
            before = sum(client.bytes_read for client in connected)
            waits = open_loop(connected, frames, self.per_second, self.seconds)
            read = sum(client.bytes_read for client in connected) - before
        if read * self.connections != len(waits) * size:
            raise BrokenReply(f"{stack.name}: {read} bytes of replies are not what was verified")
        waits.sort()
        if waits[len(waits) // 2] > 0.1:
            self.notes.append(f"{stack.name} did not keep the pace")
        return {name: percentile(waits, part) * 1000 for name, part in PERCENTILES.items()}


def percentile(waits: Sequence[float], part: float) -> float:
    """The wait, of sorted ones, that this part of all does not exceed."""
    return waits[max(0, ceil(part * len(waits)) - 1)]


def open_loop(
    connected: Sequence[load.Client], frames: Sequence[bytes], per_second: int, seconds: float
) -> list[float]:
    """Send to the connections in turn, at that pace; returns each answer's seconds since its
    message was due. The same number of messages for each connection."""
    total = max(1, round(per_second * seconds / len(connected))) * len(connected)
    due = {client: deque[float]() for client in connected}
    waits: list[float] = []
    sent = 0
    with load.selecting(connected) as ready:
        begun = perf_counter()
        heard = begun
        while len(waits) < total:
            now = perf_counter()
            while sent < total and begun + sent / per_second <= now:
                client = connected[sent % len(connected)]
                due[client].append(begun + sent / per_second)
                client.socket.sendall(frames[sent % len(connected)])
                sent += 1
            # A select that waits wakes up a millisecond late: this one looks, and comes back.
            for client in ready(now):
                count = client.read()
                heard = perf_counter()
                for _ in range(count):
                    if not due[client]:
                        raise BrokenReply("more replies than messages")
                    waits.append(heard - due[client].popleft())
            if now > max(heard, begun + sent / per_second) + load.PATIENCE:
                raise BrokenReply(f"no reply within {load.PATIENCE:.0f} s")
    return waits


def main(options: Options) -> None:
    """Measure and print."""
    cores.pin(cores.DRIVER)
    trial = Trial(16, 400, 0.2) if options.quick else Trial(64, PER_SECOND, 3.0)
    trial.notes.append(f"{trial.per_second} messages a second from {trial.connections} connections")
    stacks = present(ALL, options, trial.notes)
    show(
        "latency",
        options,
        [Figure(name, "ms", lower_is_better=True) for name in PERCENTILES],
        [Contender(stack.name, partial(trial.run, stack)) for stack in stacks],
        trial.notes,
    )


if __name__ == "__main__":
    main(parse("latency", __doc__, rounds=3))
