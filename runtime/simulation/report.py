"""A campaign as a page to look at: the histogram, its Gaussian fit, and the thesis's beside it.

One HTML file that needs nothing else. The picture is drawn by matplotlib, where that is installed
(the extra `report`).
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from threerc.runtime.errors import ControllerError
from threerc.runtime.simulation.campaign import OWN_STEPS, Campaign
from threerc.runtime.simulation.statistics import (
    SIGMA,
    THESIS,
    THESIS_STEPS,
    WORDS,
    figures,
)

_BIN: Final = 5.0
_OURS, _FIT, _THEIRS = "#7aa6c2", "#1f4e79", "#c0392b"
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
td.n {{ text-align: right; font-variant-numeric: tabular-nums; }}
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


def write_report(campaigns: Sequence[Campaign], path: Path, mtbf: float) -> None:
    """Write the page of some campaigns. Raises OSError."""
    parts = [*(_campaign(each, mtbf) for each in campaigns), f"<p>{escape(SIGMA)}</p>"]
    title = "Recovery times of simulated crashes"
    path.write_text(_PAGE.format(title=title, parts="\n".join(parts)), encoding="utf-8")


def _campaign(campaign: Campaign, mtbf: float) -> str:
    found = figures(campaign, mtbf)
    head = f"<h2>{found['crashes']} &times; {escape(campaign.fault)}, steps: "
    head += f"{escape(campaign.steps)}</h2>"
    if "mean" not in found:
        return f"{head}\n<p>None of them recovered.</p>"
    return "\n".join([head, histogram(campaign), _table(found)])


def _table(found: dict[str, Any]) -> str:
    rows = [
        ("mean", f"{found['mean']:.1f} s"),
        ("sigma", f"{found['sigma']:.1f} s"),
        ("shortest, longest", f"{found['min']:.0f} s, {found['max']:.0f} s"),
        *((f"{key} % within", f"{value:.0f} s") for key, value in found["percentiles"].items()),
        ("unrecovered", str(found["unrecovered"])),
        ("MTBF assumed", f"{found['mtbf'] / 86400:g} days"),
        ("MTTR", f"{found['mttr']:.1f} s"),
        ("availability", f"{found['availability']:.5%} ({found['nines']:.1f} nines)"),
    ]
    for part, words in WORDS.items():
        each = found["parts"][part]
        if each["mean"]:
            rows.append((words, f"{each['mean']:.1f} s &plusmn; {each['sigma']:.1f}"))
    return "<table>\n" + "\n".join(_rows(rows)) + "\n</table>"


def _rows(rows: Iterable[tuple[str, str]]) -> Iterable[str]:
    return (f'<tr><td>{name}</td><td class="n">{value}</td></tr>' for name, value in rows)


def histogram(campaign: Campaign) -> str:
    """The picture, as SVG."""
    import matplotlib as mpl  # noqa: PLC0415 - only a report needs it
    from matplotlib.figure import Figure  # noqa: PLC0415

    times = campaign.times
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.add_subplot()
    first, last = math.floor(min(times) / _BIN) * _BIN, math.ceil(max(times) / _BIN) * _BIN
    bins = [first + _BIN * n for n in range(round((last - first) / _BIN) + 1)]
    label = f"simulated: {len(times)} crashes"
    axes.hist(times, bins=bins, color=_OURS, edgecolor="white", linewidth=0.3, label=label)
    for mean, sigma, name, colour, style in _curves(campaign):
        grid = [mean + sigma * (n / 25 - 4) for n in range(201)]
        line = [len(times) * _BIN * _gauss(each, mean, sigma) for each in grid]
        told = f"{name}: {mean:.0f} s, sigma {sigma:.0f} s"
        axes.plot(grid, line, color=colour, linestyle=style, linewidth=1.8, label=told)
    axes.set_xlabel("time from the crash to the service, seconds")
    axes.set_ylabel(f"crashes in each {_BIN:.0f} s")
    axes.set_title(f"{campaign.fault}, steps: {campaign.steps}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    text = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "3rc", "svg.fonttype": "none"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue().partition("?>")[2].partition(">")[2].strip()


def _curves(campaign: Campaign) -> Iterator[tuple[float, float, str, str, str]]:
    """The fit and the thesis's curve; a ladder's times have several humps, which fit neither."""
    found = figures(campaign)
    if campaign.steps != OWN_STEPS and found["sigma"] > 0:
        yield found["mean"], found["sigma"], "Gaussian fit", _FIT, "-"
    if THESIS_STEPS.get(campaign.fault) == campaign.steps:
        yield *THESIS[campaign.fault], "thesis, 7.13", _THEIRS, "--"


def _gauss(value: float, mean: float, sigma: float) -> float:
    return math.exp(-(((value - mean) / sigma) ** 2) / 2) / (sigma * math.sqrt(2 * math.pi))
