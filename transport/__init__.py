"""The transport: WebSockets of a FastAPI application as actors.

The map, from the ground up (imports point down only):

    exceptions   errors, close codes           settings     bounds and policies
    codec        frames <-> messages           outbox       what waits to be sent
    _peer        the TCP connection beneath    wire         the port to the server
    session      the rules, without I/O        _roster      the sockets that are open
    _writer      the write pump of all sockets _socket      one WebSocket: reads, sends, closes
    connection   Connection(Actor)             drain        the end of a server
    endpoint     the route, the lifespan
"""

from .codec import (
    Codec,
    ErrorFrame,
    Heartbeat,
    Json,
    MessagePack,
    Missed,
    Raw,
    Reply,
    Text,
)
from .connection import Connection
from .drain import Drain
from .endpoint import CurrentSystem, Sockets, endpoint, running_system
from .exceptions import CloseCode, CodecError, LifespanNotRun, TransportError
from .settings import OnCrash, OnInvalid, OnOverload, Settings, SlowClient

__all__ = [
    "CloseCode",
    "Codec",
    "CodecError",
    "Connection",
    "CurrentSystem",
    "Drain",
    "ErrorFrame",
    "Heartbeat",
    "Json",
    "LifespanNotRun",
    "MessagePack",
    "Missed",
    "OnCrash",
    "OnInvalid",
    "OnOverload",
    "Raw",
    "Reply",
    "Settings",
    "SlowClient",
    "Sockets",
    "Text",
    "TransportError",
    "endpoint",
    "running_system",
]
