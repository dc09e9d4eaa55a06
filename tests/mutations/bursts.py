"""Mutants of the wire over our own server, and of how long a peer has there."""

from mutant import Edit, Mutant, mutant

BURST = "tests/transport/test_burst.py"
LINE = "tests/transport/fast/test_line.py"
KEEPALIVE = "tests/transport/fast/test_keepalive.py"
PEER = "tests/transport/test_peer.py"


def broken(name: str, promise: str, old: str, new: str) -> Mutant:
    return mutant(name, promise, Edit("transport/_burst.py", old, new), BURST)


MUTANTS = [
    broken(
        "all that is queued goes out at once",
        "a write has a size at most",
        "outbox.take_burst(BURST)",
        "outbox.take_burst(1 << 40)",
    ),
    broken(
        "all sockets are written to in one turn",
        "a room has others wait for so many writes at most",
        "range(min(len(line), ROUND))",
        "range(len(line))",
    ),
    broken(
        "one that raises ends all writing",
        "one socket's failure is its own",
        "            except Exception as error:",
        "            except OSError as error:",
    ),
    broken(
        "what is left of a long queue is forgotten",
        "what is queued is sent",
        "                self._bursts.mark(self)\n                return\n",
        "                return\n",
    ),
    broken(
        "who waits behind the server's own bytes is not noted",
        "what waits is sent once it may be",
        "            self._wait(outbox, stream)\n            return\n        if outbox.queue",
        "            return\n        if outbox.queue",
    ),
    broken(
        "what one has to send goes to all",
        "a client gets what is its own",
        "        if burst != self._burst:  #",
        "        if not self._burst:  #",
    ),
    broken(
        "what was sent last is kept",
        "an idle server keeps nothing of what it sent",
        '        self._burst, self._data = (), b""\n        if line',
        "        if line",
    ),
    broken(
        "what several have to send is joined for each",
        "a group costs each member little",
        "            self._burst, self._data = burst, on_the_wire(burst)",
        "            self._data = on_the_wire(burst)",
    ),
    broken(
        "a close that raises leaves its socket",
        "every wait ends",
        "        self._closes = False\n        self._socket.failed",
        "        self._socket.failed",
    ),
    broken(
        "who is to be accepted is not aborted",
        "past the deadline what is left is aborted",
        "            peer.abort()\n",
        "            pass\n",
    ),
    broken(
        "what has to wait counts as sent",
        "frames are accounted for",
        "                return\n            outbox.in_hand",
        "                pass\n            outbox.in_hand",
    ),
    broken(
        "what a lost connection swallows counts as sent",
        "frames are accounted for",
        "            if stream.blocked():\n                self._wait(",
        "            if stream.blocked() and stream.open:\n                self._wait(",
    ),
    broken(
        "nobody watches what has to wait",
        "a client that does not read is aborted in time",
        "            self._socket.watch_closely()\n",
        "",
    ),
    broken(
        "what is sent is not watched",
        "a client that takes nothing is noticed",
        "            socket.watch()\n",
        "",
    ),
    broken(
        "it always advances",
        "a client that does not read is aborted in time",
        "before, self._sent = self._sent, self._stream.sent",
        "before = self._sent",
    ),
    broken(
        "what had to wait holds up all that follows",
        "a client that reads again gets all that waited",
        "            outbox.relieve()\n            self._bursts.mark(self)\n",
        "            outbox.relieve()\n",
    ),
    broken(
        "who awaits room is not told of it",
        "awaited sends go at the client's pace",
        "            outbox.relieve()\n            self._bursts.mark(self)\n",
        "            self._bursts.mark(self)\n",
    ),
    broken(
        "it is read while a burst is taken bit by bit",
        "what is read is bounded",
        "            if self._stream is not None:\n                self._stream.pause_reading()\n",
        "",
    ),
    broken(
        "it is read while what came first is taken",
        "what is read is bounded",
        "        if self._later is not None:\n            stream.pause_reading()\n",
        "",
    ),
    broken(
        "reading is not resumed",
        "it reads on",
        "            self._stream.resume_reading()\n",
        "            pass\n",
    ),
    broken(
        "what comes meanwhile overtakes",
        "messages are handled in order",
        "            self._later.append(burst)\n",
        "            self._socket.intake.take(burst)\n",
    ),
    broken(
        "a client is gone before what it sent is taken",
        "all that came before a close is handled",
        "        if self._later is None:\n            self._socket.gone(code)\n",
        "        if self._later is None or code:\n            self._socket.gone(code)\n",
    ),
    broken(
        "what is answered to who went counts as sent",
        "frames are accounted for",
        "            outbox.abandon()  # what is answered meanwhile would go nowhere\n",
        "",
    ),
    broken(
        "the end waits for one that is over",
        "the ASGI call lasts as long as the socket",
        "            if self._stream.open:\n                await self._over\n",
        "            await self._over\n",
    ),
    broken(
        "a cancelled call leaves its connection open",
        "who cancels the call ends the socket",
        "            stream.abort()\n        if self._over",
        "            pass\n        if self._over",
    ),
    mutant(
        "kept dependencies are closed when the socket opens",
        "the ASGI call lasts as long as the socket",
        Edit(
            "transport/endpoint.py",
            "if wire.needs_task or self._keep_dependencies:",
            "if wire.needs_task:",
        ),
        BURST,
    ),
    mutant(
        "the call waits for each socket",
        "no task waits for a socket",
        Edit("transport/endpoint.py", "if wire.needs_task or self._keep_dependencies:", "if True:"),
        BURST,
    ),
    mutant(
        "who is gone already is kept alive",
        "timers end with the socket",
        Edit(
            "transport/_socket.py",
            "        if self.code is not None:\n            return  # it is",
            "        if False:\n            return  # it is",
        ),
        BURST,
    ),
    mutant(
        "a slow reader has as long as one that does not read",
        "what was sent before a close arrives",
        Edit(
            "transport/fast/line.py",
            "if waits and self.sent != self._seen and not self._strictly:",
            "if False:",
        ),
        LINE,
    ),
    mutant(
        "a slow reader keeps a server that ends",
        "a server ends in bounded time",
        Edit("transport/fast/line.py", " and not self._strictly:", ":"),
        LINE,
    ),
    mutant(
        "a slow reader without a word is dead",
        "who makes progress is kept",
        Edit(
            "transport/fast/keepalive.py",
            "        elif not self.heard and not line.reading_paused and",
            "        if self._asked is None and not self.heard and not line.reading_paused and",
        ),
        KEEPALIVE,
    ),
    mutant(
        "who has not got to the ping is dead",
        "who makes progress is kept",
        Edit("transport/fast/keepalive.py", " and line.taken in (None, self._taken):", ":"),
        KEEPALIVE,
    ),
    mutant(
        "who has taken all need not answer a ping",
        "who is gone is noticed",
        Edit(
            "transport/fast/keepalive.py",
            "line.taken in (None, self._taken)",
            "line.taken == self._taken",
        ),
        KEEPALIVE,
    ),
    mutant(
        "a closed socket's error of uvloop's gets through",
        "an abort may come twice",
        Edit("transport/_peer.py", "_CLOSED = (OSError, ValueError)", "_CLOSED = (OSError,)"),
        PEER,
    ),
]
