"""What waits to be sent to one client: order, bound, policy and conservation."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import Reason
from transport import Settings, SlowClient
from transport.codec import Frame, Missed, framed
from transport.outbox import Close, ConflatingOutbox, new_outbox


class Waiter:
    """As much of a future as an outbox uses."""

    def __init__(self) -> None:
        self.woken = False

    def done(self) -> bool:
        return self.woken

    def set_result(self, result: None) -> None:
        assert not self.woken
        self.woken = True


class Bench:
    """An outbox and the pump's side of it. It is the outbox's owner."""

    new_waiter: Callable[[], Any] = Waiter

    def __init__(
        self, limit: int, policy: SlowClient = SlowClient.DISCONNECT, **settings: Any
    ) -> None:
        self.dropped: list[tuple[Any, Reason]] = []
        self.sent: list[Any] = []
        self.put = 0
        self.keys: list[Any] = []
        self.told = 0  # how often the pump was told that there is something to send
        settings = {"max_outbox": limit, "slow_client": policy, **settings}
        self.box = new_outbox(Settings(**settings), self)

    def drop(self, frame: Frame, reason: Reason) -> None:
        self.dropped.append((frame.message, reason))

    def ready(self) -> None:
        assert self.box.lined
        self.told += 1

    def missed(self, count: int) -> Frame:
        return framed(Missed(count), "", text=True)

    def send(self, count: int = 1, *, size: int = 4, key: Any = None, own: bool = False) -> None:
        for _ in range(count):
            self.keys.append(key)
            self.put += 1
            self.box.put(framed(self.put - 1, "x" * size, text=True), key, own=own)

    def pump(self, count: int) -> None:
        for _ in range(count):
            if self.box.queue:
                self.sent.append(self.box.take(0.0).message)
        self.box.sent()
        self.box.relieve()

    @property
    def queue(self) -> list[Frame]:
        queue: Any = self.box.queue
        return list(queue._frames.values() if isinstance(self.box, ConflatingOutbox) else queue)

    @property
    def queued(self) -> list[Any]:
        return [frame.message for frame in self.queue]

    def pump_all(self) -> list[Any]:
        while self.box.queue:
            self.pump(1)
        return self.sent


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["send", "send", "pump"]),
        st.integers(1, 6),
        st.integers(0, 12),
        st.booleans(),
    )
    | st.tuples(st.sampled_from(["finish", "abandon"]), st.just(0), st.just(0), st.just(False)),
    max_size=40,
)
POLICIES = st.sampled_from(SlowClient)


def play(bench: Bench, operations: list[tuple[str, int, int, bool]], keys: int = 0) -> None:
    for name, count, number, own in operations:
        if name == "send":
            key = number % keys or None if keys else None
            bench.send(count, size=number, key=key, own=own)
        elif name == "pump":
            bench.pump(count)
        elif name == "finish":
            bench.box.finish(Close(1000, ""))
        else:
            bench.box.abandon()
        check(bench)


def check(bench: Bench) -> None:
    """Nothing is lost, and the bounds are held."""
    box = bench.box
    messages = [each for each in bench.sent + bench.queued if not isinstance(each, Missed)]
    dropped = [each for each, _ in bench.dropped if not isinstance(each, Missed)]
    assert sorted(messages + dropped) == list(range(bench.put))
    times = 2 if box._policy is SlowClient.WAIT else 1
    sizes = [frame.size for frame in bench.queue if not isinstance(frame.message, Missed)]
    assert sum(sizes) == box._bytes
    assert len(sizes) <= box._max_frames * times
    assert len(sizes) <= 1 or sum(sizes) <= box._max_bytes * times
    assert len(bench.queue) - len(sizes) <= len(sizes) + 1  # what tells of gaps
    assert {reason for _, reason in bench.dropped} <= {
        Reason.CLIENT_GONE,
        Reason.CLIENT_SLOW,
        Reason.CONFLATED,
    }


@given(st.integers(1, 8), POLICIES, st.integers(1, 40), OPERATIONS)
def test_sent_is_received_or_queued_or_dropped_and_in_order(
    limit: int, policy: SlowClient, size: int, operations: list[tuple[str, int, int, bool]]
) -> None:
    bench = Bench(limit, policy, max_outbox_bytes=size)
    play(bench, operations)
    delivered = bench.sent + bench.queued
    assert delivered == sorted(delivered)


@given(
    st.integers(1, 8),
    POLICIES.filter(lambda policy: policy is not SlowClient.DISCONNECT),
    st.integers(1, 40),
    OPERATIONS,
)
def test_the_client_is_told_how_many_it_missed_where_it_missed_them(
    limit: int, policy: SlowClient, size: int, operations: list[tuple[str, int, int, bool]]
) -> None:
    bench = Bench(limit, policy, max_outbox_bytes=size, tell_missed=True)
    play(bench, [each for each in operations if each[0] != "abandon"])
    slow = {each for each, reason in bench.dropped if reason is Reason.CLIENT_SLOW}
    before, told = -1, 0
    for each in [*bench.pump_all(), None]:
        if isinstance(each, Missed):
            told += each.count
            continue
        here = bench.put if each is None else each
        assert told == len(slow.intersection(range(before + 1, here)))
        before, told = here, 0


@given(st.integers(1, 8), POLICIES, st.integers(1, 40), OPERATIONS)
def test_of_one_key_the_newest_waits_in_the_place_of_the_first(
    limit: int, policy: SlowClient, size: int, operations: list[tuple[str, int, int, bool]]
) -> None:
    bench = Bench(limit, policy, max_outbox_bytes=size, conflate=lambda message: None)
    play(bench, operations, keys=4)
    keys = bench.keys
    waiting = [keys[each] for each in bench.queued if keys[each] is not None]
    assert len(waiting) == len(set(waiting))
    for each, reason in bench.dropped:
        if reason is Reason.CONFLATED:  # by one that came later
            assert any(keys[other] == keys[each] for other in range(each + 1, bench.put))
    for key in {1, 2, 3}:
        of_key = [each for each in bench.sent + bench.queued if keys[each] == key]
        assert of_key == sorted(of_key)


def test_a_newer_frame_takes_the_place_and_not_the_end() -> None:
    bench = Bench(3, conflate=lambda message: None)
    for key in ("a", None, "b", "a"):
        bench.send(key=key)
    assert bench.queued == [3, 1, 2]
    assert bench.dropped == [(0, Reason.CONFLATED)]
    assert bench.pump_all() == [3, 1, 2]
    bench.send(key="a")
    assert bench.queued == [4]


@pytest.mark.parametrize("policy", [SlowClient.DROP_NEWEST, SlowClient.DROP_OLDEST])
def test_bytes_are_bounded_but_for_a_frame_alone(policy: SlowClient) -> None:
    bench = Bench(10, policy, max_outbox_bytes=100)
    bench.send(size=1000)
    bench.send(size=1)
    newest = policy is SlowClient.DROP_NEWEST
    assert bench.queued == ([0] if newest else [1])
    bench.pump_all()
    bench.send(4, size=30)
    assert bench.queued == ([2, 3, 4] if newest else [3, 4, 5])


def test_what_tells_of_a_gap_keeps_nothing_out() -> None:
    bench = Bench(1, SlowClient.DROP_NEWEST, tell_missed=True)
    for _ in range(3):
        bench.send(2)
        bench.pump(1)
        bench.send(1)
        bench.pump(2)
    assert [each for each in bench.sent if not isinstance(each, Missed)] == [0, 2, 3, 5, 6, 8]
    assert [each.count for each in bench.sent if isinstance(each, Missed)] == [1, 1, 1]


def test_what_waits_is_half_of_the_bytes_or_half_of_the_frames() -> None:
    bench = Bench(4, max_outbox_bytes=100)
    bench.send(size=51)
    assert bench.box.crowded
    bench.pump(1)
    bench.send(2, size=1)
    assert not bench.box.crowded
    bench.send(size=1)
    assert bench.box.crowded


def test_who_awaits_its_sends_finds_room_where_a_publish_does_not() -> None:
    bench = Bench(3, SlowClient.WAIT)
    bench.send(5)
    assert bench.dropped == [(3, Reason.CLIENT_SLOW), (4, Reason.CLIENT_SLOW)]
    bench.send(4, own=True)
    assert bench.queued == [0, 1, 2, 5, 6, 7]
    assert bench.dropped[2:] == [(8, Reason.CLIENT_SLOW)]


def test_the_newest_is_dropped() -> None:
    bench = Bench(3, SlowClient.DROP_NEWEST)
    bench.send(5)
    assert bench.queued == [0, 1, 2]
    assert bench.dropped == [(3, Reason.CLIENT_SLOW), (4, Reason.CLIENT_SLOW)]
    assert bench.box.close is None


def test_the_oldest_is_dropped() -> None:
    bench = Bench(3, SlowClient.DROP_OLDEST)
    bench.send(5)
    assert bench.queued == [2, 3, 4]
    assert bench.dropped == [(0, Reason.CLIENT_SLOW), (1, Reason.CLIENT_SLOW)]
    assert bench.box.close is None


def test_the_slow_client_is_disconnected_with_1013() -> None:
    bench = Bench(3)
    bench.send(4)
    assert bench.queued == []
    assert bench.dropped == [(number, Reason.CLIENT_SLOW) for number in range(4)]
    assert bench.box.close is not None
    assert bench.box.close.code == 1013
    bench.send()
    assert bench.dropped[-1] == (4, Reason.CLIENT_GONE)


def test_the_first_close_counts_and_what_is_queued_stays() -> None:
    bench = Bench(3)
    bench.send(2)
    bench.box.finish(Close(4000, "one"))
    bench.box.finish(Close(4001, "two"))
    bench.send()
    assert bench.box.close == Close(4000, "one")
    assert bench.queued == [0, 1]
    assert bench.dropped == [(2, Reason.CLIENT_GONE)]


def test_a_vanished_client_gets_nothing_more() -> None:
    bench = Bench(3)
    bench.send(2)
    bench.box.abandon()
    bench.box.abandon()
    assert bench.box.gone
    assert bench.dropped == [(0, Reason.CLIENT_GONE), (1, Reason.CLIENT_GONE)]


@pytest.mark.parametrize("action", ["put", "finish"])
def test_the_pump_is_told_once_until_it_has_looked(action: str) -> None:
    bench = Bench(3)
    for told in (1, 2):
        for _ in range(2):
            if action == "put":
                bench.send()
            else:
                bench.box.finish(Close(1000, ""))
        assert bench.told == (told if action == "put" else 1)
        bench.pump(2)
        bench.box.lined = False  # the pump has nothing more of this one


def test_a_close_behind_a_frame_needs_no_second_word() -> None:
    bench = Bench(3)
    bench.send()
    bench.box.finish(Close(1000, ""))
    assert bench.told == 1


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 10))


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("how", ["pump", "abandon", "overflow"])
def test_awaiting_a_send_waits_while_more_than_half_is_queued(how: str) -> None:
    async def main() -> None:
        bench = Bench(4)
        bench.new_waiter = asyncio.get_running_loop().create_future
        bench.send(2)
        await bench.box.pace()  # half full: at once
        bench.send()

        async def sender() -> None:
            await bench.box.pace()

        senders = [asyncio.create_task(sender()) for _ in range(3)]
        await turns()
        assert not any(task.done() for task in senders)
        senders[0].cancel()
        await turns()
        if how == "pump":
            bench.pump(1)
        elif how == "abandon":
            bench.box.abandon()
        else:
            bench.send(2)
        await asyncio.gather(*senders[1:])
        assert senders[0].cancelled()

    run(main())


def test_a_send_that_is_not_awaited_waits_for_nothing() -> None:
    bench = Bench(4)
    bench.send(3)
    bench.box.pace()
    assert bench.box._pacers is None


def test_whoever_hears_of_a_drop_may_send_to_the_client_that_is_dropped() -> None:
    class Answering(Bench):
        def drop(self, frame: Frame, reason: Reason) -> None:
            super().drop(frame, reason)
            # The bound is for a broken outbox, which would take in what it throws out for ever.
            if reason is Reason.CLIENT_SLOW and len(self.dropped) < 1000:
                self.box.put(framed("letter", "letter", text=True))

    bench = Answering(4)
    bench.send(5)
    dropped = [message for message, _ in bench.dropped]
    assert [message for message in dropped if message != "letter"] == [0, 1, 2, 3, 4]
    assert (len(dropped), len(bench.queue)) == (10, 0)


@pytest.mark.parametrize(
    ("reason", "sent"), [("é" * 100, "é" * 61), ("no \ud800", "no ?"), ("\ud800" * 200, "?" * 123)]
)
def test_any_text_may_be_a_reason(reason: str, sent: str) -> None:
    assert Close.cut(4000, reason) == Close(4000, sent)
