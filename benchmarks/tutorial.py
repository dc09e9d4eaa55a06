"""The tutorial's endpoints on plain FastAPI: what one would write instead.

Kept as they are in the tutorial ("FastAPI WebSocket, from the basics up", sections 3, 4 and 6),
except for annotations and two cuts. The chat joins its room on connecting and announces nobody:
the announcements make a room of n cost n² messages before the first one that counts. And the
background thread of the dual queues is left out: it sends, every five seconds, what no client of
the benchmark asked for.
"""

# ruff: noqa: BLE001  (the tutorial catches everything, and is left to)

import asyncio
import json
from typing import Any

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

ROOM = "benchmark"

# --- JSON echo -------------------------------------------------------------------------------

echo = FastAPI()


@echo.websocket("/ws/{client_id}")
async def echo_websocket(websocket: WebSocket, client_id: str) -> None:
    """Receive a text, parse it, answer with JSON."""
    await websocket.accept()
    try:
        while True:
            data = await websocket.receive_text()
            message = json.loads(data)
            await websocket.send_json({"type": "echo", "text": message["text"]})
    except WebSocketDisconnect:
        print(f"Client {client_id} disconnected")


# --- Section 4: the connection manager with groups ----------------------------------------------


class ConnectionManager:
    """Connections by client, groups by name; a group is sent to one member after the other."""

    def __init__(self) -> None:
        self.active_connections: dict[str, WebSocket] = {}
        self.connection_groups: dict[str, list[str]] = {}

    async def connect(self, websocket: WebSocket, client_id: str) -> None:
        await websocket.accept()
        self.active_connections[client_id] = websocket

    def disconnect(self, client_id: str) -> None:
        self.active_connections.pop(client_id, None)
        for group in self.connection_groups.values():
            if client_id in group:
                group.remove(client_id)

    async def add_to_group(self, group_name: str, client_id: str) -> None:
        if group_name not in self.connection_groups:
            self.connection_groups[group_name] = []
        if client_id not in self.connection_groups[group_name]:
            self.connection_groups[group_name].append(client_id)

    async def send_to_group(self, group_name: str, message: dict[str, Any]) -> None:
        if group_name in self.connection_groups:
            disconnected_clients: list[str] = []
            for client_id in self.connection_groups[group_name]:
                if client_id in self.active_connections:
                    try:
                        await self.active_connections[client_id].send_json(message)
                    except Exception:
                        disconnected_clients.append(client_id)
            for client_id in disconnected_clients:
                self.disconnect(client_id)


room = FastAPI()
_rooms = ConnectionManager()


@room.websocket("/ws/{client_id}")
async def chat_websocket(websocket: WebSocket, client_id: str) -> None:
    """Send each message to the whole room."""
    await _rooms.connect(websocket, client_id)
    await _rooms.add_to_group(ROOM, client_id)
    try:
        while True:
            data = await websocket.receive_text()
            message_data = json.loads(data)
            await _rooms.send_to_group(
                ROOM,
                {
                    "type": "message",
                    "client_id": client_id,
                    "content": message_data.get("content", ""),
                    "timestamp": message_data.get("timestamp"),
                },
            )
    except WebSocketDisconnect:
        _rooms.disconnect(client_id)


# --- Section 6: dual queues -----------------------------------------------------------------------


class SimpleDualQueueManager:
    """A receive queue, a send queue and three tasks for each connection."""

    def __init__(self) -> None:
        self.connections: dict[str, WebSocket] = {}
        self.receive_queues: dict[str, asyncio.Queue[Any]] = {}
        self.send_queues: dict[str, asyncio.Queue[Any]] = {}
        self.receive_tasks: dict[str, asyncio.Task[None]] = {}
        self.process_tasks: dict[str, asyncio.Task[None]] = {}
        self.send_tasks: dict[str, asyncio.Task[None]] = {}

    async def add_connection(self, client_id: str, websocket: WebSocket) -> None:
        self.connections[client_id] = websocket
        self.receive_queues[client_id] = asyncio.Queue()
        self.send_queues[client_id] = asyncio.Queue()
        self.receive_tasks[client_id] = asyncio.create_task(
            self._receive_messages(client_id, websocket)
        )
        self.process_tasks[client_id] = asyncio.create_task(self._process_messages(client_id))
        self.send_tasks[client_id] = asyncio.create_task(self._send_messages(client_id, websocket))
        await self.send_queues[client_id].put(
            {"type": "welcome", "message": f"Client {client_id} connected"}
        )

    async def remove_connection(self, client_id: str) -> None:
        for task in [
            self.receive_tasks.get(client_id),
            self.process_tasks.get(client_id),
            self.send_tasks.get(client_id),
        ]:
            if task:
                task.cancel()
        self.connections.pop(client_id, None)
        self.receive_queues.pop(client_id, None)
        self.send_queues.pop(client_id, None)
        self.receive_tasks.pop(client_id, None)
        self.process_tasks.pop(client_id, None)
        self.send_tasks.pop(client_id, None)

    async def _receive_messages(self, client_id: str, websocket: WebSocket) -> None:
        try:
            while True:
                data = await websocket.receive_text()
                message = json.loads(data)
                if client_id in self.receive_queues:
                    await self.receive_queues[client_id].put(message)
        except WebSocketDisconnect:
            print(f"Client {client_id} disconnected")
        except Exception as e:
            print(f"Receive error for {client_id}: {e}")
        finally:
            await self.remove_connection(client_id)

    async def _process_messages(self, client_id: str) -> None:
        try:
            while client_id in self.receive_queues:
                message = await self.receive_queues[client_id].get()
                response = {"type": "echo", "original": message, "timestamp": "now"}
                if client_id in self.send_queues:
                    await self.send_queues[client_id].put(response)
        except Exception as e:
            print(f"Process error for {client_id}: {e}")

    async def _send_messages(self, client_id: str, websocket: WebSocket) -> None:
        try:
            while client_id in self.send_queues:
                message = await self.send_queues[client_id].get()
                await websocket.send_json(message)
        except Exception as e:
            print(f"Send error for {client_id}: {e}")


dual = FastAPI()
_queues = SimpleDualQueueManager()


@dual.websocket("/ws/{client_id}")
async def simple_websocket(websocket: WebSocket, client_id: str) -> None:
    """The main loop only keeps the connection; the work is in the three tasks."""
    await websocket.accept()
    await _queues.add_connection(client_id, websocket)
    try:
        while True:
            await asyncio.sleep(30)
            if client_id not in _queues.connections:
                break
    except Exception as e:
        print(f"WebSocket error for {client_id}: {e}")
    finally:
        await _queues.remove_connection(client_id)
