"""Benchmarks: where Greenroom stands against the floor, and against what one would write instead.

Run one with ``python -m benchmarks.NAME``; ``--quick``, ``--rounds N`` and ``--json`` work on all.

====================  ==========================================================================
``mailbox``           messages told to one actor, in its loop and from four OS threads
``ask``               questions to one actor, one after the other
``spawn``             whole lives: start, one message, stop
``echo``              WebSocket messages a second, 64 connections, 1 and 32 in flight on each
``fanout``            a room of 500: deliveries a second, and the time until the last member has one
``stall``             what a room notices of one client that reads nothing
``memory``            what an idle WebSocket connection costs the server
====================  ==========================================================================

``soak`` measures nothing and compares nothing: it is a package of its own, with options of its own,
and says whether each message of thousands of clients is accounted for.

The parts they share, from the bottom up:

====================  ==========================================================================
``cores``             which core measures and which one drives it
``child``             one measurement in a fresh process
``frames``            a client's frames, without I/O
``load``              the load generator: raw sockets
``servers``           uvicorn in a process of its own
``tutorial``          contender: the tutorial's endpoints on plain FastAPI
``bare``              contender: the same without a framework, plain ASGI
``ours``              contender: the same on Greenroom
``rounds``            contenders in turn, medians, ratios
``report``            the table, or one line of JSON
``options``           the command line
====================  ==========================================================================
"""
