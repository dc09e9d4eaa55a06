"""The transport: WebSockets of a FastAPI application as actors.

The map, from the ground up (imports point down only):

    exceptions   errors, close codes           settings     bounds and policies
    codec        frames <-> messages           outbox       what waits to be sent
    wire         the port to the server        session      the rules, without I/O
    _writer      the write pump of all sockets _socket      one WebSocket: reads, sends, closes
    connection   Connection(Actor)             endpoint     the route, the lifespan
    testing      a client without a network
"""

from .codec import (
    Codec,
    ErrorFrame,
    Heartbeat,
    Json,
    MessagePack,
    Raw,
    Reply,
    Text,
)
from .connection import Connection
from .endpoint import CurrentSystem, Sockets, endpoint, running_system
from .exceptions import CloseCode, CodecError, LifespanNotRun, TransportError
from .settings import OnCrash, OnInvalid, OnOverload, Settings, SlowClient

__all__ = [
    "CloseCode",
    "Codec",
    "CodecError",
    "Connection",
    "CurrentSystem",
    "ErrorFrame",
    "Heartbeat",
    "Json",
    "LifespanNotRun",
    "MessagePack",
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
