"""Mutants of the client without a network."""

from mutant import edit, mutant

CLIENT = "transport/testing/_client.py"
LINE = "transport/testing/_line.py"
PEER = "transport/testing/_peer.py"
SERVER = "transport/testing/_server.py"
TESTS = "tests/transport/test_client"

MUTANTS = [
    mutant(
        "a window without a bound",
        "the application's send waits once the window is full",
        edit(LINE, "        elif self._size >= high:\n", "        elif False:\n"),
        f"{TESTS}_network.py",
    ),
    mutant(
        "a window that opens too soon",
        "a send that waits goes on when the client reads, as on a transport",
        edit(LINE, "return self._window // 4, self._window", "return self._window, self._window"),
        f"{TESTS}_network.py",
    ),
    mutant(
        "a client that goes keeps the send",
        "a send that waits raises when its client goes",
        edit(PEER, "        if self._gone:\n", "        if False:\n"),
        f"{TESTS}_network.py",
    ),
    mutant(
        "a lost connection with a reason",
        "a vanished client is a lost connection, as uvicorn tells it",
        edit(PEER, '"code": int(code)})', '"code": int(code), "reason": ""})'),
        f"{TESTS}_fidelity.py",
    ),
    mutant(
        "sends after the close are taken",
        "what comes too late is an error, as in uvicorn",
        edit(
            PEER,
            "                self._state = _State.CLOSED\n                self.transport.carry",
            "                self.transport.carry",
        ),
        f"{TESTS}_fidelity.py",
    ),
    mutant(
        "an error waits for the end",
        "what the application raises is raised by who waits",
        edit(
            SERVER,
            "        found = None if before() else self._error_for(client)\n",
            "        found = None\n",
        ),
        f"{TESTS}_errors.py",
    ),
    mutant(
        "a test that waits elsewhere waits on",
        "what the application raises cancels a test that waits for something else",
        edit(SERVER, "            self._cancelled = self._block.cancel()\n", "            pass\n"),
        f"{TESTS}_errors.py",
    ),
    mutant(
        "a cancellation stays",
        "the cancellation of the block is taken back",
        edit(SERVER, "            if not block.uncancel() and", "            if"),
        f"{TESTS}_errors.py",
    ),
    mutant(
        "what hangs is left",
        "what does not end is cancelled",
        edit(SERVER, "            await _unwind(list(self._tasks))\n", "            pass\n"),
        f"{TESTS}_errors.py",
    ),
    mutant(
        "a frame is lost at a deadline",
        "a wait that was in vain harms nobody",
        edit(
            CLIENT,
            "        await self._news(within)\n        if self._inbox:\n",
            "        await self._news(within)\n        if self._inbox and self._inbox.pop():\n",
        ),
        f"{TESTS}.py",
    ),
    mutant(
        "the keepalive of the half-open is early",
        "a half-open client is lost past the keepalive, and not before",
        edit(SERVER, "(ping_interval or 0) + (ping_timeout or 0)", "(ping_interval or 0)"),
        f"{TESTS}_time.py",
    ),
    mutant(
        "the transport has a clock of its own",
        "the deadline of a send is in virtual time",
        edit(
            "transport/_server.py",
            "        return self.system.clock\n",
            "        import time\n\n        return time.monotonic\n",
        ),
        f"{TESTS}_time.py",
    ),
    mutant(
        "a lent system has its own instruments only",
        "an application's instruments hear in a test kit too",
        edit("transport/_server.py", "            lent.observe(self._instruments)\n", ""),
        f"{TESTS}_time.py",
    ),
    mutant(
        "time races while a thread works",
        "virtual time stands still while a thread works for the application",
        edit("actors/testing/_loop.py", "return now - self._held < self._part", "return False"),
        "tests/testing/test_kit.py",
    ),
]
