"""SVG: the few shapes that a chart needs, in colours for light and dark."""

from html import escape

STYLE = """\
svg { color-scheme: light dark }
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 }
.faint { fill: #59636e; font-size: 11px }
.paper { fill: #ffffff }
.grid { stroke: #d1d9e0 }
.one { stroke: #59636e }
.c0 { fill: #59636e; stroke: #59636e }
.c1 { fill: #b1bac4; stroke: #b1bac4 }
.c2 { fill: #54aeff; stroke: #54aeff }
.c3 { fill: #0550ae; stroke: #0550ae }
.curve { fill: none; stroke-width: 2 }
.bar { stroke: none }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.faint { fill: #9198a1 }
.paper { fill: #0d1117 }
.grid { stroke: #3d444d }
.one { stroke: #9198a1 }
.c0 { fill: #9198a1; stroke: #9198a1 }
.c1 { fill: #656c76; stroke: #656c76 }
.c2 { fill: #1f6feb; stroke: #1f6feb }
.c3 { fill: #79c0ff; stroke: #79c0ff }
.curve { fill: none }
.bar { stroke: none }
}
"""
"""Classes, not attributes, since only they can follow the reader's scheme. `c0` is the 1.0 of the
ratios, `c1` anybody, `c2` and `c3` are Greenroom."""


class Drawing:
    """Shapes, from the top left corner, in pixels."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._shapes: list[str] = []

    def text(self, x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> None:
        """A line of text; `anchor` is what of it is at `x`: start, middle or end."""
        self._shapes.append(
            f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">'
            f"{escape(text)}</text>"
        )

    def bar(self, x: float, y: float, width: float, height: float, kind: str) -> None:
        """A filled rectangle."""
        self._shapes.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
            f'class="bar {kind}"/>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        """A straight line."""
        self._shapes.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'
        )

    def curve(self, points: list[tuple[float, float]], kind: str) -> None:
        """A line through points, with a dot at each."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._shapes.append(f'<polyline points="{path}" class="{kind} curve"/>')
        self._shapes += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" class="{kind}"/>' for x, y in points
        ]

    def whole(self, width: float, height: float) -> str:
        """The file."""
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width:.0f}"',
                f'height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}">',
                f"<title>{escape(self._title)}</title>",
                f"<style>\n{STYLE}</style>",
                f'<rect width="{width:.0f}" height="{height:.0f}" class="paper"/>',
                *self._shapes,
                "</svg>\n",
            ]
        )
