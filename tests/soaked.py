"""The soak's application with a fault beneath its witness, which has to be found."""

from typing import Any

from benchmarks.soak.app import Witness, clerk, fastapi

EVERY = 40
"""Answers, of which one is affected."""


class Faulty:
    """Has each message that it is about to send sent so many times."""

    def __init__(self, times: int) -> None:
        self._times = times
        self._count = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def faulty(event: Any) -> None:
            times = 1
            if event["type"] == "websocket.send" and '"answer"' in event["text"]:
                self._count += 1
                times = self._times if self._count % EVERY == 0 else 1
            for _ in range(times):
                await send(event)

        await fastapi(scope, receive, faulty if scope["type"] == "websocket" else send)


losing = Witness(Faulty(0), clerk)
repeating = Witness(Faulty(2), clerk)
