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
    mutant(
        "a runner's task is a leak",
        "what is left behind is told by identity, and a runner's task is not",
        edit("actors/testing/_kit.py", "not in before and not each.main", "not in before"),
        "tests/testing/test_leaks.py::test_a_runner_may_run_each_step_by_itself",
    ),
    mutant(
        "tasks are told by name",
        "what is left behind is told by identity, not by name",
        [
            edit(
                "actors/testing/_kit.py",
                "before = {each.task for each in inner.tasks()}",
                "before = {each.name for each in inner.tasks()}",
            ),
            edit(
                "actors/testing/_kit.py", "if each.task not in before", "if each.name not in before"
            ),
        ],
        "tests/testing/test_leaks.py::test_a_task_is_not_another_one_of_its_name",
    ),
    mutant(
        "another task leaves the kit",
        "leave it in the task that entered it",
        edit(
            "actors/testing/_kit.py",
            "if anyio.get_current_task() != self._entered_by:",
            "if False:",
        ),
        "tests/testing/test_leaks.py::test_another_task_cannot_leave_it",
    ),
    mutant(
        "endless time is never noticed",
        "what goes on and on is stuck",
        edit("actors/testing/_loop.py", "            self._busy += 1\n", "            pass\n"),
        "tests/testing/test_stuck.py::test_what_goes_on_and_on_is_stuck",
    ),
    mutant(
        "a rest does not count",
        "what comes from outside is waited for",
        edit(
            "actors/testing/_loop.py",
            "        self._busy = 0\n        self._driver",
            "        self._driver",
        ),
        "tests/testing/test_stuck.py::test_patience_begins_anew_with_each_rest",
    ),
    mutant(
        "who waits is not told how long",
        "who waits where is told",
        edit(
            "actors/testing/_loop.py",
            "            self._since[owner] = self._time\n",
            "            pass\n",
        ),
        "tests/testing/test_stuck.py::test_who_waits_where_is_told",
    ),
    mutant(
        "Trio's own order is by chance",
        "a seed is one order of steps",
        edit("_task.py", "self._trio._core._run._r.seed(seed)", "pass"),
        "tests/testing/test_explore.py::test_what_a_body_starts_itself_is_replayed_too",
    ),
    mutant(
        "who waits outside is not looked at when time passes",
        "check_actor says who waits outside of virtual time",
        edit("actors/testing/_loop.py", "                self.before_time_passes()\n", ""),
        "tests/testing/test_check.py::test_it_is_told_where_time_passes_or_all_rest",
    ),
    mutant(
        "who waits outside is not looked at when all rest",
        "check_actor says who waits outside of virtual time",
        edit(
            "actors/testing/_check.py",
            "                look()\n                self._check_rest(kit)\n",
            "                self._check_rest(kit)\n",
        ),
        "tests/testing/test_check.py::test_it_is_told_where_time_passes_or_all_rest",
    ),
    mutant(
        "own tasks are nobody's",
        "who waits for own tasks in the kit is in it",
        edit(
            "actors/testing/_waits.py",
            "each.owner is None and each.task not in known and",
            "each.owner is None and each.task in known and",
        ),
        "tests/testing/test_check.py::test_who_waits_in_the_kits_clock_is_not",
    ),
    mutant(
        "keys go by their salted hashes",
        "a key goes to the same worker in every process",
        edit("pool.py", "mixed = hash((_lasting(key),))", "mixed = hash((key,))"),
        "pool_keys.py::test_another_process_routes_alike",
    ),
    mutant(
        "moved keys go by salted hashes",
        "a key goes to the same worker in every process, also once one has ended",
        edit(
            "pool.py",
            'blake2b(f"{mixed}/{refs.index(ref)}".encode()).digest()',
            'hash(f"{mixed}/{refs.index(ref)}")',
        ),
        "pool_keys.py::test_another_process_routes_alike",
    ),
    mutant(
        "quoted replies mean nothing",
        "an error that is declared as a reply, quoted, is one",
        edit(
            "_handlers.py",
            "                if _is_quoted(promised):\n",
            "                if False:\n",
        ),
        "replies.py",
    ),
]
