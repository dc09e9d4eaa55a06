"""Soak: thousands of connections come and go, and each message of each of them is accounted for.

    python -m benchmarks.soak --seconds 120 --connections 1000 --ws wsproto --seed 7

A tenth of the clients stall, a tenth send garbage; handlers crash, clients vanish, slow ones are
dropped frames, hasty ones refused. At the end everything that was sent must be what arrived, what
was refused and what was reported dropped; no connection may have ended otherwise than its client
caused; nothing may be left. The first difference fails it.

The map, from the ground up:

    book         what one client sent and got  ledger       what must hold, without I/O
    app          the served application        garbage      what is sent wrong, and what is due
    line         one raw WebSocket             clients      the kinds of clients
    __main__     the command line and the verdict
"""
