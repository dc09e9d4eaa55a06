"""The report: a table for people, or one line of JSON for machines."""

import json
import platform
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

from . import cores
from .options import Options
from .rounds import Contender, Figure, Outcome, Standing, play

_PACKAGES = (
    "greenroom",
    "anyio",
    "msgspec",
    "fastapi",
    "starlette",
    "uvicorn",
    "httptools",
    "websockets",
    "picows",
    "uvloop",
    "litestar",
    "python-socketio",
    "channels",
    "pykka",
)


def show(
    benchmark: str,
    options: Options,
    figures: Sequence[Figure],
    contenders: Sequence[Contender],
    notes: list[str] | None = None,
) -> None:
    """Play the rounds and print what came of them.

    `notes` is read after the last round, so that a contender may add to it while it plays.
    """
    playing = [each for each in contenders if not options.leaves_out(each.name)]
    outcomes = play(figures, playing, options.rounds, _watch)
    _watch("")
    remarks = cores.notes() + list(dict.fromkeys(notes or []))
    if options.quick:
        remarks.append("a quick run: it shows that the benchmark works, not how fast anything is")
    result = as_json(benchmark, options, outcomes, remarks)
    if options.into is not None:
        put(result, options.into)
    if options.json:
        sys.stdout.write(json.dumps(result) + "\n")
        return
    sys.stdout.write("\n".join(as_table(benchmark, options, outcomes, remarks)) + "\n")


def as_table(
    benchmark: str, options: Options, outcomes: Sequence[Outcome], notes: Sequence[str]
) -> Iterator[str]:
    """The lines of the table: ratio first, then the absolute figure, then its spread."""
    for outcome in outcomes:
        figure = outcome.figure
        better = "lower is better" if figure.lower_is_better else "higher is better"
        number = f"{options.rounds} round" + ("s" if options.rounds > 1 else "")
        yield f"{benchmark}: {figure.name} ({better}; median of {number})"
        width = max((len(each.contender) for each in outcome.standings), default=0)
        yield f"  {'':{width}}  {'ratio':>6}  {figure.unit:>14}  {'min - max':>24}"
        for standing in outcome.standings:
            yield f"  {standing.contender:{width}}  {_row(standing)}"
        yield ""
    for note in notes:
        yield f"note: {note}"
    yield ", ".join(f"{name} {version}" for name, version in versions().items())


def _row(standing: Standing) -> str:
    ratio = "-" if standing.ratio is None else f"{standing.ratio:.2f}"
    spread = f"{_number(min(standing.rounds))} - {_number(max(standing.rounds))}"
    return f"{ratio:>6}  {_number(standing.median):>14}  {spread:>24}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def as_json(
    benchmark: str, options: Options, outcomes: Sequence[Outcome], notes: Sequence[str]
) -> dict[str, object]:
    """Everything that was measured, each round included."""
    return {
        "name": benchmark,
        "rounds": options.rounds,
        "quick": options.quick,
        "figures": [
            {
                "name": outcome.figure.name,
                "unit": outcome.figure.unit,
                "lower_is_better": outcome.figure.lower_is_better,
                **_point(outcome.figure),
                "contenders": {
                    standing.contender: {
                        "ratio": standing.ratio,
                        "median": standing.median,
                        "rounds": standing.rounds,
                    }
                    for standing in outcome.standings
                },
            }
            for outcome in outcomes
        ],
        "notes": list(notes),
        "versions": versions(),
    }


def _point(figure: Figure) -> dict[str, object]:
    return {"curve": figure.curve, "at": figure.at} if figure.curve else {}


def put(result: dict[str, object], path: Path) -> None:
    """Have the file of results hold this one, in the place of an earlier one of that name."""
    results: dict[str, object] = json.loads(path.read_text()) if path.exists() else {}
    results[str(result["name"])] = result
    path.write_text(json.dumps(results, indent=1) + "\n")


def versions() -> dict[str, str]:
    """Python, the system, how many cores, and the installed packages that take part."""
    found = {
        "python": platform.python_version(),
        "system": platform.system(),
        "cores": str(cores.COUNT),
    }
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue  # greenroom run from a checkout; httptools is optional
    return found


def _watch(line: str) -> None:
    """Say on a terminal who is on; a log or a pipe is spared."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{line}")
        sys.stderr.flush()
