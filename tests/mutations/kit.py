"""Mutants of the test kit."""

from mutant import edit, mutant

MUTANTS = [
    mutant(
        "every schedule is the loop's",
        "exploration finds races",
        edit(
            "actors/testing/_loop.py",
            "self._ready.pop(self._schedule.choose(len(self._ready)))",
            "self._ready.pop(0)",
        ),
        "tests/testing/test_explore.py",
    ),
    mutant(
        "virtual time is late",
        "timers come in their order",
        edit("actors/testing/_loop.py", "max(self._time, moment)", "max(self._time, moment) + 1"),
        "tests/testing/test_kit.py",
    ),
    mutant(
        "no leak is a leak",
        "what is left behind is named",
        edit(
            "actors/testing/_kit.py",
            "        if left:\n",
            "        if not left:\n            return\n        if False:\n",
        ),
        "tests/testing/test_kit.py::test_what_is_left_behind_is_named",
    ),
    mutant(
        "order is not looked at",
        "check_actor finds wrong order",
        edit("actors/testing/_check.py", "if places[id(message)] < place:", "if False:"),
        "tests/testing/test_check.py::test_a_broken_runtime_is_found",
    ),
]
