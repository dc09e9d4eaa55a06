"""Whose pages may open a socket: plain decisions, all of them."""

import itertools
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transport import Settings
from transport.origin import Origin, allows, check_patterns, parse

OURS = "chat.example.com"


def same(origin: str, host: str, *, secure: bool = False) -> bool:
    return allows((), [origin], [host], secure=secure)


def listed(origin: str, *patterns: str) -> bool:
    return allows(patterns, [origin], [OURS], secure=True)


def test_who_sends_none_is_no_browser() -> None:
    for patterns, secure in itertools.product(((), ("*",)), (False, True)):
        assert allows(patterns, [], [OURS], secure=secure)
        assert allows(patterns, [], [], secure=secure)


@pytest.mark.parametrize(
    ("origin", "host", "secure", "allowed"),
    [
        ("http://chat.example.com", "chat.example.com", False, True),
        ("http://chat.example.com", "chat.example.com:80", False, True),
        ("http://chat.example.com:80", "chat.example.com", False, True),
        ("http://CHAT.example.com", "chat.EXAMPLE.com", False, True),
        ("http://localhost:8000", "localhost:8000", False, True),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", False, True),
        ("http://[::1]:8000", "[::1]:8000", False, True),
        ("https://chat.example.com", "chat.example.com", True, True),
        ("https://chat.example.com", "chat.example.com:443", True, True),
        ("https://chat.example.com:8443", "chat.example.com:8443", True, True),
        # A proxy ends TLS and does not say so: the scheme says nothing.
        ("https://chat.example.com", "chat.example.com", False, True),
        ("https://chat.example.com", "chat.example.com:443", False, True),
        ("https://chat.example.com:8443", "chat.example.com:8443", False, True),
        # It does: a page that came without TLS is another's, maybe.
        ("http://chat.example.com", "chat.example.com", True, False),
        ("http://chat.example.com", "chat.example.com:80", True, False),
        # Others.
        ("http://evil.com", "chat.example.com", False, False),
        ("http://example.com", "chat.example.com", False, False),
        ("http://www.chat.example.com", "chat.example.com", False, False),
        ("http://chat.example.com.evil.com", "chat.example.com", False, False),
        ("http://evilchat.example.com", "chat.example.com", False, False),
        ("http://localhost:8001", "localhost:8000", False, False),
        ("http://localhost", "localhost:8000", False, False),
        ("http://localhost:8000", "localhost", False, False),
        ("https://chat.example.com", "chat.example.com:80", False, False),
        ("http://chat.example.com", "chat.example.com:443", False, False),
        ("http://chat.example.com.", "chat.example.com", False, False),
        ("ftp://chat.example.com", "chat.example.com", False, False),
        ("ws://chat.example.com", "chat.example.com", False, False),
        ("chrome-extension://abc", "abc", False, False),
    ],
)
def test_the_same_origin(origin: str, host: str, secure: bool, allowed: bool) -> None:
    assert same(origin, host, secure=secure) is allowed


BAD = [
    "",
    "null",
    "NULL",
    "chat.example.com",
    "//chat.example.com",
    "http:/chat.example.com",
    "http://",
    "http://:80",
    "http://user@chat.example.com",
    "http://chat.example.com@evil.com",
    "http://evil.com:80@chat.example.com",
    "http://chat.example.com/",
    "http://chat.example.com/path",
    "http://chat.example.com?query",
    "http://chat.example.com#fragment",
    "http://chat.example.com:",
    "http://chat.example.com:0",
    "http://chat.example.com:65536",
    "http://chat.example.com:99999",
    "http://chat.example.com:-80",
    "http://chat.example.com:٨٠",
    "http://chat.example.com:80:80",
    "http://chat.example.com\\",
    "http://chat.example.com, http://chat.example.com",
    " http://chat.example.com",
    "http://chat.example.com ",
    "http://chat.example.com\n",
    "http://*.example.com",
    "http://*",
    "http://chät.example.com",
    "http://[::1",
    "http://[chat.example.com]",
]


@pytest.mark.parametrize("origin", BAD)
def test_what_no_browser_sends_is_refused(origin: str) -> None:
    assert not same(origin, "chat.example.com")
    assert not same(origin, origin.partition("//")[2])
    assert not listed(origin, "http://chat.example.com", "http://*.example.com")
    if origin != "null":
        assert not listed(origin, "*")


@pytest.mark.parametrize("origin", ["null", "file://"])
def test_a_page_without_an_origin_is_anybodys(origin: str) -> None:
    assert listed(origin, "*")
    assert not listed(origin, "https://*.example.com")
    assert not same(origin, "")


def test_several_origins_are_refused() -> None:
    origin = "https://" + OURS
    for patterns in ((), ("*",), (origin,)):
        assert allows(patterns, [origin], [OURS], secure=True)
        assert not allows(patterns, [origin, origin], [OURS], secure=True)


def test_without_one_host_nothing_is_the_same() -> None:
    origin = "https://" + OURS
    assert not allows((), [origin], [], secure=True)
    assert not allows((), [origin], [OURS, OURS], secure=True)
    assert not allows((), [origin], ["user@" + OURS], secure=True)
    assert not allows((), [origin], [OURS + "/"], secure=True)
    assert allows((origin,), [origin], [], secure=True)


@pytest.mark.parametrize(
    ("pattern", "origin", "allowed"),
    [
        ("https://a.org", "https://a.org", True),
        ("https://a.org", "https://a.org:443", True),
        ("https://a.org:443", "https://a.org", True),
        ("https://A.org", "https://a.ORG", True),
        ("https://a.org", "http://a.org", False),
        ("https://a.org", "https://a.org:8443", False),
        ("https://a.org", "https://b.a.org", False),
        ("https://a.org", "https://ba.org", False),
        ("https://*.a.org", "https://b.a.org", True),
        ("https://*.a.org", "https://c.b.a.org", True),
        ("https://*.a.org", "https://a.org", False),
        ("https://*.a.org", "https://evila.org", False),
        ("https://*.a.org", "https://a.org.evil.com", False),
        ("https://*.a.org", "http://b.a.org", False),
        ("https://*.a.org", "https://b.a.org:444", False),
        ("https://*.a.org:444", "https://b.a.org:444", True),
        ("http://localhost:3000", "http://localhost:3000", True),
        ("http://localhost:3000", "http://localhost:3001", False),
        ("capacitor://localhost", "capacitor://localhost", True),
        ("chrome-extension://abc", "chrome-extension://abc", True),
        ("chrome-extension://abc", "chrome-extension://abd", False),
        ("*", "https://anybody.example", True),
        ("*", "capacitor://localhost", True),
    ],
)
def test_what_a_pattern_allows(pattern: str, origin: str, allowed: bool) -> None:
    check_patterns([pattern])
    assert listed(origin, pattern) is allowed
    assert listed(origin, "https://x.y", pattern) is allowed


def test_a_pattern_widens_and_takes_nothing_away() -> None:
    assert listed("https://" + OURS, "https://other.org")


@pytest.mark.parametrize(
    "pattern", [*(each for each in BAD if "*." not in each), "**", "example.com", "*.example.com"]
)
def test_a_pattern_that_is_none_is_refused_at_once(pattern: str) -> None:
    with pytest.raises(ValueError, match="origins has"):
        Settings(origins=("https://a.org", pattern))


def test_a_list_of_patterns_does_as_well() -> None:
    """It is looked up as part of its settings, at each socket: what cannot be hashed would fail
    there."""
    patterns: Any = ["https://a.org"]
    assert Settings(origins=patterns) == Settings(origins=("https://a.org",))
    hash(Settings(origins=patterns))


@pytest.mark.parametrize("pattern", ["*", "https://a.org"])
def test_one_pattern_must_stand_in_a_tuple(pattern: Any) -> None:
    with pytest.raises(ValueError, match="origins must be a tuple"):
        Settings(origins=pattern)


LABEL = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=3)
HOST = st.lists(LABEL, min_size=1, max_size=3).map(".".join)
PORT = st.none() | st.integers(1, 65535)


def written(scheme: str, host: str, port: int | None) -> str:
    return f"{scheme}://{host}" + ("" if port is None else f":{port}")


@given(HOST, PORT, HOST, PORT, st.sampled_from(["http", "https"]))
def test_only_the_same_host_and_port_are_the_same(
    host: str, port: int | None, other: str, other_port: int | None, scheme: str
) -> None:
    default = {"http": 80, "https": 443}[scheme]
    is_same = (host, port or default) == (other, other_port or default)
    header = host if port is None else f"{host}:{port}"
    assert same(written(scheme, other, other_port), header) is is_same


@given(HOST, HOST)
def test_a_wildcard_ends_at_a_label(below: str, host: str) -> None:
    pattern = f"https://*.{host}"
    assert listed(f"https://{below}.{host}", pattern)
    assert listed(f"https://{below}{host}", pattern) is f"{below}{host}".endswith("." + host)


@given(st.text(max_size=30), st.lists(st.text(max_size=20), max_size=2))
def test_whatever_is_sent_there_is_an_answer(origin: str, hosts: list[str]) -> None:
    assert isinstance(allows(("https://*.a.org",), [origin], hosts, secure=False), bool)
    found = parse(origin)
    if found is not None:
        assert parse(written(found.scheme, found.host, found.port)) == found._replace(
            subdomains=False
        )


def test_an_origin_has_parts() -> None:
    assert parse("HTTPS://Chat.Example.com") == Origin("https", "chat.example.com", 443)
    assert parse("capacitor://localhost") == Origin("capacitor", "localhost", None)
