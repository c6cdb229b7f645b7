"""The few shapes of SVG that a drawing is made of, and its style sheet."""

from __future__ import annotations

from html import escape

from threerc.compiler.graph.lettering import is_common, width

WIRE_COLOURS = (
    "#0072b2", "#d55e00", "#009e73", "#a25fb0", "#c08a00", "#2f9fd0", "#c2577e", "#6b7f2a",
)  # fmt: skip
"""Told apart by colour-blind people too, and seen on white and on black."""

Box = tuple[int, int, int, int]
"""x and y of the top left corner, width and height."""
_LIGHT = """\
text{font-family:"DejaVu Sans",Verdana,"Segoe UI",Helvetica,Arial,sans-serif;fill:#1f2933}
.page{fill:#ffffff}
.card{fill:#f3f5f7;stroke:#93a0ac}
.vm{fill:#ffffff;stroke:#b4bec8}
.bold{font-weight:bold}
.muted{fill:#566270}
.italic{font-style:italic}
.pill{fill:#e0e5ea;stroke:#93a0ac}
.keeper{fill:#2f4a66;stroke:#2f4a66}
.on-keeper{fill:#ffffff}
.mirror{fill:none;stroke:#2f4a66;stroke-width:1.6;stroke-dasharray:5 3}
.drum{fill:#ffffff;stroke:#2f4a66;stroke-width:1.2}
.wire{fill:none;stroke-width:2}
"""
_DARK = """\
@media (prefers-color-scheme:dark){
text{fill:#e4e9ee}
.page{fill:#14181d}
.card{fill:#20272f;stroke:#66737f}
.vm{fill:#2b343e;stroke:#66737f}
.muted{fill:#a7b2bd}
.pill{fill:#36414d;stroke:#66737f}
.keeper{fill:#9cc3e8;stroke:#9cc3e8}
.on-keeper{fill:#14181d}
.mirror{stroke:#9cc3e8}
.drum{fill:#2b343e;stroke:#9cc3e8}
}
"""


def style() -> str:
    """The style sheet: dark where the reader's desktop is."""
    wires = "".join(
        f".w{number}{{stroke:{colour}}}.f{number}{{fill:{colour}}}\n"
        for number, colour in enumerate(WIRE_COLOURS)
    )
    return f"<style>\n{_LIGHT}{wires}{_DARK}</style>"


def rect(box: Box, css: str, radius: int = 4) -> str:
    """A rectangle with round corners."""
    x, y, wide, high = box
    return f'<rect x="{x}" y="{y}" width="{wide}" height="{high}" rx="{radius}" class="{css}"/>'


def text(at: tuple[int, int], words: str, size: int, css: str = "", anchor: str = "start") -> str:
    """A line of text, `at` on its base line. Scripts of unknown widths are held to their bound."""
    attributes = f' class="{css}"' if css else ""
    attributes += f' text-anchor="{anchor}"' if anchor != "start" else ""
    if not all(map(is_common, words)):
        bound = int(width(words, size, bold="bold" in css))
        attributes += f' textLength="{bound}" lengthAdjust="spacingAndGlyphs"'
    x, y = at
    return f'<text x="{x}" y="{y}" font-size="{size}"{attributes}>{escape(words)}</text>'


def path(css: str, *steps: str | int) -> str:
    """A line along the steps of a path: `"M", 0, 0, "V", 10`."""
    return f'<path d="{" ".join(map(str, steps))}" class="{css}"/>'


def dot(x: int, y: int, css: str) -> str:
    """A joint of wires."""
    return f'<circle cx="{x}" cy="{y}" r="3" class="{css}"/>'


def drum(x: int, y: int) -> str:
    """A small drum, for a volume: 10 wide, 12 high, its top left corner at x, y."""
    side = path("drum", "M", x, y + 2, "v", 8, "a", "5 2 0 0 0 10 0", "v", -8)
    return f'{side}<ellipse cx="{x + 5}" cy="{y + 2}" rx="5" ry="2" class="drum"/>'


def group(at: tuple[int, int], title: str, parts: list[str]) -> str:
    """Shapes from that corner on, with one tool tip."""
    x, y = at
    tip = f"<title>{escape(title)}</title>"
    return "\n".join([f'<g transform="translate({x} {y})">{tip}', *parts, "</g>"])
