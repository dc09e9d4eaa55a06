"""Mutants of groups, that of the dead letters too."""

from mutant import edit, mutant

MUTANTS = [
    mutant(
        "the excluded only together",
        "exclusions take one ref or many",
        edit(
            "groups.py",
            "            if excluded and not excluded.isdisjoint(members):",
            "            if excluded and excluded <= members.keys():",
        ),
        "groups.py::test_the_excluded_need_not_be_members",
    ),
    mutant(
        "the group changes under a publish",
        "a publish reaches every member that had joined before it",
        edit(
            "groups.py",
            "                chosen = list(members.values())\n            if chosen",
            "                chosen = members.values()\n            if chosen",
        ),
        "groups.py::test_who_hears_of_a_dead_letter_may_change_the_group",
    ),
    mutant(
        "an envelope for each lane",
        "a publish is wrapped, and so encoded, once",
        edit(
            "groups.py",
            "            lane.deliver(envelope, chosen)",
            "            lane.deliver(Envelope(message), chosen)",
        ),
        "groups.py::test_a_lane_gets_all_its_members_at_once_and_one_envelope",
    ),
    mutant(
        "only the first lane",
        "a publish reaches every member",
        edit(
            "groups.py",
            "            lane.deliver(envelope, chosen)",
            "            lane.deliver(envelope, chosen)\n"
            "            if len(lanes) == 2:\n                break",
        ),
        "groups.py::test_a_lane_gets_all_its_members_at_once_and_one_envelope",
    ),
    mutant(
        "a topic without members stays",
        "the groups forget whoever leaves",
        edit("groups.py", "        if not lanes:\n            del self._topics[topic]\n", ""),
        "groups.py::test_joining_and_leaving_twice_are_fine",
    ),
    mutant(
        "the ending join again",
        "an ending actor joins no group",
        edit(
            "_cell.py",
            "        if self.mailbox.closed is not None:\n"
            "            return  # it has left its groups",
            "        if self.enders is None:\n            return  # it has left its groups",
        ),
        "ends.py::test_what_a_drain_handles_may_spawn_and_join",
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
]
