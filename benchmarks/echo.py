"""WebSocket echo: 64 connections, one and 32 messages in flight on each.

A client sends `{"type": "say", "text": ...}` and gets the text back. Compared are, each on a fresh
uvicorn with its `websockets-sansio` protocol and without compression: the tutorial's JSON echo (the
1.0), the tutorial's dual queues, an echo on plain ASGI that does not even look into the text (the
ceiling on that server), and Greenroom's typed JSON with all its defaults.

It is fair in that all read the same bytes from the same load, and each reply is verified: the
replies of a first window are parsed, and must be the connection's own texts in order; the timed
ones are counted and must come to the same number of bytes. The replies differ by a few bytes, as
each contender wraps the text in its own words. Both patterns run one after the other on the same
server and connections, after an untimed stretch.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from . import cores, load
from .frames import BrokenReply, client_frame
from .options import Options, parse
from .report import show
from .rounds import Contender, Figure
from .servers import SANSIO, serving

DEPTHS = {"one in flight on each connection": 1, "32 in flight on each connection": 32}


@dataclass(frozen=True, slots=True)
class Peer:
    """An application that echoes, and where its replies keep the text."""

    name: str
    app: str
    text_of: Callable[[bytes], str]
    greetings: int = 0
    ws: str = SANSIO


def _text(reply: bytes) -> str:
    return str(json.loads(reply)["text"])


def _dual(reply: bytes) -> str:
    return str(json.loads(reply)["original"]["text"])


PEERS = (
    Peer("FastAPI, the tutorial's JSON", "benchmarks.tutorial:echo", _text),
    Peer("FastAPI, the tutorial's dual queues", "benchmarks.tutorial:dual", _dual, greetings=1),
    Peer("bare ASGI, no JSON", "benchmarks.bare:echo", _text),
    Peer("greenroom, typed JSON", "benchmarks.ours:echo", _text),
)


@dataclass(slots=True)
class Trial:
    """How many connections, for how many seconds; collects remarks on what came out."""

    connections: int
    seconds: float
    warm_up: float
    notes: list[str] = field(default_factory=list[str])

    def run(self, peer: Peer) -> Mapping[str, float]:
        """One round of one peer: messages a second for each pattern."""
        with (
            serving(peer.app, ws=peer.ws) as server,
            load.clients(server.port, self.connections, "/ws/{}", peer.greetings) as connected,
        ):
            return {
                name: self._pattern(peer, connected, name, depth) for name, depth in DEPTHS.items()
            }

    def _pattern(self, peer: Peer, connected: list[load.Client], name: str, depth: int) -> float:
        texts = [
            [f"connection {number:02}, message {index:02}, {'.' * 40}" for index in range(depth)]
            for number in range(len(connected))
        ]
        windows = [b"".join(map(_frame, own)) for own in texts]
        sizes = [
            _verify(peer, client, window, own)
            for client, window, own in zip(connected, windows, texts, strict=True)
        ]
        load.echo(connected, windows, depth, self.warm_up)
        before = sum(client.bytes_read for client in connected)
        pace = load.echo(connected, windows, depth, self.seconds)
        read = sum(client.bytes_read for client in connected) - before
        if read * len(connected) * depth != pace.messages * sum(sizes):
            raise BrokenReply(f"{peer.name}: {read} bytes of replies are not what was verified")
        if pace.busy > 0.95:
            self.notes.append(f"{peer.name}, {name}: the load was busy all the time: a lower bound")
        return pace.rate


def _frame(text: str) -> bytes:
    return client_frame(json.dumps({"type": "say", "text": text}).encode())


def _verify(peer: Peer, client: load.Client, window: bytes, texts: list[str]) -> int:
    """Send one window, parse all replies; returns their size on the wire, in bytes."""
    client.socket.sendall(window)
    replies = client.replies(len(texts))
    if [peer.text_of(reply) for reply in replies] != texts:
        raise BrokenReply(f"{peer.name}: {replies} does not answer {texts}")
    return sum(len(reply) + (2 if len(reply) < 126 else 4) for reply in replies)


def main(options: Options) -> None:
    """Measure and print."""
    cores.pin(cores.DRIVER)
    trial = Trial(16, 0.1, 0.02) if options.quick else Trial(64, 1.5, 0.3)
    trial.notes.append(f"{trial.connections} connections")
    show(
        "echo",
        options,
        [Figure(name, "messages/s") for name in DEPTHS],
        [Contender(peer.name, partial(trial.run, peer)) for peer in PEERS],
        trial.notes,
    )


if __name__ == "__main__":
    main(parse("echo", __doc__))
