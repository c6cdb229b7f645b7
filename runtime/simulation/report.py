"""A campaign as a page to look at: the histogram, its Gaussian fit, and the thesis's beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

from threerc.runtime.simulation.campaign import OWN_STEPS, Campaign
from threerc.runtime.simulation.pictures import FIT, THEIRS, Curve, histogram, page, table
from threerc.runtime.simulation.statistics import (
    SIGMA,
    THESIS,
    THESIS_STEPS,
    WORDS,
    figures,
)


def write_report(campaigns: Sequence[Campaign], path: Path, mtbf: float) -> None:
    """Write the page of some campaigns. Raises OSError."""
    parts = [*(_campaign(each, mtbf) for each in campaigns), f"<p>{escape(SIGMA)}</p>"]
    path.write_text(page("Recovery times of simulated crashes", parts), encoding="utf-8")


def _campaign(campaign: Campaign, mtbf: float) -> str:
    found = figures(campaign, mtbf)
    head = f"<h2>{found['crashes']} &times; {escape(campaign.fault)}, steps: "
    head += f"{escape(campaign.steps)}</h2>"
    if "mean" not in found:
        return f"{head}\n<p>None of them recovered.</p>"
    title = f"{campaign.fault}, steps: {campaign.steps}"
    label = f"simulated: {len(campaign.times)} crashes"
    picture = histogram(campaign.times, title, label, _curves(campaign))
    return "\n".join([head, picture, table(_rows(found))])


def _rows(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "mean", f"{found['mean']:.1f} s"
    yield "sigma", f"{found['sigma']:.1f} s"
    yield "shortest, longest", f"{found['min']:.0f} s, {found['max']:.0f} s"
    for key, value in found["percentiles"].items():
        yield f"{key} % within", f"{value:.0f} s"
    yield "unrecovered", str(found["unrecovered"])
    yield "MTBF assumed", f"{found['mtbf'] / 86400:g} days"
    yield "MTTR", f"{found['mttr']:.1f} s"
    yield "availability", f"{found['availability']:.5%} ({found['nines']:.1f} nines)"
    for part, words in WORDS.items():
        each = found["parts"][part]
        if each["mean"]:
            yield words, f"{each['mean']:.1f} s &plusmn; {each['sigma']:.1f}"


def _curves(campaign: Campaign) -> Iterator[Curve]:
    """The fit and the thesis's curve; a ladder's times have several humps, which fit neither."""
    found = figures(campaign)
    if campaign.steps != OWN_STEPS and found["sigma"] > 0:
        yield Curve(found["mean"], found["sigma"], "Gaussian fit", FIT, "-")
    if THESIS_STEPS.get(campaign.fault) == campaign.steps:
        yield Curve(*THESIS[campaign.fault], "thesis, 7.13", THEIRS, "--")
