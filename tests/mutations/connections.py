"""Mutants of connections, and what crosses into the transport."""

from mutant import Mutant, edit, mutant

CUT = (
    "tests/transport/test_server_end.py"
    "::test_who_is_cut_short_is_refused_unless_it_is_cancelled_anyway"
)

CIRCLES = "tests/transport/test_leaks.py::test_no_connection_leaves_circles_to_the_collector"


def circle(name: str, file: str, old: str, new: str = "") -> Mutant:
    return mutant(name, "who is gone costs no memory", edit(file, old, new), CIRCLES)


MUTANTS = [
    mutant(
        "who is killed while it is accepted goes on",
        "past the deadline what is left is closed",
        edit("transport/endpoint.py", "if socket.code is not None:  #", "if socket.code == 0:  #"),
        "tests/transport/test_server_end.py::test_who_is_killed_while_it_is_accepted_is_closed",
    ),
    mutant(
        "the server says with which code we closed",
        "the first close counts",
        edit("transport/wire.py", "self._closing or error.code", "error.code"),
        "tests/transport/test_wire.py",
    ),
    circle(
        "an outbox keeps its socket",
        "transport/_socket.py",
        "        self.outbox.let_go(_Left(self._context))\n",
    ),
    circle("a socket keeps its intake", "transport/_socket.py", "        del self.intake\n"),
    circle(
        "a socket keeps its wire",
        "transport/_socket.py",
        "            del self._wire\n",
        "            pass\n",
    ),
    circle(
        "a stream keeps who hears of it",
        "transport/fast/stream.py",
        "            del self._inbound  #",
        "            #",
    ),
    circle(
        "a deadline keeps what it was for",
        "actors/_deadlines.py",
        "        self._function = _nothing  #",
        "        #",
    ),
    mutant(
        "the outbox has no bound",
        "a slow client is disconnected when its outbox is full",
        edit(
            "transport/outbox.py",
            "        return number < self._max_frames * times and (",
            "        return number >= 0 and (",
        ),
        "tests/transport/test_outbox.py::test_the_slow_client_is_disconnected_with_1013",
    ),
    mutant(
        "the outbox drops the youngest",
        "an outbox that drops the oldest drops the oldest",
        edit(
            "transport/outbox.py",
            "                dropped.append(self._pop())\n",
            "                dropped.append(self.queue.pop())\n",
        ),
        "tests/transport/test_outbox.py::test_the_oldest_is_dropped",
    ),
    mutant(
        "encoded for each client",
        "a publish is encoded once for each codec",
        edit(
            "transport/_lane.py",
            "            socket.outbox.put(frame, key)",
            "            frame = self._codec.frame(Envelope(envelope.message))\n"
            "            socket.outbox.put(frame, key)",
        ),
        "tests/transport/test_publish.py::test_a_publish_is_encoded_once_for_a_whole_group",
    ),
    mutant(
        "a publish wakes no behaviour",
        "a class that handles what is published gets it in its mailbox",
        edit(
            "transport/_lane.py",
            "        if isinstance(envelope.message, self._types):",
            "        if not members:",
        ),
        "tests/transport/test_publish.py"
        "::test_a_class_that_handles_what_is_published_gets_it_in_its_mailbox",
    ),
    mutant(
        "a restart connects again",
        "on_connect runs once, whatever restarts",
        edit(
            "transport/connection.py",
            "        if self.__own__.attach(context):\n",
            "        if self.__own__.attach(context) or True:\n",
        ),
        "tests/transport/test_crashes.py"
        "::test_a_crash_is_told_under_the_id_in_the_log_and_leaves_fresh_state",
    ),
    mutant(
        "overload stops the reading",
        "a full mailbox never stops reading",
        edit(
            "transport/wire.py",
            "                turn = intake.go_on()\n",
            "                turn = intake._unplaced is not None\n"
            "                mailbox = intake._owner.context.mailbox\n"
            "                if mailbox.room > len(mailbox.queue):\n"
            "                    turn = intake.go_on()\n",
        ),
        "tests/transport/test_overload.py::test_a_busy_actors_full_mailbox_refuses_the_newest",
    ),
    mutant(
        "the client gets the error's text",
        "the client is told an id, and no more",
        edit(
            "transport/connection.py",
            "        self.__own__.crashed(error_id)\n",
            "        self.__own__.crashed(error_id)\n        self.send(str(error))\n",
        ),
        "tests/transport/test_crashes.py"
        "::test_a_crash_is_told_under_the_id_in_the_log_and_leaves_fresh_state",
    ),
    mutant(
        "who is told early handles it early",
        "what it is told before the accept is handled after on_connect",
        edit(
            "transport/connection.py",
            "            context.call(Connection.__connected__, first=True)\n",
            "            context.call_later(0.0, lambda: context.call(Connection.__connected__))\n",
        ),
        "tests/transport/test_connection.py"
        "::test_what_is_told_before_the_accept_is_handled_after_on_connect",
    ),
    mutant(
        "who is refused loses what was sent",
        "each frame sent is received by the client or is a dead letter",
        edit(
            "transport/_socket.py",
            "        self.gone(CloseCode.ABNORMAL)\n\n    # For the b",
            "\n    # For the b",
        ),
        "tests/transport/test_connection.py"
        "::test_what_was_sent_to_a_client_that_is_refused_is_a_dead_letter",
    ),
    mutant(
        "an interrupt comes before on_connect",
        "a connection hears on_connect before anything else",
        edit(
            "transport/connection.py",
            "(Connection.__connected__, first=True)",
            "(Connection.__connected__)",
        ),
        "tests/transport/test_connection.py::test_no_interrupt_goes_before_on_connect",
    ),
    mutant(
        "whom on_connect refuses is heard",
        "of whom on_connect refuses nothing is handled",
        edit(
            "transport/connection.py",
            "            self.stop()  # what it",
            "            pass  # what it",
        ),
        "tests/transport/test_refusals.py::test_of_whom_on_connect_refuses_nothing_is_handled",
    ),
    mutant(
        "on_disconnect hears how the actor ends",
        "on_disconnect hears the code that the client gets",
        edit("transport/_socket.py", "self.outbox.close or self._farewell", "self._farewell"),
        "tests/transport/test_close.py::test_on_disconnect_hears_the_code_that_the_client_gets",
    ),
    mutant(
        "a client waits in line",
        "a client's frames are refused by a full mailbox that waits",
        edit(
            "transport/_intake.py",
            "                self._owner.context.mailbox.put_now(step)\n",
            "                self._owner.context.mailbox.put(step)\n",
        ),
        "tests/transport/test_overload.py::test_a_mailbox_that_waits_bounds_its_client_too",
    ),
    mutant(
        "a declared exception is a crash",
        "a declared exception is an answer for a client",
        edit("transport/_intake.py", "if isinstance(value, Exception):", "if value is None:"),
        "tests/transport/test_requests.py::test_a_declared_exception_is_no_crash",
    ),
    mutant(
        "a drain waits for dependencies",
        "a drain waits for no start",
        edit(
            "transport/_opening.py",
            "            opening.cut_short()\n",
            "            pass\n",
        ),
        "tests/transport/test_server_end.py::test_a_dependency_that_hangs_keeps_nobody",
        "tests/transport/test_server_end.py::test_who_is_still_starting_is_refused_at_once",
    ),
    mutant(
        "who is cut short is gone without a word",
        "a drain refuses who is about to open",
        edit(
            "transport/_opening.py",
            "                self._openings.refuse()\n",
            "                pass\n",
        ),
        "tests/transport/test_server_end.py::test_a_dependency_that_hangs_keeps_nobody",
    ),
    mutant(
        "a drain takes back another's cancellation",
        "outer cancellation is never swallowed",
        edit("transport/_opening.py", "by_us_alone = self", "by_us_alone = True or self"),
        CUT,
    ),
    mutant(
        "a cut leaves its mark on the task",
        "outer cancellation is never swallowed",
        edit("transport/_opening.py", "self._task.uncancel()", "self._task.cancelling() - 1"),
        CUT,
    ),
]
