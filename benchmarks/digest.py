"""The table of ratios for the README: `python -m benchmarks.digest RESULTS.json README.md`.

It takes the place of what stands between the two marks, so that no figure there is written by hand.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from .results import Result, Results, files, load, short

BEGIN = "<!-- from the last run of `make bench` -->"
END = "<!-- to here -->"

WIRE = ("echo", "fanout", "latency", "connect", "memory")
IN_PROCESS = ("mailbox", "ask", "spawn")


def digest(results: Results) -> str:
    """Two tables in Markdown: over the wire, a contender a row; in process, a figure a row."""
    wire = [each for name in WIRE for each in results.of(name)]
    process = [each for name in IN_PROCESS for each in results.of(name)]
    counts = sorted({results.rounds[each.benchmark] for each in (*wire, *process)})
    rounds = " or ".join(map(str, counts)) + (" round" if counts == [1] else " rounds")
    about = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    tables = ["\n".join(_over_the_wire(wire)), "\n".join(_in_process(process))]
    return "\n\n".join([*tables, f"Medians of {rounds}; {about}."])


def put(text: str, readme: Path) -> None:
    """Put it between the marks; raises ValueError where they are not."""
    before, begun, rest = readme.read_text().partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (begun and ended):
        raise ValueError(f"{readme} has not both of {BEGIN!r} and {END!r}")
    readme.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def _over_the_wire(figures: Sequence[Result]) -> Iterator[str]:
    yield "| | " + " | ".join(map(_head, figures)) + " |"
    yield "|---|" + "---|" * len(figures)
    for name in dict.fromkeys(name for each in figures for name in each.ratios):
        yield "".join([f"| {name} ", *(f"|{_cell(each, name)} " for each in figures), "|"])


def _in_process(figures: Sequence[Result]) -> Iterator[str]:
    yield "| | 1 is | beside it | Greenroom |"
    yield "|---|---|---|---|"
    for each in figures:
        first, *others = each.ratios
        ours = [name for name in others if name.startswith("greenroom")]
        beside = ", ".join(
            f"{name}: {short(each.ratios[name])}" for name in others if name not in ours
        )
        one = f"{first}: {short(each.medians[first])} {each.unit}"
        figure = ", ".join(short(each.ratios[name]) for name in ours)
        yield f"| {_head(each)} | {one} | {beside} | {figure} |"


def _head(figure: Result) -> str:
    return f"`{figure.benchmark}`: {figure.name}{' ↓' if figure.lower_is_better else ''}"


def _cell(figure: Result, name: str) -> str:
    ratio = figure.ratios.get(name)
    if ratio is None:
        return ""
    if name == next(iter(figure.ratios)):
        return f" 1 ({short(figure.medians[name])} {figure.unit})"
    return f" {short(ratio)}"


if __name__ == "__main__":
    results, readme = files("digest", __doc__)
    put(digest(load(results)), readme)
