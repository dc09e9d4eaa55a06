"""Mutants of who gets in, and of how much of them."""

from mutant import edit, mutant

GATE = "tests/transport/test_gate.py::test_"
SERVER = "tests/transport/test_gate_server.py::test_"
REFUSALS = "tests/transport/test_refusals.py::test_"

MUTANTS = [
    mutant(
        "any origin may connect",
        "a page of another site is refused",
        edit("transport/gate.py", "        self._check_origin(connection, settings)\n", ""),
        GATE + "a_page_of_another_origin_is_refused_before_anything_runs",
        SERVER + "a_page_of_another_site_is_refused",
    ),
    mutant(
        "the gate comes last",
        "a page of another site is refused before anything runs",
        edit(
            "transport/sockets.py",
            "        route.app = served.admitting(route.app)\n",
            "",
        ),
        GATE + "a_page_of_another_origin_is_refused_before_anything_runs",
    ),
    mutant(
        "the gate of an included router comes last",
        "a page of another site is refused before anything runs",
        edit("transport/sockets.py", "route.dependencies.insert(0,", "route.dependencies.append("),
        GATE + "what_a_router_serves_has_the_gate_too",
    ),
    mutant(
        "a wildcard matches any ending",
        "a wildcard ends at a label",
        edit(
            "transport/origin.py",
            'other.host.endswith("." + self.host)',
            "other.host.endswith(self.host)",
        ),
        "tests/transport/test_origin.py::test_what_a_pattern_allows",
    ),
    mutant(
        "the schemes have to be the same",
        "own pages get in behind a proxy that ends TLS",
        edit(
            "transport/origin.py",
            '(("https",) if secure else ("http", "https"))',
            '(("https",) if secure else ("http",))',
        ),
        "tests/transport/test_origin.py::test_the_same_origin",
        SERVER + "behind_a_proxy_that_ends_tls",
    ),
    mutant(
        "a token stays where it was",
        "a token is not to be seen in the request",
        edit(
            "transport/bearer.py",
            '            _put(scope, "headers", _without_tokens(scope["headers"]))\n',
            "",
        ),
        "tests/transport/test_bearer.py::test_a_token_beside_a_subprotocol",
    ),
    mutant(
        "a place is never given back",
        "who is gone takes no place",
        edit("transport/gate.py", "        self._headcount.leave(client)\n", "        pass\n"),
        GATE + "so_many_connections_and_no_more",
    ),
    mutant(
        "every IPv6 address is a client of its own",
        "a client of IPv6 is a /64",
        edit(
            "transport/limits.py",
            "    return str(ipaddress.IPv6Network((int(found) >> 64 << 64, 64)))",
            "    return str(found)",
        ),
        GATE + "so_many_from_one_address_and_no_more",
    ),
    mutant(
        "too fast is fast enough",
        "a client that is too fast has its messages refused",
        edit(
            "transport/_intake.py",
            "if meter is not None and not meter.admits(data, at := self._clock()):",
            "if meter is not None and not meter.admits(data, at := self._clock()) and outbox.gone:",
        ),
        GATE + "a_flood_is_refused_and_the_client_told_once",
        GATE + "by_choice_a_flood_closes_with_1008",
    ),
    mutant(
        "each refused message is answered",
        "a client that is too fast is told once a second at most",
        edit(
            "transport/_intake.py",
            "        if self._flood is not None:\n            return\n",
            "",
        ),
        GATE + "a_flood_is_refused_and_the_client_told_once",
    ),
    mutant(
        "a flood is refused without a pause",
        "nobody else notices a flood",
        edit(
            "transport/_intake.py",
            "return True  # a flood must not keep others",
            "continue  # a flood must not keep others",
        ),
        GATE + "a_flood_keeps_nobody_from_their_turn",
    ),
    mutant(
        "a bucket has no bottom",
        "a rate holds in the long run",
        edit(
            "transport/limits.py",
            "        self._messages_full = messages + self._message\n",
            "        self._messages_full = now + self._message\n",
        ),
        "tests/transport/test_limits.py::test_the_burst_at_once_and_then_the_rate",
    ),
    mutant(
        "any depth will do",
        "frames are nested so deep at most",
        edit(
            "transport/session.py",
            "if size > self._shallow and codec",
            "if size > 50_000_000 and codec",
        ),
        "tests/transport/test_depth.py::test_a_frame_may_be_so_deep_and_no_deeper",
    ),
    mutant(
        "the server is left too soon",
        "a refusal leaves no error in the log",
        edit("transport/denial.py", "        await _see_off(receive)\n", ""),
        SERVER + "whoever_refuses_the_log_holds_no_error",
    ),
    mutant(
        "a refused message is a crash",
        "HTTPException in a handler is no crash",
        edit(
            "_recovery.py",
            "            if not self._refused(crash):\n                await self._fail(crash)\n",
            "            await self._fail(crash)\n",
        ),
        "refusals.py::test_a_refusal_is_no_crash_and_keeps_the_state",
    ),
    mutant(
        "a refused message was never there",
        "a refused message counts as handled",
        edit("_recovery.py", "        self.handled_in_hand()\n", ""),
        "refusals.py::test_a_refusal_is_no_crash_and_keeps_the_state",
    ),
    mutant(
        "a refused question goes unanswered",
        "whoever asked gets the error",
        edit(
            "_recovery.py",
            "        if is_ask(item):\n            item.fail(error)\n        return True\n",
            "        return True\n",
        ),
        "refusals.py::test_a_refusal_is_no_crash_and_keeps_the_state",
    ),
    mutant(
        "anybody may join",
        "groups are for those who may",
        edit("transport/connection.py", "if not self.may_join(topic):", "if not topic:"),
        REFUSALS + "groups_are_joined_and_published_to_by_those_who_may",
    ),
    mutant(
        "anybody may publish",
        "groups are for those who may",
        edit(
            "transport/connection.py",
            "if not self.may_publish(topic, message):",
            "if not topic:",
        ),
        REFUSALS + "groups_are_joined_and_published_to_by_those_who_may",
    ),
    mutant(
        "a new token does not put it off",
        "what expires is put off by a new token",
        edit("transport/_socket.py", "            self._expiry.cancel()\n", ""),
        REFUSALS + "a_fresh_token_puts_it_off_and_none_calls_it_off",
    ),
    mutant(
        "a crash that it resumes after counts for nothing",
        "too many crashes close with 1011",
        edit(
            "transport/connection.py",
            "return Directive.RESUME if socket.may_resume() else Directive.STOP",
            "return Directive.RESUME",
        ),
        REFUSALS + "too_many_crashes_close_it_all_the_same",
    ),
    mutant(
        "a burst costs one message",
        "a rate holds for bursts too",
        edit("transport/limits.py", "(len(burst) - 1) * self._message", "0"),
        "tests/transport/test_limits.py::test_a_burst_counts_as_its_messages",
    ),
    mutant(
        "a burst has no bytes",
        "a rate holds for bursts too",
        edit(
            "transport/limits.py",
            "        self._bytes_full = then\n        return True\n\n    def e",
            "        return True\n\n    def e",
        ),
        "tests/transport/test_limits.py::test_a_burst_counts_as_its_messages",
    ),
]
