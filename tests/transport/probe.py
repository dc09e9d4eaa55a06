"""A connection that does what the tests need, its messages, and an application that serves it."""

import asyncio
from typing import Any

import msgspec
from fastapi import FastAPI

from actors import ActorRef, Message, Request, receive
from transport import Connection, Settings, Sockets


class Say(Message):
    text: str


class Said(Message):
    text: str


class Tell(Message):
    """To everybody else's client, or with `all` to its own as well."""

    text: str
    all: bool = False


class Boom(Message):
    pass


class Wait(Message):
    pass


class Slow(Message):
    pass


class Close(Message):
    code: int
    reason: str = ""


class Stop(Message):
    pass


class Private(Message):
    """Only actors may send it."""

    text: str


class Total(Request[int]):
    of: list[int]


class Unsendable(Request[object]):
    pass


class Draft(msgspec.Struct):
    text: str


class Unset(Request[Draft]):
    pass


class Fails(Request[int]):
    pass


class Hangs(Request[int]):
    pass


class Strict(Message):
    """Its class has a bug."""

    text: str

    def __post_init__(self) -> None:
        {}[self.text]


class Probe(Connection):
    """Does what the tests need. `journal` outlives the restarts."""

    journal: list[Any]
    release: asyncio.Event
    busy: asyncio.Event

    async def on_start(self) -> None:
        self.count = 0
        self.journal.append("start")

    async def on_connect(self) -> None:
        self.journal.append("connect")
        self.join("all")

    async def on_restart(self, error: Exception) -> None:
        self.journal.append(("restart", str(error)))

    async def on_disconnect(self, code: int) -> None:
        self.journal.append(("disconnect", code))

    async def on_stop(self, end: Any) -> None:
        self.journal.append(("stop", end.how))

    @receive
    async def say(self, message: Say) -> None:
        self.count += 1
        self.send(Said(f"{self.count} {message.text}"))

    @receive
    async def tell(self, message: Tell) -> None:
        self.publish("all", Said(message.text), exclude=() if message.all else self.ref)

    @receive
    async def strict(self, message: Strict) -> None:
        self.journal.append("strict")

    @receive
    async def boom(self, message: Boom) -> None:
        raise RuntimeError("boom")

    @receive
    async def wait(self, message: Wait) -> None:
        self.busy.set()
        await self.release.wait()
        self.send(Said("released"))

    @receive(timeout=0.05)
    async def slow(self, message: Slow) -> None:
        await asyncio.Event().wait()

    @receive
    async def leave_with(self, message: Close) -> None:
        self.send(Said("before"))
        self.close(message.code, message.reason)
        self.close(4999, "the second")
        self.send(Said("after"))

    @receive
    async def stop_it(self, message: Stop) -> None:
        self.send(Said("before"))
        self.stop()

    @receive(wire=False)
    async def private(self, message: Private) -> None:
        self.send(Said(f"private {message.text}"))

    @receive
    async def total(self, request: Total) -> int:
        return sum(request.of)

    @receive
    async def unsendable(self, request: Unsendable) -> object:
        return object()

    @receive
    async def unset(self, request: Unset) -> Draft:
        draft = Draft("")
        del draft.text
        return draft

    @receive
    async def fails(self, request: Fails) -> int:
        raise RuntimeError("no")

    @receive
    async def hangs(self, request: Hangs) -> int:
        self.busy.set()
        await self.release.wait()
        return 1


class Small(Probe):
    mailbox_size = 2


def application(
    kind: type[Connection] = Probe, instruments: Any = (), **options: Any
) -> tuple[FastAPI, Sockets]:
    settings = {key: options.pop(key) for key in list(options) if hasattr(Settings, key)}
    app = FastAPI()
    sockets = Sockets(app, settings=Settings(**settings), instruments=instruments)
    sockets.add("/probe", kind, **options)
    return app, sockets


def say(text: str) -> dict[str, str]:
    return {"type": "say", "text": text}


def said(text: str) -> dict[str, str]:
    return {"type": "said", "text": text}


async def only(house: Any) -> ActorRef:
    (ref,) = house.system.members("all")
    return ref  # type: ignore[no-any-return]
