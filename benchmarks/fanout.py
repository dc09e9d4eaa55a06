"""A room of 500: one member publishes, all 500 get it.

Two figures: deliveries a second with eight publishes in flight, and the time from one lone publish
until the last member has it. Compared are the tutorial's manager, which sends to one member after
the other and encodes the message anew for each (the 1.0), the same loop on plain ASGI with a text
that was encoded before (the ceiling on that server), picows in the same loop by itself, what the
peers have for rooms, and a Greenroom group with its defaults.

It is fair in that all read the same frame from the same load, which is itself one of the members.
The first message is verified at each member: parsed, with the content that was sent. While the
clock runs, each member must get each message exactly once. Eight in flight stays far below every
default bound, so nobody gains speed by dropping.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from statistics import median

from . import cores, load
from .frames import BrokenReply
from .options import Options, parse
from .report import show
from .rounds import Contender, Figure
from .stacks import ALL, Stack, present

MEMBERS = 500
DEPTH = 8
DELIVERIES = Figure("to every member of a room", "deliveries/s")
LAST = Figure("until the last member has a lone message", "ms", lower_is_better=True)

_CONTENT = "to everybody: " + "." * 50


@dataclass(slots=True)
class Trial:
    """How many members, how long, how many lone messages; collects remarks."""

    members: int
    seconds: float
    lone: int
    notes: list[str] = field(default_factory=list[str])

    def run(self, stack: Stack) -> Mapping[str, float]:
        """One round of one stack."""
        with (
            stack.serving("room") as server,
            stack.clients(server, self.members) as members,
        ):
            # A client hears "accepted" before the server has put it into the room.
            time.sleep(0.1)
            publisher = members[0]
            frame = verify(stack, members)
            load.fan_out(publisher, members, frame, DEPTH, self.seconds / 5)
            waits = [load.lone(publisher, members, frame) for _ in range(self.lone)]
            pace = load.fan_out(publisher, members, frame, DEPTH, self.seconds)
        if pace.busy > 0.95:
            self.notes.append(
                f"{stack.name}: the load was busy all the time: perhaps a lower bound"
            )
        return {DELIVERIES.name: pace.rate, LAST.name: median(waits) * 1000}


def verify(stack: Stack, members: list[load.Client]) -> bytes:
    """Have the first publish, read what each gets; returns the frame that the first sent."""
    frame = stack.talk.post(_CONTENT)
    members[0].socket.sendall(frame)
    for member in members:
        (reply,) = member.replies(1)
        if stack.talk.content(reply) != _CONTENT:
            raise BrokenReply(f"{stack.name}: {reply!r} is not what was published")
    return frame


def main(options: Options) -> None:
    """Measure and print."""
    cores.pin(cores.DRIVER)
    trial = Trial(100, 0.1, 3) if options.quick else Trial(MEMBERS, 1.5, 15)
    trial.notes.append(f"a room of {trial.members}, the publisher among them")
    stacks = present(ALL, options, trial.notes)
    show(
        "fanout",
        options,
        [DELIVERIES, LAST],
        [Contender(stack.name, partial(trial.run, stack)) for stack in stacks],
        trial.notes,
    )


if __name__ == "__main__":
    main(parse("fanout", __doc__))
