"""The application that is soaked, and the account it gives of itself.

A `Witness` around it counts what each client's frames were read and what was handed to the server
for it: it stands outside of the framework, and knows nothing of what that says of itself. Counts
are handed out once, with `GET /account`, when a socket's ASGI call has returned, and forgotten.
Where the server takes whole bursts, a `Tap` counts them, until the socket and its actor are over.
"""

import asyncio
import gc
import json
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
import structlog
from fastapi import FastAPI, HTTPException, Response

from actors import ActorRef, DeadLetter, Instrument, Intensity, Message, Request, receive
from transport import (
    Connection,
    ErrorFrame,
    OnCrash,
    Rate,
    Settings,
    SlowClient,
    Sockets,
)

from .ledger import Account, Entry, add
from .tap import EXTENSION, Tap

SEND_TIMEOUT = 3.0
"""Seconds a client may stall."""
BURST = 20
"""Messages that the metered route takes."""
MAX_SIZE = 66_000
"""Bytes of a frame."""
OUTBOX = 32
"""Frames that wait on the routes for those who read slowly."""
OF_A_SOCKET = {"Subject", "Socket", "Outbox"}
"""Types that there is an object of for each socket."""
MANY = Rate(1e9, burst=1e9)


class Say(Message):
    """Answered."""

    n: int


class Ask(Request[int]):
    """Answered by its id."""

    n: int


class Post(Message):
    """Published to the room, then answered."""

    n: int


class Crash(Message):
    """The handler raises."""

    n: int


class Fail(Request[int]):
    """The handler raises, and somebody waits for an answer."""

    n: int


class Forbid(Message):
    """Refused by the handler."""

    n: int


class Linger(Message):
    """Takes its time, so that a mailbox fills; then answered."""

    n: int


class Flood(Message):
    """So many chunks of so many bytes, and no other answer; `paced`: at the client's pace."""

    chunks: int
    size: int
    paced: bool


class Answer(Message):
    """To message `n`, the `count`th one that this life of the actor answers."""

    n: int
    count: int


class Posted(Message):
    """The `n`th of what one client published."""

    who: str
    n: int


class Chunk(Message):
    """One of a flood."""

    n: int
    pad: str


class Clerk(Instrument):
    """Keeps the entries of all sockets, and what was logged."""

    def __init__(self) -> None:
        self.open: dict[str, Entry] = {}
        self.of: dict[ActorRef, Entry] = {}
        self.ended: list[Entry] = []
        self._refs: dict[str, ActorRef] = {}
        self.strays = 0
        """Dead letters and crashes of actors whose sockets are over, or that have none."""
        self.logged: Counter[str] = Counter()

    def begin(self, who: str) -> Entry:
        """A handshake came."""
        entry = self.open[who] = Entry(who)
        return entry

    def started(self, who: str, ref: ActorRef) -> Entry:
        """Its actor starts, or starts again."""
        entry = self.of[ref] = self.open[who]
        self._refs[who] = ref
        return entry

    async def end_with_its_actor(self, entry: Entry) -> None:
        """The socket is over: wait for the actor."""
        await self._refs[entry.who].wait()
        self.end(entry)

    def end(self, entry: Entry) -> None:
        """The socket is over, and so is its actor."""
        del self.open[entry.who]
        ref = self._refs.pop(entry.who, None)
        if ref is not None:
            del self.of[ref]
        self.ended.append(entry)

    def crashed(self, ref: ActorRef, error: Exception) -> None:
        entry = self.of.get(ref)
        if entry is None:
            self.strays += 1
        else:
            entry.crashed += 1

    def dead_letter(self, letter: DeadLetter) -> None:
        entry = self.of.get(letter.target)
        if entry is None:
            self.strays += 1
        elif letter.reason.of_mail:
            add(entry.dead, letter.reason)
        else:
            add(entry.lost, name_of(letter.message))
            add(entry.reasons, letter.reason)

    def processor(self, logger: Any, method: str, event: Any) -> Mapping[str, Any]:
        """For structlog: count, and print nothing."""
        self.logged[f"{method}: {event['event']}"] += 1
        raise structlog.DropEvent


class Counting(logging.Handler):
    """What servers and loops log, counted with the framework's own."""

    def __init__(self, logged: Counter[str]) -> None:
        super().__init__(logging.WARNING)
        self._logged = logged

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self._logged[f"{record.name}: {record.getMessage()[:200]}: {error!r}"] += 1


def name_of(message: object) -> str:
    """Under which name a frame is counted: its type, and an error's code."""
    if isinstance(message, ErrorFrame):
        return f"error {message.code}"
    return type(message).__name__.lower()


class Witness:
    """See the module's head. Plain ASGI."""

    def __init__(self, app: Any, clerk: Clerk) -> None:
        self._app = app
        self._clerk = clerk

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        entry = self._clerk.begin(scope["path"].rpartition("/")[2])

        tap: Tap | None = None
        if EXTENSION in scope["extensions"]:
            over = self._clerk.end_with_its_actor
            tap = Tap(scope["extensions"][EXTENSION]["attach"], entry, count, over)
            extensions = {**scope["extensions"], EXTENSION: {"attach": tap.attach}}
            scope = {**scope, "extensions": extensions}

        async def read() -> Any:
            event = await receive()
            if event["type"] == "websocket.receive":
                entry.read += 1
            return event

        async def write(event: Any) -> None:
            await send(event)
            if event["type"] == "websocket.send":
                count(entry, event["text"])

        try:
            await self._app(scope, read, write)
        finally:
            if tap is None or not tap.attached:
                self._clerk.end(entry)


def count(entry: Entry, text: str) -> None:
    """A frame went out."""
    name = text[9 : text.index('"', 9)]
    add(entry.out, f"error {json.loads(text)['code']}" if name == "error" else name)


class Subject(Connection):
    """What each client talks to."""

    def __init__(self, who: str, room: str = "", token: str = "") -> None:
        self.who, self.room, self.token = who, room, token
        self.count = 0

    async def on_start(self) -> None:
        self.entry = clerk.started(self.who, self.ref)
        if self.token:
            raise HTTPException(401, "no token is good")

    async def on_connect(self) -> None:
        if self.room:
            self.join(self.room)

    async def on_disconnect(self, code: int) -> None:
        self.entry.code = code

    def answer(self, n: int) -> None:
        self.count += 1
        add(self.entry.put, "answer")
        self.send(Answer(n, self.count))
        self.entry.handled += 1

    @receive
    async def say(self, message: Say) -> None:
        self.answer(message.n)

    @receive
    async def ask(self, request: Ask) -> int:
        add(self.entry.put, "reply")
        self.entry.handled += 1
        return request.n

    @receive
    async def post(self, message: Post) -> None:
        self.entry.posts += 1
        for ref in sockets.system.members(self.room):
            add(clerk.of[ref].put, "posted")
        self.publish(self.room, Posted(self.who, self.entry.posts))
        self.answer(message.n)

    @receive
    async def crash(self, message: Crash) -> None:
        await asyncio.sleep(0)
        raise RuntimeError("crashed on purpose")

    @receive
    async def fail(self, request: Fail) -> int:
        raise RuntimeError("failed on purpose")

    @receive
    async def forbid(self, message: Forbid) -> None:
        self.entry.handled += 1
        raise HTTPException(403, "not that")

    @receive
    async def linger(self, message: Linger) -> None:
        await asyncio.sleep(0.05)
        self.answer(message.n)

    @receive
    async def flood(self, message: Flood) -> None:
        for _ in range(message.chunks):
            add(self.entry.put, "chunk")
            self.entry.chunks += 1
            told = self.send(Chunk(self.entry.chunks, "x" * message.size))
            if message.paced:
                await told
        self.entry.handled += 1


clerk = Clerk()
structlog.configure(processors=[clerk.processor])
fastapi = FastAPI()
usual = Settings(
    max_size=MAX_SIZE,
    send_timeout=SEND_TIMEOUT,
    ask_timeout=60.0,
    intensity=Intensity(1_000_000, 1.0),
    message_rate=MANY,
    byte_rate=MANY,
)
sockets = Sockets(fastapi, settings=usual, instruments=[clerk])
few: dict[str, Any] = {"max_outbox": OUTBOX, "tell_missed": True}
for path, settings in {
    "restart": usual,
    "resume": replace(usual, on_crash=OnCrash.RESUME),
    "close": replace(usual, on_crash=OnCrash.CLOSE),
    "disconnect": replace(usual, **few),
    "oldest": replace(usual, slow_client=SlowClient.DROP_OLDEST, **few),
    "newest": replace(usual, slow_client=SlowClient.DROP_NEWEST, **few),
    "metered": replace(usual, message_rate=Rate(0.001, burst=BURST)),
}.items():
    sockets.add(f"/{path}/{{who}}", Subject, settings=settings)
app = Witness(fastapi, clerk)


@fastapi.get("/account")
async def account(collect: bool = False) -> Response:
    """What ended since it was last asked for; `collect`: with its garbage collected."""
    objects: list[Any] = []
    if collect:
        gc.collect()
        objects = gc.get_objects()
    if not any(isinstance(each, Counting) for each in logging.getLogger().handlers):
        for logger in ("", "uvicorn"):  # once uvicorn has configured its own
            logging.getLogger(logger).addHandler(Counting(clerk.logged))
    stats = sockets.system.stats()
    ended, clerk.ended = clerk.ended, []
    found = Account(
        ended=ended,
        told=stats.told,
        handled=stats.handled,
        crashed=stats.crashed,
        dead={str(reason): count for reason, count in stats.dead_letters.items()},
        refused=dict(sockets.refused),
        strays=clerk.strays,
        logged=dict(clerk.logged),
        left={
            "queued": stats.queued,
            "in hand": stats.in_hand,
            "actors": stats.actors,
            "groups": len(sockets.system.topics()),
            "connections": sockets.connections,
            "sockets": len(clerk.open),
            "tasks": len(asyncio.all_tasks()),
            "objects": sum(type(each).__name__ in OF_A_SOCKET for each in objects),
        },
    )
    return Response(msgspec.json.encode(found))
