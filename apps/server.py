"""The demo server: `make demo`, or `greenroom serve apps.server:app`.

`NOTIFY_SECONDS` (30) and `BACKGROUND_SECONDS` (5) set how often the two threads send,
`HEARTBEAT_SECONDS` (15) how often `/ws/simple` does.
"""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from transport import CurrentSystem, Json, Settings, Sockets

from . import dual, notifications
from .chat import NAME, Chat
from .echo import Advanced, Echo
from .ticker import Ticker

STATIC = Path(__file__).parent / "static"
NOTIFY_SECONDS = float(os.environ.get("NOTIFY_SECONDS", "30"))
BACKGROUND_SECONDS = float(os.environ.get("BACKGROUND_SECONDS", "5"))
HEARTBEAT_SECONDS = float(os.environ.get("HEARTBEAT_SECONDS", "15"))


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    with (
        Ticker(
            sockets.system,
            notifications.SUBSCRIBERS,
            NOTIFY_SECONDS,
            notifications.notification,
            notifications.muted,
        ),
        Ticker(sockets.system, dual.SUBSCRIBERS, BACKGROUND_SECONDS, dual.background),
    ):
        yield


app = FastAPI(title="Greenroom's demos", lifespan=lifespan)
sockets = Sockets(app)
sockets.add("/ws", Echo)
sockets.add("/ws/advanced", Advanced)
sockets.add("/ws/chat/{client_id}", Chat, name=NAME)
sockets.add("/ws/thread-safe/{client_id}", notifications.Notifications)
sockets.add(
    "/ws/simple/{client_id}",
    dual.Dual,
    codec=Json(),
    settings=Settings(heartbeat=HEARTBEAT_SECONDS),
)
app.mount("/static", StaticFiles(directory=STATIC), name="static")


@app.get("/", include_in_schema=False)
async def index() -> FileResponse:
    return FileResponse(STATIC / "index.html")


@app.get("/chat", include_in_schema=False)
async def chat_page() -> FileResponse:
    return FileResponse(STATIC / "chat.html")


@app.get("/console", include_in_schema=False)
async def console_page() -> FileResponse:
    return FileResponse(STATIC / "console.html")


@app.get("/chat/names/{client_id}")
async def name_taken(client_id: str, system: CurrentSystem) -> dict[str, bool]:
    """Whether somebody in the chat has that name: a browser is not told why it was refused."""
    return {"taken": system.find(NAME.format(client_id=client_id)) is not None}
