"""Mutants of asks: replies, timeouts, ends, cycles."""

from mutant import edit, mutant

MUTANTS = [
    mutant(
        "an ask to the dead waits",
        "an ask to the ended fails at once",
        edit(
            "_core.py",
            "        if is_ask(item):\n            item.fail(_refusal(ref, message, reason))",
            "        if is_ask(item) and reason is not Reason.STOPPED:\n"
            "            item.fail(_refusal(ref, message, reason))",
        ),
        "ask.py::test_an_ask_to_the_ended_fails_at_once",
    ),
    mutant(
        "the ask in hand outlives a kill",
        "the ask in hand fails at once at a kill",
        edit(
            "_core.py",
            "        if is_ask(item):\n            item.fail(_refusal(ref, message, reason))",
            "        if is_ask(item) and reason is not Reason.KILLED:\n"
            "            item.fail(_refusal(ref, message, reason))",
        ),
        "ask.py::test_the_ask_in_hand_fails_at_once_at_a_kill",
    ),
    mutant(
        "the ask in hand outlives a crash",
        "the ask in hand fails at once at a crash",
        edit("_recovery.py", "            item.fail(crash)\n", "            item.place = None\n"),
        "ask.py::test_a_crash_reaches_the_asker_with_its_cause",
    ),
    mutant(
        "a crash without its cause",
        "the asker hears what the handler raised",
        edit("_recovery.py", "            crash.__cause__ = error\n", ""),
        "ask.py::test_a_crash_reaches_the_asker_with_its_cause",
    ),
    mutant(
        "an asked handler does not crash",
        "an exception in a handler is a crash, asked or told",
        edit(
            "_work.py",
            "isinstance(error, error_replies(type(message)))",
            "isinstance(error, Exception)",
        ),
        "supervision.py::test_a_crash_in_the_handler_of_an_ask_and_of_a_tell_restart_alike",
    ),
    mutant(
        "a late reply vanishes",
        "a late reply is a dead letter",
        edit(
            "_work.py",
            "            if item.done:\n"
            "                self.core.dead_letter(reply, self.ref, Reason.LATE)\n"
            "            else:\n"
            "                item.answer(reply)",
            "            if not item.done:\n                item.answer(reply)",
        ),
        "ask.py::test_a_timeout_leaves_nothing_and_its_late_reply_is_a_dead_letter",
    ),
    mutant(
        "a late reply is delivered",
        "a late reply answers nobody",
        edit(
            "_work.py",
            "            if item.done:\n"
            "                self.core.dead_letter(reply, self.ref, Reason.LATE)\n"
            "            else:\n"
            "                item.answer(reply)",
            "            item._error = None\n            item.answer(reply)",
        ),
        "ask.py::test_a_timeout_leaves_nothing_and_its_late_reply_is_a_dead_letter",
    ),
    mutant(
        "the abandoned are handled",
        "an ask given up in the queue is not handled",
        edit(
            "_work.py",
            "            item.place = None\n            if item.done:\n",
            "            item.place = None\n            if item.done and item.place is not None:\n",
        ),
        "ask.py::test_an_ask_that_times_out_in_the_queue_is_not_handled",
    ),
    mutant(
        "answered asks keep their deadline",
        "after an ask nothing remains",
        edit(
            "_ask.py",
            "        if self.tick:\n            self._deadlines.discard(self)\n",
            "",
        ),
        "leaks.py::test_answered_asks_leave_no_deadline_behind",
    ),
    mutant(
        "an asker that is cancelled stays",
        "after a cancelled caller nothing remains",
        edit(
            "_ask.py",
            "                if not (self.done or self._awaited):  # who awaited it was cancelled",
            "                if self.place is not None and not (self.done or self._awaited):",
        ),
        "ask.py::test_a_cancelled_asker_leaves_nothing",
    ),
    mutant(
        "an ask times out and stays in line",
        "an ask that timed out while it waited for room was never told",
        edit(
            "_ask.py",
            "        self._leave_line()\n        self.fail(AskTimeout",
            "        self.fail(AskTimeout",
        ),
        "ask.py::test_an_ask_that_waited_for_room_and_gave_up_never_asked",
    ),
    mutant(
        "a timeout that never comes",
        "an ask's timeout is finite",
        edit("_ask.py", "    if not 0 < timeout < math.inf:\n", "    if not timeout > 0:\n"),
        "ask.py::test_a_timeout_is_above_0_and_finite",
    ),
    mutant(
        "an ask to oneself waits",
        "an ask to oneself fails at once",
        (
            edit("_cell.py", "        if asker is self:\n", "        if asker is not asker:\n"),
            edit(
                "_ask.py",
                "        while party is not asker:\n",
                "        while party is not asker or len(names) == 1:\n",
            ),
        ),
        "cycles.py::test_an_ask_to_oneself_fails_at_once",
    ),
    mutant(
        "a cycle of three is not found",
        "a cycle of any length fails",
        edit(
            "_ask.py",
            "            party = ask._target\n",
            "            if ask._target is not asker:\n"
            "                return\n"
            "            party = ask._target\n",
        ),
        "cycles.py::test_a_cycle_of_four_names_all",
    ),
    mutant(
        "cycles wait for their timeout",
        "a cycle fails at once",
        edit(
            "_ask.py",
            "                self._check_cycle(asker)\n",
            "",
        ),
        "cycles.py::test_a_cycle_of_two_names_both",
    ),
    mutant(
        "an answered ask counts in a cycle",
        "a line of asks is no cycle",
        edit(
            "_ask.py", "            if ask is None or ask.done:\n", "            if ask is None:\n"
        ),
        "cycles.py::test_one_that_was_answered_and_has_not_gone_on_yet_is_no_cycle",
    ),
    mutant(
        "an ask from a thread waits for ever",
        "asks from threads fail at once as well",
        edit(
            "_ask.py",
            "        if self.done:\n            waiter.set_result(None)\n",
            "",
        ),
        "ask_blocking.py::test_a_threads_ask_that_is_dropped_at_once_fails_with_the_cause",
    ),
    mutant(
        "asks wait for a stop",
        "what is queued fails when the stop is asked for",
        edit(
            "_ending.py",
            "            self._clear_mail()  # nobody will handle it, so who asks should not wait "
            "any longer\n",
            "",
        ),
        "ends.py::test_what_is_queued_fails_when_the_stop_is_asked_for",
    ),
    mutant(
        "the interrupted wait for an answer",
        "what only looks like a circle is none",
        edit(
            "_ending.py",
            "            self.awaits = None  # it will not await that answer any more,"
            " so it is in no circle\n",
            "",
        ),
        "cycles.py::test_who_is_interrupted_waits_for_nobody",
    ),
    mutant(
        "tasks share what they await",
        "of two tasks that await one ask, one may be cancelled",
        edit("_ask.py", "self._new_waiter() if self._awaited else self._waiter", "self._waiter"),
        "ask.py::test_of_two_tasks_that_await_one_ask_one_may_be_cancelled",
    ),
    mutant(
        "the first to leave gives it up",
        "of two tasks that await one ask, one may be cancelled",
        edit("_ask.py", "if not (self.done or self._awaited):", "if not self.done:"),
        "ask.py::test_of_two_tasks_that_await_one_ask_one_may_be_cancelled",
    ),
]
