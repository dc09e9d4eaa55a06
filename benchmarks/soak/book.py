"""What one client sent and got, checked as it comes: each message has one answer, in order."""

from collections import Counter, deque
from typing import Any, Literal

FEW = 3
"""Differences that are kept of one client."""
IN_ORDER = {"error crashed", "error forbidden"}
"""Errors that a handler caused: they stand where the answer would."""

How = Literal["stayed", "closed", "dropped", "left"]
"""How a client ended: with a close handshake of its own; with one of the server's; with one since
it was too slow, and frames are lost; or without one."""


class Book:
    """What one client sent, and what came."""

    def __init__(self, who: str) -> None:
        self.who = who
        self.how: How = "left"
        self.codes = {1006}
        """With which code the server may hear that it ended."""
        self.resumes = False
        """Whether a crash leaves the actor's state alone."""
        self.exceeds = False
        """Whether it sends more than is taken, so that some of it is refused."""
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
            passed, _ = self.due.popleft()
            self.passed_over += 1
            if not self.exceeds:
                self._differ(f"no answer to {passed}")
        if not self.due or self.due[0][0] != n:
            self._differ(f"{answer} to {n}, which is answered already")
        elif (due := self.due.popleft()[1]) != answer:
            self._differ(f"{answer} to {n} where {due} is due")

    def _differ(self, text: str) -> None:
        if len(self.wrong) < FEW:  # what follows is mostly wrong for the same reason
            self.wrong.append(text)
