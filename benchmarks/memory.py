"""What an idle WebSocket connection costs the server, in KiB.

The growth of the server's resident memory (RSS) over 1000 connections that were accepted and then
say nothing. Compared are a FastAPI endpoint that waits in `receive_text` (the 1.0), plain ASGI,
picows by itself, the peers, and a Greenroom connection with its mailbox, its outbox and all its
defaults.

It is fair in that each gets a fresh server; that the first connections, a fifth as many, are not
counted (they fill the holes that the imports left in the heap); and that garbage is collected right
before each reading, by the same request to the same wrapper around each application. What the
kernel keeps for a socket is in nobody's figure. Needs Linux, for /proc.
"""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from . import cores
from .options import Options, parse
from .report import show
from .rounds import Contender, Figure
from .servers import Server
from .stacks import ALL, Stack, present

IDLE = Figure("an idle connection", "KiB", lower_is_better=True)


@dataclass(frozen=True, slots=True)
class Trial:
    """How many connections, and how many seconds until the server has settled."""

    connections: int
    settle: float

    def run(self, stack: Stack) -> Mapping[str, float]:
        """One round of one contender."""
        with (
            stack.serving("echo", collects=True) as server,
            stack.clients(server, self.connections // 5, stack.talk.path.replace("{}", "early{}")),
        ):
            before = self._reading(server)
            with stack.clients(server, self.connections):
                after = self._reading(server)
        return {IDLE.name: (after - before) / self.connections / 1024}

    def _reading(self, server: Server) -> int:
        time.sleep(self.settle)
        server.collect()
        return server.resident()


def main(options: Options) -> None:
    """Measure and print."""
    if sys.platform != "linux":
        sys.exit("benchmarks.memory reads /proc: it needs Linux")
    cores.pin(cores.DRIVER)
    trial = Trial(50, 0.05) if options.quick else Trial(1000, 0.5)
    notes = [f"{trial.connections} connections"]
    stacks = present(ALL, options, notes)
    show(
        "memory",
        options,
        [IDLE],
        [Contender(stack.name, partial(trial.run, stack)) for stack in stacks],
        notes,
    )


if __name__ == "__main__":
    main(parse("memory", __doc__, rounds=3))
