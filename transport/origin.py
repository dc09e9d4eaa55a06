"""From where a page may open a socket: the Origin check, without I/O.

A browser lets any page open a WebSocket to any server, with the user's cookies, and tells the
server only the page's origin. So unless a route says otherwise, a socket may be opened by pages of
its own host, and by clients that are no browser and send no origin. (The rules are those of
gorilla/websocket and Phoenix, RFC 6454 for what an origin is.)
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

ANY = "*"
_NOBODYS = frozenset(("null", "file://"))
"""What browsers send for a page that has none: a sandboxed frame, a file (as Electron's are)."""
_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
_HOST = r"(?P<host>[a-z0-9._~-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
_ORIGIN = re.compile(rf"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<any>\*\.)?{_HOST}", re.IGNORECASE)
_AUTHORITY = re.compile(_HOST, re.IGNORECASE)


class Origin(NamedTuple):
    """`port`: `None` for the default of a scheme that is not the web's."""

    scheme: str
    host: str
    port: int | None
    subdomains: bool = False
    """Whether it stands for all hosts below its own, which only a pattern does."""

    def covers(self, other: "Origin") -> bool:
        """Whether that origin is this one, or one of those this stands for."""
        if (self.scheme, self.port) != (other.scheme, other.port):
            return False
        return other.host.endswith("." + self.host) if self.subdomains else other.host == self.host


def parse(text: str) -> Origin | None:
    """An origin, as a browser sends it: no user, path or query. `None` for anything else."""
    found = _ORIGIN.fullmatch(text)
    if found is None:
        return None
    scheme = found["scheme"].lower()
    port = _PORTS.get(scheme) if found["port"] is None else int(found["port"])
    if port is not None and not 0 < port < 65536:
        return None
    return Origin(scheme, found["host"].lower(), port, found["any"] is not None)


def check_patterns(patterns: Iterable[str]) -> None:
    """Raise `ValueError` for one that is neither an origin, nor `https://*.host`, nor `*`."""
    for pattern in patterns:
        if pattern != ANY and parse(pattern) is None:
            raise ValueError(
                f"origins has {pattern!r}, which is not like 'https://example.com', "
                f"'https://*.example.com', 'http://localhost:3000' or '*'"
            )


def allows(
    patterns: Sequence[str], sent: Sequence[str], hosts: Sequence[str], *, secure: bool
) -> bool:
    """Whether a page of the origin that was `sent` may open a socket.

    `patterns`: what is allowed besides the same origin. `sent`, `hosts`: the values of the
    `Origin` and the `Host` headers. `secure`: whether the server knows that it is spoken to by
    TLS; behind a proxy that ends TLS and does not say so, the page's scheme says nothing.
    """
    if not sent:
        return True  # no browser
    if len(sent) > 1:
        return False
    if sent[0] in _NOBODYS:  # so it may be anybody's
        return ANY in patterns
    origin = parse(sent[0])
    if origin is None or origin.subdomains:
        return False
    if ANY in patterns or (len(hosts) == 1 and _is_same(origin, hosts[0], secure)):
        return True
    allowed = map(parse, patterns)
    return any(each is not None and each.covers(origin) for each in allowed)


def _is_same(origin: Origin, host: str, secure: bool) -> bool:
    found = _AUTHORITY.fullmatch(host)
    if found is None or origin.scheme not in (("https",) if secure else ("http", "https")):
        return False
    # A host without a port has the default of the scheme that the page was got by.
    port = _PORTS[origin.scheme] if found["port"] is None else int(found["port"])
    return (found["host"].lower(), port) == (origin.host, origin.port)
