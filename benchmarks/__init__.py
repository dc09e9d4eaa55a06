"""Benchmarks: where Greenroom stands against the floor, and against what one would take instead.

Run one with ``python -m benchmarks.NAME``; ``--quick``, ``--rounds N``, ``--only WORD``, ``--json``
and ``--into FILE`` work on all. ``python -m benchmarks.suite`` runs all.

====================  ==========================================================================
``mailbox``           messages told to one actor, in its loop and from four OS threads
``ask``               questions to one actor, one after the other
``spawn``             whole lives: start, one message, stop
``echo``              WebSocket messages a second, 64 connections, 1 and 32 in flight on each
``fanout``            a room of 500: deliveries a second, and the time until the last member has one
``stall``             what a room notices of one client that reads nothing
``latency``           how long answers take at a pace that all can keep: percentiles
``connect``           whole connections a second: opened, one message echoed, closed
``memory``            what an idle WebSocket connection costs the server
``growth``            costs by members of a room, by connections, by the size of a message
====================  ==========================================================================

``soak`` measures nothing and compares nothing: it is a package of its own, with options of its own,
and says whether each message of thousands of clients is accounted for.

The parts they share, from the bottom up:

====================  ==========================================================================
``cores``             which core measures and which one drives it
``options``           the command line
``child``             one measurement in a fresh process
``frames``            a client's frames, without I/O
``load``              the load generator: raw sockets
``servers``           uvicorn, or a contender's own server, in a process of its own
``tutorial``          contender: the tutorial's endpoints on plain FastAPI
``bare``              contender: the same without a framework, plain ASGI
``ours``              contender: the same on Greenroom
``peers``             contenders: the same on what one would take instead; a package
``talk``              how one talks to a contender
``stacks``            all contenders over the wire, each with its server
``rounds``            contenders in turn, medians, ratios
``report``            the table, or one line of JSON
====================  ==========================================================================

And what becomes of a run of all: ``results`` reads its JSON, ``svg`` and ``chart`` draw it,
``digest`` makes the README's table of it.
"""
