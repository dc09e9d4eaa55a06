"""The load generator: many WebSocket clients on raw sockets in one thread.

It must never be what is measured. The `websockets` client, and any client on an event loop, costs
more for a message than the faster servers do; so this one is a plain loop over `select`: one
`recv` into a shared buffer, one walk over the frame headers, one `send` of frames that were built
before the clock started. Against a server that parses nothing it reached 140 k messages a second
one in flight, 2.7 M with 32 in flight and 0.2-0.9 M deliveries (two cores, Python 3.11). `busy` in
the results tells how much of its core it needed: near 1.0 the load was the bottleneck, and the
figure is only a lower bound.

Every contender is verified before it is timed: the first replies of each connection are parsed in
full. While the clock runs, replies are counted and their bytes summed; both must come out exactly.
"""

import base64
import contextlib
import os
import selectors
import socket
import sys
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from hashlib import sha1
from time import perf_counter, process_time

from .frames import PING, PONG, BrokenReply, FrameCounter, client_frame, payloads, whole_frames

PATIENCE = 10.0
"""Seconds without any reply after which a server counts as stalled."""

_FROM_ONE_ADDRESS = 4000  # clients
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_BUFFER = bytearray(1 << 18)  # shared: one thread, and nothing is kept in it between reads


def upgrade(port: int, path: str, key: bytes, headers: bytes = b"") -> bytes:
    """The request that opens a WebSocket; `headers`: more of them, each with its end of line."""
    return (
        b"GET %b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: %b\r\nSec-WebSocket-Version: 13\r\n%b\r\n"
        % (path.encode(), port, key, headers)
    )


def check_upgrade(head: bytes, key: bytes, path: str) -> None:
    """Raises BrokenReply unless `head` opens the WebSocket that was asked for, as it was."""
    accept = base64.b64encode(sha1(key + _GUID, usedforsecurity=False).digest())
    if not head.startswith(b"HTTP/1.1 101") or accept not in head:
        raise BrokenReply(f"{path}: {head.decode(errors='replace')}")
    if b"sec-websocket-extensions" in head.lower():
        raise BrokenReply(f"{path}: an extension that nobody offered")


class Client:
    """One WebSocket connection to 127.0.0.1."""

    __slots__ = ("_counter", "_early", "bytes_read", "due", "socket")

    def __init__(self, port: int, path: str, source: str | None = None) -> None:
        """Connect, from the address `source` if given, and shake hands; raises OSError, or
        BrokenReply when it is refused."""
        self.due = 0
        """Replies still to come; kept by whoever drives this client."""
        self.bytes_read = 0
        self._counter = FrameCounter()
        self.socket = socket.create_connection(
            ("127.0.0.1", port), PATIENCE, None if source is None else (source, 0)
        )
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._early = self._shake_hands(port, path)

    def _shake_hands(self, port: int, path: str) -> bytes:
        key = base64.b64encode(os.urandom(16))
        self.socket.sendall(upgrade(port, path, key))
        answer = b""
        while b"\r\n\r\n" not in answer:
            data = self.socket.recv(65536)
            if not data:
                raise BrokenReply(f"{path}: closed during the handshake")
            answer += data
        head, _, early = answer.partition(b"\r\n\r\n")
        check_upgrade(head, key, path)
        return early

    def replies(self, count: int) -> list[bytes]:
        """Wait for exactly `count` messages and return their payloads: the slow, verifying way."""
        data = bytearray(self._early)
        self._early = b""
        while True:
            frames, used = whole_frames(data)
            found = payloads(frames)
            if len(found) > count or (len(found) == count and used < len(data)):
                raise BrokenReply(f"expected {count} messages, got {bytes(data)!r}")
            if len(found) == count:
                self._counter.pings += [said for first, said in frames if first == PING]
                self._answer_pings()
                return found
            more = self.socket.recv(65536)
            if not more:
                raise BrokenReply("closed by the server without a close frame")
            data += more

    def read(self) -> int:
        """Read what has come; returns how many messages that completes."""
        size = self.socket.recv_into(_BUFFER)
        if not size:
            raise BrokenReply("closed by the server without a close frame")
        self.bytes_read += size
        count = self._counter.feed(_BUFFER, size)
        if self._counter.pings:
            self.bytes_read -= sum(len(payload) + 2 for payload in self._counter.pings)
            self._answer_pings()
        return count

    def _answer_pings(self) -> None:
        for payload in self._counter.pings:
            self.socket.sendall(client_frame(payload, PONG))
        self._counter.pings.clear()

    def close(self) -> None:
        """Close the socket, without the farewell."""
        self.socket.close()


@contextlib.contextmanager
def clients(
    port: int, count: int, path: str, greet: Callable[[Client], object] | None = None
) -> Generator[list[Client], None, None]:
    """`count` connected clients; `path` holds a `{}` for the number of each.

    `greet` says and hears what is said before the first message of a new connection.
    """
    connected: list[Client] = []
    try:
        connect(connected, port, count, path, greet)
        yield connected
    finally:
        for client in connected:
            client.close()


def connect(
    connected: list[Client],
    port: int,
    count: int,
    path: str,
    greet: Callable[[Client], object] | None = None,
) -> None:
    """Connect more clients, until there are `count`."""
    allow_files(2 * count + 64)
    while len(connected) < count:
        number = len(connected)
        client = Client(port, path.format(number), _source(number))
        connected.append(client)
        if greet is not None:
            greet(client)
        if number % 1000 == 999:
            keep(connected)


def keep(connected: Sequence[Client]) -> None:
    """Answer the pings that have come, or a server drops its idle clients after 40 s."""
    with selecting(connected) as ready:
        for client in ready(0.0):
            if client.read():
                raise BrokenReply("a message that nobody asked for")


def _source(number: int) -> str | None:
    """Where that client comes from: one address has ports for some 28,000 connections, of which
    those of earlier rounds may not be free again. Linux has the whole of 127.0.0.0/8."""
    more = number // _FROM_ONE_ADDRESS
    return f"127.0.0.{1 + more}" if more and sys.platform == "linux" else None


def allow_files(count: int) -> int:
    """Lift the soft limit of open files to `count`; returns how many the hard one permits."""
    if sys.platform == "win32":
        return count
    import resource  # not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed


@dataclass(frozen=True, slots=True)
class Pace:
    """What a timed stretch came to."""

    messages: int
    seconds: float
    busy: float
    """Share of its core that the load generator used."""

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds


@contextlib.contextmanager
def selecting(
    connected: Sequence[Client],
) -> Generator[Callable[..., list[Client]], None, None]:
    """Yields a function that waits for replies and returns the clients that have some.

    Given a time of the clock to wait for, it may return none; else that is a BrokenReply.
    """
    with selectors.DefaultSelector() as selector:
        for client in connected:
            # Blocking without a timeout: only read when readable, and what is written always
            # fits the socket's buffer. A timeout would cost a poll() for each call.
            client.socket.settimeout(None)
            selector.register(client.socket, selectors.EVENT_READ, client)

        def ready(until: float | None = None) -> list[Client]:
            patience = PATIENCE if until is None else max(0.0, until - perf_counter())
            events = selector.select(patience)
            if not events and until is None:
                raise BrokenReply(f"no reply within {PATIENCE:.0f} s")
            return [key.data for key, _ in events]

        yield ready
    for client in connected:
        client.socket.settimeout(PATIENCE)


def echo(connected: Sequence[Client], windows: Sequence[bytes], depth: int, seconds: float) -> Pace:
    """Keep `depth` messages in flight on each connection for `seconds`, then let all come home.

    `windows` holds, for each connection, `depth` frames as one piece. The next window of a
    connection is written when the last reply of the one before has come.
    """
    sends = [0] * len(connected)
    number = {client: index for index, client in enumerate(connected)}
    with selecting(connected) as ready:
        worked, begun = process_time(), perf_counter()
        deadline = begun + seconds
        for client, window in zip(connected, windows, strict=True):
            client.due = depth
            client.socket.sendall(window)
        flying = len(connected)
        while flying:
            in_time = perf_counter() < deadline
            for client in ready():
                count = client.read()
                if not count:
                    continue  # a piece of a message, or a ping to one who is home already
                client.due -= count
                if client.due == 0:
                    index = number[client]
                    sends[index] += 1
                    if in_time:
                        client.due = depth
                        client.socket.sendall(windows[index])
                    else:
                        flying -= 1
                elif client.due < 0:
                    raise BrokenReply("more replies than messages")
        took = perf_counter() - begun
        worked = process_time() - worked
    return Pace(sum(sends) * depth, took, worked / took)


def lone(publisher: Client, members: Sequence[Client], frame: bytes) -> float:
    """Seconds from one publish until the last member has it."""
    with selecting(members) as ready:
        begun = perf_counter()
        publisher.socket.sendall(frame)
        due = len(members)
        while due > 0:
            for client in ready():
                due -= client.read()
        return perf_counter() - begun


def paced(
    publisher: Client,
    members: Sequence[Client],
    frame: bytes,
    pause: float,
    over: Callable[[], bool],
) -> list[float]:
    """Publish every `pause` seconds until it is `over`; returns the seconds that each message took
    to each member.

    Each member must get each message exactly once, or BrokenReply is raised.
    """
    waits: list[float] = []
    sent: list[float] = []
    for client in members:
        client.due = 0
    with selecting(members) as ready:
        begun = perf_counter()
        while not over():
            if perf_counter() >= begun + len(sent) * pause:
                sent.append(perf_counter())
                publisher.socket.sendall(frame)
            _note(ready(begun + len(sent) * pause), sent, waits)
        deadline = perf_counter() + PATIENCE
        while len(waits) < len(sent) * len(members):
            if perf_counter() >= deadline:
                raise BrokenReply("some members did not get all messages")
            _note(ready(deadline), sent, waits)
    return waits


def _note(ready: list[Client], sent: list[float], waits: list[float]) -> None:
    for client in ready:
        for _ in range(client.read()):
            if -client.due == len(sent):
                raise BrokenReply("a message that was not published")
            waits.append(perf_counter() - sent[-client.due])
            client.due -= 1


def fan_out(
    publisher: Client, members: Sequence[Client], frame: bytes, depth: int, seconds: float
) -> Pace:
    """Keep `depth` publishes in flight for `seconds`; the messages counted are deliveries.

    Each member must get each message exactly once, or BrokenReply is raised.
    """
    for client in members:
        client.due = 0
    with selecting(members) as ready:
        worked, begun = process_time(), perf_counter()
        deadline = begun + seconds
        publisher.socket.sendall(frame * depth)
        published, delivered = depth, 0
        while delivered < published * len(members):
            for client in ready():
                count = client.read()
                client.due -= count
                delivered += count
            if perf_counter() < deadline:
                room = depth - (published - delivered // len(members))
                if room > 0:
                    publisher.socket.sendall(frame * room)
                    published += room
        took = perf_counter() - begun
        worked = process_time() - worked
    if any(client.due != -published for client in members):
        raise BrokenReply("some members got more messages than others")
    return Pace(delivered, took, worked / took)
