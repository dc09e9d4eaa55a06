"""The lifespan of an application: started, held, and ended."""

import asyncio
from collections.abc import Callable
from contextvars import Context

from starlette.types import ASGIApp, Message

from ._patience import Patience
from ._stacks import Hanging, stack_of


class Lifespan:
    """One run of it, in a task of its own. `state`: what it yields, for the scopes."""

    def __init__(self, app: ASGIApp, patience: Patience, timeout: float, context: Context) -> None:
        self.state: dict[str, object] = {}
        self._app = app
        self._patience = patience
        self._timeout = timeout
        self._said: Message | None = None
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._events.put_nowait({"type": "lifespan.startup"})
        self.task = asyncio.get_running_loop().create_task(
            self._run(), name="the lifespan", context=context
        )
        self.task.add_done_callback(lambda _: patience.stir())

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        await self._app(scope, self._events.get, self._send)

    async def _send(self, message: Message) -> None:
        self._said = message
        self._patience.stir()

    async def start(self) -> None:
        """Wait for its start. Raises what the application raised, or `RuntimeError`."""
        await self._wait("startup", lambda: self._said is not None or self.task.done())
        if self._said is not None and self._said["type"] == "lifespan.startup.complete":
            return
        await self._wait("failed startup", self.task.done)
        await self.task
        raise RuntimeError(f"the lifespan did not start: {self._said}")

    async def stop(self) -> None:
        """End it, and wait for that. Raises what the application raised, or `RuntimeError`."""
        if self.task.done():
            return  # in the middle, which has been told
        self._events.put_nowait({"type": "lifespan.shutdown"})
        await self._wait("shutdown", self.task.done)
        await self.task
        if self._said is None or self._said["type"] != "lifespan.shutdown.complete":
            raise RuntimeError(f"the lifespan did not end well: {self._said}")

    async def _wait(self, what: str, condition: Callable[[], bool]) -> None:
        # By the loop's own clock: it waits for databases rather than for actors.
        if not await self._patience.until(condition, self._timeout, real=True):
            stack = stack_of(self.task)
            self.task.cancel()
            raise Hanging(f"the {what} of the lifespan takes over {self._timeout:g} s:\n{stack}")
