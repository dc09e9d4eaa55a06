"""WebSocket echo: 64 connections, one and 32 messages in flight on each.

A client sends `{"type": "say", "text": ...}` and gets the text back. Compared are, each on a fresh
server: the tutorial's JSON echo (the 1.0), the tutorial's dual queues, an echo on plain ASGI that
does not even look into the text (the ceiling on that server), picows by itself, which does not
either, the peers one might take instead, and Greenroom's typed JSON with all its defaults.

It is fair in that all read the same bytes from the same load, and each reply is verified: the
replies of a first window are parsed, and must be the connection's own texts in order; the timed
ones are counted and must come to the same number of bytes. The replies differ by a few bytes, as
each contender wraps the text in its own words. Both patterns run one after the other on the same
server and connections, after an untimed stretch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from . import cores, load
from .frames import BrokenReply, header
from .options import Options, parse
from .report import show
from .rounds import Contender, Figure
from .stacks import ALL, DUALS, Stack, present

DEPTHS = {"one in flight on each connection": 1, "32 in flight on each connection": 32}


@dataclass(slots=True)
class Trial:
    """How many connections, for how many seconds; collects remarks on what came out."""

    connections: int
    seconds: float
    warm_up: float
    notes: list[str] = field(default_factory=list[str])

    def run(self, stack: Stack) -> Mapping[str, float]:
        """One round of one stack: messages a second for each pattern."""
        with (
            stack.serving("dual" if stack is DUALS else "echo") as server,
            stack.clients(server, self.connections) as connected,
        ):
            return {
                name: self._pattern(stack, connected, name, depth) for name, depth in DEPTHS.items()
            }

    def _pattern(self, stack: Stack, connected: list[load.Client], name: str, depth: int) -> float:
        texts = [
            [f"connection {number:02}, message {index:02}, {'.' * 40}" for index in range(depth)]
            for number in range(len(connected))
        ]
        pace = timed(stack, connected, texts, self.warm_up, self.seconds)
        if pace.busy > 0.95:
            self.notes.append(
                f"{stack.name}, {name}: the load was busy all the time: a lower bound"
            )
        return pace.rate


def timed(
    stack: Stack,
    connected: Sequence[load.Client],
    texts: Sequence[Sequence[str]],
    warm_up: float,
    seconds: float,
) -> load.Pace:
    """Keep the texts of each connection in flight for so many seconds, verified before, warmed up,
    and weighed: BrokenReply where the replies have not the bytes they should."""
    windows = [b"".join(map(stack.talk.say, own)) for own in texts]
    sizes = [
        verify(stack, client, window, own)
        for client, window, own in zip(connected, windows, texts, strict=True)
    ]
    depth = len(texts[0])
    load.echo(connected, windows, depth, warm_up)
    before = sum(client.bytes_read for client in connected)
    pace = load.echo(connected, windows, depth, seconds)
    read = sum(client.bytes_read for client in connected) - before
    if read * len(connected) * depth != pace.messages * sum(sizes):
        raise BrokenReply(f"{stack.name}: {read} bytes of replies are not what was verified")
    return pace


def verify(stack: Stack, client: load.Client, window: bytes, texts: Sequence[str]) -> int:
    """Send one window, parse all replies; returns their size on the wire, in bytes."""
    client.socket.sendall(window)
    replies = client.replies(len(texts))
    if [stack.talk.text(reply) for reply in replies] != list(texts):
        raise BrokenReply(f"{stack.name}: {replies} does not answer {texts}")
    return sum(len(reply) + header(len(reply)) for reply in replies)


def main(options: Options) -> None:
    """Measure and print."""
    cores.pin(cores.DRIVER)
    trial = Trial(16, 0.1, 0.02) if options.quick else Trial(64, 1.0, 0.2)
    trial.notes.append(f"{trial.connections} connections")
    stacks = present([ALL[0], DUALS, *ALL[1:]], options, trial.notes)
    show(
        "echo",
        options,
        [Figure(name, "messages/s") for name in DEPTHS],
        [Contender(stack.name, partial(trial.run, stack)) for stack in stacks],
        trial.notes,
    )


if __name__ == "__main__":
    main(parse("echo", __doc__))
