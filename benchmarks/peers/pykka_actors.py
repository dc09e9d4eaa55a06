"""Pykka: an actor in a thread of its own, told and asked from the main thread."""

import threading
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import pykka

CAPACITY = 1024


class Account(pykka.ThreadingActor):
    """Handles the messages of `mailbox`; gives a permit back for each chunk."""

    def __init__(self, kinds: Sequence[type[Any]], marked: threading.Semaphore) -> None:
        super().__init__()
        self.marked = marked
        self.total = 0
        self.handlers = dict(zip(kinds, (self.add, self.take, self.mark), strict=True))

    def on_receive(self, message: Any) -> None:
        self.handlers[type(message)](message)

    def add(self, message: Any) -> None:
        self.total += message.n

    def take(self, message: Any) -> None:
        self.total -= message.n

    def mark(self, message: Any) -> None:
        self.marked.release()


def tell(kinds: Sequence[type[Any]], messages: list[Any], chunks: int, worth: int) -> float:
    """Tell those messages, of three kinds, so many times; returns messages a second.

    Its inbox has no bound: so many chunks are under way as others have room for.
    """
    under_way = CAPACITY // len(messages)
    marked = threading.Semaphore(under_way)
    ref = Account.start(kinds, marked)
    try:
        begun = perf_counter()
        for _ in range(chunks):
            marked.acquire(timeout=30.0)
            for message in messages:
                ref.tell(message)
        for _ in range(under_way):
            marked.acquire(timeout=30.0)
        took = perf_counter() - begun
        total = ref.proxy().total.get(timeout=30.0)
        if total != chunks * worth:
            raise AssertionError(f"handled {total} of {chunks * worth}")
        return chunks * len(messages) / took
    finally:
        ref.stop()


class Desk(pykka.ThreadingActor):
    """Handles the questions of `ask`."""

    def __init__(self, kinds: Sequence[type[Any]]) -> None:
        super().__init__()
        self.asked = 0
        self.handlers = dict(zip(kinds, (self.get, self.other), strict=True))

    def on_receive(self, message: Any) -> int:
        return self.handlers[type(message)](message)

    def get(self, message: Any) -> int:
        self.asked += 1
        return self.asked

    def other(self, message: Any) -> int:
        return -1


def ask(kinds: Sequence[type[Any]], message: Any, count: int, deadline: float) -> float:
    """Ask so many times, one after the other; returns asks a second."""
    ref = Desk.start(kinds)
    try:
        begun = perf_counter()
        for number in range(1, count + 1):
            if ref.ask(message, timeout=deadline) != number:
                raise AssertionError("a wrong answer")
        return count / (perf_counter() - begun)
    finally:
        ref.stop()


class Echo(pykka.ThreadingActor):
    """Handles the one message of a life in `spawn`."""

    def __init__(self, heard: Any) -> None:
        super().__init__()
        self.heard = heard

    def on_receive(self, message: Any) -> None:
        self.heard.count += 1


def live(message: Any, heard: Any, lives: int) -> float:
    """So many lives, one after the other: started, told once, stopped; returns lives a second."""
    begun = perf_counter()
    for _ in range(lives):
        ref = Echo.start(heard)
        ref.tell(message)
        ref.stop()
    took = perf_counter() - begun
    if heard.count != lives:
        raise AssertionError(f"{heard.count} of {lives} lives handled their message")
    return lives / took
