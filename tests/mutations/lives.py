"""Mutants of lives: starts, ends, children, timers, watches, cancellation."""

from mutant import edit, mutant

MUTANTS = [
    mutant(
        "a failed spawn keeps its name",
        "if on_start raises, the name is free",
        edit(
            "_cell.py",
            "        del core.cells[self.name]\n",
            "        if self.introduced:\n            del core.cells[self.name]\n",
        ),
        "spawn.py::test_when_on_start_raises_spawn_raises_and_nothing_is_left",
    ),
    mutant(
        "found before it has started",
        "nothing is registered before on_start has returned",
        edit(
            "registry.py",
            "        return cell.ref if cell is not None and cell.introduced else None",
            "        return cell.ref if cell is not None else None",
        ),
        "spawn.py::test_on_start_comes_before_the_first_message",
    ),
    mutant(
        "a cancelled spawn lives on",
        "a spawn that is cancelled leaves nothing",
        edit(
            "_cell.py",
            "            self.kill()  # nobody will get the ref\n            raise",
            "            raise",
        ),
        "spawn.py::test_spawn_that_is_cancelled_in_on_start_leaves_nothing",
    ),
    mutant(
        "a drain drops the queue",
        "a drain handles what is queued",
        edit(
            "_ending.py",
            "            self.mailbox.put_last(LEAVE)\n",
            "            self.mailbox.put_first(LEAVE_FIRST)\n",
        ),
        "ends.py::test_a_drain_handles_what_is_queued_and_takes_no_more",
    ),
    mutant(
        "a drain takes more",
        "a drain refuses what comes later",
        edit(
            "_ending.py",
            "            self._close(DRAINED)\n",
            "            self._end = DRAINED\n",
        ),
        "ends.py::test_a_drain_handles_what_is_queued_and_takes_no_more",
    ),
    mutant(
        "a stop without its deadline",
        "a stop past its deadline is a kill",
        edit(
            "_ending.py",
            "            self._set_deadline(self.kill, timeout)\n            self._clear_mail()",
            "            self._clear_mail()",
        ),
        "ends.py::test_a_stop_past_its_deadline_is_a_kill",
    ),
    mutant(
        "a drain without its deadline",
        "a drain past its deadline is a kill",
        edit(
            "_ending.py",
            "            self._set_deadline(then, timeout)\n",
            "",
        ),
        "ends.py::test_a_drain_past_its_deadline_is_a_kill",
    ),
    mutant(
        "on_stop after a kill",
        "a kill skips on_stop",
        (
            edit(
                "_cell.py",
                "            if not (self.killed or end is None or self._on_stop_ran)"
                " and self.table.has_end:\n",
                "            end = end or End('stop')\n"
                "            if not self._on_stop_ran and self.table.has_end:\n",
            ),
            edit(
                "_ending.py",
                "        cancelled = self.killed or await self._hand.run(work)\n",
                "        cancelled = await self._hand.run(work)\n",
            ),
        ),
        "ends.py::test_a_kill_cancels_the_handler_and_skips_on_stop",
    ),
    mutant(
        "on_stop twice",
        "on_stop runs once",
        edit(
            "_cell.py",
            "            if not (self.killed or end is None or self._on_stop_ran) and",
            "            if not (self.killed or end is None) and",
        ),
        "families.py::test_a_stop_during_an_own_stop_runs_no_second_on_stop",
    ),
    mutant(
        "on_stop after a failed on_start",
        "no on_stop without a start",
        edit(
            "_cell.py",
            "        if self._start_error is not None:\n            self.kill()\n",
            "        if self._start_error is not None:\n            self.stop(1.0)\n",
        ),
        "spawn.py::test_when_on_start_raises_spawn_raises_and_nothing_is_left",
    ),
    mutant(
        "on_stop without a deadline",
        "on_stop is under a deadline",
        edit(
            "_ending.py",
            "        deadline = self.call_later(actor.stop_timeout, self._cancel_hand)\n",
            "        deadline = self.call_later(1e12, self._cancel_hand)\n",
        ),
        "on_stop.py::test_on_stop_that_hangs_is_cancelled_and_reported",
    ),
    mutant(
        "on_stop's error is swallowed",
        "an on_stop that raises is reported",
        edit(
            "_ending.py",
            "            self._report_on_stop(error)\n        else:",
            "            pass\n        else:",
        ),
        "on_stop.py::test_on_stop_that_raises_is_reported_and_harms_nobody",
    ),
    mutant(
        "on_stop is told the wrong end",
        "on_stop is told how it came to the end",
        edit(
            "_ending.py",
            "            await self._hand_run(lambda: actor.__finish__(end))",
            "            await self._hand_run(lambda: actor.__finish__(STOPPED))",
        ),
        "on_stop.py::test_on_stop_hears_of_a_crash",
    ),
    mutant(
        "children in the order of start",
        "the last started child ends first",
        edit(
            "_family.py",
            "            child = next(reversed(self.children))\n",
            "            child = next(iter(self.children))\n",
        ),
        "children.py::test_children_end_first_in_reverse_order",
    ),
    mutant(
        "children after their parent",
        "children end before the parent's on_stop",
        edit(
            "_cell.py",
            "            if self._family is not None:\n"
            "                await self._family.end(self)\n"
            "            end = self._end\n",
            "            end = self._end\n"
            "            if end is not None and not self.killed:\n"
            "                await self._stop_actor(end)\n"
            "            if self._family is not None:\n"
            "                await self._family.end(self)\n",
        ),
        "children.py::test_children_end_first_in_reverse_order",
    ),
    mutant(
        "a killed parent's children are stopped",
        "a kill reaches the children",
        edit(
            "_family.py",
            "            await (child.kill() if parent.killed else child.stop(STOP_TIMEOUT))",
            "            await child.stop(STOP_TIMEOUT)",
        ),
        "children.py::test_children_of_a_killed_are_killed",
    ),
    mutant(
        "a kill waits for the child that stops",
        "a kill reaches the child that a stop waits for",
        edit(
            "_ending.py",
            "            if self.child_ending is not None:\n"
            "                self.child_ending.kill()\n",
            "",
        ),
        "children.py::test_a_kill_reaches_the_children_that_a_stop_waits_for",
    ),
    mutant(
        "the end before on_stop",
        "waiting for an end returns after on_stop",
        edit(
            "_cell.py",
            "            self._finishing = True\n",
            "            self._finishing = True\n"
            "            for waiter in self.enders or ():\n"
            "                if not waiter.done():\n"
            "                    waiter.set_result(None)\n",
        ),
        "on_stop.py::test_waiting_for_an_end_returns_after_on_stop_and_the_cleanup",
    ),
    mutant(
        "the own end is awaited",
        "ending oneself in one's own handler is fine",
        edit(
            "_ending.py",
            "        if enders is None or self.is_current():\n",
            "        if enders is None:\n",
        ),
        "ends.py::test_awaiting_the_own_end_in_the_own_handler_returns_at_once",
    ),
    mutant(
        "a dead member stays",
        "members that die leave their groups",
        edit(
            "_cell.py",
            "        for topic in self.joined:\n"
            "            self.core.groups.leave(topic, self.ref)\n",
            "",
        ),
        "groups.py::test_an_ending_member_hears_no_more",
    ),
    mutant(
        "watchers hear before the cleanup",
        "the cleanup is done before watchers hear",
        edit(
            "_cell.py",
            "            self._finishing = True\n",
            "            self._finishing = True\n"
            "            if self._watchers:\n"
            "                self._end_watches(self.ref, self._end and self._end.error)\n",
        ),
        "watches.py::test_all_of_the_dead_is_gone_before_its_watcher_hears",
    ),
    mutant(
        "two watches, two notices",
        "two watches, one notice",
        (
            edit(
                "_cell.py",
                "        if cell in self._watched or self.mailbox.closed is not None:",
                "        if self.mailbox.closed is not None:",
            ),
            edit(
                "_cell.py",
                "        self.unwatch(ended)\n        return wanted",
                "        return wanted",
            ),
        ),
        "watches.py::test_a_watcher_hears_once_of_an_end_and_how_it_was",
    ),
    mutant(
        "a watch on the dead is silent",
        "a watch on a dead actor answers at once",
        edit(
            "_cell.py",
            "            self.mailbox.put_last(Notice(cell.obituary(ref)))\n            return\n",
            "            return\n",
        ),
        "watches.py::test_a_watch_on_a_dead_actor_answers_at_once_and_each_time",
    ),
    mutant(
        "unwatched and told all the same",
        "after unwatch no notice",
        edit(
            "_cell.py",
            "        wanted = self._watched is not None and ended._cell in self._watched\n",
            "        wanted = self._watched is not None\n",
        ),
        "watches.py::test_after_unwatch_no_notice_comes_not_even_a_queued_one",
    ),
    mutant(
        "a restart is a death",
        "a restart is no death",
        edit(
            "_cell.py",
            "        actor = self._factory()\n",
            "        self._end_watches(self.ref, None)\n        actor = self._factory()\n",
        ),
        "watches.py::test_a_restart_is_no_end_and_keeps_the_watches_of_either",
    ),
    mutant(
        "timers of a former life",
        "no timer from before a restart fires",
        (
            edit(
                "_recovery.py",
                " without awaiting anything\n        self.drop_timers()\n",
                " without awaiting anything\n",
            ),
            edit("_recovery.py", "        self.drop_timers()  # of tasks of the former life\n", ""),
        ),
        "timers.py::test_a_restart_drops_timers_and_their_queued_messages",
    ),
    mutant(
        "a replaced timer's message",
        "a replaced timer's old message does not arrive",
        edit(
            "_work.py",
            "            if not item.timer.valid:\n",
            "            if item.timer is None:\n",
        ),
        "timers.py::test_a_queued_message_of_a_replaced_or_cancelled_timer_is_not_handled",
    ),
    mutant(
        "timers after the end",
        "timers never fire after the end",
        edit(
            "_cell.py",
            "            self.core.groups.leave(topic, self.ref)\n        self.drop_timers()\n",
            "            self.core.groups.leave(topic, self.ref)\n",
        ),
        "timers.py::test_no_timer_fires_after_the_end",
    ),
    mutant(
        "outer cancellation is swallowed",
        "outer cancellation is never swallowed",
        (
            edit(
                "_task.py",
                "        if not isinstance(error, asyncio.CancelledError)"
                " or self._task.cancelling():",
                "        if not isinstance(error, asyncio.CancelledError):",
            ),
            edit(
                "_task.py",
                "        if self._task.cancelling():\n            raise asyncio.CancelledError",
                "        if self._task.cancelling() > 99:\n"
                "            raise asyncio.CancelledError",
            ),
        ),
        "cancellation.py::test_a_task_cancelled_by_a_stranger_takes_its_children_along",
    ),
    mutant(
        "the system swallows its cancellation",
        "outer cancellation is never swallowed",
        (
            edit(
                "system.py",
                "            await self._leave(core, cancelled)\n            raise\n",
                "            await self._leave(core, cancelled)\n            return\n",
            ),
            edit(
                "system.py",
                "        finally:\n            core.nursery = None\n",
                "        except BaseException:\n"
                "            if error is None:\n                raise\n"
                "        finally:\n            core.nursery = None\n",
            ),
        ),
        "cancellation.py::test_outer_cancellation_unwinds_everything",
    ),
    mutant(
        "a child is spawned at the end",
        "no child is spawned once the children are ending",
        edit(
            "_cell.py",
            "        return self._lives and not (self._finishing or between_lives)\n",
            "        return self._lives and not between_lives\n",
        ),
        "on_stop.py::test_in_on_stop_the_groups_are_left_and_no_child_can_be_spawned",
    ),
    mutant(
        "the ended keep their deadline",
        "nothing of a life stays",
        edit(
            "_cell.py",
            "        if self.tick:\n            core.deadlines.discard(self)\n"
            "        self._hush()\n",
            "        self._hush()\n",
        ),
        "leaks.py::test_ten_thousand_lives_leave_nothing",
    ),
    mutant(
        "a swallowed kill ends nothing",
        "a kill is repeated until it ends",
        edit(
            "_ending.py",
            "                self._watch_cancelled(hand, cancelled, self.core.loop.now())\n",
            "                self._watch_no_more()\n",
        ),
        "ends.py::test_a_kill_is_repeated_until_it_ends",
    ),
    mutant(
        "a stop keeps the later deadline",
        "of several stops the shortest deadline counts",
        edit(
            "_ending.py",
            "        elif self._at_deadline is not None:\n"
            "            self.core.deadlines.bring_forward(self, timeout)\n",
            "",
        ),
        "ends.py::test_of_several_stops_the_shortest_counts",
    ),
    mutant(
        "an own stop outlives a drain",
        "a drain handles what is queued",
        edit(
            "_recovery.py",
            "            return self._stopping_itself and self._end is None\n",
            "            return self._stopping_itself\n",
        ),
        "ends.py::test_a_drain_overtakes_an_own_stop",
    ),
    mutant(
        "Trio cancels everybody at once",
        "children end before their parents, also when cancelled from outside",
        edit(
            "_task.py",
            "CancelScope(shield=True):\n                await work()",
            "CancelScope():\n                await work()",
        ),
        "cancellation.py",
    ),
    mutant(
        "periods drift",
        "a timer's periods count from when it was due",
        edit("_timers.py", "deadlines.add(self, self._due - now)", "deadlines.add(self, every)"),
        "timers.py::test_periods_do_not_drift",
    ),
    mutant(
        "missed periods are made up for",
        "periods that a loop which stood still has missed are left out",
        edit("_timers.py", "max(1, math.ceil((now - self._due) / every))", "1"),
        "timers.py::test_periods_missed_while_the_loop_stood_still_are_left_out",
    ),
    mutant(
        "no guard against other threads",
        "an actor's own methods raise in another thread",
        edit(
            "_core.py",
            "        if get_ident() != self.thread:\n            raise RuntimeError",
            "        if False:\n            raise RuntimeError",
        ),
        "own_thread.py",
    ),
    mutant(
        "on_stop shares the deadline of the end",
        "the deadlines of an end and of on_stop are two",
        edit(
            "_ending.py",
            "        deadline = self.call_later(actor.stop_timeout, self._cancel_hand)\n",
            "        deadline = self.call_later(1e12, self._cancel_hand)\n"
            "        self._set_deadline(self._cancel_hand, actor.stop_timeout)\n",
        ),
        "ends.py::test_a_drain_during_an_own_stop_keeps_its_deadline_in_the_next_life",
        "on_stop.py::test_an_endless_end_during_an_own_stop_leaves_on_stop_its_deadline",
    ),
    mutant(
        "a stop puts off a drain's deadline",
        "of several ends the shortest deadline counts",
        edit(
            "_ending.py",
            "            if self._at_deadline == self.kill:\n",
            "            if False:\n",
        ),
        "ends.py::test_of_several_stops_the_shortest_counts",
    ),
    mutant(
        "a stop is interrupted for a drain",
        "a stop lets the handler in hand finish",
        edit(
            "_ending.py",
            "            if self._at_deadline == self.kill:\n",
            "            if self._at_deadline is not None:\n",
        ),
        "ends.py::test_a_stop_takes_over_from_a_drain_that_would_interrupt",
    ),
    mutant(
        "the far future overflows",
        "any finite time will do",
        edit(
            "_deadlines.py",
            "        if self.closed or delay > FOREVER:\n",
            "        if self.closed or delay == float('inf'):\n",
        ),
        "deadlines.py::test_one_in_the_distant_future_never_expires",
        "ends.py::test_an_endless_deadline_never_passes",
        "ask.py::test_a_timeout_may_be_huge",
        "timers.py::test_a_delay_and_a_period_may_be_huge",
    ),
    mutant(
        "a spawn of the killed",
        "one that was killed in on_start is not spawned",
        edit(
            "_cell.py",
            "            if await self._hand_run(self.actor.on_start) or self.killed:\n",
            "            if await self._hand_run(self.actor.on_start):\n",
        ),
        "spawn.py::test_a_kill_as_on_start_returns_ends_the_spawn",
    ),
    mutant(
        "what is no exception leaves the children",
        "children end before their parents, whatever it raised",
        edit(
            "_cell.py",
            "            failure = error\n            await self._break_off()\n            raise\n",
            "            failure = error\n            raise\n",
        ),
        "cancellation.py::test_what_is_no_exception_ends_all_and_children_first",
        "cancellation.py::test_an_exit_in_one_actors_handler_ends_every_parent_after_its_children",
    ),
    mutant(
        "torn down and called stopped",
        "what breaks off an actor is a kill",
        edit(
            "_cell.py",
            "        self.killed = True\n        if self.mailbox.closed is None:\n",
            "        if self.mailbox.closed is None:\n",
        ),
        "cancellation.py::test_what_is_no_exception_ends_all_and_children_first",
    ),
    mutant(
        "a kill waits behind a timeout",
        "a kill is heeded soon, whoever else cancels the handler",
        edit(
            "_ending.py",
            "self.call_later(CANCEL_AGAIN if cancelled else CANCEL_SOON, check)",
            "self.call_later(CANCEL_AGAIN, check)",
        ),
        "cancellation.py::test_a_kill_as_a_timeout_of_the_handlers_own_fires_is_heeded_soon",
    ),
    mutant(
        "cancelled twice and children left",
        "no child outlives its parent for long",
        edit(
            "_cell.py",
            "                for child in tuple(reversed(self._family.children)):\n"
            "                    child.kill()\n",
            "                pass\n",
        ),
        "cancellation.py::test_one_that_a_stranger_cancels_twice_leaves_no_children",
    ),
]
