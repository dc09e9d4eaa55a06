"""Mutants of supervision: strategies, types, intensity, backoff, restarts."""

from mutant import edit, mutant

MUTANTS = [
    mutant(
        "a fixed window",
        "the intensity's window slides",
        edit(
            "supervision.py",
            "        del times[: bisect_right(times, now - self._intensity.seconds)]\n",
            "        if times and bisect_right(times, now - self._intensity.seconds):\n"
            "            times.clear()\n",
        ),
        "intensity.py::test_the_window_slides",
        "decisions.py::test_every_window_agrees_with_the_model",
    ),
    mutant(
        "one restart too many",
        "no more than N restarts within the window",
        edit(
            "supervision.py",
            "        if len(times) >= self._intensity.restarts:",
            "        if len(times) > self._intensity.restarts:",
        ),
        "supervision.py::test_too_many_restarts_end_it",
    ),
    mutant(
        "an escalation goes nowhere",
        "more than the intensity is the parent's own failure",
        edit(
            "_family.py",
            "            self._parent.fail_soon(failure)\n",
            "            failure.add_note('nobody hears')\n",
        ),
        "escalations.py::test_too_many_restarts_go_up_level_by_level",
    ),
    mutant(
        "a backoff never calms",
        "the backoff resets after calm",
        edit(
            "supervision.py",
            "        nth = 1 if backoff.calms(now - due) else before + 1\n",
            "        nth = before + 1\n",
        ),
        "backoff.py::test_calm_resets_it_counted_from_when_the_restart_was_due",
    ),
    mutant(
        "jitter past the maximum",
        "the backoff stays within its bounds",
        edit(
            "supervision.py",
            "        high = min(self.maximum, middle * (1 + self.jitter))\n",
            "        high = middle * (1 + self.jitter)\n",
        ),
        "backoff.py::test_the_jitter_spreads_to_either_side_within_the_bounds",
    ),
    mutant(
        "a backoff that does not wait",
        "a restart waits for its backoff",
        edit(
            "_recovery.py",
            "        if not decision.delay or self._end",
            "        if decision.delay < 60.0 or self._end",
        ),
        "rests.py::test_a_restart_waits_and_mail_is_kept",
    ),
    mutant(
        "a stop waits for the backoff",
        "a stop during backoff is immediate",
        edit(
            "_recovery.py",
            "        if self._suspension is not None:\n"
            "            self._suspension.revived.set()\n        if self._awaits_turn:",
            "        if self._awaits_turn:",
        ),
        "rests.py::test_an_end_during_backoff_is_immediate",
    ),
    mutant(
        "temporary bystanders come back",
        "temporary bystanders stay down",
        edit(
            "_family.py",
            "            if self.children.get(other) is Restart.TEMPORARY:\n"
            "                await other.stop(STOP_TIMEOUT)\n"
            "            else:\n"
            "                await other.suspend(STOP_TIMEOUT)",
            "            await other.suspend(STOP_TIMEOUT)",
        ),
        "families.py::test_temporary_bystanders_of_a_group_restart_stay_down",
    ),
    mutant(
        "temporary ones are to start",
        "temporary ones are never restarted",
        edit(
            "supervision.py",
            "            start=tuple(each for each in touched"
            " if children[each] is not Restart.TEMPORARY),",
            "            start=touched,",
        ),
        "decisions.py::test_a_restart_stops_in_reverse_and_starts_in_order_all_but_temporary_siblings",
    ),
    mutant(
        "a transient one outlives its own stop",
        "transient: after a crash only",
        edit(
            "supervision.py",
            "        return restart is Restart.PERMANENT\n",
            "        return restart is not Restart.TEMPORARY\n",
        ),
        "decisions.py::test_what_becomes_of_the_child_by_type_and_directive",
    ),
    mutant(
        "a permanent one ends by its own stop",
        "permanent: also after it ended by itself",
        edit(
            "_recovery.py",
            "        if self._restart_type is not Restart.PERMANENT or self._end is not None:",
            "        if self._restart_type is not None or self._end is not None:",
        ),
        "families.py::test_after_what_it_comes_back",
    ),
    mutant(
        "rest for one takes the earlier along",
        "rest for one: those started after it",
        edit(
            "supervision.py",
            "        first = ordered.index(child)"
            " if self._strategy is Strategy.REST_FOR_ONE else 0\n",
            "        first = 0\n",
        ),
        "families.py::test_who_is_fresh_and_in_which_order",
    ),
    mutant(
        "a group stops in the order of start",
        "a group restart stops in reverse order",
        edit(
            "supervision.py",
            "            stop=tuple(each for each in reversed(touched) if each != child),",
            "            stop=tuple(each for each in touched if each != child),",
        ),
        "families.py::test_who_is_fresh_and_in_which_order",
    ),
    mutant(
        "the new begin among the old",
        "all the old ones are gone before the new begin",
        edit(
            "_recovery.py",
            "            await self._hand_run(lambda: siblings.suspend(decision.stop))\n",
            "            for other in decision.stop:\n"
            "                other.suspend(STOP_TIMEOUT)\n",
        ),
        "families.py::test_each_is_gone_before_the_next",
    ),
    mutant(
        "a restart keeps its state",
        "a restart gives fresh state",
        edit(
            "_cell.py",
            "        actor = self._factory()\n",
            "        actor = self.actor\n",
        ),
        "supervision.py::test_a_restart_keeps_queue_ref_name_and_groups_but_no_state",
    ),
    mutant(
        "a restart changes the ref",
        "a restart keeps the ref",
        edit(
            "_cell.py",
            "        actor = self._factory()\n",
            "        self._ref = ActorRef(self, self.core.inlet, self.core.thread)\n"
            "        actor = self._factory()\n",
        ),
        "supervision.py::test_a_restart_keeps_queue_ref_name_and_groups_but_no_state",
    ),
    mutant(
        "a restart leaves the groups",
        "a restart keeps the groups",
        edit(
            "_cell.py",
            "        actor = self._factory()\n",
            "        for topic in tuple(self.joined):\n            self.leave(topic)\n"
            "        actor = self._factory()\n",
        ),
        "supervision.py::test_a_restart_keeps_queue_ref_name_and_groups_but_no_state",
    ),
    mutant(
        "a restart keeps the children",
        "a restart stops the children",
        (
            edit(
                "_recovery.py",
                "        self.drop_timers()\n"
                "        if self._family is not None:\n"
                "            await self._family.end(self)\n"
                "        if self._restarts_anyway():\n"
                "            return\n        if decision.stop:",
                "        self.drop_timers()\n"
                "        if self._restarts_anyway():\n"
                "            return\n        if decision.stop:",
            ),
            edit(
                "_recovery.py",
                "            await self._family.end(self)"
                "  # those that tasks of the former life have spawned since\n",
                "",
            ),
        ),
        "supervision.py::test_a_restart_drops_the_children",
    ),
    mutant(
        "children live until the next life",
        "the old life is gone with its children before others follow it",
        edit(
            "_recovery.py",
            "        self.drop_timers()\n"
            "        if self._family is not None:\n"
            "            await self._family.end(self)\n"
            "        if self._restarts_anyway():\n"
            "            return\n        if decision.stop:",
            "        self.drop_timers()\n"
            "        if self._restarts_anyway():\n"
            "            return\n        if decision.stop:",
        ),
        "families.py::test_each_is_gone_before_the_next",
    ),
    mutant(
        "on_restart is forgotten",
        "on_restart hears the error",
        edit(
            "_recovery.py",
            "        if error is not None:\n"
            "            await self._hand_run(lambda: actor.on_restart(error))\n",
            "",
        ),
        "supervision.py::test_a_restart_keeps_queue_ref_name_and_groups_but_no_state",
    ),
    mutant(
        "on_start is forgotten at a restart",
        "on_start runs again",
        edit(
            "_recovery.py",
            "        if await self._hand_run(actor.on_start):\n            return\n",
            "",
        ),
        "supervision.py::test_a_restart_keeps_queue_ref_name_and_groups_but_no_state",
    ),
    mutant(
        "resume starts anew",
        "resume keeps the state",
        edit(
            "supervision.py",
            "        if directive is Directive.RESUME:\n"
            "            return Decision(Action.RESUME)\n",
            "",
        ),
        "families.py::test_resume_drops_the_message_alone",
    ),
    mutant(
        "a stop directive is ignored",
        "an actor may stop on an error",
        edit(
            "supervision.py",
            "    return directive is not Directive.STOP and restart is not Restart.TEMPORARY",
            "    return restart is not Restart.TEMPORARY",
        ),
        "families.py::test_the_nearest_type_directs",
    ),
    mutant(
        "the farthest type directs",
        "the nearest class of an error says what it calls for",
        edit(
            "supervision.py",
            "    for kind in type(error).__mro__:\n",
            "    for kind in reversed(type(error).__mro__):\n",
        ),
        "families.py::test_the_nearest_type_directs",
    ),
    mutant(
        "failures outlive their parent",
        "a parent that starts anew forgets its children's failures",
        edit(
            "_family.py",
            "        self._supervisor = None\n\n    async def suspend",
            "        self.regroup = None\n\n    async def suspend",
        ),
        "escalations.py::test_too_many_restarts_go_up_level_by_level",
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
        "an error that cannot be told is told",
        "whatever an error is, its crash is that actor's alone",
        edit(
            "_recovery.py",
            "{self.name} crashed: {describe(error)}",
            "{self.name} crashed: {error}",
        ),
        "supervision.py::test_an_error_that_cannot_be_told_is_a_crash_like_any_other",
    ),
    mutant(
        "the next life is no actor",
        "a factory that makes no actor at a restart is a crash",
        edit(
            "_cell.py",
            "            raise no_actor(actor)\n        table = table_of(type(actor))",
            "            self.actor = actor\n            raise no_actor(actor)\n"
            "        table = table_of(type(actor))",
        ),
        "supervision.py::test_a_factory_that_fails_at_a_restart_is_a_crash",
    ),
    mutant(
        "a broken hook ends all",
        "a hook that raises ends that actor alone",
        edit(
            "_cell.py",
            "        except Exception as error:  # noqa: BLE001  # a hook",
            "        except ZeroDivisionError as error:  # a hook",
        ),
        "supervision.py::test_a_hook_that_raises_ends_that_actor_and_its_children_alone",
    ),
    mutant(
        "resumed without a turn",
        "crashes in a circle starve nobody",
        edit(
            "_recovery.py",
            "            await self.core.loop.checkpoint()  # it may crash again without awaiting"
            " anything\n",
            "            pass\n",
        ),
        "supervision.py::test_lives_that_end_in_a_circle_starve_nobody",
    ),
    mutant(
        "restarted without a turn",
        "crashes in a circle starve nobody",
        edit(
            "_recovery.py",
            "        await self.core.loop.checkpoint()  # the next life may end without awaiting"
            " anything\n",
            "",
        ),
        "supervision.py::test_lives_that_end_in_a_circle_starve_nobody",
    ),
    mutant(
        "a drain waits for the backoff",
        "no end waits for a backoff",
        edit(
            "_ending.py",
            "            self.mailbox.put_last(LEAVE)\n            self._rest_no_longer()\n",
            "            self.mailbox.put_last(LEAVE)\n",
        ),
        "rests.py::test_a_drain_does_not_wait_for_a_backoff",
    ),
    mutant(
        "a backoff begins in a drain",
        "no end waits for a backoff",
        edit(
            "_recovery.py",
            "        if not decision.delay or self._end is not None or self.killed:",
            "        if not decision.delay or self._ends:",
        ),
        "rests.py::test_who_crashes_while_it_drains_does_not_rest",
    ),
    mutant(
        "an own stop outlives a crash",
        "a life that has crashed has no on_stop",
        edit(
            "_recovery.py",
            "        if decision.action is not Action.RESUME or self._suspension is not None:\n"
            "            self._stopping_itself = False  # the crash has overtaken it\n",
            "",
        ),
        "rests.py::test_a_crash_overtakes_an_own_stop_also_when_another_restart_takes_over",
    ),
    mutant(
        "an own stop is lost in a resume",
        "an actor that stops itself stops, though it goes on after an error",
        edit(
            "_recovery.py",
            "        if decision.action is not Action.RESUME or self._suspension is not None:\n"
            "            self._stopping",
            "        if True:\n            self._stopping",
        ),
        "families.py::test_an_own_stop_is_heeded_though_the_handler_is_to_be_resumed",
    ),
    mutant(
        "a former life spawns into the next",
        "a life has its own children",
        edit(
            "_cell.py",
            "        return self._lives and not (self._finishing or between_lives)\n",
            "        return self._lives and not self._finishing or between_lives\n",
        ),
        "rests.py::test_a_task_of_a_former_life_starts_nothing_in_the_next",
    ),
    mutant(
        "a former life's timer in the next",
        "no timer from before a restart arrives",
        edit("_recovery.py", "        self.drop_timers()  # of tasks of the former life\n", ""),
        "rests.py::test_a_task_of_a_former_life_starts_nothing_in_the_next",
    ),
    mutant(
        "a start calms the hurry",
        "who is to start with others has a deadline for its old life",
        edit(
            "_ending.py",
            "        cancelled = self.killed or await self._hand.run(work)\n",
            "        cancelled = self.killed or await self._hand.run(work)\n"
            "        getattr(self, '_hasten_no_more')()\n",
        ),
        "group_restarts.py::"
        "test_one_suspended_in_its_on_start_that_hangs_in_on_restart_is_cancelled",
    ),
    mutant(
        "a failure reaches who ends already",
        "a parent that ends already does not fail",
        (
            edit(
                "_recovery.py",
                "        if not (self._ends or self._finishing or self._failure is not None):",
                "        if self._lives and self._failure is None:",
            ),
            edit(
                "_recovery.py",
                "            if still() and not (self._ends or self._finishing):",
                "            if still():",
            ),
        ),
        "escalations.py::test_a_parent_that_ends_already_does_not_fail",
    ),
    mutant(
        "a batch crashes as a batch",
        "a crash is logged with its message's type",
        edit(
            "_recovery.py",
            "    if isinstance(item, Batch):\n        item = item[0]\n",
            "",
        ),
        "declared.py::test_a_crash_takes_the_whole_batch",
    ),
    mutant(
        "a last hook costs who waits",
        "a hook that raises ends that actor alone",
        edit(
            "_cell.py",
            "        except Exception as error:  # noqa: BLE001  # it must not",
            "        except ZeroDivisionError as error:  # it must not",
        ),
        "supervision.py::test_a_last_hook_that_raises_keeps_nobody_waiting",
    ),
    mutant(
        "a former life's child in the next",
        "a life has its own children",
        edit(
            "_recovery.py",
            "            await self._family.end(self)  # those that tasks of the former life have"
            " spawned since\n",
            "",
        ),
        "group_restarts.py::test_a_child_of_a_former_life_is_not_the_next_ones",
    ),
]
