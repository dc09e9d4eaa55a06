"""The transport: WebSockets of a FastAPI application as actors.

The map, from the ground up (imports point down only):

    exceptions   errors, close codes           origin       who may come from where
    limits       token buckets, headcounts     settings     bounds and policies
    bearer       a token as a subprotocol      depth        how deep a frame is nested
    _frames      frames as bytes               codec        frames <-> messages
    outbox       what waits to be sent         _peer        the TCP connection beneath
    _writer      the write pump of all sockets wire         the port to the server
    _burst       the port to our own           session      the rules, without I/O
    _lane        how a group reaches clients   _intake      what comes of frames
    _roster      the sockets that are open     _opening     the tasks that open one
    _socket      one WebSocket, to its close   connection   Connection(Actor)
    drain        the end of a server           gate         who gets in
    _server      what all sockets share        denial       refused before the accept
    endpoint     the route                     sockets      Sockets: the application's
    fast         our own protocol for uvicorn  testing      a client without a network
    cli          the command `greenroom`
"""

from ._server import CurrentSystem, running_system
from .bearer import BearerToken, bearer_token
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
from .endpoint import endpoint
from .exceptions import CloseCode, CodecError, LifespanNotRun, LimitReached, TransportError
from .limits import Rate
from .settings import OnCrash, OnFlood, OnInvalid, OnOverload, Settings, SlowClient
from .sockets import Sockets

__all__ = [
    "BearerToken",
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
    "LimitReached",
    "MessagePack",
    "Missed",
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
