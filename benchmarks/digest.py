"""The table of ratios for the README: `python -m benchmarks.digest RESULTS.json README.md`.

It takes the place of what stands between the two marks, so that no figure there is written by hand.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from .results import Result, Results, load

BEGIN = "<!-- from the last run of `make bench` -->"
END = "<!-- to here -->"

WIRE = ("echo", "fanout", "latency", "connect", "memory")
IN_PROCESS = ("mailbox", "ask", "spawn")


def digest(results: Results) -> str:
    """Two tables in Markdown: over the wire, in process; a contender a row, a figure a column."""
    tables = [_table(results, names) for names in (WIRE, IN_PROCESS)]
    rounds = sorted(
        {str(results.rounds[name]) for name in (*WIRE, *IN_PROCESS) if name in results.rounds}
    )
    about = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    return "\n\n".join([*tables, f"Medians of {' or '.join(rounds)} rounds; {about}."])


def put(text: str, readme: Path) -> None:
    """Put it between the marks; raises ValueError where they are not."""
    before, begun, rest = readme.read_text().partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (begun and ended):
        raise ValueError(f"{readme} has not both of {BEGIN!r} and {END!r}")
    readme.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def _table(results: Results, benchmarks: tuple[str, ...]) -> str:
    figures = [each for name in benchmarks for each in results.of(name)]
    return "\n".join(_rows(figures))


def _rows(figures: list[Result]) -> Iterator[str]:
    yield "| | " + " | ".join(map(_head, figures)) + " |"
    yield "|---|" + "---|" * len(figures)
    names = list(dict.fromkeys(name for each in figures for name in each.ratios))
    for name in names:
        yield "".join([f"| {name} ", *(f"|{_cell(each, name)} " for each in figures), "|"])


def _head(figure: Result) -> str:
    return f"`{figure.benchmark}`: {figure.name}{' ↓' if figure.lower_is_better else ''}"


def _cell(figure: Result, name: str) -> str:
    ratio = figure.ratios.get(name)
    if ratio is None:
        return ""
    if name == next(iter(figure.ratios)):
        return f" 1 ({_short(figure.medians[name])} {figure.unit})"
    return f" {_short(ratio)}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line; exits on a wrong one."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.digest",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("results", type=Path)
    parser.add_argument("readme", type=Path)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    given = parse()
    put(digest(load(given.results)), given.readme)
