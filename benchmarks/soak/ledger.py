"""The bookkeeping, without I/O: what must hold between what clients saw and what the server says.

When a client is done and its socket's `Entry` has come from the server, both are settled against
each other, added to the totals and forgotten, so a soak of any length takes the same room.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec

from .book import Book

SHOWN = 40
"""Differences that are kept; more are counted."""
CRASHED = "error: actor crashed"
ABORTED = "warning: the client reads nothing: aborting the connection"
EXPECTED_LOGS = (
    *(CRASHED, ABORTED),
    "warning: a page of another origin was refused",
    "uvicorn.error: Invalid UTF-8 sequence received from client.",  # with a traceback
)
"""How what is logged for good reasons begins."""


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


class Settlement:
    """A client and its socket; `wrong` says what does not hold between them."""

    def __init__(self, book: Book, entry: Entry) -> None:
        self.wrong = list(book.wrong)
        self._book, self._entry = book, entry
        if entry.code not in book.codes:
            due = " or ".join(map(str, sorted(book.codes)))
            self.wrong.append(f"ended with {entry.code}, not {due}")
        self._fates(self._frames())
        self._arrivals()

    def _same(self, what: str, left: int, right: int) -> None:
        if left != right:
            self.wrong.append(f"{what}: {left}, not {right}")

    def _at_most(self, what: str, left: int, right: int) -> None:
        if left > right:
            self.wrong.append(f"{what}: {left}, more than {right}")

    def _frames(self) -> int:
        """Each frame was given to the server or reported dropped; returns how many of them refused
        a message."""
        entry = self._entry
        spoken = Counter(entry.out)
        spoken.update(entry.lost)
        self._same("crashes told", spoken.pop("error crashed", 0), entry.crashed)
        self._at_most("refused by handlers", spoken.pop("error forbidden", 0), entry.handled)
        for name in ("missed", "error too_fast"):  # neither is for one message or frame
            spoken.pop(name, None)
        refusals = [name for name in spoken if name.startswith("error ")]
        refused = sum(spoken.pop(name) for name in refusals)
        for name in sorted({*spoken, *entry.put}):
            self._same(f"{name} frames out or dropped", spoken[name], entry.put.get(name, 0))
        return refused

    def _fates(self, refused: int) -> None:
        """Each message that was read has one fate."""
        book, entry = self._book, self._entry
        fates = entry.handled + entry.crashed + sum(entry.dead.values()) + refused + book.too_fast
        if book.how in ("closed", "dropped"):  # from the close on it reads what it ignores
            self._at_most("messages with a fate", fates, entry.read)
        else:
            self._same("messages with a fate", fates, entry.read)
        if book.how == "stayed":
            self._same("messages read", entry.read, book.sent)
        else:
            self._at_most("messages read", entry.read, book.sent)

    def _arrivals(self) -> None:
        """Each frame that was given to the server has arrived, if its client waited for it."""
        book, entry = self._book, self._entry
        arrives = self._at_most if book.how == "left" else self._same
        for name in sorted({*book.got, *entry.out}):
            arrives(f"{name} frames received", book.got[name], entry.out.get(name, 0))
        if book.how in ("stayed", "closed"):
            self._same("messages without an answer", book.open, 0)
            missed = entry.reasons.get("client_slow", 0)
            self._same("frames told to be missed", book.missed, missed)


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
        for text in Settlement(book, entry).wrong:
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
        for what, waiting in (("socket", self.books), ("client", self.entries)):
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
