"""Breaks the runtime on purpose, one promise at a time, and checks that a test fails for each.

    python tests/mutations.py [--only NAME] [--list]

Outside of the suite, since it runs a part of it once for each mutant. A mutant is a mistake that
somebody could make: its text has to be in the code exactly once, so keep the table up with the
code. Each is tried in a copy of the checkout, two at a time; a test that hangs has failed as well,
and the table says so. Exits with 1 when a mutant survives: then a promise has no test.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARALLEL = 2
HANG = 25
"""Seconds after which a test hangs; a passing one takes a few."""
LIMIT = 60.0
"""Seconds for the tests of one mutant."""
LIMIT_UNBROKEN = 900.0
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "__pycache__", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache"
)


@dataclass(frozen=True)
class Edit:
    """`old` is in `file` exactly once, and `new` goes in its place."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    """A mistake. `promise`: what it breaks; `tests`: node ids or files that find it."""

    name: str
    promise: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What the tests said of a mutant."""

    mutant: Mutant
    verdict: str
    """`found`, `hang` (found by a time limit), `survived`, or `broken`: the run says nothing."""
    by: str
    seconds: float
    output: str


def edit(file: str, old: str, new: str) -> Edit:
    """An edit of a file of the runtime, or of the transport if it says so."""
    return Edit(file if "/" in file else f"actors/{file}", old, new)


def mutant(name: str, promise: str, edits: Edit | Iterable[Edit], *tests: str) -> Mutant:
    """A mutant. Tests are those of the actors, unless they say which."""
    edits = (edits,) if isinstance(edits, Edit) else tuple(edits)
    ids = (test if test.startswith("tests/") else f"tests/actors/test_{test}" for test in tests)
    return Mutant(name, promise, edits, tuple(ids))


MESSAGES = [
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
            "        self._stopping_itself = False\n        actor",
            "        self._stopping_itself = False\n"
            "        self.mailbox.clear(Reason.STOPPED)\n        actor",
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
        "lives.py::test_a_kill_cancels_the_handler_and_skips_on_stop",
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
            "_cell.py",
            "            mailbox.clear(Reason.KILLED if self.killed else Reason.STOPPED)",
            "            mailbox.clear(Reason.STOPPED)",
        ),
        "tell.py",
        "lives.py",
        "declared.py",
    ),
    mutant(
        "what comes after a kill was stopped",
        "a dead letter says why",
        edit(
            "_cell.py",
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
            "            self.refused += 1\n"
            '            raise MailboxFull(f"the mailbox holds its {self.capacity} messages")',
            "            self.told += 1\n"
            "            self.refused += 1\n"
            '            raise MailboxFull(f"the mailbox holds its {self.capacity} messages")',
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
        "threads.py::test_a_thread_that_appends_as_its_run_is_transferred_has_its_message_rescued",
    ),
    mutant(
        "a rescued message is overtaken",
        "FIFO for each thread",
        edit(
            "_inlet.py",
            "            self._end_run()\n            again.messages = late\n",
            "            again.messages = late\n",
        ),
        "threads.py::test_what_a_thread_tells_after_a_late_message_does_not_overtake_it",
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
]

MAILBOXES = [
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
            "_cell.py",
            "            self._clear_mail()  # nobody will handle it, so who asks should not wait "
            "any longer\n            self.mailbox.put_first(LEAVE_FIRST)",
            "            self.mailbox.put_last(LEAVE_FIRST)",
        ),
        "lives.py::test_a_stop_lets_at_most_the_current_handler_run",
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
            "_recovery.py",
            "        if self.core.loop.owner() is not self:\n",
            "        if self._hand is not None:\n",
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
]

ASKING = [
    mutant(
        "an ask to the dead waits",
        "an ask to the ended fails at once",
        edit(
            "_core.py",
            "        if is_ask(item):\n            item.fail(_refusal(ref, message, reason))",
            "        if is_ask(item) and reason is not Reason.STOPPED:\n"
            "            item.fail(_refusal(ref, message, reason))",
        ),
        "ask.py::test_an_ask_to_the_ended_fails_at_once",
    ),
    mutant(
        "the ask in hand outlives a kill",
        "the ask in hand fails at once at a kill",
        edit(
            "_core.py",
            "        if is_ask(item):\n            item.fail(_refusal(ref, message, reason))",
            "        if is_ask(item) and reason is not Reason.KILLED:\n"
            "            item.fail(_refusal(ref, message, reason))",
        ),
        "ask.py::test_the_ask_in_hand_fails_at_once_at_a_kill",
    ),
    mutant(
        "the ask in hand outlives a crash",
        "the ask in hand fails at once at a crash",
        edit("_recovery.py", "            item.fail(crash)\n", "            item.place = None\n"),
        "ask.py::test_a_crash_reaches_the_asker_with_its_cause",
    ),
    mutant(
        "a crash without its cause",
        "the asker hears what the handler raised",
        edit("_recovery.py", "            crash.__cause__ = error\n", ""),
        "ask.py::test_a_crash_reaches_the_asker_with_its_cause",
    ),
    mutant(
        "an asked handler does not crash",
        "an exception in a handler is a crash, asked or told",
        edit(
            "_work.py",
            "isinstance(error, error_replies(type(message)))",
            "isinstance(error, Exception)",
        ),
        "supervision.py::test_a_crash_in_the_handler_of_an_ask_and_of_a_tell_restart_alike",
    ),
    mutant(
        "a late reply vanishes",
        "a late reply is a dead letter",
        edit(
            "_work.py",
            "            if item.done:\n"
            "                self.core.dead_letter(reply, self.ref, Reason.LATE)\n"
            "            else:\n"
            "                item.answer(reply)",
            "            if not item.done:\n                item.answer(reply)",
        ),
        "ask.py::test_a_timeout_leaves_nothing_and_its_late_reply_is_a_dead_letter",
    ),
    mutant(
        "a late reply is delivered",
        "a late reply answers nobody",
        edit(
            "_work.py",
            "            if item.done:\n"
            "                self.core.dead_letter(reply, self.ref, Reason.LATE)\n"
            "            else:\n"
            "                item.answer(reply)",
            "            item._error = None\n            item.answer(reply)",
        ),
        "ask.py::test_a_timeout_leaves_nothing_and_its_late_reply_is_a_dead_letter",
    ),
    mutant(
        "the abandoned are handled",
        "an ask given up in the queue is not handled",
        edit(
            "_work.py",
            "            item.place = None\n            if item.done:\n",
            "            item.place = None\n            if item.done and item.place is not None:\n",
        ),
        "ask.py::test_an_ask_that_times_out_in_the_queue_is_not_handled",
    ),
    mutant(
        "answered asks keep their deadline",
        "after an ask nothing remains",
        edit(
            "_ask.py",
            "        if self.tick:\n            self._deadlines.discard(self)\n",
            "",
        ),
        "leaks.py::test_answered_asks_leave_no_deadline_behind",
    ),
    mutant(
        "an asker that is cancelled stays",
        "after a cancelled caller nothing remains",
        edit(
            "_ask.py",
            "                if not self.done:  # the asker was cancelled",
            "                if self.place is not None and not self.done:",
        ),
        "ask.py::test_a_cancelled_asker_leaves_nothing",
    ),
    mutant(
        "an ask times out and stays in line",
        "an ask that timed out while it waited for room was never told",
        edit(
            "_ask.py",
            "        self._leave_line()\n        self.fail(AskTimeout",
            "        self.fail(AskTimeout",
        ),
        "ask.py::test_an_ask_that_waited_for_room_and_gave_up_never_asked",
    ),
    mutant(
        "a timeout that never comes",
        "an ask's timeout is finite",
        edit("_ask.py", "    if not 0 < timeout < INFINITY:\n", "    if not timeout > 0:\n"),
        "ask.py::test_a_timeout_is_above_0_and_finite",
    ),
    mutant(
        "an ask to oneself waits",
        "an ask to oneself fails at once",
        (
            edit("_cell.py", "        if asker is self:\n", "        if asker is not asker:\n"),
            edit(
                "_ask.py",
                "        while party is not asker:\n",
                "        while party is not asker or len(names) == 1:\n",
            ),
        ),
        "cycles.py::test_an_ask_to_oneself_fails_at_once",
    ),
    mutant(
        "a cycle of three is not found",
        "a cycle of any length fails",
        edit(
            "_ask.py",
            "            party = ask._target\n",
            "            if ask._target is not asker:\n"
            "                return\n"
            "            party = ask._target\n",
        ),
        "cycles.py::test_a_cycle_of_four_names_all",
    ),
    mutant(
        "cycles wait for their timeout",
        "a cycle fails at once",
        edit(
            "_ask.py",
            "                self._check_cycle(asker)\n",
            "",
        ),
        "cycles.py::test_a_cycle_of_two_names_both",
    ),
    mutant(
        "an answered ask counts in a cycle",
        "a line of asks is no cycle",
        edit(
            "_ask.py", "            if ask is None or ask.done:\n", "            if ask is None:\n"
        ),
        "cycles.py::test_one_that_was_answered_and_has_not_gone_on_yet_is_no_cycle",
    ),
    mutant(
        "an ask from a thread waits for ever",
        "asks from threads fail at once as well",
        edit(
            "_ask.py",
            "        if self.done:\n            waiter.set_result(None)\n",
            "",
        ),
        "review.py::test_a_threads_ask_that_is_dropped_at_once_fails_with_the_cause",
    ),
]

LIVES = [
    mutant(
        "a failed spawn keeps its name",
        "if on_start raises, the name is free",
        edit(
            "_cell.py",
            "        del core.cells[self.name]\n",
            "        if self.introduced:\n            del core.cells[self.name]\n",
        ),
        "lives.py::test_when_on_start_raises_spawn_raises_and_nothing_is_left",
    ),
    mutant(
        "found before it has started",
        "nothing is registered before on_start has returned",
        edit(
            "registry.py",
            "        return cell.ref if cell is not None and cell.introduced else None",
            "        return cell.ref if cell is not None else None",
        ),
        "lives.py::test_on_start_comes_before_the_first_message",
    ),
    mutant(
        "a cancelled spawn lives on",
        "a spawn that is cancelled leaves nothing",
        edit(
            "_cell.py",
            "            self.kill()  # nobody will get the ref\n            raise",
            "            raise",
        ),
        "lives.py::test_spawn_that_is_cancelled_in_on_start_leaves_nothing",
    ),
    mutant(
        "a drain drops the queue",
        "a drain handles what is queued",
        edit(
            "_cell.py",
            "            self.mailbox.put_last(LEAVE)\n",
            "            self.mailbox.put_first(LEAVE_FIRST)\n",
        ),
        "lives.py::test_a_drain_handles_what_is_queued_and_takes_no_more",
    ),
    mutant(
        "a drain takes more",
        "a drain refuses what comes later",
        edit(
            "_cell.py",
            "            self._close(DRAINED)\n",
            "            self._end = DRAINED\n",
        ),
        "lives.py::test_a_drain_handles_what_is_queued_and_takes_no_more",
    ),
    mutant(
        "a stop without its deadline",
        "a stop past its deadline is a kill",
        edit(
            "_cell.py",
            "            self._set_deadline(self.kill, timeout)\n            self._clear_mail()",
            "            self._clear_mail()",
        ),
        "lives.py::test_a_stop_past_its_deadline_is_a_kill",
    ),
    mutant(
        "a drain without its deadline",
        "a drain past its deadline is a kill",
        edit(
            "_cell.py",
            "            self._set_deadline(then, timeout)\n",
            "",
        ),
        "lives.py::test_a_drain_past_its_deadline_is_a_kill",
    ),
    mutant(
        "on_stop after a kill",
        "a kill skips on_stop",
        (
            edit(
                "_cell.py",
                "            if not (self.killed or self._end is None or self._stopped)"
                " and self.table.has_end:\n"
                "                await self._stop_actor(self._end)",
                "            if not self._stopped and self.table.has_end:\n"
                "                await self._stop_actor(self._end or STOPPED)",
            ),
            edit(
                "_recovery.py",
                "        cancelled = self.killed or await self._hand.run(work)\n",
                "        cancelled = await self._hand.run(work)\n",
            ),
        ),
        "lives.py::test_a_kill_cancels_the_handler_and_skips_on_stop",
    ),
    mutant(
        "on_stop twice",
        "on_stop runs once",
        edit(
            "_cell.py",
            "            if not (self.killed or self._end is None or self._stopped) and",
            "            if not (self.killed or self._end is None) and",
        ),
        "families.py::test_a_stop_during_an_own_stop_runs_no_second_on_stop",
    ),
    mutant(
        "on_stop after a failed on_start",
        "no on_stop without a start",
        edit(
            "_cell.py",
            "        if self._start_error is not None:\n"
            "            return\n        actor = self.actor",
            "        actor = self.actor",
        ),
        "lives.py::test_when_on_start_raises_spawn_raises_and_nothing_is_left",
    ),
    mutant(
        "on_stop without a deadline",
        "on_stop is under a deadline",
        edit(
            "_cell.py",
            "        self._set_deadline(self._cancel_hand, actor.stop_timeout)\n",
            "        self._clear_deadline()\n        self._at_deadline = self._cancel_hand\n",
        ),
        "lives.py::test_on_stop_that_hangs_is_cancelled_and_reported",
    ),
    mutant(
        "on_stop's error is swallowed",
        "an on_stop that raises is reported",
        edit(
            "_cell.py",
            "            self._report_on_stop(error)\n        else:",
            "            pass\n        else:",
        ),
        "lives.py::test_on_stop_that_raises_is_reported_and_harms_nobody",
    ),
    mutant(
        "on_stop is told the wrong end",
        "on_stop is told how it came to the end",
        edit(
            "_cell.py",
            "            await self._hand_run(lambda: actor.__finish__(end))",
            "            await self._hand_run(lambda: actor.__finish__(STOPPED))",
        ),
        "lives.py::test_on_stop_hears_of_a_crash",
    ),
    mutant(
        "children in the order of start",
        "the last started child ends first",
        edit(
            "_family.py",
            "            child = next(reversed(self.children))\n",
            "            child = next(iter(self.children))\n",
        ),
        "lives.py::test_children_end_first_in_reverse_order",
    ),
    mutant(
        "children after their parent",
        "children end before the parent's on_stop",
        edit(
            "_cell.py",
            "            if self._family is not None:\n"
            "                await self._family.end(self)\n"
            "            if not (self.killed or self._end is None or self._stopped)"
            " and self.table.has_end:\n"
            "                await self._stop_actor(self._end)\n",
            "            if not (self.killed or self._end is None or self._stopped)"
            " and self.table.has_end:\n"
            "                await self._stop_actor(self._end)\n"
            "            if self._family is not None:\n"
            "                await self._family.end(self)\n",
        ),
        "lives.py::test_children_end_first_in_reverse_order",
    ),
    mutant(
        "a killed parent's children are stopped",
        "a kill reaches the children",
        edit(
            "_family.py",
            "            await (child.kill() if parent.killed else child.stop(STOP_TIMEOUT))",
            "            await child.stop(STOP_TIMEOUT)",
        ),
        "lives.py::test_children_of_a_killed_are_killed",
    ),
    mutant(
        "a kill waits for the child that stops",
        "a kill reaches the child that a stop waits for",
        edit(
            "_cell.py",
            "            if self.child_ending is not None:\n"
            "                self.child_ending.kill()\n",
            "",
        ),
        "lives.py::test_a_kill_reaches_the_children_that_a_stop_waits_for",
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
        "lives.py::test_waiting_for_an_end_returns_after_on_stop_and_the_cleanup",
    ),
    mutant(
        "the own end is awaited",
        "ending oneself in one's own handler is fine",
        edit(
            "_cell.py",
            "        if enders is None or self.is_current():\n",
            "        if enders is None:\n",
        ),
        "lives.py::test_awaiting_the_own_end_in_the_own_handler_returns_at_once",
    ),
    mutant(
        "a dead member stays",
        "members that die leave their groups",
        edit(
            "_cell.py",
            "            for topic in self.joined:\n"
            "                self.core.groups.leave(topic, self.ref)\n",
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
            "        self.actor = actor = self._factory()\n",
            "        self._end_watches(self.ref, None)\n"
            "        self.actor = actor = self._factory()\n",
        ),
        "watches.py::test_a_restart_is_no_end_and_keeps_the_watches_of_either",
    ),
    mutant(
        "timers of a former life",
        "no timer from before a restart fires",
        edit(
            "_recovery.py",
            "        assert siblings is not None\n        self.drop_timers()\n",
            "        assert siblings is not None\n",
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
            "            if self._timers is not None:\n                self._timers.clear()\n",
            "",
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
        "lives.py::test_a_task_cancelled_by_a_stranger_takes_its_children_along",
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
        "lives.py::test_outer_cancellation_unwinds_everything",
    ),
    mutant(
        "a child is spawned at the end",
        "no child is spawned once the children are ending",
        edit(
            "_cell.py",
            "        return self._lives and not self._finishing\n",
            "        return self._lives\n",
        ),
        "lives.py::test_in_on_stop_the_groups_are_left_and_no_child_can_be_spawned",
    ),
    mutant(
        "the ended keep their deadline",
        "nothing of a life stays",
        edit(
            "_cell.py",
            "        if self.tick:\n            core.deadlines.discard(self)\n"
            "        if self._rushing",
            "        if self._rushing",
        ),
        "leaks.py::test_ten_thousand_lives_leave_nothing",
    ),
    mutant(
        "a swallowed kill ends nothing",
        "a kill is repeated until it ends",
        edit(
            "_recovery.py",
            "                self._watch_cancelled(hand, handled, in_hand)\n\n",
            "                self._calm()\n\n",
        ),
        "review.py::test_a_kill_is_repeated_until_it_ends",
    ),
]

SUPERVISION = [
    mutant(
        "a fixed window",
        "the intensity's window slides",
        edit(
            "supervision.py",
            "        del times[: bisect_right(times, now - self._intensity.seconds)]\n",
            "        if times and bisect_right(times, now - self._intensity.seconds):\n"
            "            times.clear()\n",
        ),
        "decisions.py::test_the_window_slides",
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
        "families.py::test_too_many_restarts_go_up_level_by_level",
    ),
    mutant(
        "a backoff never calms",
        "the backoff resets after calm",
        edit(
            "supervision.py",
            "        nth = 1 if backoff.calms(now - due) else before + 1\n",
            "        nth = before + 1\n",
        ),
        "decisions.py::test_calm_resets_it_counted_from_when_the_restart_was_due",
    ),
    mutant(
        "jitter past the maximum",
        "the backoff stays within its bounds",
        edit(
            "supervision.py",
            "        high = min(self.maximum, middle * (1 + self.jitter))\n",
            "        high = middle * (1 + self.jitter)\n",
        ),
        "decisions.py::test_the_jitter_spreads_to_either_side_within_the_bounds",
    ),
    mutant(
        "a backoff that does not wait",
        "a restart waits for its backoff",
        edit(
            "_recovery.py",
            "        if not decision.delay or self._ends:\n            return True\n",
            "        if decision.delay < 60.0 or self._ends:\n            return True\n",
        ),
        "families.py::test_a_restart_waits_and_mail_is_kept",
    ),
    mutant(
        "a stop waits for the backoff",
        "a stop during backoff is immediate",
        edit(
            "_recovery.py",
            "        if self._suspension is not None:\n"
            "            self._suspension.revived.set()\n        if self._queues:",
            "        if self._queues:",
        ),
        "families.py::test_an_end_during_backoff_is_immediate",
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
            "_cell.py",
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
            "        self.actor = actor = self._factory()\n",
            "        actor = self.actor\n",
        ),
        "supervision.py::test_a_restart_keeps_queue_ref_name_and_groups_but_no_state",
    ),
    mutant(
        "a restart changes the ref",
        "a restart keeps the ref",
        edit(
            "_cell.py",
            "        self.actor = actor = self._factory()\n",
            "        self._ref = ActorRef(self, self.core.inlet, self.core.thread)\n"
            "        self.actor = actor = self._factory()\n",
        ),
        "supervision.py::test_a_restart_keeps_queue_ref_name_and_groups_but_no_state",
    ),
    mutant(
        "a restart leaves the groups",
        "a restart keeps the groups",
        edit(
            "_cell.py",
            "        self.actor = actor = self._factory()\n",
            "        for topic in tuple(self.joined):\n            self.leave(topic)\n"
            "        self.actor = actor = self._factory()\n",
        ),
        "supervision.py::test_a_restart_keeps_queue_ref_name_and_groups_but_no_state",
    ),
    mutant(
        "a restart keeps the children",
        "a restart stops the children",
        edit(
            "_recovery.py",
            "        self.drop_timers()\n"
            "        if self._family is not None:\n"
            "            await self._family.end(self)\n"
            "        if self._restarts_anyway():\n            return\n        if decision.stop:",
            "        self.drop_timers()\n"
            "        if self._restarts_anyway():\n            return\n        if decision.stop:",
        ),
        "supervision.py::test_a_restart_drops_the_children",
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
        "families.py::test_too_many_restarts_go_up_level_by_level",
    ),
]

GROUPS = [
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
        "lives.py::test_what_a_drain_handles_may_spawn_and_join",
    ),
]

CONNECTIONS = [
    mutant(
        "the outbox has no bound",
        "a slow client is disconnected when its outbox is full",
        edit(
            "transport/outbox.py",
            "        if len(self.queue) < self._limit and self.close is None:",
            "        if self.close is None:",
        ),
        "tests/transport/test_outbox.py::test_the_slow_client_is_disconnected_with_1013",
    ),
    mutant(
        "the outbox drops the youngest",
        "an outbox that drops the oldest drops the oldest",
        edit(
            "transport/outbox.py",
            "            oldest = self.queue.popleft()\n",
            "            oldest = self.queue.pop()\n",
        ),
        "tests/transport/test_outbox.py::test_the_oldest_is_dropped",
    ),
    mutant(
        "encoded for each client",
        "a publish is encoded once for each codec",
        edit(
            "transport/_socket.py",
            "            socket.outbox.put(frame)",
            "            frame = self._codec.frame(Envelope(envelope.message))\n"
            "            socket.outbox.put(frame)",
        ),
        "tests/transport/test_connection.py::test_a_publish_is_encoded_once_for_a_whole_group",
    ),
    mutant(
        "a publish wakes no behaviour",
        "a class that handles what is published gets it in its mailbox",
        edit(
            "transport/_socket.py",
            "        if isinstance(envelope.message, self._types):",
            "        if not members:",
        ),
        "tests/transport/test_connection.py"
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
        "tests/transport/test_connection.py"
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
        "tests/transport/test_connection.py::test_a_busy_actors_full_mailbox_refuses_the_newest",
    ),
    mutant(
        "the client gets the error's text",
        "the client is told an id, and no more",
        edit(
            "transport/connection.py",
            "        self.__own__.crashed(error_id)\n",
            "        self.__own__.crashed(error_id)\n        self.send(str(error))\n",
        ),
        "tests/transport/test_connection.py"
        "::test_a_crash_is_told_under_the_id_in_the_log_and_leaves_fresh_state",
    ),
]

REVIEWED = [
    mutant(
        "a stop keeps the later deadline",
        "of several stops the shortest deadline counts",
        edit(
            "_cell.py",
            "            self.core.deadlines.bring_forward(self, timeout)\n",
            "            pass\n",
        ),
        "review_again.py::test_of_several_stops_the_shortest_counts",
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
        "review_again.py::test_what_is_queued_fails_when_the_stop_is_asked_for",
    ),
    mutant(
        "a rest ends in a restart of all",
        "all old lives are gone before the new ones begin",
        edit(
            "_recovery.py",
            "            if not suspension.taken:  # else",
            "            if True:  #",
        ),
        "review_again.py::test_who_rests_when_all_restart_waits_until_all_are_gone",
    ),
    mutant(
        "the interrupted wait for an answer",
        "what only looks like a circle is none",
        edit("_recovery.py", "            self.awaits = None  # not for long\n", ""),
        "review_again.py::test_who_is_interrupted_waits_for_nobody",
    ),
    mutant(
        "an escalation starts the suspended",
        "one failure too many ends all children",
        edit(
            "_recovery.py",
            "            if decision.action is not Action.ESCALATE:",
            "            if True:",
        ),
        "families.py::test_a_failure_too_many_in_a_restart_of_all_starts_nobody",
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
        "review_again.py::test_no_text_is_the_topic_of_dead_letters",
    ),
    mutant(
        "a dead letter raises",
        "who cannot take a dead letter harms nobody",
        edit(
            "_core.py",
            "            except Exception as error:  # noqa: BLE001  # whatever a lane",
            "            except ZeroDivisionError as error:  # whatever a lane",
        ),
        "review_again.py::test_who_cannot_take_a_dead_letter_ends_like_any_other",
    ),
    mutant(
        "an own stop outlives a drain",
        "a drain handles what is queued",
        edit("_recovery.py", "        if order is OWN_STOP and (", "        if False and ("),
        "review_again.py::test_a_drain_overtakes_an_own_stop",
    ),
]

KIT = [
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

MUTANTS = [
    *(*MESSAGES, *MAILBOXES, *ASKING, *LIVES, *SUPERVISION, *GROUPS, *CONNECTIONS),
    *(*REVIEWED, *KIT),
]


def say(text: str) -> None:
    """Print at once, also into a file."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def check_table() -> list[str]:
    """What is wrong with the table, as it stands to the code."""
    names = Counter(mutant.name for mutant in MUTANTS)
    wrong = [f"{number} are called {name!r}" for name, number in names.items() if number > 1]
    for mutant in MUTANTS:
        for edit in mutant.edits:
            found = (ROOT / edit.file).read_text(encoding="utf-8").count(edit.old)
            if found != 1:
                wrong.append(f"{mutant.name!r}: its text is {found} times in {edit.file}")
        files = {test.partition("::")[0] for test in mutant.tests}
        missing = [file for file in files if not (ROOT / file).is_file()]
        wrong += [f"{mutant.name!r}: there is no {file}" for file in missing]
    return wrong


def copy(folder: str, edits: Iterable[Edit] = ()) -> Path:
    """A copy of the checkout with the edits made."""
    checkout = Path(folder) / "checkout"
    shutil.copytree(ROOT, checkout, ignore=LEFT_OUT, symlinks=True)
    for edit in edits:
        path = checkout / edit.file
        path.write_text(path.read_text(encoding="utf-8").replace(edit.old, edit.new), "utf-8")
    return checkout


def run_tests(checkout: Path, tests: Iterable[str], limit: float) -> tuple[int | None, str]:
    """Pytest's exit code, `None` past the limit; and its output."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=line"]
    command += [f"--timeout={HANG}", "--timeout-method=thread", "--hypothesis-seed=0", *tests]
    environment = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        command,
        cwd=checkout,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return None, process.communicate()[0]
    return process.returncode, output


def judge(code: int | None, output: str) -> tuple[str, str]:
    """The verdict, and the test that gave it."""
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE)
    by = failed[1] if failed else ""
    if code == 0:
        return "survived", ""
    if code is None or "+ Timeout +" in output:
        hung = re.search(r'File "\S*/(tests/\S+)", line \d+, in (test_\w+)', output)
        return "hang", by or (f"{hung[1]}::{hung[2]}" if hung else "by a time limit")
    return ("found" if code == 1 and failed else "broken"), by


def attempt(mutant: Mutant) -> Outcome:
    """Try one mutant."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        code, output = run_tests(copy(folder, mutant.edits), mutant.tests, LIMIT)
    verdict, by = judge(code, output)
    outcome = Outcome(mutant, verdict, by, time.monotonic() - begun, output)
    say(f"{verdict:8} {outcome.seconds:5.1f} s  {mutant.name}")
    return outcome


def unbroken(mutants: Iterable[Mutant]) -> bool:
    """Whether the tests pass in a copy in which nothing is broken, and test that copy."""
    named = dict.fromkeys(test for mutant in mutants for test in mutant.tests)
    whole = {test for test in named if "::" not in test}
    tests = [test for test in named if test in whole or test.partition("::")[0] not in whole]
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        checkout = copy(folder)
        where = subprocess.run(
            [sys.executable, "-c", "import actors; print(actors.__file__)"],
            cwd=checkout,
            env={**os.environ, "PYTHONPATH": str(checkout)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        if not Path(where).resolve().is_relative_to(checkout.resolve()):
            say(f"the tests would test {where}")
            return False
        code, output = run_tests(checkout, tests, LIMIT_UNBROKEN)
    if code != 0:
        say(f"{output}\nthe tests fail although nothing is broken")
    return code == 0


def report(outcomes: list[Outcome]) -> None:
    """The table."""
    width = max(len(outcome.mutant.name) for outcome in outcomes)
    say("")
    for outcome in outcomes:
        by = outcome.by.removeprefix("tests/")
        say(f"{outcome.verdict:8}  {outcome.mutant.name:{width}}  {by or '-'}")
    for outcome in outcomes:
        if outcome.verdict in ("survived", "broken"):
            tests = " ".join(outcome.mutant.tests)
            say(
                f"\n{outcome.verdict}: {outcome.mutant.name}\n  {outcome.mutant.promise}\n  {tests}"
            )
            if outcome.verdict == "broken":
                say(outcome.output[-2000:])
    counts = [
        f"{sum(outcome.verdict == verdict for outcome in outcomes)} {verdict}"
        for verdict in ("found", "hang", "survived", "broken")
    ]
    say(f"\n{len(outcomes)} mutants: {', '.join(counts)}")


def main() -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", metavar="NAME", action="append", help="those with it in the name")
    parser.add_argument("--list", action="store_true", help="what there is, and run nothing")
    options = parser.parse_args()
    wrong = check_table()
    if wrong:
        say("\n".join(["the table is not up with the code:", *wrong]))
        return 2
    mutants = [
        mutant
        for mutant in MUTANTS
        if not options.only or any(name in mutant.name for name in options.only)
    ]
    if options.list or not mutants:
        say("\n".join(f"{mutant.name}: {mutant.promise}" for mutant in mutants))
        return 0 if mutants else 2
    if not unbroken(mutants):
        return 2
    with ThreadPoolExecutor(PARALLEL) as pool:
        outcomes = list(pool.map(attempt, mutants))
    report(outcomes)
    return int(any(outcome.verdict in ("survived", "broken") for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
