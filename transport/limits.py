"""How much is too much: token buckets, and counts of connections. Without a clock: time is given.

A `Meter` is one client's buckets, a `Headcount` that of all connections of a server, a `Window`
that of one connection's crashes.
"""

import functools
import ipaddress
import math
from bisect import bisect_right
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

from actors import Intensity

RETRY_AFTER = (1.0, 10.0)
"""Seconds after which one who found no place may come back: by chance, or all come at once."""
REPORT_EVERY = 1.0
"""Seconds between two frames that tell a client it is too fast. More often, and answering floods
would be a flood."""
_ROUNDING = 1e-6  # seconds; of a clock that counts from the machine's start


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second in the long run, and at most `burst` at once: a token bucket.

    One thing that is larger than `burst` (a message, in bytes) needs a full bucket, and what comes
    after it waits until that has been made up for. `per_second` is above 0, `burst` at least 1,
    both finite; else a `ValueError`.
    """

    per_second: float
    burst: float

    def __post_init__(self) -> None:
        if not 0 < self.per_second < math.inf:
            raise ValueError(f"per_second must be above 0 and finite, not {self.per_second}")
        if not 1 <= self.burst < math.inf:
            raise ValueError(f"burst must be at least 1 and finite, not {self.burst}")


def size_of(data: str | bytes) -> int:
    """How many bytes that is on the wire."""
    if isinstance(data, str) and not data.isascii():
        return len(data.encode(errors="surrogatepass"))
    return len(data)


class Excess(NamedTuple):
    """A message that was too much: by which limit, and how many seconds too early."""

    limit: str
    rate: Rate
    retry_after: float


class Meter:
    """One client's buckets. Each is kept as the time at which it will be full again, so that a
    message costs a few additions and no refilling (the generic cell rate algorithm of ATM)."""

    __slots__ = (
        "_byte",
        "_bytes",
        "_bytes_full",
        "_message",
        "_messages",
        "_messages_full",
        "_room",
        "_slack",
    )

    def __init__(self, messages: Rate | None, bytes_: Rate | None) -> None:
        self._messages = messages
        self._bytes = bytes_
        self._messages_full = self._bytes_full = -math.inf
        # Seconds that a message and a byte take, and that a bucket's burst lasts.
        self._message = 0.0 if messages is None else 1 / messages.per_second
        self._slack = math.inf
        if messages is not None:
            self._slack = (messages.burst - 1) * self._message + _ROUNDING
        self._byte = 0.0 if bytes_ is None else 1 / bytes_.per_second
        self._room = math.inf
        if bytes_ is not None:
            self._room = bytes_.burst * self._byte + _ROUNDING

    def admits(self, data: str | bytes, now: float) -> bool:
        """Count a message, unless it is too much. `now`: in seconds."""
        # Without a call for nearly all of them.
        size = len(data) if isinstance(data, bytes) or data.isascii() else size_of(data)
        messages = self._messages_full
        if messages < now:
            messages = now
        elif messages > now + self._slack:
            return False
        full = self._bytes_full
        then = size * self._byte
        if full <= now:
            then += now  # and so one that is larger than the burst may come
        else:
            then += full
            if then > now + self._room:
                return False
        self._bytes_full = then
        self._messages_full = messages + self._message
        return True

    def admits_all(self, burst: Sequence[str | bytes], now: float) -> bool:
        """Count as many messages as if each were admitted, if each would be; else count none."""
        try:
            size = size_of("".join(cast("Sequence[str]", burst)))
        except TypeError:  # not all are text
            size = sum(map(size_of, burst))
        last = max(self._messages_full, now) + (len(burst) - 1) * self._message
        then = max(self._bytes_full, now) + size * self._byte
        if last > now + self._slack or then > now + self._room:
            return False
        self._messages_full = last + self._message
        self._bytes_full = then
        return True

    def excess(self, data: str | bytes, now: float) -> Excess:
        """What was wrong with a message that was not admitted just now."""
        size = size_of(data)
        messages, bytes_ = self._messages, self._bytes
        late = self._messages_full - self._slack - now
        late_bytes = self._bytes_full - max(0.0, self._room - size * self._byte) - now
        if messages is not None and (bytes_ is None or late >= late_bytes):
            return Excess("message_rate", messages, max(0.0, late))
        assert bytes_ is not None  # or nothing would be refused
        return Excess("byte_rate", bytes_, max(0.0, late_bytes))

    def wait(self, now: float) -> float:
        """Seconds until there is room for a small message."""
        late = self._messages_full - self._slack, self._bytes_full - self._room
        return max(0.0, max(late) - now)


class Headcount:
    """The connections of a server, in total and by client. Its table holds who is connected."""

    __slots__ = ("_by_client", "_per_client", "_total", "count")

    def __init__(self, total: int | None, per_client: int | None) -> None:
        for name, bound in (
            ("max_connections", total),
            ("max_connections_per_client", per_client),
        ):
            if bound is not None and bound < 1:
                raise ValueError(f"{name} must be at least 1, not {bound}")
        self._total = total
        self._per_client = per_client
        self._by_client: dict[Hashable, int] = {}
        self.count = 0

    def full(self, client: Hashable | None) -> str | None:
        """The limit that leaves no room for one more of that client's, if one does."""
        if self._total is not None and self.count >= self._total:
            return "max_connections"
        if self._per_client is not None and self._by_client.get(client, 0) >= self._per_client:
            return "max_connections_per_client"
        return None

    def enter(self, client: Hashable | None) -> None:
        """Count one more. `None`: of nobody in particular."""
        self.count += 1
        if self._per_client is not None and client is not None:
            self._by_client[client] = self._by_client.get(client, 0) + 1

    def leave(self, client: Hashable | None) -> None:
        """One that had entered is gone."""
        self.count -= 1
        if self._per_client is not None and client is not None:
            left = self._by_client[client] - 1
            if left:
                self._by_client[client] = left
            else:
                del self._by_client[client]


def client_of(address: tuple[str, int] | None) -> str | None:
    """By what connections are counted as one client's; `None` where there is no telling.

    `address`: as in an ASGI scope. An IPv6 address stands for its /64, which is what one
    subscriber gets; one that a proxy made up stands for itself. On a unix socket there is none.
    """
    return _client_at(address[0]) if address else None


@functools.lru_cache(maxsize=1024)
def _client_at(text: str) -> str:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return text
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(found) >> 64 << 64, 64)))


class Window:
    """Whether what happens now is one too many of its kind, by an `Intensity`."""

    __slots__ = ("_intensity", "_times")

    def __init__(self, intensity: Intensity) -> None:
        self._intensity = intensity
        self._times: list[float] = []

    def takes(self, now: float) -> bool:
        """Take a place in the window; false if none is left. `now`: in seconds."""
        times = self._times
        del times[: bisect_right(times, now - self._intensity.seconds)]
        if len(times) >= self._intensity.restarts:
            return False
        times.append(now)
        return True
