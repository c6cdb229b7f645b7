"""Pages with pictures that need nothing else: one HTML file, drawings in it.

The pictures are drawn by matplotlib, where that is installed (the extra `report`).
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from threerc.runtime.errors import ControllerError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BIN: Final = 5.0
"""Seconds of each bar of a histogram."""
OURS, FIT, THEIRS = "#7aa6c2", "#1f4e79", "#c0392b"
_PAGE: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>3RC: {title}</title>
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; }}
table {{ border-collapse: collapse; margin: 1em 0; }}
th, td {{ border-bottom: 1px solid #ccc; padding: .25em 1em .25em 0; text-align: left; }}
th.n, td.n {{ text-align: right; font-variant-numeric: tabular-nums; }}
pre {{ overflow-x: auto; background: #f5f5f5; padding: .5em; font-size: 13px; }}
svg {{ width: 100%; height: auto; }}
</style>
</head>
<body>
<h1>{title}</h1>
{parts}
</body>
</html>
"""


class NoReport(ControllerError):
    """The report cannot be drawn or written; the text says why."""


def can_write(path: Path) -> None:
    """See that a report could be written there. Raises NoReport."""
    if find_spec("matplotlib") is None:
        raise NoReport("a report needs matplotlib, which is not installed beside 3rc")
    if not path.absolute().parent.is_dir():
        raise NoReport(f"{path}: there is no folder {path.absolute().parent}")


def page(title: str, parts: Iterable[str]) -> str:
    """A whole page; `parts` are HTML."""
    return _PAGE.format(title=escape(title), parts="\n".join(parts))


def table(rows: Iterable[tuple[str, str]]) -> str:
    """Names with their values, both as HTML."""
    lines = (f'<tr><td>{name}</td><td class="n">{value}</td></tr>' for name, value in rows)
    return "<table>\n" + "\n".join(lines) + "\n</table>"


@dataclass(frozen=True, slots=True)
class Curve:
    """A normal distribution to draw over a histogram; seconds."""

    mean: float
    sigma: float
    name: str
    colour: str
    style: str


class Drawing:
    """One picture with its axes, which becomes SVG."""

    def __init__(self, title: str, across: str, up: str, height: float = 4.5) -> None:
        from matplotlib.figure import Figure  # noqa: PLC0415 - only a report needs it

        self.figure = Figure(figsize=(9, height), layout="constrained")
        self.axes: Axes = self.figure.add_subplot()
        self.axes.set_title(title)
        self.axes.set_xlabel(across)
        self.axes.set_ylabel(up)
        self.axes.spines[["top", "right"]].set_visible(False)

    def strip(self, lanes: Mapping[str, Sequence[tuple[float, float]]], colour: str) -> None:
        """A strip below the axes, with a lane for each name and a bar from one time to another.

        The bars are shaded in the picture above too; what took no time is a line.
        """
        height, more = self.figure.get_figheight(), 0.25 * len(lanes) + 0.3
        self.figure.set_figheight(height + more)
        grid = self.figure.add_gridspec(2, 1, height_ratios=(height, more))
        self.axes.set_subplotspec(grid[0])
        strip = self.figure.add_subplot(grid[1], sharex=self.axes)
        for row, bars in enumerate(lanes.values()):
            for begin, end in bars:
                strip.barh(row, end - begin, left=begin, height=0.7, color=colour, edgecolor=colour)
                self.axes.axvspan(begin, end, color=colour, alpha=0.15, linewidth=0.8, zorder=0)
        strip.set_yticks(range(len(lanes)), list(lanes), fontsize=8)
        strip.set_ylim(len(lanes) - 0.4, -0.6)
        strip.spines[["top", "right"]].set_visible(False)
        strip.set_xlabel(self.axes.get_xlabel())
        self.axes.set_xlabel("")
        self.axes.tick_params(axis="x", labelbottom=False)

    def svg(self, *, beside: bool = False) -> str:
        """The picture; the same bytes each time. `beside`: where its legend is."""
        import matplotlib as mpl  # noqa: PLC0415

        named = bool(self.axes.get_legend_handles_labels()[0])
        if named and beside:
            self.axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
        elif named:
            self.axes.legend(frameon=False)
        text = io.StringIO()
        with mpl.rc_context({"svg.hashsalt": "3rc", "svg.fonttype": "none"}):
            metadata: dict[str, Any] = {"Date": None}
            self.figure.savefig(text, format="svg", metadata=metadata)
        return text.getvalue().partition("?>")[2].partition(">")[2].strip()


def histogram(times: Sequence[float], title: str, label: str, curves: Iterable[Curve]) -> str:
    """Recovery times in seconds, with curves over them, as SVG."""
    across, up = "time from the crash to the service, seconds", f"crashes in each {BIN:.0f} s"
    drawing = Drawing(title, across, up)
    first, last = math.floor(min(times) / BIN) * BIN, math.ceil(max(times) / BIN) * BIN
    bins = [first + BIN * n for n in range(max(1, round((last - first) / BIN)) + 1)]
    drawing.axes.hist(times, bins, color=OURS, edgecolor="white", linewidth=0.3, label=label)
    for curve in curves:
        grid = [max(0.0, curve.mean + curve.sigma * (n / 25 - 4)) for n in range(201)]
        line = [len(times) * BIN * _gauss(each, curve) for each in grid]
        told = f"{curve.name}: {curve.mean:.0f} s, sigma {curve.sigma:.0f} s"
        drawing.axes.plot(
            grid, line, color=curve.colour, linestyle=curve.style, linewidth=1.8, label=told
        )
    drawing.axes.locator_params(axis="y", integer=True)
    return drawing.svg()


def _gauss(value: float, curve: Curve) -> float:
    height = 1 / (curve.sigma * math.sqrt(2 * math.pi))
    return height * math.exp(-(((value - curve.mean) / curve.sigma) ** 2) / 2)
