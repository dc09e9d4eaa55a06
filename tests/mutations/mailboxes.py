"""Mutants of mailboxes: bounds, policies, control items, interrupts, priorities, batches."""

from mutant import edit, mutant

MUTANTS = [
    mutant(
        "one more than the bound",
        "a mailbox is bounded",
        edit("mailbox.py", "        self.room = capacity\n", "        self.room = capacity + 1\n"),
        "tell.py::test_fail_refuses_to_the_teller",
        "tell.py::test_without_a_word_about_it_a_mailbox_is_bounded_and_waits",
    ),
    mutant(
        "the wrong waiter",
        "waiters go in the order of arrival",
        edit(
            "mailbox.py",
            "            place, _ = waiting.popitem(last=False)\n            if isinstance",
            "            place, _ = waiting.popitem()\n            if isinstance",
        ),
        "tell.py::test_waiting_tellers_go_in_the_order_of_arrival",
    ),
    mutant(
        "a cancelled waiter stays in line",
        "a cancelled waiter leaves no trace",
        edit(
            "mailbox.py",
            "                mailbox.forget(self)\n",
            "                self._mailbox = None\n",
        ),
        "tell.py::test_a_cancelled_teller_never_told",
    ),
    mutant(
        "a slot is not passed on",
        "room that is made goes to who waits",
        edit(
            "mailbox.py",
            "        while waiting and (len(self.queue) < self.room or self.closed is not None):",
            "        while waiting and (\n"
            "            len(self.queue) < self.room - 1 or self.closed is not None\n        ):",
        ),
        "mailbox.py::test_room_goes_at_once_to_who_waits_and_whose_neighbour_has_gone",
    ),
    mutant(
        "drop the youngest queued",
        "drop oldest drops the oldest",
        edit(
            "mailbox.py",
            "        for index, queued in enumerate(self.queue):\n"
            "            if not isinstance(queued, Control):",
            "        for index, queued in reversed(list(enumerate(self.queue))):\n"
            "            if not isinstance(queued, Control):",
        ),
        "tell.py::test_drop_makes_dead_letters",
    ),
    mutant(
        "drop oldest drops a stop",
        "control items are never dropped",
        edit(
            "mailbox.py",
            "            if not isinstance(queued, Control):\n"
            "                del self.queue[index]",
            "            if True:\n                del self.queue[index]",
        ),
        "mailbox.py::test_control_items_take_no_room_from_mail",
    ),
    mutant(
        "wait without end",
        "the line of waiters is bounded",
        edit(
            "mailbox.py",
            "            if len(self.waiting) >= WAITING_LIMIT:",
            "            if len(self.waiting) > WAITING_LIMIT * 1_000:",
        ),
        "mailbox.py::test_the_waiting_line_is_bounded",
    ),
    mutant(
        "a stop behind the mail",
        "at most the handler in hand runs before a stop",
        edit(
            "_ending.py",
            "            self._clear_mail()  # nobody will handle it, so who asks should not wait "
            "any longer\n            self.mailbox.put_first(LEAVE_FIRST)",
            "            self.mailbox.put_last(LEAVE_FIRST)",
        ),
        "ends.py::test_a_stop_lets_at_most_the_current_handler_run",
    ),
    mutant(
        "a notice overtakes results",
        "a notice stays behind all that the ended one had told",
        edit(
            "_cell.py",
            "                watcher.mailbox.put_last(Notice(notice))",
            "                watcher.mailbox.put_first(Notice(notice))",
        ),
        "watches.py::test_a_notice_comes_behind_all_that_was_told_before_and_needs_no_room",
    ),
    mutant(
        "a notice overtakes who waits",
        "a notice stays behind what waits for room",
        edit(
            "mailbox.py",
            "        if self.waiting:\n            self.waiting[Waiting(control, self)] = None",
            "        if self.waiting and control.first:\n"
            "            self.waiting[Waiting(control, self)] = None",
        ),
        "watches.py::test_a_notice_comes_behind_all_that_was_told_before_and_needs_no_room",
    ),
    mutant(
        "a notice needs room",
        "a notice is never refused for lack of room",
        edit(
            "_cell.py",
            "            if watcher.mailbox.closed is None:\n"
            "                watcher.mailbox.put_last",
            "            if len(watcher.mailbox.queue) < watcher.mailbox.room:\n"
            "                watcher.mailbox.put_last",
        ),
        "watches.py::test_a_notice_comes_behind_all_that_was_told_before_and_needs_no_room",
    ),
    mutant(
        "control takes the mail's room",
        "control items take no room from the mail",
        edit(
            "mailbox.py",
            "        if self.closed is None:\n            self.room += 1\n\n"
            "    def took_control(self) -> None:\n"
            '        """The consumer took a control item, and with it goes the room'
            ' made for it."""\n'
            "        if self.closed is None:\n            self.room -= 1\n",
            "        pass\n\n    def took_control(self) -> None:\n        pass\n",
        ),
        "mailbox.py::test_control_items_take_no_room_from_mail",
    ),
    mutant(
        "an interrupt only queues",
        "an interrupt cancels the handler in hand",
        edit(
            "_lanes.py",
            "        self.laned.append(item)\n        self.wake()\n        self.on_interrupt()\n",
            "        self.laned.append(item)\n        self.wake()\n",
        ),
        "declared.py::test_an_interrupt_cancels_the_handler_in_hand_and_is_handled_next",
    ),
    mutant(
        "a thread's interrupt only queues",
        "an interrupt cancels, whoever tells it",
        edit("_lanes.py", "        if interrupts:\n            self.on_interrupt()\n", ""),
        "declared.py::test_an_interrupt_by_another_thread_and_by_a_publish",
    ),
    mutant(
        "an interrupt cancels any handler",
        "only what is declared interruptible is interrupted",
        edit(
            "_work.py",
            "        if item is not NOTHING and kind in self.table.interruptible:",
            "        if item is not NOTHING and kind is not None:",
        ),
        "declared.py::test_a_handler_that_is_not_interruptible_is_left_alone",
    ),
    mutant(
        "an actor interrupts itself",
        "what an actor interrupts by telling itself goes on",
        edit(
            "_ending.py",
            "        if self._watching is None and not self.is_current():\n",
            "        if self._watching is None:\n",
        ),
        "declared.py::test_an_actor_does_not_interrupt_itself",
    ),
    mutant(
        "interrupts without bound",
        "the lane of interrupts is bounded",
        edit(
            "_lanes.py",
            "        full = self.laned.interrupts >= self.interrupt_limit",
            "        full = False",
        ),
        "declared.py::test_an_interrupt_gets_into_a_full_mailbox_and_their_lane_is_bounded",
    ),
    mutant(
        "an interrupt goes before a stop",
        "control goes before all",
        edit(
            "_lanes.py",
            "            return (self._first or self._interrupts).pop(0)",
            "            return (self._interrupts or self._first).pop(0)",
        ),
        "lanes.py::test_an_interrupt_goes_before_borders_but_not_before_a_first_control_item",
    ),
    mutant(
        "an interrupt waits for its turn",
        "an interrupt is handled next",
        edit(
            "_lanes.py",
            "        if lane == INTERRUPT:\n"
            "            self._interrupts.append(item)\n        else:",
            "        if lane == INTERRUPT:\n"
            "            self._others -= 1\n            self.mail += 1\n"
            "            self._segments[-1].put(item, 0)\n        else:",
        ),
        "declared.py::test_an_interrupt_cancels_the_handler_in_hand_and_is_handled_next",
    ),
    mutant(
        "equals last in first out",
        "equal priorities go in the order told",
        edit("_lanes.py", "        item = mail.popleft()\n", "        item = mail.pop()\n"),
        "declared.py::test_higher_priorities_are_handled_first_and_equal_ones_in_order",
    ),
    mutant(
        "the lowest priority first",
        "higher priorities go first",
        edit(
            "_lanes.py",
            "            return segment.take(-1)\n",
            "            return segment.take(0)\n",
        ),
        "declared.py::test_higher_priorities_are_handled_first_and_equal_ones_in_order",
    ),
    mutant(
        "a publish waits or raises",
        "wait counts as fail for a publish, which goes on",
        edit(
            "mailbox.py",
            "            self.told += 1\n            self.drop(item, Reason.FULL)",
            "            self.put(item)",
        ),
        "groups.py::test_a_publish_never_blocks_a_full_member_decides",
    ),
    mutant(
        "a publish skips the full",
        "what a full member missed is a dead letter",
        edit(
            "mailbox.py",
            "            self.told += 1\n            self.drop(item, Reason.FULL)",
            "            self.refused += 1",
        ),
        "groups.py::test_a_publish_never_blocks_a_full_member_decides",
    ),
    mutant(
        "a thread's tell waits",
        "a thread's tell to a full mailbox is an error at once",
        edit("_inlet.py", "        if room <= 0:\n", "        if room <= -STAGED_LIMIT:\n"),
        "threads.py::test_a_full_mailbox_is_an_error_at_once",
    ),
    mutant(
        "a late interrupt cancels the next",
        "an interrupt cancels the handler in hand and nothing later",
        edit("_ending.py", "            self.mailbox.put_first(SETTLE)\n", ""),
        "declared.py::test_an_interrupt_that_comes_as_the_handler_goes_on_cancels_nothing_later",
    ),
    mutant(
        "a second interrupt cuts the clean-up",
        "an interrupt cancels the handler in hand once",
        edit(
            "_ending.py",
            "        if self._watching is None and not self.is_current():\n",
            "        if not self.is_current():\n",
        ),
        "declared.py::test_a_second_interrupt_leaves_the_clean_up_alone",
    ),
]
