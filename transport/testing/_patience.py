"""Waits with a deadline, by the clock of the actors where they have one of their own."""

import asyncio
from collections.abc import Callable

from actors import ActorSystem, Timer

MARGIN = 1 / 32
"""Seconds a wait takes longer: what is due at its very end has come by then."""


class Patience:
    """Whoever waits looks again when something has happened (`stir`), or at its deadline."""

    def __init__(self, system: ActorSystem | None) -> None:
        self._system = system
        self._loop = asyncio.get_running_loop()
        self._waiters: set[asyncio.Future[None]] = set()

    def call_later(self, delay: float, function: Callable[[], object]) -> Timer:
        """Call the function in `delay` seconds, virtual ones in a `TestKit`."""
        if self._system is None:
            return self._loop.call_later(delay, function)
        return self._system.call_later(delay, function)

    def stir(self) -> None:
        """Something has happened."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def until(
        self, condition: Callable[[], bool], timeout: float, *, real: bool = False
    ) -> bool:
        """Wait until the condition holds; whether it does.

        With `real` the deadline is the loop's own: for what waits for no actor.
        """
        over = False

        def expire() -> None:
            nonlocal over
            over = True
            self.stir()

        if condition():
            return True
        call_later = self._loop.call_later if real else self.call_later
        timer = call_later(timeout + MARGIN, expire)
        try:
            while not over and not condition():
                waiter = self._loop.create_future()
                self._waiters.add(waiter)
                try:
                    await waiter
                finally:
                    self._waiters.discard(waiter)
        finally:
            timer.cancel()
        return condition()
