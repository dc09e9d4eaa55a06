"""Whole connections: opened, one message echoed, closed.

So many clients at a time, each of which begins the next connection when the last one is closed.
Compared are the tutorial's JSON echo (the 1.0), plain ASGI, picows by itself, and Greenroom with
all its defaults, which has an actor start and end for each connection.

It is fair in that each connection is verified: the server must accept the key it was sent, answer
the message with its own text, and answer the close with a close. Who reads the request counts here:
uvicorn does it by h11, which is what one gets without asking, and by httptools in FastAPI's best
settings; our own protocol does it itself.
"""

import base64
import os
import selectors
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter, process_time

from . import cores, load
from .frames import CLOSE, TEXT, BrokenReply, client_frame, whole_frames
from .options import Options, parse
from .report import show
from .rounds import Contender, Figure
from .servers import Server
from .stacks import BARE, BEST, OURS, OURS_UVLOOP, PICOWS, PLAIN, TUTORIAL, Stack, present

LIVES = Figure("opened, one message echoed, closed", "connections/s")
STACKS = (TUTORIAL, BEST, BARE, PICOWS, PLAIN, OURS, OURS_UVLOOP)

_FAREWELL = client_frame((1000).to_bytes(2, "big"), CLOSE)


class Life:
    """One connection, which goes on by a step for each thing that the server says."""

    __slots__ = ("_data", "_key", "_opened", "_path", "_stack", "_text", "over", "socket")

    def __init__(self, stack: Stack, port: int, number: int) -> None:
        self._stack = stack
        self._text = f"life {number}"
        self._path = stack.talk.path.format(number)
        self._key = base64.b64encode(os.urandom(16))
        self._data = b""
        self._opened = False
        self.over = False
        self.socket = socket.create_connection(("127.0.0.1", port), load.PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(None)
        self.socket.sendall(load.upgrade(port, self._path, self._key))

    def step(self) -> None:
        """Read what has come, and answer it."""
        data = self.socket.recv(65536)
        if not data:
            raise BrokenReply(f"{self._stack.name}: closed too early")
        self._data += data
        if not self._opened:
            head, found, rest = self._data.partition(b"\r\n\r\n")
            if not found:
                return
            load.check_upgrade(head, self._key, self._path)
            self._opened, self._data = True, rest
            self.socket.sendall(self._stack.talk.say(self._text))
        frames, used = whole_frames(self._data)
        self._data = self._data[used:]
        for first, payload in frames:
            self._take(first, payload)

    def _take(self, first: int, payload: bytes) -> None:
        if first == TEXT and self._stack.talk.text(payload) == self._text:
            self.socket.sendall(_FAREWELL)
        elif first == CLOSE:
            self.socket.close()
            self.over = True
        else:
            raise BrokenReply(f"{self._stack.name}: {payload!r} does not answer {self._text}")


@dataclass(slots=True)
class Trial:
    """How many clients, for how many seconds; collects remarks."""

    clients: int
    seconds: float
    notes: list[str] = field(default_factory=list[str])

    def run(self, stack: Stack) -> Mapping[str, float]:
        """One round of one contender."""
        with stack.serving("echo") as server:
            self._live(stack, server, self.seconds / 5)
            pace = self._live(stack, server, self.seconds)
        if pace.busy > 0.95:
            self.notes.append(f"{stack.name}: the load was busy all the time: a lower bound")
        return {LIVES.name: pace.rate}

    def _live(self, stack: Stack, server: Server, seconds: float) -> load.Pace:
        begun_lives = ended = 0
        with selectors.DefaultSelector() as selector:

            def begin() -> None:
                nonlocal begun_lives
                life = Life(stack, server.port, begun_lives)
                selector.register(life.socket, selectors.EVENT_READ, life)
                begun_lives += 1

            worked, begun = process_time(), perf_counter()
            for _ in range(self.clients):
                begin()
            while ended < begun_lives:
                events = selector.select(load.PATIENCE)
                if not events:
                    raise BrokenReply(f"no answer within {load.PATIENCE:.0f} s")
                for key, _ in events:
                    life: Life = key.data
                    life.step()
                    if life.over:
                        selector.unregister(key.fileobj)
                        ended += 1
                        if perf_counter() < begun + seconds:
                            begin()
            took = perf_counter() - begun
            return load.Pace(ended, took, (process_time() - worked) / took)


def main(options: Options) -> None:
    """Measure and print."""
    cores.pin(cores.DRIVER)
    trial = Trial(8, 0.1) if options.quick else Trial(32, 1.5)
    trial.notes.append(f"{trial.clients} clients at a time")
    stacks = present(STACKS, options, trial.notes)
    show(
        "connect",
        options,
        [LIVES],
        [Contender(stack.name, partial(trial.run, stack)) for stack in stacks],
        trial.notes,
    )


if __name__ == "__main__":
    main(parse("connect", __doc__))
