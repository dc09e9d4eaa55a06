"""The class `Actor`: what its subclasses may be called and hold, and what they may not hide."""

import pytest

from actors import Actor, HandlerError, NotRunning, receive
from tests.actors.worker import Note, Worker

pytestmark = pytest.mark.anyio


async def test_an_actor_has_no_context_before_its_spawn() -> None:
    worker = Worker()
    with pytest.raises(NotRunning, match="not __init__"):
        worker.join("room")
    with pytest.raises(NotRunning):
        _ = worker.ref


def test_an_actor_may_have_a_name_of_its_own() -> None:
    class Person(Actor):
        def __init__(self, name: str) -> None:
            self.name = name

    assert Person("ann").name == "ann"


@pytest.mark.parametrize("name", ["join", "stop", "publish", "on_start", "find"])
def test_a_handler_that_would_hide_a_method_is_an_error(name: str) -> None:
    async def handler(self: Actor, message: Note) -> None: ...

    with pytest.raises(HandlerError, match="another name"):
        type("Hiding", (Actor,), {name: receive(handler)})


@pytest.mark.parametrize("name", ["on_start", "on_stop", "on_restart"])
def test_a_callback_without_async_is_an_error(name: str) -> None:
    with pytest.raises(HandlerError, match=f"{name} must be an `async def`"):
        type("Plain", (Actor,), {name: lambda self, *arguments: None})
