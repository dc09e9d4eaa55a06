"""Mutants of what is told: order, conservation, threads, fairness."""

from mutant import edit, mutant

MUTANTS = [
    mutant(
        "a tell to oneself first",
        "a tell to oneself goes behind what is queued",
        edit(
            "ref.py",
            "            mailbox.queue.append(message)\n            if mailbox.waiter",
            "            if getattr(self._cell, 'is_current')():\n"
            "                mailbox.queue.appendleft(message)\n"
            "            else:\n"
            "                mailbox.queue.append(message)\n"
            "            if mailbox.waiter",
        ),
        "tell.py::test_a_tell_to_oneself_goes_behind_what_is_queued",
    ),
    mutant(
        "handlers as tasks",
        "two handlers of one actor never overlap",
        edit(
            "_work.py",
            "                    await function(actor, item)\n",
            "                    import asyncio\n\n"
            "                    asyncio.ensure_future(function(actor, item))\n",
        ),
        "tell.py::test_one_handler_at_a_time_across_awaits[asyncio]",
    ),
    mutant(
        "asks queued when awaited",
        "un-awaited asks are queued in the order of the calls",
        edit(
            "ref.py",
            "        return self._cell.ask(request, timeout)\n",
            "        async def later() -> R:\n"
            "            return await self._cell.ask(request, timeout)\n\n"
            "        return later()\n",
        ),
        "ask.py::test_asks_that_nobody_awaits_yet_are_queued_in_the_order_of_the_calls",
    ),
    mutant(
        "a restart empties the queue",
        "queued mail survives a restart",
        edit(
            "_recovery.py",
            "        actor = self._renew()\n",
            "        self.mailbox.clear(Reason.STOPPED)\n        actor = self._renew()\n",
        ),
        "supervision.py::test_a_restart_keeps_queue_ref_name_and_groups_but_no_state",
    ),
    mutant(
        "a crash redelivers",
        "the message that crashed is not delivered again",
        edit(
            "_recovery.py",
            "        item = self.take_crashed()\n",
            "        item = self.take_crashed()\n"
            "        if item is not NOTHING and not is_ask(item):\n"
            "            self.mailbox.queue.appendleft(item)\n",
        ),
        "supervision.py::test_a_restart_keeps_queue_ref_name_and_groups_but_no_state",
    ),
    mutant(
        "a kill loses what is in hand",
        "a message in hand at a kill is a dead letter",
        edit(
            "_recovery.py",
            "            self.drop_in_hand(Reason.KILLED if self.killed else Reason.INTERRUPTED)",
            "            self.in_hand = NOTHING",
        ),
        "ends.py::test_a_kill_cancels_the_handler_and_skips_on_stop",
    ),
    mutant(
        "interrupted counts as killed",
        "a dead letter says why",
        edit(
            "_recovery.py",
            "            self.drop_in_hand(Reason.KILLED if self.killed else Reason.INTERRUPTED)",
            "            self.drop_in_hand(Reason.KILLED)",
        ),
        "declared.py::test_an_interrupt_cancels_the_handler_in_hand_and_is_handled_next",
    ),
    mutant(
        "the mail of the killed was stopped",
        "a dead letter says why",
        edit(
            "_ending.py",
            "        self.mailbox.clear(Reason.KILLED if self.killed else Reason.STOPPED)",
            "        self.mailbox.clear(Reason.STOPPED)",
        ),
        "tell.py",
        "ends.py",
        "declared.py",
    ),
    mutant(
        "what comes after a kill was stopped",
        "a dead letter says why",
        edit(
            "_ending.py",
            "        self.mailbox.close(Reason.KILLED if self.killed else Reason.STOPPED)",
            "        self.mailbox.close(Reason.STOPPED)",
        ),
        "tell.py::test_a_tell_to_the_ended_is_a_dead_letter",
    ),
    mutant(
        "a dropped message was never told",
        "told counts what a policy drops",
        edit(
            "mailbox.py",
            "        elif self.overflow is Overflow.DROP_NEWEST:\n            self.told += 1\n",
            "        elif self.overflow is Overflow.DROP_NEWEST:\n",
        ),
        "tell.py::test_drop_makes_dead_letters",
    ),
    mutant(
        "a refused message was told",
        "refused to the teller is not told",
        edit(
            "mailbox.py",
            "        self.refused += 1\n"
            '        raise MailboxFull(f"the mailbox holds its {self.capacity} messages")',
            "        self.told += 1\n"
            "        self.refused += 1\n"
            '        raise MailboxFull(f"the mailbox holds its {self.capacity} messages")',
        ),
        "tell.py::test_fail_refuses_to_the_teller",
    ),
    mutant(
        "a cancelled teller told",
        "a teller cancelled while it waits never told",
        edit(
            "mailbox.py",
            "            del self.waiting[place]\n            self.told -= 1\n",
            "            del self.waiting[place]\n",
        ),
        "tell.py::test_a_cancelled_teller_never_told",
    ),
    mutant(
        "told to the ended is not told",
        "a message to the ended is counted",
        edit("_core.py", "        self.ended.told += 1\n", ""),
        "tell.py::test_a_tell_to_the_ended_is_a_dead_letter",
    ),
    mutant(
        "the interrupted handler handled",
        "each message has one fate",
        edit(
            "_work.py",
            "        item, self.in_hand = self.in_hand, NOTHING\n"
            "        if isinstance(item, Batch):",
            "        item, self.in_hand = self.in_hand, NOTHING\n"
            "        self.handled += _count(item)\n"
            "        if isinstance(item, Batch):",
        ),
        "declared.py::test_an_interrupt_cancels_the_handler_in_hand_and_is_handled_next",
    ),
    mutant(
        "a batch counts once",
        "each message of a batch is counted",
        edit("_work.py", "        self.handled += len(batch)\n", "        self.handled += 1\n"),
        "declared.py::test_a_batch_is_what_stands_in_a_row",
    ),
    mutant(
        "a thread's ask joins the line late",
        "FIFO for each thread, tells and asks alike",
        edit(
            "_inlet.py",
            "            self._end_run()\n            if mailbox is not None:\n"
            "                self._room_in",
            "            if mailbox is not None:\n                self._room_in",
        ),
        "threads.py::test_tell_publish_and_ask_of_one_thread_keep_their_order",
    ),
    mutant(
        "a late thread is not rescued",
        "a thread's message is never lost",
        edit(
            "ref.py",
            "                if inlet.run is not run:\n                    inlet.rescue(run)\n",
            "",
        ),
        "inlet.py::test_a_thread_that_appends_as_its_run_is_transferred_has_its_message_rescued",
    ),
    mutant(
        "a rescued message is overtaken",
        "FIFO for each thread",
        edit(
            "_inlet.py",
            "            self._end_run()\n            again.messages = late\n",
            "            again.messages = late\n",
        ),
        "inlet.py::test_what_a_thread_tells_after_a_late_message_does_not_overtake_it",
    ),
    mutant(
        "a thread's run goes last first",
        "FIFO for each thread",
        edit(
            "mailbox.py",
            "        for message in messages:\n            self.transfer([message])",
            "        for message in reversed(messages):\n            self.transfer([message])",
        ),
        "threads.py::test_dropping_policies_drop_for_threads_too",
    ),
    mutant(
        "no checkpoint",
        "an actor with endless mail yields",
        edit(
            "_work.py",
            "            if queue:\n                await checkpoint()\n            else:",
            "            if not queue:",
        ),
        "tell.py::test_endless_mail_starves_nobody",
    ),
    mutant(
        "small batches in a row",
        "batches let others have a turn",
        edit(
            "_work.py",
            "        self._batched += len(batch)\n",
            "        self._batched = len(batch)\n",
        ),
        "declared.py::test_batches_let_others_have_a_turn",
    ),
]
