"""Read by mypy and pyright, never run: what they must infer, line by line.

A comment at a line's end says which type `reveal_type` shows there, or that it must be refused.
"""

from typing import Generic, TypeVar, reveal_type

from actors import (
    Actor,
    ActorRef,
    ActorSystem,
    Message,
    Pool,
    Request,
    Routing,
    Told,
    receive,
)

T = TypeVar("T")


class Say(Message):
    text: str


class Total(Request[int]):
    pass


class Names(Request[list[str]]):
    prefix: str = ""


class Latest(Request[T], Generic[T]):
    of: type[T]


class Nothing(Request[None]):
    pass


class Chat(Actor):
    def __init__(self, room: str) -> None:
        self.room = room

    @receive
    async def say(self, message: Say) -> None:
        reveal_type(self.ref)  # reveal: ActorRef
        reveal_type(self.publish("room", message))  # reveal: None
        self.publish("room", message, exclude=self.ref)
        self.publish("room", message, exclude=[self.ref])

    @receive(timeout=5)
    async def total(self, request: Total) -> int:
        return 1

    @receive  # error
    def plain(self, message: Say) -> None: ...


async def asking(ref: ActorRef) -> str:
    reveal_type(await ref.ask(Total()))  # reveal: int
    reveal_type(await ref.ask(Names("a"), timeout=1))  # reveal: list[str]
    reveal_type(await ref.ask(Latest(str)))  # reveal: str
    reveal_type(await ref.ask(Nothing()))  # reveal: None
    reveal_type(ref.ask_blocking(Total()))  # reveal: int
    reveal_type(ref.tell(Say("hello")))  # reveal: Told
    await ref.tell(Say("hello"))
    await ref.stop()
    word: str = await ref.ask(Total())  # error
    ref.ask(Say("hello"))  # error
    return word


def frozen(say: Say, names: Names) -> None:
    reveal_type(say.text)  # reveal: str
    say.text = "other"  # error
    names.prefix = "other"  # error
    Say(1)  # error
    Say()  # error
    Names(prefix="b")


async def spawning(system: ActorSystem, parent: Chat) -> Told:
    reveal_type(await system.spawn(lambda: Chat("lobby")))  # reveal: ActorRef
    reveal_type(await parent.spawn(lambda: Chat("lobby"), name="it"))  # reveal: ActorRef
    reveal_type(system.find("it"))  # reveal: ActorRef | None
    await system.spawn(Chat)  # error
    await system.spawn(Say)  # error
    return parent.ref.tell(Say("hello"))


def room_of(message: Say) -> str:
    return message.text


async def pooling(system: ActorSystem, parent: Chat) -> None:
    pool = await Pool.spawn(system, lambda: Chat("lobby"), size=2, routing=Routing.LEAST_LOADED)
    reveal_type(pool)  # reveal: Pool
    reveal_type(await pool.ask(Total()))  # reveal: int
    reveal_type(await pool.ask(Names("a"), timeout=1))  # reveal: list[str]
    reveal_type(await pool.ask(Latest(str)))  # reveal: str
    reveal_type(pool.ask_blocking(Total()))  # reveal: int
    reveal_type(pool.tell(Say("hello")))  # reveal: Told
    reveal_type(pool.supervisor)  # reveal: ActorRef
    for ref in pool.refs:
        reveal_type(ref.load)  # reveal: int
    await pool.drain(timeout=1)
    await Pool.spawn(parent, lambda: Chat("lobby"), routing=room_of)
    await Pool.spawn(parent, lambda: Chat("lobby"), routing=lambda message: message.text)
    await Pool.spawn(parent, lambda: Chat("lobby"), routing="round_robin")  # error
    await Pool.spawn(parent, Chat)  # error
    await Pool.spawn(parent.ref, lambda: Chat("lobby"))  # error
    pool.ask(Say("hello"))  # error
