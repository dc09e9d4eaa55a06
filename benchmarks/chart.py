"""The chart: `python -m benchmarks.chart RESULTS.json CHART.svg`, drawn from a run's own JSON.

Bars for each figure over the wire: the ratio to what the tutorial has one write, on a logarithmic
scale, so that twice as much and half as much are as far from the line at 1. Below them the curves
of `growth`, both scales logarithmic.
"""

import math
from collections.abc import Sequence

from .results import TUTORIAL, Result, Results, files, load, short
from .svg import Drawing

BENCHMARKS = ("echo", "fanout", "latency", "connect", "memory")
PASSED_BY = {"half of the answers within"}
"""Figures that stand in the README's table only: the chart is for those that differ."""

_WIDTH = 940
_MARGIN = 20
_GAP = 30
_COLUMNS = 2
_PANEL = (_WIDTH - 2 * _MARGIN - (_COLUMNS - 1) * _GAP) / _COLUMNS
_NAMES = 222  # pixels for the names beside the bars
_VALUES = 44  # and for the value after the longest
_ROW = 19
_HEAD = 42  # a panel's title, and what is better
_CURVE = 150  # the height of a panel of curves, without its head and feet
_FEET = 34
_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


def draw(results: Results) -> str:
    """The whole chart, as SVG."""
    drawing = Drawing("Greenroom beside what one might take instead")
    top: float = _MARGIN
    drawing.text(_MARGIN, top + 10, f"Ratios to: {TUTORIAL} (1.0)", "title")
    top += 40
    bars = [each for name in BENCHMARKS for each in results.of(name) if _shown(each)]
    top = _grid(drawing, bars, top)
    curves = list(results.curves().items())
    if curves:
        drawing.text(_MARGIN, top + 10, "As there are more of them, or larger ones", "title")
        top = _legend(drawing, curves[0][1], top + 30)
    for row in range(0, len(curves), _COLUMNS):
        for column, (name, points) in enumerate(curves[row : row + _COLUMNS]):
            _curves(drawing, name, points, _MARGIN + column * (_PANEL + _GAP), top)
        top += _HEAD + _CURVE + _FEET + _GAP
    about = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    for line in _wrapped(about, 140):
        drawing.text(_MARGIN, top, line, "faint")
        top += 15
    return drawing.whole(_WIDTH, top + _MARGIN / 2)


def kind(contender: str, first: str = TUTORIAL) -> str:
    """The colour's class."""
    if contender.startswith("greenroom"):
        return "c2" if "plain" in contender else "c3"
    return "c0" if contender == first else "c1"


def _shown(figure: Result) -> bool:
    return bool(figure.ratios) and figure.name not in PASSED_BY


def _grid(drawing: Drawing, bars: Sequence[Result], top: float) -> float:
    for row in range(0, len(bars), _COLUMNS):
        pair = bars[row : row + _COLUMNS]
        for column, each in enumerate(pair):
            _bars(drawing, each, _MARGIN + column * (_PANEL + _GAP), top)
        top += _HEAD + _ROW * max(len(each.ratios) for each in pair) + _GAP
    return top


def _bars(drawing: Drawing, result: Result, left: float, top: float) -> None:
    better = "less is better" if result.lower_is_better else "more is better"
    drawing.text(left, top, f"{result.benchmark}: {result.name}", "title")
    drawing.text(left, top + 16, better, "faint")
    low = min(1.0, *result.ratios.values())
    high = max(1.0, *result.ratios.values())
    start, width = left + _NAMES, _PANEL - _NAMES - _VALUES
    if low < 1.0:  # room for the value beside a bar to the left
        start, width = start + _VALUES, width - _VALUES

    def place(ratio: float) -> float:
        span = math.log(high / low) or 1.0
        return start + width * math.log(ratio / low) / span

    bottom = top + _HEAD - 14 + _ROW * len(result.ratios)
    for tick in _TICKS:
        if low <= tick <= high:
            style = "one" if tick == 1 else "grid"
            drawing.line(place(tick), top + _HEAD - 16, place(tick), bottom, style)
    for number, (name, ratio) in enumerate(result.ratios.items()):
        y = top + _HEAD - 14 + _ROW * number
        drawing.text(left + _NAMES - 8, y + 11, name, anchor="end")
        x1, x2 = sorted((place(1.0), place(ratio)))
        drawing.bar(x1, y + 1, max(x2 - x1, 1.0), _ROW - 6, kind(name))
        after = ratio >= 1.0
        x = x2 + 4 if after else x1 - 4
        drawing.text(x, y + 11, short(ratio), "faint", "start" if after else "end")


def _legend(drawing: Drawing, points: Sequence[Result], top: float) -> float:
    left: float = _MARGIN
    for name in points[0].medians:
        drawing.bar(left, top - 9, 14, 10, _curve_kind(name))
        drawing.text(left + 20, top, name)
        left += 44 + 6.5 * len(name)
    return top + 28


def _curve_kind(name: str) -> str:
    return kind(name)


def _curves(drawing: Drawing, name: str, points: Sequence[Result], left: float, top: float) -> None:
    drawing.text(left, top, f"{name} ({points[0].unit})", "title")
    start, width = left + 50, _PANEL - 70
    top += _HEAD - 20
    values = [value for point in points for value in point.medians.values()]
    low, high = min(values) * 0.8, max(values) * 1.25
    first, last = points[0].at, points[-1].at

    def across(at: float) -> float:
        return start + width * (
            math.log(at / first) / math.log(last / first) if last > first else 0
        )

    def up(value: float) -> float:
        return top + _CURVE * math.log(high / value) / math.log(high / low)

    for tick in _between(low, high):
        drawing.line(start, up(tick), start + width, up(tick), "grid")
        drawing.text(start - 6, up(tick) + 4, short(tick), "faint", "end")
    for point in points:
        drawing.text(across(point.at), top + _CURVE + 16, f"{point.at:,}", "faint", "middle")
    for contender in points[0].medians:
        drawing.curve(
            [
                (across(point.at), up(point.medians[contender]))
                for point in points
                if contender in point.medians
            ],
            _curve_kind(contender),
        )


def _between(low: float, high: float) -> list[float]:
    """Round numbers from `low` to `high`, three to a decade, or one where they are many."""
    steps = (1, 2, 5) if high / low < 500 else (1,)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**exponent for exponent in exponents for step in steps]
    return [tick for tick in ticks if low <= tick <= high]


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split(", "):
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] += (", " if lines[-1] else "") + word
    return lines


if __name__ == "__main__":
    results, chart = files("chart", __doc__)
    chart.write_text(draw(load(results)))
