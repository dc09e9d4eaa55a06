"""A room of 200 with one client that reads nothing: what the other 199 notice of it.

Fifty messages a second of 1 KiB are published to a room, and each member's wait for each of them
is taken. In the second room one member has had itself sent 8 MiB that it does not read. Compared
are the same Greenroom application without it (the 1.0) and with it, in a fresh server each. The
published figures end when the stalled client is gone, so that all of them were taken beside it.

It is fair in that both rooms have as many members who read, the same load, and the same pace, far
below what the server can do. Each member must get each message exactly once. The notes say how long
the stalled client lasted, by a deadline for each send of `SEND_TIMEOUT`, and what the server's
memory grew by, which it holds for that client.
"""

import select
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median, quantiles

from . import cores, load
from .frames import BrokenReply, client_frame
from .options import Options, parse
from .ours import SEND_TIMEOUT
from .report import show
from .rounds import Contender, Figure
from .servers import Server, serving

MEMBERS = 199
PER_SECOND = 50
HALF = Figure("half of the messages to a member take", "ms", lower_is_better=True)
MOST = Figure("99 of 100 messages to a member take", "ms", lower_is_better=True)

_APP = "benchmarks.ours:stall"
_CONTENT = "." * 1024
_FRAME = client_frame(
    b'{"type":"post","content":"%b","timestamp":1700000000.25}' % _CONTENT.encode()
)
_FILL = client_frame(b'{"type":"fill","count":8}')
_PATIENCE = SEND_TIMEOUT + 10.0
_GONE = select.POLLERR | select.POLLHUP


@dataclass(slots=True)
class Trial:
    """How many members read; collects remarks."""

    members: int
    notes: list[str] = field(default_factory=list[str])

    def without(self) -> Mapping[str, float]:
        """One round of a room where everybody reads."""
        with serving(_APP) as server, load.clients(server.port, self.members, "/ws/{}") as members:
            time.sleep(0.1)  # a client hears "accepted" before the server has put it into the room
            until = time.monotonic() + SEND_TIMEOUT
            return self._waits(members, lambda: time.monotonic() >= until)

    def beside(self) -> Mapping[str, float]:
        """One round of a room where one client does not."""
        with serving(_APP) as server, load.clients(server.port, self.members, "/ws/{}") as members:
            time.sleep(0.1)
            stalled = load.Client(server.port, "/ws/stalled")
            try:
                watch = _Watch(server, stalled)
                figures = self._waits(members, watch.over)
            finally:
                stalled.close()
            self.notes.append(
                f"the stalled client was gone after {watch.lasted:.2f} s, with a deadline of "
                f"{SEND_TIMEOUT:g} s for a send; the server's memory grew by "
                f"{watch.grown / 2**20:.1f} MiB"
            )
            return figures

    def _waits(self, members: list[load.Client], over: Callable[[], bool]) -> Mapping[str, float]:
        waits = load.paced(members[0], members, _FRAME, 1 / PER_SECOND, over)
        return {HALF.name: median(waits) * 1000, MOST.name: quantiles(waits, n=100)[98] * 1000}


class _Watch:
    """When the stalled client is gone, which a reset of its connection tells, and what it cost."""

    def __init__(self, server: Server, stalled: load.Client) -> None:
        self.lasted = 0.0
        self.grown = 0
        self._server = server
        self._before = server.resident()
        self._poll = select.poll()
        self._poll.register(stalled.socket, 0)  # what is there to be read is left there
        stalled.socket.sendall(_FILL)
        self._begun = time.monotonic()

    def over(self) -> bool:
        """Whether it is; raises `BrokenReply` when it stays far too long."""
        self.grown = max(self.grown, self._server.resident() - self._before)
        self.lasted = time.monotonic() - self._begun
        if self.lasted > _PATIENCE:
            raise BrokenReply(f"the stalled client is still there after {self.lasted:.1f} s")
        return any(event & _GONE for _, event in self._poll.poll(0))


def main(options: Options) -> None:
    """Measure and print."""
    cores.pin(cores.DRIVER)
    trial = Trial(20 if options.quick else MEMBERS)
    show(
        "stall",
        options,
        [HALF, MOST],
        [
            Contender(f"greenroom, {trial.members} who read", trial.without),
            Contender("greenroom, and one who does not", trial.beside),
        ],
        trial.notes,
    )


if __name__ == "__main__":
    main(parse("stall", __doc__))
