"""The class `Actor`: what its subclasses may be called and hold, and what they may not hide."""

import pytest

from actors import NotRunning
from tests.actors.worker import Worker

pytestmark = pytest.mark.anyio


async def test_an_actor_has_no_context_before_its_spawn() -> None:
    worker = Worker()
    with pytest.raises(NotRunning, match="not __init__"):
        worker.join("room")
    with pytest.raises(NotRunning):
        _ = worker.ref
