"""A client without a network: an application's WebSockets in the test's own event loop.

The map, from the ground up (imports point down only):

    _stacks      where a task waits            _patience    waits with a deadline
    _line        the bytes on their way        _handshake   what a client asks with
    _peer        a socket, as a server has it  _lifespan    the application's lifespan
    _client      Client                        _server      TestServer
"""

from ._client import Client
from ._handshake import Denied
from ._peer import ClientDisconnected
from ._server import TestServer
from ._stacks import Hanging

__all__ = ["Client", "ClientDisconnected", "Denied", "Hanging", "TestServer"]
