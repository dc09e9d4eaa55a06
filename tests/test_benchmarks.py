"""The benchmarks run, and say what they measured. How fast anything is, is not asked here."""

import base64
import importlib
import json
import select
import socket
import subprocess
import sys
import threading
from hashlib import sha1
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import chart, digest, load, report, results, stacks, suite, talk
from benchmarks.child import peer
from benchmarks.frames import PONG, BrokenReply, client_frame, whole_frames
from benchmarks.latency import percentile
from benchmarks.load import check_upgrade
from benchmarks.options import Options, parse
from benchmarks.rounds import Figure, Outcome, Standing

ROOT = Path(__file__).parent.parent
PATIENCE = 50.0
NAMES = [
    *("mailbox", "ask", "spawn", "echo", "fanout"),
    *("stall", "latency", "connect", "memory", "growth"),
]
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
QUICK = Options(rounds=1, quick=True, json=False)
FULL = Options(rounds=1, quick=False, json=False)


@pytest.mark.parametrize("name", NAMES)
def test_a_quick_run(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", f"benchmarks.{name}", "--quick", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    report = json.loads(done.stdout)
    assert set(report) == {"name", "rounds", "quick", "figures", "notes", "versions"}
    assert (report["name"], report["rounds"], report["quick"]) == (name, 1, True)
    assert any("quick run" in note for note in report["notes"])
    assert {"python", "system", "anyio", "msgspec"} <= set(report["versions"])
    assert report["figures"]
    for figure in report["figures"]:
        check_figure(figure, report["rounds"])


def check_figure(figure: dict[str, Any], rounds: int) -> None:
    point = {"curve", "at"} if "curve" in figure else set[str]()
    assert set(figure) == {"name", "unit", "lower_is_better", "contenders", *point}
    assert figure["name"]
    assert figure["unit"]
    assert isinstance(figure["lower_is_better"], bool)
    contenders = figure["contenders"]
    assert len(contenders) >= 2
    assert any(name.startswith("greenroom") for name in contenders)
    for name, standing in contenders.items():
        assert set(standing) == {"ratio", "median", "rounds"}
        assert len(standing["rounds"]) == rounds
        # A quick run has so few connections that the holes of the heap may hold them all.
        if figure["unit"] == "KiB":
            continue
        assert all(value > 0 for value in standing["rounds"]), (figure["name"], name)
        assert min(standing["rounds"]) <= standing["median"] <= max(standing["rounds"])
        assert standing["ratio"] > 0
    first = next(iter(contenders.values()))
    assert first["ratio"] == 1.0 or first["median"] <= 0


def test_these_are_all() -> None:
    folder = ROOT / "benchmarks"
    assert [path.parent.name for path in folder.glob("*/__main__.py")] == ["soak"]  # no benchmark
    found = [path.stem for path in folder.glob("*.py")]
    mains = [
        name for name in found if hasattr(importlib.import_module(f"benchmarks.{name}"), "main")
    ]
    assert sorted(mains) == sorted(NAMES)
    assert sorted(suite.NAMES) == sorted(NAMES)
    makefile = (ROOT / "Makefile").read_text()
    assert "-m benchmarks.suite" in makefile
    assert "-m benchmarks.soak" in makefile


def test_a_table_for_people() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.ask", "--quick", "--rounds", "2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert "median of 2 rounds" in done.stdout
    assert "greenroom" in done.stdout
    assert "ratio" in done.stdout


@pytest.mark.parametrize("wrong", [["--rounds", "0"], ["--rounds", "x"], ["--no-such-option"]])
def test_a_wrong_command_line_is_refused(wrong: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.mailbox", *wrong],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert "usage: python -m benchmarks.mailbox" in done.stderr


def test_only_some_contenders_and_a_file_of_results(tmp_path: Path) -> None:
    into = tmp_path / "results.json"
    into.write_text('{"echo": {}, "ask": "of an earlier run"}')
    subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.ask", "--quick"),
            *("--only", "Future", "--only", "GREENROOM", "--into", str(into)),
        ],
        cwd=ROOT,
        capture_output=True,
        timeout=PATIENCE,
        check=True,
    )
    found = json.loads(into.read_text())
    assert set(found) == {"echo", "ask"}
    assert found["echo"] == {}
    (figure,) = found["ask"]["figures"]
    assert list(figure["contenders"]) == ["asyncio.Queue and Future", "greenroom, ask"]


def test_who_is_not_installed_is_left_out_with_a_note() -> None:
    missing = stacks.Stack("Missing", "nowhere", ("no_such_module",))
    notes: list[str] = []
    assert stacks.present([stacks.TUTORIAL, missing], FULL, notes) == [stacks.TUTORIAL]
    assert notes == ["left out: Missing, for no_such_module is not installed"]
    assert not peer("Missing", "nowhere:tell", "no_such_module", FULL, notes)
    assert len(notes) == 2


def test_peers_stay_out_of_what_is_quick_unless_they_are_named() -> None:
    here = stacks.Stack("Here", "nowhere", ("json",), peer=True)
    notes: list[str] = []
    assert stacks.present([here], FULL, notes) == [here]
    assert stacks.present([here, stacks.BARE], QUICK, notes) == [stacks.BARE]
    named = parse("echo", None, ["--quick", "--only", "here"])
    assert stacks.present([here, stacks.BARE], named, notes) == [here]
    assert peer("Here", "json:dumps", "json", QUICK, notes) == {}
    assert peer("Here", "json:dumps", "json", named, notes) == {"Here": json.dumps}
    assert notes == []


def test_the_contenders_have_names_of_their_own() -> None:
    names = [stack.name for stack in (*stacks.ALL, stacks.DUALS)]
    assert len(set(names)) == len(names)
    assert stacks.ALL[0].name == results.TUTORIAL


@pytest.mark.parametrize(
    ("words", "said", "reply"),
    [
        (talk.JSON, {"type": "say", "text": "hi"}, b'{"type":"said","text":"hi"}'),
        (talk.DUAL, {"type": "say", "text": "hi"}, b'{"type":"echo","original":{"text":"hi"}}'),
        (talk.SOCKETIO, ["say", {"type": "say", "text": "hi"}], b'42["said",{"text":"hi"}]'),
    ],
    ids=["json", "dual", "socketio"],
)
def test_how_one_talks(words: talk.Talk, said: object, reply: bytes) -> None:
    frame = words.say("hi")
    mask = frame[2:6]
    payload = bytes(byte ^ mask[index % 4] for index, byte in enumerate(frame[6:]))
    assert (frame[0], frame[1]) == (0x81, 0x80 | len(payload))
    assert json.loads(payload.removeprefix(b"42")) == said
    assert words.text(reply) == "hi"
    with pytest.raises(BrokenReply):
        words.text(reply.replace(b'"text"', b'"other"'))


def test_socketio_hears_events_only() -> None:
    assert talk.SOCKETIO.say("hi")[6:8] != b"42"  # masked
    assert talk.SOCKETIO.content(b'42["posted",{"content":"hi"}]') == "hi"
    with pytest.raises(BrokenReply, match="no event"):
        talk.SOCKETIO.text(b'43["said",{"text":"hi"}]')


def test_an_upgrade_is_checked() -> None:
    key = b"dGhlIHNhbXBsZSBub25jZQ=="  # the example of RFC 6455, section 1.3
    good = b"HTTP/1.1 101 Switching\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    check_upgrade(good, key, "/")
    for bad in (
        good.replace(b"101", b"403"),
        good.replace(b"s3p", b"s3q"),
        good + b"\r\nSec-WebSocket-Extensions: permessage-deflate",
    ):
        with pytest.raises(BrokenReply):
            check_upgrade(bad, key, "/")


class Pinging:
    """A server of two clients: it pings the first before its answer, and after, and only then
    answers the second, which it has pinged before; and it pings the first once more."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.once_more = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with self._listening, self._accepted() as first, self._accepted() as second:
            self._heard(first)
            first.sendall(b"\x89\x02hi\x81\x02ok")
            assert self._heard(first)[0] == PONG
            self._heard(first)
            self._heard(second)
            first.sendall(b"\x81\x02ok")
            for _ in range(2):  # whoever answers the second of these has read that
                second.sendall(b"\x89\x02hi")
                assert self._heard(second)[0] == PONG
            first.sendall(b"\x89\x02hi")
            assert self._heard(first)[0] == PONG
            second.sendall(b"\x81\x02ok")
            assert self.once_more.wait(PATIENCE)
            first.sendall(b"\x89\x02hi")
            assert self._heard(first)[0] == PONG

    def _accepted(self) -> socket.socket:
        connection, _ = self._listening.accept()
        connection.settimeout(PATIENCE)
        key = connection.recv(4096).partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
        accept = base64.b64encode(sha1(key + _GUID).digest())
        connection.sendall(
            b"HTTP/1.1 101 Switching\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        return connection

    def _heard(self, connection: socket.socket) -> bytes:
        return connection.recv(8)  # each of the client's frames has that many

    def end(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


def test_clients_answer_pings_and_count_no_message_for_them() -> None:
    server = Pinging()
    with load.clients(server.port, 2, "/{}") as connected:
        first, second = connected
        frame = client_frame(b"hi")
        first.socket.sendall(frame)
        assert first.replies(1) == [b"ok"]
        pace = load.echo(connected, [frame, frame], 1, 0.0)
        assert pace.messages == 2
        assert first.bytes_read + second.bytes_read == 8
        server.once_more.set()
        select.select([first.socket], [], [], PATIENCE)
        load.keep(connected)
        server.end()


def test_whole_frames_of_each_length() -> None:
    for size, header in ((125, b"\x81\x7d"), (126, b"\x81\x7e\0\x7e"), (65536, None)):
        head = header or b"\x81\x7f" + size.to_bytes(8, "big")
        data = head + b"." * size
        assert whole_frames(data + b"\x81") == ([(0x81, b"." * size)], len(data))
        assert whole_frames(data[:-1]) == ([], 0)


@pytest.mark.parametrize(
    ("part", "wait"), [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0), (1.0, 1000.0), (0.0, 1.0)]
)
def test_a_percentile(part: float, wait: float) -> None:
    assert percentile([float(number) for number in range(1, 1001)], part) == wait


# --- the chart and the table ---------------------------------------------------------------------

CONTENDERS = {results.TUTORIAL: 1.0, "Peer & <Sons>": 0.25, "greenroom, its own protocol": 12.5}


def outcome(figure: Figure) -> Outcome:
    return Outcome(figure, [Standing(name, [10 * r], r) for name, r in CONTENDERS.items()])


def run(name: str, *figures: Figure) -> dict[str, object]:
    return report.as_json(name, FULL, [outcome(figure) for figure in figures], [])


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "results.json"
    report.put(run("echo", Figure("one in flight", "messages/s")), path)
    report.put(run("memory", Figure("an idle connection", "KiB", lower_is_better=True)), path)
    report.put(run("ask", Figure("in process", "asks/s")), path)
    (passed_by,) = chart.PASSED_BY
    empty = Outcome(Figure("nobody can", "ms"), [Standing("Peer & <Sons>", [1.0], None)])
    latency = [outcome(Figure(passed_by, "ms", lower_is_better=True)), empty]
    report.put(report.as_json("latency", FULL, latency, []), path)
    points = [Figure(f"with {at}", "µs", True, "by members", at) for at in (10, 1000, 5000)]
    report.put(run("growth", *points), path)
    return path


def drawn(path: Path) -> ElementTree.Element:
    return ElementTree.fromstring(chart.draw(results.load(path)))


SVG = "{http://www.w3.org/2000/svg}"


def test_the_chart_shows_every_contender_of_every_figure(sample: Path) -> None:
    root = drawn(sample)
    texts = [each.text for each in root.iter(f"{SVG}text")]
    for name in CONTENDERS:
        assert texts.count(name) == 3  # two panels of bars, and the legend of the curves
    for title in ("echo: one in flight", "memory: an idle connection", "by members (µs)"):
        assert title in texts
    assert "ask: in process" not in texts
    assert {"0.25", "12", "10", "1,000", "5,000"} <= set(texts)
    curves = [each.get("points", "").split() for each in root.iter(f"{SVG}polyline")]
    assert [len(points) for points in curves] == [3, 3, 3]


def test_bars_are_as_long_as_their_ratios_on_a_logarithmic_scale(sample: Path) -> None:
    bars = [each for each in drawn(sample).iter(f"{SVG}rect") if "bar" in each.get("class", "")]
    first, less, more = bars[:3]
    assert float(first.get("width", "")) == 1.0  # to be seen at all
    line = float(first.get("x", ""))
    assert float(more.get("x", "")) == pytest.approx(line, abs=0.1)
    assert float(less.get("x", "")) + float(less.get("width", "")) == pytest.approx(line, abs=0.2)
    ratio = float(more.get("width", "")) / float(less.get("width", ""))
    assert ratio == pytest.approx(1.822, abs=0.01)  # log 12.5 / log 4
    assert [each.get("class") for each in bars[:3]] == ["bar c0", "bar c1", "bar c3"]


def test_everything_is_on_the_paper(sample: Path) -> None:
    root = drawn(sample)
    width, height = float(root.get("width", "")), float(root.get("height", ""))
    for each in root.iter():
        for across in ("x", "x1", "x2", "cx"):
            assert 0 <= float(each.get(across, "0")) <= width
        for down in ("y", "y1", "y2", "cy"):
            assert 0 <= float(each.get(down, "0")) <= height


def test_the_chart_has_colours_for_light_and_dark(sample: Path) -> None:
    style = drawn(sample).find(f"{SVG}style")
    assert style is not None
    light, _, dark = (style.text or "").partition("@media (prefers-color-scheme: dark)")
    for each in (".paper", ".c0", ".c1", ".c2", ".c3", "text"):
        assert f"\n{each} {{" in light
        assert f"\n{each} {{" in dark


def test_the_table_has_every_contender(sample: Path) -> None:
    text = digest.digest(results.load(sample))
    wire, process, about = text.split("\n\n")
    heads = ("`echo`: one in flight", "`latency`: half of the answers within ↓")
    heads += ("`latency`: nobody can", "`memory`: an idle connection ↓")
    assert wire.splitlines() == [
        f"| | {' | '.join(heads)} |",
        "|---|---|---|---|---|",
        f"| {results.TUTORIAL} | 1 (10 messages/s) | 1 (10 ms) | | 1 (10 KiB) |",
        "| Peer & <Sons> | 0.25 | 0.25 | | 0.25 |",
        "| greenroom, its own protocol | 12 | 12 | | 12 |",
    ]
    assert process.splitlines()[2:] == [
        f"| `ask`: in process | {results.TUTORIAL}: 10 asks/s | Peer & <Sons>: 0.25 | 12 |"
    ]
    assert about.startswith("Medians of 1 round; python ")


def test_the_table_is_put_between_the_marks(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before {digest.BEGIN} old {digest.END} after")
    digest.put("new", readme)
    digest.put("newer", readme)
    assert readme.read_text() == f"before {digest.BEGIN}\n\nnewer\n\n{digest.END} after"
    readme.write_text("no marks")
    with pytest.raises(ValueError, match="has not both"):
        digest.put("new", readme)


def test_the_readme_shows_the_last_run() -> None:
    """Its chart and its table are of the results beside them, which name no machine."""
    found = results.load(suite.RESULTS)
    assert suite.CHART.read_text() == chart.draw(found)
    readme = suite.README.read_text()
    assert digest.digest(found) in readme
    assert "](benchmarks/results.svg)" in readme
    assert set(found.rounds) == set(NAMES)
    text = suite.RESULTS.read_text()
    assert "/" not in "".join(found.versions.values())
    assert not any(word in text for word in ("/home", "/tmp", "/work", "/root"))
