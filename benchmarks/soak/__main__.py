"""The command line, the run and the verdict; see the package."""

import argparse
import asyncio
import json
import os
import sys
import time
from pathlib import Path

import msgspec

from .. import cores
from ..load import allow_files
from ..servers import SANSIO, Server, serving
from . import clients
from .ledger import Account, Ledger

POLL = 0.25
"""Seconds between two accounts."""
RATE = 200
"""Rounds of messages a second, whatever the number of connections: a server that is always late
would show little but that."""
SEND_BUFFER = 1 << 15
"""Bytes that the kernel keeps for each client, so that it shows soon who does not read."""
SETTLE = 20.0
"""Seconds in which the last sockets must have ended once their clients have."""
SIZES = 16
"""How often the server's memory is looked at in a run."""
MORE = 24
"""MiB by which the server may have grown between the two halves of a run, besides a tenth: its
heap is fragmented by whoever is connected at the moment."""


async def account(port: int, *, collect: bool = False) -> Account:
    """What the server says of itself."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        query = "?collect=true" if collect else ""
        request = f"GET /account{query} HTTP/1.1\r\nHost: soak\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        async with asyncio.timeout(clients.PATIENCE):
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"no account: {head.decode()}")
    return msgspec.json.decode(body, type=Account)


def descriptors(server: Server) -> int:
    """Open files of the server's process; 0 where the system does not say."""
    folder = Path(f"/proc/{server.pid}/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


class Run:
    """One server under load."""

    def __init__(self, server: Server, given: argparse.Namespace) -> None:
        self._server, self._given = server, given
        self.ledger = Ledger()
        self.most = 0
        """Sockets that were open at once."""
        self.sizes = ""
        self._sizes: list[int] = []  # of the server, its garbage collected

    async def run(self) -> None:
        """Have the clients come and go, then compare."""
        given, port = self._given, self._server.port
        before = await account(port, collect=True)
        files = descriptors(self._server)
        started = time.monotonic()
        load = clients.Load(
            port,
            self.ledger,
            silent=given.ws == "wsproto",
            rooms=max(1, given.connections // 20),
            rest=given.connections / RATE,
            until=started + given.seconds,
        )
        crowd = asyncio.create_task(clients.keep(load, given.seed, given.connections))
        while not (await asyncio.wait([crowd], timeout=POLL))[0]:
            measures = time.monotonic() > started + len(self._sizes) * given.seconds / SIZES
            asked = time.monotonic()
            found = await account(port, collect=measures)
            load.late += time.monotonic() - asked
            self.ledger.add_entries(found.ended)
            self.most = max(self.most, found.left["sockets"])
            if measures:
                self._sizes.append(self._server.resident())
        crowd.result()
        deadline = time.monotonic() + SETTLE
        while True:
            found = await account(port, collect=True)
            self.ledger.add_entries(found.ended)
            left = max(0, descriptors(self._server) - files)
            if (found.left == before.left and not left) or time.monotonic() > deadline:
                break
            await asyncio.sleep(POLL)
        self.ledger.close(found, before)
        if left:
            self.ledger.differ(f"{left} open files left")
        self._compare_sizes()

    def _compare_sizes(self) -> None:
        # The first quarter warms up; then the most of the first half against that of the second.
        sizes = self._sizes[:SIZES]
        first = max(sizes[SIZES // 4 : SIZES // 2], default=0)
        second = max(sizes[SIZES // 2 :], default=0)
        self.sizes = f"{first >> 20} MiB, then {second >> 20} MiB"
        if second > first * 1.1 + (MORE << 20):
            self.ledger.differ(f"the server grew: {self.sizes}")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line; exits on a wrong one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="how long clients connect")
    parser.add_argument("--connections", type=int, default=1000, help="how many at a time")
    parser.add_argument("--ws", default=SANSIO, help="uvicorn's WebSocket protocol")
    parser.add_argument("--seed", type=int, default=None, help="of what the clients do")
    parser.add_argument("--app", default="benchmarks.soak.app:app", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of a table")
    given = parser.parse_args(arguments)
    if given.seconds <= 0 or given.connections < 1:
        parser.error("--seconds and --connections must be above 0")
    if given.seed is None:
        given.seed = int.from_bytes(os.urandom(4), "big")
    return given


def main(arguments: list[str] | None = None) -> int:
    """Run, and say what was found; returns 1 for a difference."""
    given = parse(arguments)
    allow_files(2 * given.connections + 128)
    with serving(given.app, ws=given.ws, send_buffer=SEND_BUFFER) as server:
        cores.pin(cores.DRIVER)
        run = Run(server, given)
        asyncio.run(run.run())
    ledger = run.ledger
    totals = {"most at a time": run.most, **ledger.totals}
    if given.json:
        report = {"seed": given.seed, "ws": given.ws, "totals": totals, "memory": run.sizes}
        print(json.dumps({**report, "differences": ledger.differences, "count": ledger.count}))
        return 1 if ledger.count else 0
    print(f"{given.seconds:g} s, {given.connections} connections, --ws {given.ws}, ", end="")
    print(f"--seed {given.seed}")
    for name, number in totals.items():
        print(f"  {name:<18}{number:>12,}")
    print(f"  {'memory':<18}{run.sizes:>12}")
    for text in ledger.differences:
        print(f"DIFFERS  {text}")
    more = ledger.count - len(ledger.differences)
    print(f"and {more} more" if more else "all accounted for" if not ledger.count else "")
    return 1 if ledger.count else 0


if __name__ == "__main__":
    sys.exit(main())
