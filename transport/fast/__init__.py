"""The fast WebSocket protocol for uvicorn: `uvicorn --ws transport.fast:WebSocketProtocol`.

An ordinary ASGI server for any application, with picows's frame parser; with
`--http transport.fast:HTTPProtocol` a handshake goes straight to it. A frame's way in is
protocol -> parser -> messages -> stream -> inbox -> the application's `receive`; the map, from the
ground up (imports point down only):

    messages     a client's frames -> messages handshake    the request and the answers to it
    parser       picows: bytes -> messages     line         the TCP connection, and its end
    keepalive    is the peer still there?      stream       an open WebSocket: the seam
    inbox        what is to be received        conversation one ASGI application
    protocol     what uvicorn calls            front        what came first: a handshake?
"""

from .front import HTTPProtocol
from .protocol import WebSocketProtocol

__all__ = ["HTTPProtocol", "WebSocketProtocol"]
