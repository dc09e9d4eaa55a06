"""The bookkeeping, without I/O: what each client sent and got, what the server says of it, and what
must hold between the two.

A client's `Book` checks what comes as it comes: each message has one answer, in order. When a
client is done and its socket's `Entry` has come from the server, both are settled against each
other, added to the totals and forgotten, so a soak of any length takes the same room.
"""

from collections import Counter, deque
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

SHOWN = 40
"""Differences that are kept; more are counted."""
IN_ORDER = {"error crashed", "error forbidden"}
"""Errors that a handler caused: they stand where the answer would."""
CRASHED = "error: actor crashed"
ABORTED = "warning: the client reads nothing: aborting the connection"
EXPECTED_LOGS = (
    *(CRASHED, ABORTED),
    "warning: a page of another origin was refused",
    "uvicorn.error: Invalid UTF-8 sequence received from client.",  # with a traceback
)
"""How what is logged for good reasons begins."""

How = Literal["stayed", "closed", "dropped", "left"]
"""How a client ended: with a close handshake of its own; with one of the server's; with one since it
was too slow, and frames are lost; or without one."""


def add(counts: dict[str, int], name: str, number: int = 1) -> None:
    """Count, in a plain dict that can be sent."""
    counts[name] = counts.get(name, 0) + number


class Entry(msgspec.Struct):
    """What the server counted for one socket."""

    who: str
    read: int = 0
    """Messages that the framework was given."""
    handled: int = 0
    crashed: int = 0
    dead: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    """Messages to the actor that are dead letters, by reason."""
    put: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    """Frames that were sent to the client, by type, where the application knows."""
    posts: int = 0
    """What the client published."""
    chunks: int = 0
    out: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    """Frames that the framework gave to the server."""
    lost: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    """Frames that it reported as dead letters."""
    reasons: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    """The same, by reason."""
    code: int = 0
    """What `on_disconnect` was told; 0 if it was not called."""


class Account(msgspec.Struct):
    """What the server says of itself."""

    ended: list[Entry]
    told: int
    handled: int
    crashed: int
    dead: dict[str, int]
    refused: dict[str, int]
    strays: int
    logged: dict[str, int]
    left: dict[str, int]


class Book:
    """What one client sent, and what came."""

    def __init__(self, who: str) -> None:
        self.who = who
        self.how: How = "left"
        self.codes = {1006}
        """With which code the server may hear that it ended."""
        self.resumes = False
        """Whether a crash leaves the actor's state alone."""
        self.sent = 0
        self.got: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.due: deque[tuple[int, str]] = deque()
        """Numbers of messages, and what they are answered by."""
        self.errors_due: deque[str] = deque()
        self.chunks_due = 0
        self.passed_over = 0
        """Messages that have no answer though a later one has: they were refused, or are lost."""
        self.too_fast = 0
        """Messages refused so, as the client was told."""
        self.missed = 0
        """Frames dropped, as the client was told."""
        self._count = 0
        self._chunk = 0
        self._posts: dict[str, int] = {}

    @property
    def open(self) -> int:
        """Messages without an answer of any kind."""
        refused = self.got["error overloaded"] + self.too_fast
        chunks = self.chunks_due - self.got["chunk"] - self.missed
        return len(self.due) + self.passed_over - refused + len(self.errors_due) + chunks

    def send(self, n: int, answer: str = "answer") -> None:
        """A numbered message is sent, to be answered so."""
        self.sent += 1
        self.due.append((n, answer))

    def take(self, message: dict[str, Any]) -> None:
        """A frame came."""
        kind = message["type"]
        name = f"error {message['code']}" if kind == "error" else kind
        self.got[name] += 1
        if kind == "answer":
            self._match(message["n"], "answer")
            self._count += 1
            if message["count"] != self._count:
                self._differ(f"state of {message['count']} answers, not {self._count}")
        elif kind == "reply":
            self._match(message["id"], "answer")
            if message["value"] != message["id"]:
                self._differ(f"{message['id']} was answered with {message['value']}")
        elif kind == "posted":
            last = self._posts.get(message["who"])
            if last is not None and message["n"] != last + 1:
                self._differ(f"post {message['n']} of {message['who']} behind {last}")
            self._posts[message["who"]] = message["n"]
        elif kind == "chunk":
            if message["n"] <= self._chunk:
                self._differ(f"chunk {message['n']} behind {self._chunk}")
            self._chunk = message["n"]
        elif kind == "missed":
            self.missed += message["count"]
        else:
            self._refused(name, message)

    def _refused(self, name: str, message: dict[str, Any]) -> None:
        if name in IN_ORDER:
            self._match(self.due[0][0] if self.due else -1, name)
            if name == "error crashed":
                if not message.get("error_id"):
                    self._differ("a crash without an error_id")
                self._count = self._count if self.resumes else 0
        elif name == "error too_fast":
            self.too_fast += int(message["detail"].split()[0])
        elif name != "error overloaded":
            due = self.errors_due.popleft() if self.errors_due else "nothing"
            if name != f"error {due}":
                self._differ(f"{name} where {due} is due: {message['detail']}")

    def _match(self, n: int, answer: str) -> None:
        while self.due and self.due[0][0] < n:
            self.due.popleft()
            self.passed_over += 1
        if not self.due or self.due[0][0] != n:
            self._differ(f"{answer} to {n}, which is answered already")
        elif (due := self.due.popleft()[1]) != answer:
            self._differ(f"{answer} to {n} where {due} is due")

    def _differ(self, text: str) -> None:
        self.wrong.append(text)


def settle(book: Book, entry: Entry) -> list[str]:
    """What does not hold between a client and its socket."""
    wrong = list(book.wrong)

    def same(what: str, left: int, right: int) -> None:
        if left != right:
            wrong.append(f"{what}: {left}, not {right}")

    def at_most(what: str, left: int, right: int) -> None:
        if left > right:
            wrong.append(f"{what}: {left}, more than {right}")

    names = {*entry.put, *entry.out, *entry.lost}
    errors = {
        name: entry.out.get(name, 0) + entry.lost.get(name, 0)
        for name in names
        if name.startswith("error ")
    }
    for name in sorted(names - errors.keys() - {"missed"}):
        spoken = entry.out.get(name, 0) + entry.lost.get(name, 0)
        same(f"{name} frames sent or reported dropped", spoken, entry.put.get(name, 0))
    same("crashes told", errors.pop("error crashed", 0), entry.crashed)
    at_most("refusals by handlers", errors.pop("error forbidden", 0), entry.handled)
    errors.pop("error too_fast", 0)
    fate = entry.handled + entry.crashed + sum(entry.dead.values())
    fate += sum(errors.values()) + book.too_fast
    if entry.code not in book.codes:
        wrong.append(f"ended with {entry.code}, not {' or '.join(map(str, sorted(book.codes)))}")
    if book.how in ("closed", "dropped"):  # from the close on the server reads what it ignores
        at_most("messages with a fate", fate, entry.read)
    else:
        same("messages with a fate", fate, entry.read)
    if book.how == "left":
        at_most("messages read", entry.read, book.sent)
        for name in book.got:
            at_most(f"{name} frames received", book.got[name], entry.out.get(name, 0))
        return wrong
    for name in sorted({*book.got, *entry.out}):
        same(f"{name} frames received", book.got[name], entry.out.get(name, 0))
    if book.how == "dropped":
        return wrong
    same("frames reported missed", book.missed, entry.reasons.get("client_slow", 0))
    same("messages without an answer", book.open, 0)
    if book.how == "stayed":
        same("messages read", entry.read, book.sent)
    return wrong


class Ledger:
    """All clients of a run."""

    def __init__(self) -> None:
        self.differences: list[str] = []
        self.count = 0
        """How many differences there are."""
        self.totals: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        """Handshakes that were refused, by the limit that says so."""
        self.books: dict[str, Book] = {}
        self.entries: dict[str, Entry] = {}
        self._dead: Counter[str] = Counter()

    def differ(self, text: str) -> None:
        """Something is not as it must be."""
        self.count += 1
        if len(self.differences) < SHOWN:
            self.differences.append(text)

    def add_book(self, book: Book) -> None:
        """A client is done."""
        self.books[book.who] = book
        self._settle(book.who)

    def add_entries(self, entries: Iterable[Entry]) -> None:
        """Sockets are over."""
        for entry in entries:
            if entry.who in self.entries:
                self.differ(f"{entry.who}: two sockets")
            self.entries[entry.who] = entry
            self._settle(entry.who)

    def _settle(self, who: str) -> None:
        if who not in self.books or who not in self.entries:
            return
        book, entry = self.books.pop(who), self.entries.pop(who)
        for text in settle(book, entry):
            self.differ(f"{who}: {text}")
        self._dead.update(entry.dead)
        self._dead.update(entry.reasons)
        self.totals.update(
            {
                "clients": 1,
                "sent": book.sent,
                "read": entry.read,
                "handled": entry.handled,
                "crashed": entry.crashed,
                "dead letters": sum(entry.dead.values()),
                "frames out": sum(entry.out.values()),
                "frames received": sum(book.got.values()),
                "frames dropped": sum(entry.lost.values()),
                "overloaded": entry.out.get("error overloaded", 0),
                "too fast": book.too_fast,
            }
        )

    def close(self, account: Account, before: Account) -> None:
        """Everybody has gone: what the server says of itself must be the sum of what it said of
        each, and nothing may be left."""
        for what, waiting in (("client", self.books), ("socket", self.entries)):
            if waiting:
                self.differ(f"{len(waiting)} without their {what}: {', '.join([*waiting][:9])}")
        totals = self.totals
        dead = sum(each for each in self._dead.values()) - totals["frames dropped"]
        self._same("handled", account.handled, totals["handled"])
        self._same("crashed", account.crashed, totals["crashed"])
        self._same("told", account.told, totals["handled"] + totals["crashed"] + dead)
        for reason in sorted({*account.dead, *self._dead}):
            self._same(f"dead letters, {reason}", account.dead.get(reason, 0), self._dead[reason])
        refused = dict(self.refused)
        if totals["too fast"]:
            refused["message_rate"] = totals["too fast"]
        for limit in sorted({*refused, *account.refused}):
            self._same(f"refused, {limit}", account.refused.get(limit, 0), refused.get(limit, 0))
        self._same("dead letters and crashes of nobody", account.strays, 0)
        for line, number in account.logged.items():
            if not line.startswith(EXPECTED_LOGS):
                self.differ(f"logged {number} times: {line}")
        self._same("crashes logged", account.logged.get(CRASHED, 0), totals["crashed"])
        self._same("aborts logged", account.logged.get(ABORTED, 0), totals["aborted"])
        for what, number in account.left.items():
            self._same(f"{what} left", number, before.left[what])

    def _same(self, what: str, server: int, sum_of_all: int) -> None:
        if server != sum_of_all:
            self.differ(f"{what}: {server} in all, {sum_of_all} expected")
