"""Which of the tasks that could go on does so next."""

import random
from collections.abc import Iterable


class Schedule:
    """An order of steps: by `choices` as long as they last, by a `seed`, or as they come.

    `Schedule()` takes the tasks as they come, first woken first, which is about what an event loop
    does. `Schedule(seed=7)` picks at random, and the same ones each time. A choice of 0 is the
    task that has waited longest, so that smaller choices are simpler schedules.
    """

    def __init__(self, choices: Iterable[int] = (), *, seed: int | None = None) -> None:
        self._choices = list(choices)
        self.seed = seed
        """`None` if it goes by choices, or as they come."""
        self._random = None if seed is None else random.Random(seed)
        self._made = 0

    def choose(self, number: int) -> int:
        """An index below `number`, of those that could go on, in the order they were woken."""
        if number == 1:
            return 0
        made, self._made = self._made, self._made + 1
        if made < len(self._choices):
            return self._choices[made] % number
        return 0 if self._random is None else self._random.randrange(number)

    def chance(self) -> float:
        """A number of [0, 1) for jitter; a half unless by a seed."""
        return 0.5 if self._random is None else self._random.random()

    def fresh(self) -> "Schedule":
        """The same schedule from its beginning."""
        return Schedule(self._choices, seed=self.seed)

    def __repr__(self) -> str:
        seed = "" if self.seed is None else f"seed={self.seed}"
        choices = repr(self._choices) if self._choices else ""
        return f"Schedule({', '.join(filter(None, (choices, seed)))})"
