"""The kinds of clients, and the crowd of them."""

import asyncio
import contextlib
import json
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from ..frames import CLOSE, PING, PONG, TEXT, client_frame
from .app import BURST, OUTBOX, SEND_TIMEOUT
from .book import Book
from .garbage import FATAL, REFUSED
from .ledger import Ledger
from .line import Line

PATIENCE = 15.0
"""Seconds in which the next of what is due must have come."""
LAST = 60.0
"""Seconds after the end of a run in which the last client must be done."""
SLACK = 3.0
"""Seconds, besides one, in which a stalled client must be gone after `SEND_TIMEOUT`, and besides
those in which the server let its account wait: time for a machine that has other things to do."""
SMALL = 4096
"""Bytes that a client takes in that does not read."""


class Different(Exception):
    """What comes is not what must."""


@dataclass
class Load:
    """What all clients of a run share."""

    port: int
    ledger: Ledger
    silent: bool
    """Whether the server ends broken connections without a close frame."""
    rooms: int
    rest: float
    """Seconds, on average, between a client's rounds."""
    until: float
    """When no more connect, by `time.monotonic`."""
    late: float = 0.0
    """Seconds that the server has taken so far to give its accounts."""


@contextlib.asynccontextmanager
async def in_time(seconds: float, what: str) -> AsyncGenerator[None]:
    """What is done within takes no longer; else `Different`."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        raise Different(f"no {what} within {seconds:.0f} s") from None


class Client:
    """One client, from its handshake to its end."""

    def __init__(self, load: Load, who: str, rng: random.Random) -> None:
        self.load, self.who, self.rng = load, who, rng
        self.book = Book(who)
        self.line = Line()
        self.pongs = 0
        self._n = 0

    async def run(self, kind: str) -> None:
        """Live; what is not as it must be is in the book, and that in the ledger."""
        left = self.load.until - time.monotonic() + LAST
        try:
            async with in_time(left, "end"):
                await KINDS[kind](self)
        except (Different, ConnectionError) as error:
            self.book.wrong.append(f"{error!r}, as a {kind}")
        finally:
            self.line.close()
            self.load.ledger.add_book(self.book)

    # What they are made of.

    async def connect(self, route: str, query: str = "", *, window: int = 0) -> None:
        """Open the WebSocket."""
        if window:
            self.line.close()
            self.line = Line(window=window)
        self.book.resumes = route == "resume"
        status = await self.line.connect(self.load.port, f"/{route}/{self.who}?{query}")
        if status != 101:
            raise Different(f"the handshake was answered with {status}")

    async def enter(self, route: str) -> None:
        """The same, and be in a room."""
        await self.connect(route, f"room={self.rng.randrange(self.load.rooms)}")

    def message(self, kind: str, answer: str = "answer", **fields: Any) -> bytes:
        """A frame of a numbered message."""
        self._n += 1
        self.book.send(self._n, answer)
        if kind in ("ask", "fail"):
            fields["id"] = self._n
        return client_frame(json.dumps({"type": kind, "n": self._n, **fields}).encode())

    def some(self, *, crash: float = 0.0) -> bytes:
        """Frames of some messages, a few of which crash with that probability."""
        found: list[bytes] = []
        for _ in range(self.rng.randint(1, 16)):
            if self.rng.random() < crash:
                found.append(self.message(self.rng.choice(["crash", "fail"]), "error crashed"))
                continue
            kind = self.rng.choices(["say", "ask", "post", "forbid"], [6, 2, 1, 1])[0]
            found.append(self.message(kind, "error forbidden" if kind == "forbid" else "answer"))
        return b"".join(found)

    async def take(self) -> int | None:
        """Read what comes next; returns the code of a close frame, 0 at the end of the stream."""
        frames = await self.line.read()
        if frames is None:
            return 0
        for first, payload in frames:
            if first == TEXT:
                self.book.take(json.loads(payload))
            elif first == PING:
                await self.line.frame(payload, PONG)
            elif first == CLOSE:
                return int.from_bytes(payload[:2], "big") if payload else 1005
            elif first == PONG:
                self.pongs += 1
        if self.book.wrong:
            raise Different("gave up")
        return None

    async def answers(self) -> None:
        """Read until each message has its answer."""
        while (due := self.book.open) > 0:
            async with in_time(PATIENCE, "answer"):
                while self.book.open == due:
                    code = await self.take()
                    if code is not None:
                        raise Different(f"closed with {code or 1006}")

    async def listen(self) -> None:
        """Read what comes for a while; at the end of the run no more."""
        seconds = self.rng.uniform(0.0, 2 * self.load.rest)
        until = asyncio.timeout(min(seconds, max(0.0, self.load.until - time.monotonic())))
        try:
            async with until:
                while (code := await self.take()) is None:
                    pass
                raise Different(f"closed with {code or 1006}")
        except TimeoutError:
            if not until.expired():
                raise

    async def talk(self, *, crash: float = 0.0) -> None:
        """Some rounds of messages and answers."""
        for _ in range(self.rng.randint(1, 6)):
            await self.line.write(self.some(crash=crash))
            await self.answers()
            await self.listen()

    async def leave(self) -> None:
        """Close politely, and read all that comes before the server's own close frame."""
        self.book.how, self.book.codes = "stayed", {1000}
        await self.line.frame((1000).to_bytes(2, "big"), CLOSE)
        await self.closed(1000)

    async def closed(self, code: int) -> None:
        """Read until the server has closed with that code."""
        async with in_time(PATIENCE, "a close frame"):
            while (got := await self.take()) is None:
                pass
        if got != code:
            raise Different(f"closed with {got or 1006}, not {code}")

    async def gone(self) -> None:
        """Read nothing until the server has aborted the connection, which it must in time."""
        until = time.monotonic() + PATIENCE
        while not self.line.has_unread:
            await asyncio.sleep(0.05)  # nobody tells one who does not read
            if time.monotonic() > until:
                raise Different("nothing came")
        bound = SEND_TIMEOUT + 1.0 + SLACK
        until = time.monotonic() - self.load.late + bound
        while not self.line.was_reset:
            await asyncio.sleep(0.05)
            if time.monotonic() - self.load.late > until:
                raise Different(f"not aborted within {bound:g} s")
        self.load.ledger.totals["aborted"] += 1

    async def flood(self, chunks: int, size: int, *, paced: bool) -> None:
        """Have so much sent."""
        self.book.sent += 1
        self.book.chunks_due += chunks
        message = {"type": "flood", "chunks": chunks, "size": size, "paced": paced}
        await self.line.frame(json.dumps(message).encode(), TEXT)

    # The kinds.

    async def polite(self) -> None:
        """Talks, and leaves as it should."""
        await self.enter("restart")
        await self.talk()
        await self.leave()

    async def crashing(self) -> None:
        """Has its handlers crash; the connection goes on."""
        await self.enter(self.rng.choice(["restart", "resume"]))
        await self.talk(crash=0.2)
        await self.leave()

    async def closing(self) -> None:
        """Has its handler crash where that closes the connection."""
        await self.enter("close")
        await self.talk()
        before = self.some() + self.message("crash", "error crashed")
        ignored = self.rng.randrange(4)
        self.book.sent += ignored
        self.book.how, self.book.codes = "closed", {1011}
        await self.line.write(before + ignored * client_frame(b'{"type":"say","n":0}'))
        await self.closed(1011)
        await self.line.frame((1011).to_bytes(2, "big"), CLOSE)

    async def vanishing(self) -> None:
        """Goes without a word, with answers under way."""
        await self.enter(self.rng.choice(["restart", "resume", "close"]))
        await self.talk()
        await self.line.write(self.some(crash=0.2 if self.book.resumes else 0.0))
        if self.rng.random() < 0.5:
            await asyncio.sleep(self.rng.uniform(0.0, 0.02))
        if self.rng.random() < 0.3:
            await self.line.write(self.message("say")[:-3])
        self.line.close(reset=self.rng.random() < 0.5)

    async def stalled(self) -> None:
        """Has the server send it a lot, and reads none of it."""
        route = self.rng.choice(["disconnect", "oldest", "newest", "restart"])
        # Where a full outbox closes with 1013, nothing may fill it before the line is full.
        alone = route == "disconnect"
        room = "" if alone else f"room={self.rng.randrange(self.load.rooms)}"
        await self.connect(route, room, window=SMALL)
        await self.flood(2 * OUTBOX, 8_000, paced=alone or self.rng.random() < 0.5)
        await self.gone()

    async def slow(self) -> None:
        """Stalls for less than it may, and then has all that it was not told it missed."""
        route = self.rng.choice(["oldest", "newest", "restart", "disconnect"])
        await self.connect(route, window=SMALL)
        for _ in range(self.rng.randint(1, 2)):
            paced = self.rng.random() < 0.3
            await self.flood(3 * OUTBOX, 8_000, paced=paced)
            await asyncio.sleep(SEND_TIMEOUT / 4)
            if route == "disconnect" and not paced:
                self.book.how, self.book.codes = "dropped", {1013}
                await self.closed(1013)
                await self.line.frame((1013).to_bytes(2, "big"), CLOSE)
                return
            await self.answers()
        await self.leave()

    async def bursting(self) -> None:
        """Sends more than a mailbox holds, while its handler takes its time."""
        await self.enter("restart")
        self.book.exceeds = True
        await self.line.write(self.message("linger"))
        await self.line.write(b"".join(self.message("say") for _ in range(600)))
        await self.answers()
        for _ in range(3):
            await self.listen()
        await self.leave()

    async def hasty(self) -> None:
        """Sends more than the rate allows; each message is refused or answered."""
        await self.connect("metered")
        self.book.exceeds = True
        count = BURST + self.rng.randint(1, 100)
        await self.line.write(b"".join(self.message("say") for _ in range(count)))
        await self.answers()
        await self.listen()
        await self.leave()

    async def garbage(self) -> None:
        """Sends what is refused, among messages that are answered; then what is fatal."""
        await self.enter("restart")
        for _ in range(self.rng.randint(1, 4)):
            wire, pings = self.some(), self.pongs
            for _ in range(self.rng.randint(1, 8)):
                text = self.rng.choice(list(REFUSED))
                self.book.sent += 1
                self.book.errors_due.append(REFUSED[text])
                wire += client_frame(text.encode())
            wire += client_frame(b"ping", PING) + self.some()
            await self.line.write(wire)
            await self.answers()
            if self.pongs != pings + 1:
                raise Different("a ping was not answered")
            await self.listen()
        fatal = self.rng.choice(FATAL)
        self.book.sent += not fatal.by_server
        self.book.codes = {fatal.code}
        if fatal.code == 1006:
            await self.line.write(fatal.wire)
            self.line.close(reset=self.rng.random() < 0.5)
            return
        self.book.how = "closed"
        await self.line.write(fatal.wire)
        silent = self.load.silent and fatal.by_server
        await self.closed(0 if silent else fatal.code)
        if not silent:
            await self.line.frame(fatal.code.to_bytes(2, "big"), CLOSE)

    async def stranger(self) -> None:
        """Is not let in."""
        self.book.codes = {0}
        token = self.rng.random() < 0.5
        headers = b"" if token else b"Origin: https://elsewhere.example\r\n"
        path = f"/restart/{self.who}" + "?token=bad" * token
        status = await self.line.connect(self.load.port, path, headers)
        if status != (401 if token else 403):
            raise Different(f"the handshake was answered with {status}")
        self.load.ledger.totals["strangers"] += 1
        if not token:
            self.load.ledger.refused["origins"] += 1


KINDS: dict[str, Callable[[Client], Awaitable[None]]] = {
    "polite": Client.polite,
    "crashing": Client.crashing,
    "closing": Client.closing,
    "vanishing": Client.vanishing,
    "stalled": Client.stalled,
    "slow": Client.slow,
    "bursting": Client.bursting,
    "hasty": Client.hasty,
    "garbage": Client.garbage,
    "stranger": Client.stranger,
}
SHARES = {
    "polite": 6,
    "crashing": 2,
    "closing": 1,
    "vanishing": 3,
    "stalled": 2,
    "slow": 1,
    "bursting": 1,
    "hasty": 1,
    "garbage": 2,
    "stranger": 1,
}
"""Of twenty clients that are connected at a time."""


async def keep(load: Load, seed: int, slots: int) -> None:
    """Keep so many clients connected until it is time, each new one in the place of one that has
    gone; then wait until all have gone."""
    places = [kind for kind, share in SHARES.items() for _ in range(share)]

    async def slot(number: int) -> None:
        rng = random.Random(f"{seed} {number}")
        kind, lives = places[number % len(places)], 0
        await asyncio.sleep(rng.uniform(0.0, load.rest))
        while time.monotonic() < load.until:
            lives += 1
            client = Client(load, f"{kind}-{number}-{lives}", rng)
            await client.run(kind)
            await asyncio.sleep(rng.uniform(0.0, load.rest))

    async with asyncio.TaskGroup() as group:
        for number in range(slots):
            group.create_task(slot(number))
