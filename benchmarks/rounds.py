"""Rounds: contenders measured in turn, and what follows from their figures.

The order is A B C A B C, never A A A B B B: a machine that slows down for a while then slows all
of them. A ratio is the median of the ratios within each round, for the same reason; a figure is
the median of its rounds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that is measured of each contender."""

    name: str
    unit: str
    lower_is_better: bool = False
    curve: str = ""
    """The curve of which it is a point, if it is one."""
    at: int = 0
    """Where on it: how many there are, or how large."""


@dataclass(frozen=True, slots=True)
class Contender:
    """Somebody who takes part. `run` plays one round and returns its figures by name.

    A contender that cannot do a thing leaves that figure out.
    """

    name: str
    run: Callable[[], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Standing:
    """How one contender did in one figure, over all rounds."""

    contender: str
    rounds: list[float]
    ratio: float | None
    """To the first contender; None where that one measured nothing."""

    @property
    def median(self) -> float:
        return median(self.rounds)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One figure of all contenders; the first of them is the 1.0 of the ratios."""

    figure: Figure
    standings: list[Standing] = field(default_factory=list[Standing])


def play(
    figures: Sequence[Figure],
    contenders: Sequence[Contender],
    rounds: int,
    watch: Callable[[str], None] = lambda _: None,
) -> list[Outcome]:
    """Let the contenders play `rounds` rounds in turn; `watch` hears who is on."""
    played: dict[str, list[Mapping[str, float]]] = {each.name: [] for each in contenders}
    for number in range(1, rounds + 1):
        for contender in contenders:
            watch(f"round {number} of {rounds}: {contender.name}")
            played[contender.name].append(contender.run())
    return [Outcome(figure, _standings(figure.name, played)) for figure in figures]


def _standings(figure: str, played: Mapping[str, Sequence[Mapping[str, float]]]) -> list[Standing]:
    samples = {
        name: [each[figure] for each in plays]
        for name, plays in played.items()
        if all(figure in each for each in plays)
    }
    reference = next(iter(samples.values()), list[float]())
    return [Standing(name, values, ratio(values, reference)) for name, values in samples.items()]


def ratio(values: Sequence[float], reference: Sequence[float]) -> float | None:
    """The median of the paired ratios; pairs without a reference figure are left out."""
    pairs = [value / base for value, base in zip(values, reference, strict=True) if base > 0]
    return median(pairs) if pairs else None
