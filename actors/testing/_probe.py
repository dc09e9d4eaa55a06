"""An actor of the test's own: it keeps what it is told, for the test to expect."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .._handlers import receive
from ..actor import Actor
from ..message import Request
from ..telemetry import Terminated
from ._loop import VirtualLoop

M = TypeVar("M")


class Probe(Actor):
    """Made by `TestKit.probe`. Takes any message; may `watch`, `join` and `publish` like any actor.

    (Akka's test probe.)
    """

    def __init__(self, loop: VirtualLoop, answers: Mapping[type, Callable[[Any], Any]]) -> None:
        self.messages: deque[object] = deque()
        """What came and was not expected yet, oldest first."""
        self._loop = loop
        self._answers = answers

    async def expect(self, kind: type[M], within: float = 1.0) -> M:
        """The next message, which has to be of that kind and to come in so many virtual seconds.

        It has come already, or is awaited. Raises `AssertionError` if it is of another kind, which
        then is taken as well, or if none comes.
        """
        if not await self._comes(within):
            raise AssertionError(f"no {kind.__name__} came to {self.ref.name} in {within:g} s")
        message = self.messages.popleft()
        if not isinstance(message, kind):
            raise AssertionError(f"a {kind.__name__} was to come, not {message!r}")
        return message

    async def expect_nothing(self, within: float = 1.0) -> None:
        """No message comes in so many virtual seconds, and none has come before.

        Raises `AssertionError` if one does.
        """
        if await self._comes(within):
            raise AssertionError(f"nothing was to come, but {self.messages[0]!r} did")

    async def _comes(self, within: float) -> bool:
        if not self.messages:
            await self._loop.sleep(within, until=lambda: bool(self.messages))
        return bool(self.messages)

    def _take(self, message: object) -> None:
        self.messages.append(message)
        self._loop.look()

    @receive
    async def answer(self, request: Request[Any]) -> Any:
        """Keep it too, and answer as the test said."""
        self._take(request)
        for kind in type(request).__mro__:
            if kind in self._answers:
                return self._answers[kind](request)
        raise LookupError(f"{self.ref.name} was given no answer to {type(request).__name__}")

    @receive
    async def ended(self, notice: Terminated) -> None:
        self._take(notice)

    def __unhandled__(self, message: object) -> bool:
        self._take(message)
        return True
