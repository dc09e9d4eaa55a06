"""Mutants of connections, and what crosses into the transport."""

from mutant import edit, mutant

MUTANTS = [
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
            "transport/_socket.py",
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
            "transport/_socket.py",
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
            "        self.__own__.attach(context)\n",
            "        self.__own__.attach(context)\n"
            "        if self.__own__.connected:\n"
            "            context.call(type(self).on_connect)\n",
        ),
        "tests/transport/test_crashes.py"
        "::test_a_crash_is_told_under_the_id_in_the_log_and_leaves_fresh_state",
    ),
    mutant(
        "overload stops the reading",
        "a full mailbox never stops reading",
        edit(
            "transport/_socket.py",
            "                self.context.ref.tell(step)\n        except MailboxFull:",
            "                while self.context.mailbox.room <= len(self.context.mailbox.queue):\n"
            "                    await asyncio.sleep(0.01)\n"
            "                self.context.ref.tell(step)\n        except MailboxFull:",
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
]
