"""Frames of all kinds, each of which gets the answer that is documented, and nobody else notices.

A run sends some thousands to a real server; for more of them, and for others than last time:

    GREENROOM_FUZZ=100000 GREENROOM_FUZZ_SEED=7 python -m pytest tests/transport/test_fuzz.py -s

What is due to a frame is said by a model (`oracle`) that knows none of our code. Frames are sent in
batches over one connection, each batch with a fence behind it: a message whose answer comes last.
Answers of the actor come in order, and so do error frames and pongs; between these there is none.
"""

import contextlib
import json
import os
import random
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.transport.garbage import Case, Garbage, flood
from tests.transport.oracle import ANY, BURST, SERVER_SIZE, Closed, Error, Reply, of_json
from tests.transport.raw_line import PATIENCE, Line
from tests.transport.wire_frames import BINARY, CLOSE, PING, PONG, TEXT, frame

FRAMES = int(os.environ.get("GREENROOM_FUZZ", "10000"))
"""To each of the two servers."""
SEED = int(os.environ.get("GREENROOM_FUZZ_SEED", "1"))
BATCH = 100
BATCH_BYTES = 300_000
ROUTES = {"json": 8, "packed": 8, "both": 4, "plain": 4, "strict": 1}
FATAL = 0.05
"""Of the frames, those that no connection survives; `strict` has more of them."""
THEIRS = "Invalid UTF-8 sequence received from client"
"""What uvicorn logs with a traceback of its own, though it is the client's fault."""

pytestmark = pytest.mark.timeout(60 + FRAMES / 200)


class Answers:
    """What came, by kind; in order within each."""

    def __init__(self) -> None:
        self.replies: list[tuple[Any, Any]] = []
        self.errors: list[dict[str, Any]] = []
        self.pongs: list[bytes] = []
        self.close: int | None = None

    def take(self, opcode: int, payload: bytes, route: str) -> None:
        if opcode == PING:
            return  # the server's keepalive
        if opcode == PONG:
            self.pongs.append(payload)
        elif opcode == CLOSE:
            assert self.close is None, "two close frames"
            self.close = int.from_bytes(payload[:2], "big") if payload else 1005
        elif route == "plain":
            self.replies.append((payload.decode() if opcode == TEXT else payload, None))
        else:
            assert opcode == (BINARY if route == "packed" else TEXT)
            decode = msgspec.msgpack.decode if opcode == BINARY else json.loads
            message: Any = decode(payload)
            if message["type"] == "error":
                self.errors.append(message)
            else:
                assert message["type"] in ("said", "reply"), message
                self.replies.append((message["value"], message.get("id")))


def fits(got: dict[str, Any], due: Error) -> bool:
    """Whether an error frame is the one that is due."""
    return (
        got["code"] in due.codes
        and bool(got["detail"])
        and (due.limit is ANY or got.get("limit") == due.limit)
        and got.get("id") is None
        and (due.path is ANY or got.get("path") == due.path)
        and (got["code"] == "invalid") == ("path" in got)
    )


class Fuzzer:
    """Sends cases to one server and checks what comes back."""

    def __init__(self, server: Any, implementation: str) -> None:
        self.server = server
        self.wsproto = implementation == "wsproto"
        self.counts: Counter[str] = Counter()
        self.codes: dict[str, int] = {}
        """With which code each connection has to have ended."""
        self._fence = 0

    def dial(self, route: str) -> Line:
        who = f"{route}-{len(self.codes)}"
        self.codes[who] = 0
        self.who = who
        return Line(self.server.port, f"/{route}?who={who}")

    def exchange(self, line: Line, route: str, cases: list[Case], maker: Garbage) -> None:
        """Send them, with a fence behind; each has to have its answer before that of the fence."""
        self._fence += 1
        fence = f"fence {self._fence}"
        whole = [*cases, maker.say(fence, route)]
        answers = Answers()
        for frames in line.send(b"".join(case.wire for case in whole)):
            for each in frames:
                answers.take(*each, route)
            if answers.replies and answers.replies[-1][0] == fence:
                break
        assert not line.ended, f"closed by {[case.kind for case in cases]}"
        self._compare(whole, answers)

    def _compare(self, cases: list[Case], answers: Answers) -> None:
        replies, errors = iter(answers.replies), iter(answers.errors)
        pongs: list[bytes] = []
        for case in cases:
            self.counts[case.kind] += 1
            self.counts["frames"] += case.frames
            pongs += case.pongs
            if isinstance(case.due, Reply):
                got = next(replies, None)
                assert got == (case.due.value, case.due.id), f"{got} to {case}"[:500]
            elif isinstance(case.due, Error):
                error = next(errors, None)
                assert error is not None, f"nothing to {case}"[:500]
                assert fits(error, case.due), f"{error} to {case}"[:500]
        assert next(replies, None) is None
        assert next(errors, None) is None
        assert answers.pongs == pongs

    def end(self, line: Line, route: str, case: Case) -> None:
        """Send what the connection does not survive, and see how it ends."""
        due = case.due
        assert isinstance(due, Closed)
        self.codes[self.who] = due.code
        self.counts[case.kind] += 1
        self.counts["frames"] += case.frames
        if case.cut:
            line.socket.setblocking(True)
            line.socket.sendall(case.wire)
            line.close(reset=self._fence % 2 == 0)
            return
        answers = Answers()
        for frames in line.send(case.wire):
            for each in frames:
                answers.take(*each, route)
            if answers.close is not None and not line.ended:
                with contextlib.suppress(OSError):
                    line.socket.send(frame(CLOSE, answers.close.to_bytes(2, "big")))
        line.close()
        # uvicorn's wsproto ends the connection without a word where a frame is broken.
        wanted = None if due.by_server and self.wsproto else due.code
        assert answers.close == wanted, f"{answers.close} to {case}"[:500]
        assert not answers.replies, f"{answers.replies} to {case}"[:500]
        assert len(answers.errors) == (due.error is not None), f"{answers.errors} to {case}"[:500]
        if due.error is not None:
            assert fits(answers.errors[0], due.error), f"{answers.errors} to {case}"[:500]

    def run(self, rng: random.Random, count: int) -> None:
        """So many cases, over as many connections as they take."""
        maker = Garbage(rng, wsproto=self.wsproto)
        sent = 0
        while sent < count:
            (route,) = rng.choices(list(ROUTES), list(ROUTES.values()))
            line = self.dial(route)
            fatal = None
            while fatal is None:
                cases: list[Case] = []
                while len(cases) < BATCH and sum(len(each.wire) for each in cases) < BATCH_BYTES:
                    case = maker.fatal(route) if rng.random() < FATAL else maker.case(route)
                    sent += 1
                    if isinstance(case.due, Closed):
                        fatal = case
                        break
                    cases.append(case)
                self.exchange(line, route, cases, maker)
            self.end(line, route, fatal)

    def check_codes(self) -> None:
        """Each actor heard how its connection ended."""
        deadline = time.monotonic() + PATIENCE
        while True:
            heard = http(self.server, "/codes")
            wrong = {
                who: (code, heard.get(who))
                for who, code in self.codes.items()
                if heard.get(who) != code
            }
            if not wrong:
                return
            # Of the last ones the server has still to hear, and a name may be one of an earlier
            # test's.
            assert time.monotonic() < deadline, wrong
            time.sleep(0.05)


class Neighbour(threading.Thread):
    """A well-behaved client that chats all the time."""

    def __init__(self, server: Any) -> None:
        super().__init__(name="neighbour")
        self._line = Line(server.port, "/json?who=neighbour")
        self.stopping = threading.Event()
        self.said = 0
        self.wrong = ""

    def run(self) -> None:
        try:
            while not self.stopping.wait(0.002):
                self._chat()
        except BaseException as error:  # noqa: BLE001  # for the test to see
            self.wrong = repr(error)
        finally:
            self._line.close()

    def _chat(self) -> None:
        texts = [f"{self.said + number}" for number in range(3)]
        wire = b"".join(frame(TEXT, json.dumps({"type": "say", "text": t}).encode()) for t in texts)
        got: list[str] = []
        for frames in self._line.send(wire):
            for opcode, payload in frames:
                if opcode == PING:  # the server's keepalive
                    self._line.socket.send(frame(PONG, payload))
                else:
                    got.append(json.loads(payload)["value"])
            if len(got) >= len(texts):
                break
        assert got == texts, (got, texts)
        self.said += len(texts)


def http(server: Any, path: str) -> Any:
    with urllib.request.urlopen(server.url + path, timeout=PATIENCE) as response:
        return json.load(response)


def descriptors(server: Any) -> int:
    """Open files of the server's process; 0 where the system does not say."""
    folder = Path(f"/proc/{server.process.pid}/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def memory(server: Any) -> int:
    """MiB that the server's process holds; 0 where the system does not say."""
    status = Path(f"/proc/{server.process.pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) // 1024 for line in lines if "VmRSS" in line), 0)


def settled(server: Any, tasks: int) -> dict[str, int]:
    deadline = time.monotonic() + PATIENCE
    while True:
        left: dict[str, int] = http(server, f"/left?tasks={tasks}")
        if not any(left.values()) or time.monotonic() > deadline:
            return left
        time.sleep(0.05)


@pytest.fixture(
    scope="module", params=["websockets-sansio", "wsproto", "transport.fast:WebSocketProtocol"]
)
def implementation(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(scope="module")
def server(serve_module: Any, implementation: str) -> Any:
    return serve_module(
        "fuzzed:app",
        ws=implementation,
        ws_per_message_deflate="false",
        ws_max_size=SERVER_SIZE,
        log_level="warning",
    )


@contextlib.contextmanager
def unharmed(server: Any, implementation: str) -> Iterator[Fuzzer]:
    """A fuzzer, whose server and a neighbour on it are unharmed afterwards."""
    tasks = http(server, "/tasks")
    settled(server, tasks)
    before, held = descriptors(server), memory(server)
    neighbour = Neighbour(server)
    neighbour.start()
    fuzzer = Fuzzer(server, implementation)
    try:
        yield fuzzer
    finally:
        neighbour.stopping.set()
        neighbour.join(PATIENCE)
    assert not neighbour.wrong
    assert neighbour.said > 0
    fuzzer.check_codes()
    left = settled(server, tasks)
    assert not any(left.values()), left
    assert descriptors(server) <= before + 2  # that of `/left`, kept alive
    log = server.log()
    assert log.count("Traceback") == log.count(THEIRS), log[-3000:]
    assert "error_id" not in log
    server.check()
    now = memory(server)
    print(  # noqa: T201  # for who runs it by hand
        f"\n{implementation}: {dict(fuzzer.counts)}, neighbour {neighbour.said}, "
        f"memory {held} -> {now} MiB"
    )


def test_each_frame_has_its_answer_and_a_neighbour_notices_nothing(
    server: Any, implementation: str
) -> None:
    with unharmed(server, implementation) as fuzzer:
        fuzzer.run(random.Random(SEED), FRAMES)
    assert fuzzer.counts.total() - fuzzer.counts["frames"] >= FRAMES


def test_each_message_that_is_too_fast_is_told_of(server: Any, implementation: str) -> None:
    """The first at once, the rest within the next second, whatever they are."""
    with unharmed(server, implementation) as fuzzer:
        flood_it(fuzzer)


def flood_it(fuzzer: Fuzzer) -> None:
    maker = Garbage(random.Random(SEED), wsproto=fuzzer.wsproto)
    lines = [(fuzzer.dial("slow"), fuzzer.who, 5 * number) for number in range(1, 20)]
    for line, _, count in lines:
        cases = [maker.say(str(number), "slow") for number in range(BURST)]
        line.socket.sendall(b"".join(case.wire for case in (*cases, *flood(count))))
    for line, who, count in lines:
        answers, refused = Answers(), 0
        for frames in line.send(b""):
            for each in frames:
                answers.take(*each, "slow")
            refused = sum(int(each["detail"].split()[0]) for each in answers.errors)
            if refused >= count:
                break
        assert refused == count
        assert [value for value, _ in answers.replies] == [str(number) for number in range(BURST)]
        assert {each["code"] for each in answers.errors} == {"too_fast"}
        assert {each["limit"] for each in answers.errors} == {"message_rate"}
        assert len(answers.errors) <= 2
        fuzzer.counts["flood"] += count
        fuzzer.counts["frames"] += BURST + count
        fuzzer.codes[who] = 1006
        line.close(reset=True)


def _values() -> st.SearchStrategy[Any]:
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    keys = st.sampled_from(["type", "text", "value", "points", "x", "of", "id"]) | st.text()
    tags = st.sampled_from(["say", "number", "draw", "level", "count"])
    return st.recursive(
        scalars | tags,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=10,
    )


@st.composite
def _texts(draw: st.DrawFn) -> str:
    if draw(st.booleans()):
        return draw(st.text())
    value = draw(_values())
    if draw(st.booleans()) and isinstance(value, dict):
        value["type"] = draw(st.sampled_from(["say", "number", "draw", "level", "count"]))
    return json.dumps(value, ensure_ascii=draw(st.booleans()))


@settings(
    max_examples=60,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
@given(
    st.lists(
        _texts().filter(lambda text: text.encode(errors="replace").decode() == text), min_size=3
    ),
    st.randoms(use_true_random=False),
)
def _batches(fuzzer: Fuzzer, line: Line, texts: list[str], rng: random.Random) -> None:
    maker = Garbage(rng, wsproto=fuzzer.wsproto)
    cases = [Case("hypothesis", frame(TEXT, text.encode()), of_json(text)) for text in texts]
    cases += [maker.case("json") for _ in range(10)]
    fuzzer.exchange(line, "json", cases, maker)


def test_what_hypothesis_thinks_of(server: Any, implementation: str) -> None:
    with unharmed(server, implementation) as fuzzer:
        line = fuzzer.dial("json")
        _batches(fuzzer, line)
        fuzzer.codes[fuzzer.who] = 1006
        line.close()
