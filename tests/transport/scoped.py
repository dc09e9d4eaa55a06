"""An application behind a middleware that notes in the journal how long its calls last."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any

from applications import journal
from fastapi import Depends, FastAPI

from actors import Message, receive
from transport import Connection, Sockets


class Say(Message):
    text: str


async def session(who: str) -> AsyncGenerator[str]:
    await journal.note(who, "session opened")
    yield who
    await journal.note(who, "session closed")


class Member(Connection):
    def __init__(self, who: Annotated[str, Depends(session)]) -> None:
        self.who = who

    async def on_connect(self) -> None:
        await journal.note(self.who, "connected")

    async def on_disconnect(self, code: int) -> None:
        await journal.note(self.who, "disconnected")

    @receive
    async def say(self, message: Say) -> None:
        self.send(message)


class Middleware:
    """Notes the end of each WebSocket's call, and what passes it."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        who = scope["query_string"].decode().removeprefix("who=")

        async def seen(event: Any) -> None:
            await journal.note(f"{who} sent", event["type"])
            await send(event)

        await self._app(scope, receive, seen)
        await journal.note(who, "call ended")


app = FastAPI()
sockets = Sockets(app)
sockets.add("/plain", Member)
sockets.add("/kept", Member, keep_dependencies=True)
app.add_middleware(Middleware)


@app.get("/journal/{who}")
async def read_journal(who: str, count: int = 0) -> list[str]:
    return await journal.lines(who, count)
