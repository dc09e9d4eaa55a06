"""Mutants of what a review found."""

from mutant import edit, mutant

MUTANTS = [
    mutant(
        "a stop keeps the later deadline",
        "of several stops the shortest deadline counts",
        edit(
            "_cell.py",
            "            self.core.deadlines.bring_forward(self, timeout)\n",
            "            pass\n",
        ),
        "ends.py::test_of_several_stops_the_shortest_counts",
    ),
    mutant(
        "asks wait for a stop",
        "what is queued fails when the stop is asked for",
        edit(
            "_cell.py",
            "            self._clear_mail()  # nobody will handle it, so who asks should not wait "
            "any longer\n",
            "",
        ),
        "ends.py::test_what_is_queued_fails_when_the_stop_is_asked_for",
    ),
    mutant(
        "a rest ends in a restart of all",
        "all old lives are gone before the new ones begin",
        edit(
            "_recovery.py",
            "            if not suspension.taken:  # else",
            "            if True:  #",
        ),
        "rests.py::test_who_rests_when_all_restart_waits_until_all_are_gone",
    ),
    mutant(
        "the interrupted wait for an answer",
        "what only looks like a circle is none",
        edit("_recovery.py", "            self.awaits = None  # not for long\n", ""),
        "cycles.py::test_who_is_interrupted_waits_for_nobody",
    ),
    mutant(
        "an escalation starts the suspended",
        "one failure too many ends all children",
        edit(
            "_recovery.py",
            "            if decision.action is not Action.ESCALATE:",
            "            if True:",
        ),
        "escalations.py::test_a_failure_too_many_in_a_restart_of_all_starts_nobody",
    ),
    mutant(
        "text names the dead letters",
        "no client can join the dead letters",
        [
            edit(
                "telemetry.py",
                "        return self is other\n",
                "        return str(self) == other\n",
            ),
            edit("telemetry.py", "__hash__ = object.__hash__", "__hash__ = str.__hash__"),
        ],
        "dead_letters.py::test_no_text_is_the_topic_of_dead_letters",
    ),
    mutant(
        "a dead letter raises",
        "who cannot take a dead letter harms nobody",
        edit(
            "_core.py",
            "            except Exception as error:  # noqa: BLE001  # whatever a lane",
            "            except ZeroDivisionError as error:  # whatever a lane",
        ),
        "dead_letters.py::test_who_cannot_take_a_dead_letter_ends_like_any_other",
    ),
    mutant(
        "an own stop outlives a drain",
        "a drain handles what is queued",
        edit("_recovery.py", "        if order is OWN_STOP and (", "        if False and ("),
        "ends.py::test_a_drain_overtakes_an_own_stop",
    ),
]
