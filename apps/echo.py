"""Echoes: text, and several kinds of frame on one socket.

No codec is named on the routes: handlers of `str` and `bytes` call for text and binary frames.
"""

import msgspec

from actors import receive
from transport import Connection


class Echo(Connection):
    """`/ws`: text `x` -> `Echo: x`."""

    @receive
    async def text(self, text: str) -> None:
        self.send(f"Echo: {text}")


class Advanced(Connection):
    """`/ws/advanced`: bytes -> the same; JSON objects and arrays -> `{"echo": it}`; other text."""

    @receive
    async def text(self, text: str) -> None:
        try:
            msgspec.json.decode(text, type=dict | list)
        except (msgspec.DecodeError, RecursionError):
            self.send(f"Text received: {text}")
        else:
            # As it came: numbers of any size and the order of keys stay as they are.
            self.send(f'{{"echo":{text.strip()}}}')

    @receive
    async def data(self, data: bytes) -> None:
        self.send(data)
