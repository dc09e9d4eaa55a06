"""A chat of one lobby, and an application that serves it."""

from fastapi import FastAPI

from actors import Message, Request, receive
from transport import Connection, Sockets


class Say(Message):
    text: str


class Said(Message):
    who: str
    text: str


class Size(Request[int]):
    pass


class Chat(Connection):
    def __init__(self, client_id: str) -> None:
        self.client_id = client_id

    async def on_connect(self) -> None:
        self.join("lobby")

    @receive
    async def say(self, message: Say) -> None:
        self.publish("lobby", Said(self.path_params["client_id"], message.text))

    @receive
    async def size(self, request: Size) -> int:
        return len(self.members("lobby"))


def application() -> tuple[FastAPI, Sockets]:
    app = FastAPI()
    sockets = Sockets(app)
    sockets.add("/chat/{client_id}", Chat, name="chat/{client_id}")
    return app, sockets
