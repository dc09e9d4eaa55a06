"""What waits to be sent to one client: order, bound, policy and conservation."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import Reason
from transport import SlowClient
from transport.codec import Frame, framed
from transport.outbox import Close, Outbox


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
    """An outbox and the pump's side of it."""

    def __init__(self, limit: int, policy: SlowClient = SlowClient.DISCONNECT) -> None:
        self.dropped: list[tuple[Any, Reason]] = []
        self.sent: list[Any] = []
        self.put = 0
        self.ready = 0  # how often the pump was told that there is something to send
        self.box = Outbox(limit, policy, self.drop, self.tell_pump, Waiter)

    def drop(self, frame: Frame, reason: Reason) -> None:
        self.dropped.append((frame.message, reason))

    def tell_pump(self) -> None:
        assert self.box.lined
        self.ready += 1

    def send(self, count: int = 1) -> None:
        for _ in range(count):
            self.box.put(framed(self.put, "data"))
            self.put += 1

    def pump(self, count: int) -> None:
        for _ in range(min(count, len(self.box.queue))):
            self.sent.append(self.box.queue.popleft().message)
        self.box.relieve()

    @property
    def queued(self) -> list[Any]:
        return [frame.message for frame in self.box.queue]


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["send", "send", "pump"]), st.integers(1, 6))
    | st.tuples(st.sampled_from(["finish", "abandon"]), st.just(0)),
    max_size=40,
)


@given(limit=st.integers(1, 8), policy=st.sampled_from(SlowClient), operations=OPERATIONS)
def test_sent_is_received_or_queued_or_dropped_and_in_order(
    limit: int, policy: SlowClient, operations: list[tuple[str, int]]
) -> None:
    bench = Bench(limit, policy)
    for name, count in operations:
        if name == "send":
            bench.send(count)
        elif name == "pump":
            bench.pump(count)
        elif name == "finish":
            bench.box.finish(Close(1000, ""))
        else:
            bench.box.abandon()
        assert len(bench.queued) <= limit
        dropped = [message for message, _ in bench.dropped]
        assert sorted(bench.sent + bench.queued + dropped) == list(range(bench.put))
        delivered = bench.sent + bench.queued
        assert delivered == sorted(delivered)
    reasons = {reason for _, reason in bench.dropped}
    assert reasons <= {Reason.CLIENT_GONE, Reason.CLIENT_SLOW}


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
        assert bench.ready == (told if action == "put" else 1)
        bench.pump(2)
        bench.box.lined = False  # the pump has nothing more of this one


def test_a_close_behind_a_frame_needs_no_second_word() -> None:
    bench = Bench(3)
    bench.send()
    bench.box.finish(Close(1000, ""))
    assert bench.ready == 1


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 10))


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("how", ["pump", "abandon", "overflow"])
def test_awaiting_a_send_waits_while_more_than_half_is_queued(how: str) -> None:
    async def main() -> None:
        bench = Bench(4)
        bench.box._new_waiter = asyncio.get_running_loop().create_future
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
    dropped: list[object] = []

    def drop(frame: Frame, reason: Reason) -> None:
        dropped.append(frame.message)
        # The bound is for a broken outbox, which would take in what it throws out for ever.
        if reason is Reason.CLIENT_SLOW and len(dropped) < 1000:
            outbox.put(framed("letter", "letter"))

    unused: Any = None
    outbox = Outbox(4, SlowClient.DISCONNECT, drop, lambda: None, unused)
    for number in range(5):
        outbox.put(framed(number, str(number)))
    assert [message for message in dropped if message != "letter"] == [0, 1, 2, 3, 4]
    assert (len(dropped), len(outbox.queue)) == (10, 0)
