"""The transport: WebSockets of a FastAPI application as actors.

The map, from the ground up (imports point down only):

    exceptions   errors, close codes           origin       who may come from where
    limits       token buckets, headcounts     settings     bounds and policies
    bearer       a token as a subprotocol      depth        how deep a frame is nested
    codec        frames <-> messages           outbox       what waits to be sent
    wire         the port to the server        session      the rules, without I/O
    _writer      the write pump of all sockets _socket      one WebSocket: reads, sends, closes
    connection   Connection(Actor)             gate         who gets in
    denial       refused before the accept     endpoint     the route, the lifespan
"""

from .bearer import BearerToken, bearer_token
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
from .exceptions import CloseCode, CodecError, LifespanNotRun, LimitReached, TransportError
from .limits import Rate
from .settings import OnCrash, OnFlood, OnInvalid, OnOverload, Settings, SlowClient

__all__ = [
    "BearerToken",
    "CloseCode",
    "Codec",
    "CodecError",
    "Connection",
    "CurrentSystem",
    "ErrorFrame",
    "Heartbeat",
    "Json",
    "LifespanNotRun",
    "LimitReached",
    "MessagePack",
    "OnCrash",
    "OnFlood",
    "OnInvalid",
    "OnOverload",
    "Rate",
    "Raw",
    "Reply",
    "Settings",
    "SlowClient",
    "Sockets",
    "Text",
    "TransportError",
    "bearer_token",
    "endpoint",
    "running_system",
]
