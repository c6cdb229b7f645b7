"""A scenario that was played, as a page: what became of each machine, simulated and real, under
what faults of hosts and services.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from threerc.runtime.simulation.pictures import OURS, THEIRS, Drawing, page
from threerc.testbed import stories
from threerc.testbed.spans import Span, lanes
from threerc.testbed.stories import Story

_DOWN: Final = "#1f4e79"


@dataclass(frozen=True, slots=True)
class Played:
    """What came of it: each machine's story, as it was foretold and as it was; the faults that were
    none of a machine's; what is not as the scenario expects it.

    Times are seconds since the scenario began; it lasted for `seconds`.
    """

    simulated: dict[str, Story]
    stories: dict[str, Story]
    faults: tuple[Span, ...]
    seconds: float
    unmet: tuple[str, ...] = ()


def html(name: str, played: Played) -> str:
    """The page."""
    beside = "\n".join(stories.beside(played.simulated, played.stories))
    told = [*played.unmet, *stories.differences(played.simulated, played.stories)]
    parts = [picture(played), f"<pre>{escape(beside)}</pre>"]
    if told:
        parts.append("<ul>" + "".join(f"<li>{escape(each)}</li>" for each in told) + "</ul>")
    return page(f"{name}: simulated and real", parts)


def picture(played: Played) -> str:
    """When each machine was down and what was done to it, and the faults below, as SVG."""
    rows = [
        (f"{vm} {how}", told[vm])
        for vm in sorted(played.stories)
        for how, told in (("simulated", played.simulated), ("real", played.stories))
        if vm in told
    ]
    drawing = Drawing(
        "When machines were down", "minutes of the scenario", "", 0.45 * len(rows) + 1.2
    )
    axes = drawing.axes
    for row, (_, story) in enumerate(rows):
        for begin, end in _downs(story, played.seconds):
            axes.barh(row, (end - begin) / 60, left=begin / 60, height=0.6, color=OURS)
        for at, what in _steps(story):
            axes.annotate(what, (at / 60, row), fontsize=7, color=_DOWN, va="center")
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.set_xlim(0, played.seconds / 60)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    if played.faults:
        bars = {
            label: [(each.begin / 60, each.end / 60) for each in own]
            for label, own in lanes(played.faults).items()
        }
        drawing.strip(bars, THEIRS)
    return drawing.svg()


def _downs(story: Story, end: float) -> Iterator[tuple[float, float]]:
    """From when to when it was down."""
    since: float | None = None
    for at, what in story.told:
        if what == "down":
            since = at
        elif what == "up" and since is not None:
            yield since, at
            since = None
    if since is not None:
        yield since, end


def _steps(story: Story) -> Sequence[tuple[float, str]]:
    return [(at, what.partition(" on ")[0]) for at, what in story.told if " on " in what]
