"""The wire over our own server: when it writes, waits, goes on and ends, without a socket."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import pytest

from actors import Reason
from tests.transport.probe import application, say
from transport import Settings
from transport._burst import BURST, EXTENSION, ROUND, Bursts, BurstWire
from transport.codec import Data, Frame, framed
from transport.outbox import Close, new_outbox

ENOUGH = 20
"""Turns of the loop."""


class Stream:
    """An open WebSocket of which each call is noted. `room`: writes until the next has to wait."""

    def __init__(self) -> None:
        self.log: list[object] = []
        self.open = True
        self.peer = None
        self.writing_paused = False
        self.sent = 0
        self.room = 1000
        self.breaks = False  # at the next write
        self.closes = True  # or raises
        self.transport = self  # by which it is found
        self.early: list[Data] = []  # received before anybody is attached
        self.inbound: Any = None

    def blocked(self) -> bool:
        return self.writing_paused or not self.open

    def attach(self, inbound: Any) -> "Stream":
        self.inbound = inbound
        if self.early:
            inbound.receive(self.early)
        if not self.open:
            inbound.disconnect(1001, "")
        return self

    def write(self, data: bytes) -> None:
        self.log.append(data)
        self.open = not self.breaks
        self.room -= 1
        if not self.room:
            self.pause()

    def pause(self) -> None:
        self.writing_paused = True
        self.inbound.pause_writing()

    def resume(self, room: int = 1000) -> None:
        self.writing_paused, self.room = False, room
        self.inbound.resume_writing()

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str) -> None:
        return None

    def close(self, code: int, reason: str) -> None:
        if not self.closes:
            raise ZeroDivisionError
        self.log.append((code, reason))
        self.end(code)

    def abort(self) -> None:
        self.log.append("abort")
        self.end(1006)

    def end(self, code: int) -> None:
        if self.open:
            self.open = False
            self.inbound.disconnect(code, "")

    def pause_reading(self) -> None:
        self.log.append("pause reading")

    def resume_reading(self) -> None:
        self.log.append("resume reading")


class Socket:
    """What a wire has of its socket; its own intake too. `bound`: frames to take in a turn."""

    def __init__(self, bound: int = 1000, **settings: Any) -> None:
        self.outbox = new_outbox(Settings(**settings), self)  # type: ignore[arg-type]
        self.intake = self
        self.bound = bound
        self.taken: list[Data] = []
        self.dropped: list[object] = []
        self.told: list[object] = []
        self.wire: Any = None
        self._rest = iter(())

    # As an outbox's owner.

    def drop(self, frame: Frame, reason: Reason) -> None:
        self.dropped.append(frame.message)

    def ready(self) -> None:
        self.wire.ready()

    def missed(self, count: int) -> Frame:
        return framed(count, f"missed {count}", text=True)

    # As an intake.

    def take(self, burst: Iterable[Data]) -> bool:
        self._rest = iter(burst)  # type: ignore[assignment]
        return self.go_on()

    def go_on(self) -> bool:
        for count, data in enumerate(self._rest, 1):
            self.taken.append(data)
            if count == self.bound:
                return True
        return False

    # As a socket.

    def watch(self) -> None:
        self.told.append("watch")

    def watch_closely(self) -> None:
        self.told.append("watch closely")

    def failed(self, error: Exception) -> None:
        self.told.append(error)
        self.outbox.abandon()

    def closed(self, code: int) -> None:
        self.told.append(("closed", code))

    def gone(self, code: int) -> None:
        self.told.append(("gone", code))
        self.outbox.abandon()
        self.wire.cut()

    def queue(self, *texts: str) -> None:
        for text in texts:
            self.outbox.put(framed(text, text, text=True))


class Scene:
    """One socket and its stream; `open` connects them."""

    def __init__(self, bursts: Bursts, **options: Any) -> None:
        self.bursts = bursts
        self.stream = Stream()
        self.socket = Socket(**options)
        self.now = 100.0
        websocket: Any = self
        self.scope = {"extensions": {EXTENSION: {"attach": self.stream.attach}}}
        self.wire = BurstWire(websocket, bursts, lambda: self.now)
        self.socket.wire = self.wire

    def open(self) -> "Scene":
        self.wire.open(self.socket)
        return self


def wire(*texts: str) -> bytes:
    return b"".join(framed(text, text, text=True).wire for text in texts)


async def turns(count: int = ENOUGH) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


Play = Callable[[Bursts], Coroutine[Any, Any, None]]


def scene(play: Play) -> Callable[[], None]:
    """A test that has a loop, in which no callback may raise."""

    def test() -> None:
        raised: list[Any] = []

        async def main() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, it: raised.append(it))
            async with asyncio.timeout(20):
                await play(Bursts())

        asyncio.run(main())
        assert raised == []

    test.__doc__ = play.__doc__
    return test


@scene
async def test_all_that_is_queued_in_a_turn_goes_out_in_one_write(bursts: Bursts) -> None:
    it = Scene(bursts).open()
    it.socket.queue("a", "b")
    it.socket.queue("c")
    assert it.stream.log == []
    await turns(1)
    assert it.stream.log == [wire("a", "b", "c")]
    it.socket.queue("d")
    await turns(1)
    assert it.stream.log[1:] == [wire("d")]
    assert it.socket.told == ["watch", "watch"]
    assert it.socket.outbox.in_hand == ()
    assert it.socket.outbox.since is None


@scene
async def test_a_write_has_a_size_and_each_write_is_a_turn(bursts: Bursts) -> None:
    it = Scene(bursts).open()
    large = [letter * (BURST // 2) for letter in "abcdefghijk"]
    it.socket.queue(*large)
    for write in range(1, 7):
        await turns(1)
        assert it.stream.log == [wire(*large[i : i + 2]) for i in range(0, 2 * write, 2)]


@scene
async def test_so_many_sockets_are_written_to_before_others_have_a_turn(bursts: Bursts) -> None:
    all_ = [Scene(bursts).open() for _ in range(ROUND + 10)]
    for each in all_:
        each.socket.queue("a")
    await turns(1)
    assert sum(bool(each.stream.log) for each in all_) == ROUND
    await turns(1)
    assert all(each.stream.log == [wire("a")] for each in all_)


def test_one_that_raises_keeps_nobody_from_their_turn() -> None:
    async def main() -> None:
        bursts = Bursts()
        bad, good = Scene(bursts).open(), Scene(bursts).open()

        def write(data: bytes) -> None:
            raise ZeroDivisionError

        bad.stream.write = write  # type: ignore[method-assign]
        bad.socket.queue("a")
        good.socket.queue("b")
        await turns()
        assert good.stream.log == [wire("b")]
        good.socket.queue("c")
        await turns()
        assert good.stream.log == [wire("b"), wire("c")]
        error, gone = bad.socket.told
        assert isinstance(error, ZeroDivisionError)
        assert gone == ("gone", 1006)
        assert bad.socket.dropped == ["a"]
        assert bad.stream.log == ["abort"]

    asyncio.run(main())


@scene
async def test_what_has_to_wait_is_in_hand_until_writing_is_resumed(bursts: Bursts) -> None:
    it = Scene(bursts).open()
    outbox = it.socket.outbox
    it.stream.room = 1
    it.socket.queue("a", "b")
    await turns()
    assert [frame.message for frame in outbox.in_hand] == ["a", "b"]
    assert outbox.since == 100.0
    assert it.socket.told == ["watch", "watch closely"]
    it.socket.queue("c")
    await turns()
    assert it.stream.log == [wire("a", "b")]
    it.stream.resume()
    assert (outbox.in_hand, outbox.since) == ((), None)
    await turns()
    assert it.stream.log == [wire("a", "b"), wire("c")]


@scene
async def test_who_waits_for_room_goes_on_when_writing_is_resumed(bursts: Bursts) -> None:
    """With nothing left to be written."""
    it = Scene(bursts, max_outbox=4).open()
    it.stream.room = 1
    it.socket.queue("a", "b", "c")
    pacer = asyncio.get_running_loop().create_future()
    it.socket.new_waiter = lambda: pacer  # type: ignore[attr-defined]
    it.socket.outbox.new_pacer()
    await turns()
    assert not pacer.done()
    it.stream.resume()
    await turns()
    assert pacer.done()


@scene
async def test_what_was_queued_behind_the_servers_own_bytes_goes_out_after_them(
    bursts: Bursts,
) -> None:
    """Answers to pings, say, that its client does not read: nothing of ours is in hand."""
    it = Scene(bursts).open()
    it.stream.pause()
    it.socket.queue("a")
    await turns()
    assert it.stream.log == []
    assert it.socket.told == ["watch closely"]  # or a client that stalls would be kept for ever
    assert it.socket.outbox.since == 100.0
    it.stream.resume()
    await turns()
    assert it.stream.log == [wire("a")]
    it.socket.queue("b")
    await turns()
    assert it.stream.log == [wire("a"), wire("b")]


@scene
async def test_a_close_waits_like_anything_else(bursts: Bursts) -> None:
    it = Scene(bursts).open()
    it.stream.pause()
    it.socket.outbox.finish(Close(4000, "done"))
    await turns()
    assert it.stream.log == []
    assert it.socket.told == ["watch closely"]
    it.stream.resume()
    await turns()
    assert it.stream.log == [(4000, "done")]


@scene
async def test_a_close_goes_out_behind_all_that_is_queued(bursts: Bursts) -> None:
    it = Scene(bursts).open()
    large = ["x" * BURST, "y" * BURST]
    it.socket.queue(*large)
    it.socket.outbox.finish(Close(4000, "done"))
    await turns()
    assert it.stream.log == [wire(large[0]), wire(large[1]), (4000, "done")]
    assert [each for each in it.socket.told if each != "watch"] == [("closed", 4000)]


@scene
async def test_it_advances_while_the_system_takes_something(bursts: Bursts) -> None:
    it = Scene(bursts).open()
    it.stream.room, it.stream.sent = 1, 7
    it.socket.queue("a")
    await turns()
    assert not it.wire.advances()
    it.stream.sent = 8
    assert it.wire.advances()
    assert not it.wire.advances()


@pytest.mark.parametrize("how", ["abort", "lost"])
def test_what_is_in_hand_when_the_client_goes_is_a_dead_letter(how: str) -> None:
    @scene
    async def play(bursts: Bursts) -> None:
        it = Scene(bursts).open()
        it.stream.room = 1
        it.socket.queue("a", "b")
        await turns()
        it.socket.queue("c")
        if how == "abort":
            it.wire.abort()
        else:
            it.stream.end(1006)
        assert it.socket.dropped == ["a", "b", "c"]
        assert it.socket.told[2:] == [("gone", 1006)]
        it.stream.resume()  # nothing comes of that any more
        it.socket.queue("d")
        await turns()
        assert it.socket.dropped == ["a", "b", "c", "d"]
        assert it.stream.log == [wire("a", "b"), *(["abort"] if how == "abort" else [])]

    play()


@scene
async def test_a_burst_is_taken_turn_by_turn_and_nothing_is_read_meanwhile(bursts: Bursts) -> None:
    it = Scene(bursts, bound=2).open()
    it.stream.inbound.receive(["a", "b", "c"])
    assert it.socket.taken == ["a", "b"]
    assert it.stream.log == ["pause reading"]
    it.stream.inbound.receive(["d", "e", "f", "g"])  # what was decrypted already, say
    it.stream.inbound.receive(["h"])
    assert it.socket.taken == ["a", "b"]
    await turns(1)
    assert it.socket.taken == ["a", "b", "c", "d", "e"]
    assert it.stream.log == ["pause reading"]
    await turns()
    assert it.socket.taken == list("abcdefgh")
    assert it.stream.log == ["pause reading", "resume reading"]
    it.stream.inbound.receive(["i"])
    assert it.socket.taken == list("abcdefghi")


@scene
async def test_nothing_is_read_while_what_came_before_it_was_opened_is_taken(
    bursts: Bursts,
) -> None:
    """Or a client that sends without end would fill the memory."""
    it = Scene(bursts, bound=1)
    it.stream.early = ["a", "b"]
    it.open()
    assert it.socket.taken == ["a"]
    assert it.stream.log == ["pause reading"]
    await turns()
    assert it.socket.taken == ["a", "b"]
    assert it.stream.log == ["pause reading", "resume reading"]


@scene
async def test_a_client_that_went_is_gone_behind_all_that_it_sent(bursts: Bursts) -> None:
    it = Scene(bursts, bound=1).open()
    it.stream.inbound.receive(["a", "b", "c"])
    it.stream.end(4001)
    assert it.socket.told == []
    await turns()
    assert it.socket.taken == ["a", "b", "c"]
    assert it.socket.told == [("gone", 4001)]
    assert it.stream.log == ["pause reading"]  # and is not read any more


@scene
async def test_what_it_is_answered_when_it_went_is_a_dead_letter(bursts: Bursts) -> None:
    """While what it sent before is still taken: what is written then goes nowhere."""
    it = Scene(bursts, bound=1).open()
    it.stream.inbound.receive(["a", "b", "c"])
    it.socket.queue("to a")
    it.stream.end(1000)
    it.socket.queue("to b")
    await turns()
    assert it.socket.dropped == ["to a", "to b"]
    assert it.socket.outbox.close == (1000, "")  # what an actor hears that ends meanwhile
    assert it.stream.log == ["pause reading"]
    assert it.socket.taken == ["a", "b", "c"]


@pytest.mark.parametrize("when", ["before", "during"])
def test_what_a_lost_connection_would_swallow_is_a_dead_letter(when: str) -> None:
    """It is lost a turn before anybody is told."""

    @scene
    async def play(bursts: Bursts) -> None:
        it = Scene(bursts).open()
        it.socket.queue("a", "b")
        if when == "before":
            it.stream.open = False
        else:
            it.stream.breaks = True
        await turns()
        assert it.stream.log == ([] if when == "before" else [wire("a", "b")])
        it.stream.inbound.disconnect(1006, "")
        assert it.socket.dropped == ["a", "b"]

    play()


@scene
async def test_what_several_have_to_send_in_a_row_is_joined_once(bursts: Bursts) -> None:
    every = [Scene(bursts).open() for _ in range(4)]
    frames = [framed(text, text, text=True) for text in "abc"]
    for number, it in enumerate(every):
        for frame in frames[number // 3 :]:  # the last has not all of it
            it.socket.outbox.put(frame)
    await turns()
    first, second, third, last = (it.stream.log for it in every)
    assert first == second == third == [wire("a", "b", "c")]
    assert first[0] is second[0] is third[0]
    assert last == [wire("b", "c")]
    assert bursts.joined(frames[1:]) is not last[0]  # of which nothing is kept


@scene
async def test_an_error_in_the_close_is_the_end_as_well(bursts: Bursts) -> None:
    it = Scene(bursts).open()
    it.stream.closes = False
    it.socket.outbox.finish(Close(4000, "done"))
    await turns()
    assert isinstance(it.socket.told[0], ZeroDivisionError)
    assert it.socket.told[1:] == [("gone", 1006)]
    assert it.stream.log == ["abort"]


@scene
async def test_an_abort_reaches_the_connection_before_it_is_opened(bursts: Bursts) -> None:
    it = Scene(bursts)
    it.stream.inbound = it.wire
    it.stream.open = False
    it.wire.abort()
    assert it.stream.log == ["abort"]


@scene
async def test_one_that_is_gone_before_it_is_opened(bursts: Bursts) -> None:
    it = Scene(bursts)
    it.stream.open = False
    it.open()
    assert it.socket.told == [("gone", 1001)]
    await it.wire.run()
    assert it.stream.log == []


@scene
async def test_it_runs_until_its_socket_is_over(bursts: Bursts) -> None:
    it = Scene(bursts).open()
    running = asyncio.ensure_future(it.wire.run())
    await turns()
    assert not running.done()
    it.stream.end(1000)
    await running
    assert it.stream.log == []


@scene
async def test_cancelled_it_ends_the_connection(bursts: Bursts) -> None:
    it = Scene(bursts).open()
    running = asyncio.ensure_future(it.wire.run())
    await turns()
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    assert it.stream.log == ["abort"]
    assert it.socket.told == [("gone", 1006)]


def attached(stream: Stream) -> dict[str, Any]:
    return {EXTENSION: {"attach": stream.attach}}


def test_the_call_ends_once_it_is_open_and_the_socket_lives_on(
    plain_house: Any, probe: Any
) -> None:
    async def test(house: Any) -> None:
        stream = Stream()
        peer = house.dial("/probe", extensions=attached(stream))
        await peer.open()
        await peer.task
        stream.inbound.receive([json.dumps(say("a"))])
        await house.until(lambda: stream.log)
        assert stream.log == [wire('{"type":"said","text":"1 a"}')]
        assert house.sockets.connections == 1
        stream.end(4001)
        await house.until(lambda: not house.sockets.connections)

    plain_house(*application(), test)
    assert ("disconnect", 4001) in probe.journal


def test_with_its_dependencies_kept_the_call_lasts_as_long_as_the_actor(
    plain_house: Any, probe: Any
) -> None:
    async def test(house: Any) -> None:
        stream = Stream()
        peer = house.dial("/probe", extensions=attached(stream))
        await peer.open()
        stream.inbound.receive([json.dumps({"type": "wait"})])
        await probe.busy.wait()
        stream.end(1000)
        await turns()
        assert not peer.task.done()
        probe.release.set()
        await peer.task
        assert house.sockets.connections == 0

    plain_house(*application(keep_dependencies=True), test)


def test_one_that_is_gone_when_it_is_opened_has_no_heart(
    plain_house: Any, probe: Any, letters: Any
) -> None:
    """All that it sent is handled, which may take its time."""

    async def test(house: Any) -> None:
        stream = Stream()
        stream.early, stream.open = [json.dumps({"type": "wait"})], False
        peer = house.dial("/probe", extensions=attached(stream))
        await peer.open()
        await probe.busy.wait()
        await asyncio.sleep(0.1)  # ten beats
        probe.release.set()
        await house.until(lambda: not house.sockets.connections)
        assert [letter.message.text for letter in letters.letters] == ["released"]
        assert stream.log == []

    plain_house(*application(heartbeat=0.01, instruments=[letters]), test)
    assert ("disconnect", 1001) in probe.journal
