"""A pool's keys: to the same worker in every process, and equal ones to the same in any."""

import enum
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Hashable
from decimal import Decimal
from pathlib import Path

import pytest
from anyio import to_thread

from actors import Actor, ActorSystem, Message, Pool, Request, receive

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parent.parent.parent


class Hue(enum.Enum):
    RED = 1
    BLUE = 2


class Level(enum.IntEnum):
    LOW = 1


class Word(enum.StrEnum):
    ONE = "one"


class Work(Message):
    key: Hashable


class Name(Request[str]):
    key: Hashable


class Worker(Actor):
    @receive
    async def work(self, message: Work) -> None:
        pass

    @receive
    async def tell_name(self, request: Name) -> str:
        return self.ref.name


KEYS: list[Hashable] = [
    *(f"user {number}" for number in range(20)),
    *(b"a", b"b", "\udc80", None, 1.5, 7, -1, Hue.RED, Hue.BLUE, Level.LOW, Word.ONE),
    *(("room", 1), ("room", None, (b"x", Hue.RED))),
]


async def routes(system: ActorSystem, name: str = "pool") -> list[str]:
    """Which worker each key goes to, and which once the first of them has ended."""
    pool = await Pool.spawn(system, Worker, size=5, routing=lambda message: message.key, name=name)
    found = [await pool.ask(Name(key)) for key in KEYS]
    await pool.refs[0].stop()
    return found + [await pool.ask(Name(key)) for key in KEYS]


PROGRAM = """
import importlib.util, sys, anyio
from actors import ActorSystem
spec = importlib.util.spec_from_file_location("keys", sys.argv[1])
keys = importlib.util.module_from_spec(spec)
sys.modules["keys"] = keys
spec.loader.exec_module(keys)
async def main():
    async with ActorSystem() as system:
        print(await keys.routes(system))
anyio.run(main)
"""


def routes_elsewhere(seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, __file__],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("seed", ["1", "2"])
async def test_another_process_routes_alike(system: ActorSystem, seed: str) -> None:
    elsewhere = await to_thread.run_sync(routes_elsewhere, seed)
    assert elsewhere == str(await routes(system))


async def test_equal_keys_go_together(system: ActorSystem) -> None:
    pool = await Pool.spawn(system, Worker, size=50, routing=lambda message: message.key)
    equal: list[list[Hashable]] = [
        [1, 1.0, True, Decimal(1), Level.LOW, 1 + 0j],
        ["one", Word.ONE],
        [(1, "one"), (1.0, Word.ONE), (True, "one")],
    ]
    for keys in equal:
        assert len({await pool.ask(Name(key)) for key in keys}) == 1


@pytest.mark.parametrize("form", ["{}", "user {:05}", "{}@example.com"])
async def test_strings_are_spread(system: ActorSystem, form: str) -> None:
    pool = await Pool.spawn(system, Worker, size=4, routing=lambda message: message.key)
    counts = Counter([await pool.ask(Name(form.format(number))) for number in range(800)])
    assert all(120 <= count <= 280 for count in counts.values()), counts
    await pool.refs[0].stop()
    moved = Counter([await pool.ask(Name(form.format(number))) for number in range(800)])
    assert all(160 <= count <= 380 for count in moved.values()), moved
