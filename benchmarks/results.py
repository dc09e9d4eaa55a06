"""Results: what a run left in its JSON file, as `--into` writes it."""

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TUTORIAL = "FastAPI, the tutorial"
"""The 1.0 of the ratios over the wire."""


@dataclass(frozen=True, slots=True)
class Result:
    """One figure of one benchmark, with each contender's ratio and median."""

    benchmark: str
    name: str
    unit: str
    lower_is_better: bool
    ratios: Mapping[str, float]
    medians: Mapping[str, float]
    curve: str = ""
    at: int = 0


@dataclass(frozen=True, slots=True)
class Results:
    """All of them, and the versions they were taken with."""

    figures: tuple[Result, ...]
    versions: Mapping[str, str]
    rounds: Mapping[str, int]
    """How many, by benchmark."""

    def of(self, benchmark: str) -> list[Result]:
        """The figures of one benchmark."""
        return [each for each in self.figures if each.benchmark == benchmark]

    def curves(self) -> dict[str, list[Result]]:
        """The points of each curve, in order."""
        found: dict[str, list[Result]] = {}
        for each in self.figures:
            if each.curve:
                found.setdefault(each.curve, []).append(each)
        return found


def load(path: Path) -> Results:
    """Read the file; raises OSError, or ValueError and KeyError for what no run has written."""
    runs: dict[str, Any] = json.loads(path.read_text())
    versions: dict[str, str] = {}
    for run in runs.values():
        versions.update(run["versions"])
    figures = [_result(name, figure) for name, run in runs.items() for figure in run["figures"]]
    return Results(tuple(figures), versions, {name: run["rounds"] for name, run in runs.items()})


def short(value: float) -> str:
    """As one reads it: two digits, or whole from a hundred on."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def files(program: str, description: str | None) -> tuple[Path, Path]:
    """The command line of a program that turns the results into another file: the paths of both.
    Exits on a wrong one."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{program}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("results", type=Path)
    parser.add_argument("into", type=Path)
    given = parser.parse_args()
    return given.results, given.into


def _result(benchmark: str, figure: dict[str, Any]) -> Result:
    standings: dict[str, dict[str, Any]] = figure["contenders"]
    return Result(
        benchmark,
        figure["name"],
        figure["unit"],
        figure["lower_is_better"],
        {name: each["ratio"] for name, each in standings.items() if each["ratio"] is not None},
        {name: each["median"] for name, each in standings.items()},
        figure.get("curve", ""),
        figure.get("at", 0),
    )
