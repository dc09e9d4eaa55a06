"""The soak in a short form, and what it must not overlook: a fault for each of its rules."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.soak.book import Book
from benchmarks.soak.ledger import ABORTED, CRASHED, Account, Entry, Ledger, Settlement

ROOT = Path(__file__).parent.parent
PATIENCE = 55.0


def soak(*arguments: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "benchmarks.soak", "--json", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout.count("\n") == 1, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("ws", ["websockets-sansio", "wsproto", "transport.fast:WebSocketProtocol"])
def test_a_short_soak(ws: str) -> None:
    code, report = soak("--seconds", "5", "--connections", "100", "--ws", ws, "--seed", "1")
    assert report["differences"] == []
    assert code == 0
    assert (report["seed"], report["ws"]) == (1, ws)
    totals = report["totals"]
    assert totals["clients"] > 100
    rare = ["crashed", "dead letters", "frames dropped", "overloaded", "too fast", "aborted"]
    assert not [name for name in rare if not totals[name]]


@pytest.mark.parametrize(
    ("fault", "found"), [("losing", "no answer to"), ("repeating", "which is answered already")]
)
def test_a_fault_in_a_few_answers_is_found(fault: str, found: str) -> None:
    code, report = soak("--seconds", "2", "--connections", "40", "--app", f"tests.soaked:{fault}")
    assert code == 1
    assert report["count"] >= len(report["differences"]) > 0
    assert any(found in each for each in report["differences"])
    assert any("answer frames out or dropped" in each for each in report["differences"])


# The rules, each broken once.


def answer(n: int, count: int) -> dict[str, Any]:
    return {"type": "answer", "n": n, "count": count}


def crashed() -> dict[str, Any]:
    return {"type": "error", "code": "crashed", "detail": "", "error_id": "1"}


def client(*messages: dict[str, Any], sent: int = 3, exceeds: bool = False) -> Book:
    """One that sent messages 1 to `sent`, all of which are answered, and left politely."""
    book = Book("ann")
    book.how, book.codes = "stayed", {1000}
    book.exceeds = exceeds
    for n in range(1, sent + 1):
        book.send(n)
    for message in messages:
        book.take(message)
    return book


def good() -> Book:
    return client(answer(1, 1), answer(2, 2), answer(3, 3))


def entry(**changes: Any) -> Entry:
    """What the server says of such a client."""
    counts: dict[str, Any] = {"put": {"answer": 3}, "out": {"answer": 3}}
    return Entry("ann", **{"read": 3, "handled": 3, "code": 1000, **counts, **changes})


def test_what_is_right_is_settled() -> None:
    assert Settlement(good(), entry()).wrong == []


@pytest.mark.parametrize(
    ("messages", "found"),
    [
        ([answer(1, 1), answer(3, 2)], ["no answer to 2", "without an answer: 1, not 0"]),
        ([answer(1, 1), answer(2, 2)], ["messages without an answer: 1, not 0"]),
        ([answer(1, 1), answer(1, 2), answer(2, 3)], ["to 1, which is answered already"]),
        ([answer(2, 1), answer(1, 2), answer(3, 3)], ["to 1, which is answered already"]),
        ([answer(1, 1), answer(2, 1), answer(3, 2)], ["state of 1 answers, not 2"]),
        ([answer(1, 1), crashed(), answer(3, 1)], ["error crashed to 2 where answer is due"]),
        ([answer(1, 1), {**answer(2, 2), "type": "reply", "id": 2, "value": 9}], ["with 9"]),
        ([{"type": "chunk", "n": 2}, {"type": "chunk", "n": 2}], ["chunk 2 behind 2"]),
        ([{"type": "error", "code": "invalid", "detail": ""}], ["where nothing is due"]),
    ],
)
def test_what_a_client_must_not_get(messages: list[dict[str, Any]], found: list[str]) -> None:
    wrong = "\n".join(Settlement(client(*messages), entry()).wrong)
    assert all(each in wrong for each in found), wrong


@pytest.mark.parametrize(
    ("numbers", "right"), [([4, 5, 6], True), ([4, 6], False), ([4, 4], False), ([5, 4], False)]
)
def test_a_publisher_is_heard_in_order_and_without_a_gap(numbers: list[int], right: bool) -> None:
    book = client(sent=0)
    for n in numbers:
        book.take({"type": "posted", "who": "bob", "n": n})
        book.take({"type": "posted", "who": f"another {n}", "n": 9})
    assert (book.wrong == []) == right


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"code": 1006}, "ended with 1006, not 1000"),
        ({"handled": 2}, "messages with a fate: 2, not 3"),
        ({"handled": 4}, "messages with a fate: 4, not 3"),
        ({"dead": {"full": 1}}, "messages with a fate: 4, not 3"),
        ({"read": 2, "handled": 2}, "messages read: 2, not 3"),
        ({"out": {"answer": 2}}, "answer frames out or dropped: 2, not 3"),
        ({"out": {"answer": 4}, "put": {"answer": 4}}, "answer frames received: 3, not 4"),
        ({"lost": {"answer": 1}}, "answer frames out or dropped: 4, not 3"),
        ({"put": {"answer": 3, "posted": 1}}, "posted frames out or dropped: 0, not 1"),
        ({"reasons": {"client_slow": 1}}, "frames told to be missed: 0, not 1"),
        ({"crashed": 1, "handled": 2}, "crashes told: 0, not 1"),
    ],
)
def test_what_a_server_must_not_say(changes: dict[str, Any], found: str) -> None:
    assert found in Settlement(good(), entry(**changes)).wrong


def test_of_one_that_left_less_may_have_arrived_but_not_more() -> None:
    book = client(answer(1, 1))
    book.how, book.codes = "left", {1006}
    half = {"put": {"answer": 2}, "out": {"answer": 1}, "lost": {"answer": 1}}
    assert Settlement(book, entry(code=1006, read=2, handled=2, **half)).wrong == []
    found = Settlement(book, entry(code=1006, read=4, handled=4, **half)).wrong
    assert found == ["messages read: 4, more than 3"]
    book.take(answer(2, 2))
    found = Settlement(book, entry(code=1006, read=2, handled=2, **half)).wrong
    assert found == ["answer frames received: 2, more than 1"]


def test_what_is_refused_is_accounted_for() -> None:
    refused = {"type": "error", "code": "overloaded", "detail": ""}
    book = client(answer(1, 1), refused, answer(3, 2), exceeds=True)
    assert book.open == 0
    counts = {"put": {"answer": 2}, "out": {"answer": 2, "error overloaded": 1}}
    assert Settlement(book, entry(handled=2, **counts)).wrong == []


def account(**changes: Any) -> Account:
    counts: dict[str, Any] = {"told": 3, "handled": 3, "crashed": 0, "dead": {}, "refused": {}}
    state: dict[str, Any] = {"ended": [], "strays": 0, "logged": {}, "left": {"actors": 0}}
    return Account(**{**counts, **state, **changes})


def test_a_sum_that_is_right() -> None:
    ledger = Ledger()
    ledger.add_entries([entry()])
    ledger.add_book(good())
    ledger.close(account(), account())
    assert ledger.differences == []
    assert ledger.totals["clients"] == 1


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"told": 4}, "told: 4 in all, 3 expected"),
        ({"handled": 2}, "handled: 2 in all, 3 expected"),
        ({"crashed": 1}, "crashed: 1 in all, 0 expected"),
        ({"dead": {"full": 1}}, "dead letters, full: 1 in all, 0 expected"),
        ({"refused": {"drain": 1}}, "refused, drain: 1 in all, 0 expected"),
        ({"strays": 1}, "dead letters and crashes of nobody: 1 in all, 0 expected"),
        ({"left": {"actors": 1}}, "actors left: 1 in all, 0 expected"),
        ({"logged": {"error: odd": 2}}, "logged 2 times: error: odd"),
        ({"logged": {CRASHED: 1}}, "crashes logged: 1 in all, 0 expected"),
        ({"logged": {ABORTED: 1}}, "aborts logged: 1 in all, 0 expected"),
    ],
)
def test_a_sum_that_is_not(changes: dict[str, Any], found: str) -> None:
    ledger = Ledger()
    ledger.add_entries([entry()])
    ledger.add_book(good())
    ledger.close(account(**changes), account())
    assert ledger.differences == [found]


@pytest.mark.parametrize(
    ("add", "found"),
    [
        (lambda ledger: ledger.add_book(good()), "1 without their socket: ann"),
        (lambda ledger: ledger.add_entries([entry(), entry()]), "ann: two sockets"),
    ],
)
def test_who_is_not_matched(add: Callable[[Ledger], None], found: str) -> None:
    ledger = Ledger()
    add(ledger)
    ledger.close(account(), account())
    assert found in ledger.differences


@pytest.mark.parametrize("wrong", [["--seconds", "0"], ["--connections", "0"], ["--nothing"]])
def test_a_wrong_command_line_is_refused(wrong: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.soak", *wrong],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 2
    assert "usage: python -m benchmarks.soak" in done.stderr
