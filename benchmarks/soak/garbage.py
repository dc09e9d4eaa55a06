"""What hostile clients send, and what is documented to be due to it."""

import struct
from typing import NamedTuple

from ..frames import BINARY, CLOSE, PING, TEXT, client_frame
from .app import MAX_SIZE

REFUSED = {
    "": "malformed",
    "{": "malformed",
    '{"type":"say","n":1}}': "malformed",
    '{"type":"say","n":NaN}': "malformed",
    '{"type":"say","n":01}': "malformed",
    "\ufeff{}": "malformed",
    "{'type':'say'}": "malformed",
    "[" * 65 + "]" * 65: "malformed",
    '{"a":' * 5000 + "1" + "}" * 5000: "malformed",
    "{}": "invalid",
    "null": "invalid",
    '"say"': "invalid",
    "[1,2]": "invalid",
    '{"type":"nobody"}': "invalid",
    '{"type":7}': "invalid",
    '{"type":"say"}': "invalid",
    '{"type":"say","n":"1"}': "invalid",
    '{"type":"say","n":1.5}': "invalid",
    '{"type":"ask","n":1,"id":[]}': "invalid",
    '{"type":"posted","who":"me","n":1}': "invalid",
}
"""Texts, and the code of the error frame for each; the connection goes on."""


class Fatal(NamedTuple):
    """What no connection survives."""

    wire: bytes
    code: int
    """With which the server closes; 1006 for none, as the client has gone."""
    by_server: bool = False
    """Whether that is uvicorn's own affair, which its `wsproto` does without a close frame."""


def _close(code: int, reason: bytes = b"") -> bytes:
    return client_frame(struct.pack("!H", code) + reason, CLOSE)


FATAL = [
    Fatal(client_frame(b"{}", BINARY), 1003),
    Fatal(client_frame(b"x" * (MAX_SIZE + 1)), 1009),
    Fatal(client_frame(b"\xff"), 1007, by_server=True),
    Fatal(client_frame(b"ok \xed\xa0\x80"), 1007, by_server=True),
    Fatal(client_frame(b"hi", TEXT | 0x40), 1002, by_server=True),
    Fatal(client_frame(b"hi", PING | 0x10), 1002, by_server=True),
    Fatal(client_frame(b"", 0x83), 1002, by_server=True),
    Fatal(client_frame(b"", 0x8B), 1002, by_server=True),
    Fatal(client_frame(b"of nothing", 0x80), 1002, by_server=True),
    Fatal(client_frame(b"hi", PING & 0x7F), 1002, by_server=True),
    Fatal(client_frame(bytes(126), PING), 1002, by_server=True),
    Fatal(b"\x81\x02hi", 1002, by_server=True),  # not masked
    Fatal(client_frame(b"one", TEXT & 0x7F) + client_frame(b"two"), 1002, by_server=True),
    Fatal(_close(999), 1002, by_server=True),
    Fatal(client_frame(b"\x03", CLOSE), 1002, by_server=True),
    Fatal(_close(1000, b"\xff"), 1007, by_server=True),
    Fatal(client_frame(b'{"type":"say","n":1}')[:-3], 1006),
]
