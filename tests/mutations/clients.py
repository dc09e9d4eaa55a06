"""Mutants of what clients of a bad network meet: outboxes, aborts, silence, the drain."""

from mutant import edit, mutant

OUTBOX, SOCKET, DRAIN = "transport/outbox.py", "transport/_socket.py", "transport/drain.py"
INTAKE = "transport/_intake.py"
TESTS = "tests/transport/test_"

MUTANTS = [
    mutant(
        "the outbox has no bound of bytes",
        "an outbox is bounded in bytes",
        (
            edit(OUTBOX, "            and size <= self._max_bytes\n", ""),
            edit(
                OUTBOX,
                "            self._bytes + frame.size <= self._max_bytes * times or not number\n",
                "            True\n",
            ),
        ),
        TESTS + "outbox.py::test_bytes_are_bounded_but_for_a_frame_alone",
    ),
    mutant(
        "a dropped frame's bytes stay",
        "an outbox is bounded in bytes",
        edit(
            OUTBOX,
            "        self._bytes -= frame.size\n        if self._notes",
            "        if self._notes",
        ),
        TESTS + "outbox.py::test_sent_is_received_or_queued_or_dropped_and_in_order",
    ),
    mutant(
        "who awaits has no room of its own",
        "WAIT: what the actor itself sends has as much room again",
        edit(OUTBOX, "2 if own and self._policy is SlowClient.WAIT else 1", "1"),
        TESTS + "outbox.py::test_who_awaits_its_sends_finds_room_where_a_publish_does_not",
    ),
    mutant(
        "the newest of a key goes to the end",
        "a newer frame takes the place of the one that waits",
        edit(
            OUTBOX,
            "        self._frames[key] = frame\n\n    def remove",
            "        self._frames[key] = frame\n        self._frames.move_to_end(key)\n\n"
            "    def remove",
        ),
        TESTS + "outbox.py::test_a_newer_frame_takes_the_place_and_not_the_end",
    ),
    mutant(
        "what was conflated is not reported",
        "every drop is counted",
        edit(OUTBOX, "        self._dropping.drop(waiting, Reason.CONFLATED)\n", ""),
        TESTS + "outbox.py::test_sent_is_received_or_queued_or_dropped_and_in_order",
        TESTS + "outbox.py::test_a_newer_frame_takes_the_place_and_not_the_end",
    ),
    mutant(
        "a gap is told of behind what came after it",
        "a client is told what it missed where it missed it",
        edit(
            OUTBOX,
            "        if self._dropped and self._policy is not SlowClient.DROP_OLDEST:\n"
            "            self._tell_missed()\n        self._enqueue(frame, key)\n",
            "        self._enqueue(frame, key)\n"
            "        if self._dropped and self._policy is not SlowClient.DROP_OLDEST:\n"
            "            self._tell_missed()\n",
        ),
        TESTS + "outbox.py::test_the_client_is_told_how_many_it_missed_where_it_missed_them",
    ),
    mutant(
        "a stalled client is closed politely",
        "a stalled peer's socket is aborted",
        edit(
            "transport/_peer.py",
            "        self._transport.abort()",
            "        self._transport.close()",
        ),
        TESTS + "peer.py::test_an_abort_resets_the_connection_whatever_is_unsent",
    ),
    mutant(
        "the system keeps what is unsent",
        "an abort resets the connection",
        edit(
            "transport/_peer.py",
            "        self._set(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)\n",
            "",
        ),
        TESTS + "peer.py::test_an_abort_resets_the_connection_whatever_is_unsent",
    ),
    mutant(
        "silence has no end",
        "a client that says nothing is closed",
        edit(SOCKET, "        self.intake.quiet += 1\n", ""),
        TESTS + "idle.py::test_a_client_that_says_nothing_is_closed_with_4408",
    ),
    mutant(
        "speech does not count",
        "a client that says something stays",
        edit(INTAKE, "        self.quiet = 0\n        if", "        if"),
        TESTS + "idle.py::test_a_client_that_says_something_now_and_then_stays",
    ),
    mutant(
        "the server's own shutdown comes first",
        "a drain begins before the server's shutdown",
        edit(
            "transport/_server.py",
            "            if server is not None:\n                put_off_shutdown",
            "            if server is None:\n                put_off_shutdown",
        ),
        TESTS
        + "sigterm.py::test_each_client_gets_what_is_queued_and_a_close_and_hears_of_the_drain",
    ),
    mutant(
        "no actor hears of the drain",
        "each actor is told of the drain",
        edit(DRAIN, "        socket.warn()\n", "        pass\n"),
        TESTS + "drain.py::test_each_is_warned_then_told_to_go_with_its_own_time_to_come_back",
    ),
    mutant(
        "all are closed at once",
        "the closes are spread over time",
        edit(
            DRAIN,
            "        return [max(0.0, spread) * number / sockets for number in range(sockets)]",
            "        return [0.0 * spread for number in range(sockets)]",
        ),
        TESTS + "drain.py::test_each_is_warned_then_told_to_go_with_its_own_time_to_come_back",
    ),
    mutant(
        "all come back at once",
        "each client has its own time to come back",
        edit(
            DRAIN,
            "        return random.uniform(*self.retry_after)",
            "        return self.retry_after[0]",
        ),
        TESTS + "drain.py::test_each_is_warned_then_told_to_go_with_its_own_time_to_come_back",
    ),
    mutant(
        "the drain waits for the stalled",
        "a drain is over by its deadline",
        edit(DRAIN, "tasks, timeout=plan.timeout, return_when", "tasks, timeout=None, return_when"),
        TESTS + "drain.py::test_past_the_deadline_what_is_left_is_killed",
    ),
    mutant(
        "the drain leaves the stalled to the server",
        "past the deadline what is left is aborted",
        edit(DRAIN, "        socket.kill()\n", "        pass\n"),
        TESTS + "drain.py::test_past_the_deadline_what_is_left_is_killed",
    ),
    mutant(
        "a drain ends with who began it",
        "a drain goes on when who began it gives up",
        edit(
            "transport/_server.py",
            "        await asyncio.shield(self._drained)\n",
            "        await self._drained\n",
        ),
        TESTS + "server_end.py::test_a_drain_goes_on_when_who_began_it_gives_up",
    ),
    mutant(
        "the expired go on",
        "what a client sends once its socket is to be closed is not handled",
        edit(
            INTAKE,
            "        return outbox.close is not None and not outbox.gone\n",
            "        return outbox.close is not None and outbox.gone\n",
        ),
        TESTS + "close.py::test_what_comes_after_a_close_is_not_handled",
    ),
    mutant(
        "newcomers during the drain",
        "new clients are refused during the drain",
        edit("transport/_server.py", "            self.gate.closing = self._plan\n", ""),
        TESTS + "sigterm.py::test_new_clients_are_refused_and_told_when_to_come_back",
    ),
]
