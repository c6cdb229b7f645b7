"""A campaign in figures: recovery times, what they are made of, and what that means for users."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any, Final

from threerc.runtime.simulation.campaign import PARTS, Campaign

MONTH: Final = 30 * 86400.0
THESIS: Final = {"poweroff": (181.0, 10.0), "erase-boot": (542.0, 17.0)}
"""Mean and sigma that the thesis measured (7.13), with a RESTART and a REINSTALL alone."""
THESIS_STEPS: Final = {"poweroff": "restart", "erase-boot": "reinstall"}
_PERCENTS: Final = (5, 50, 95, 99)
SIGMA: Final = """\
Sigma: a crash falls anywhere into the controllers' 60 seconds, which alone makes for
60/sqrt(12) = 17.3 s, and anywhere between two heartbeats, which makes for 20/sqrt(12) = 5.8 s;
with 10 s for the boot that is sqrt(17.3^2 + 5.8^2 + 10^2) = 20.8 s, and with 13.7 s for the
installer 24.9 s. The thesis's fit has 10 s and 17 s, which are the boot's and the installation's
alone and below what its schedule makes for; its text has 180 +/- 30 s and 542 +/- 45 s (7.13).
"""


def figures(campaign: Campaign, mtbf: float = MONTH) -> dict[str, Any]:
    """All figures, times in seconds. `mtbf` is how long a VM is assumed to run between crashes."""
    times = sorted(campaign.times)
    found: dict[str, Any] = {
        "fault": campaign.fault,
        "steps": campaign.steps,
        "seed": campaign.seed,
        "crashes": len(campaign.crashes),
        "unrecovered": len(campaign.crashes) - len(times),
    }
    if times:
        found |= {
            "mean": statistics.fmean(times),
            "sigma": statistics.pstdev(times),
            "min": times[0],
            "max": times[-1],
            "percentiles": {str(each): percentile(times, each) for each in _PERCENTS},
            "parts": _parts(campaign),
            **_availability(statistics.fmean(times), mtbf),
        }
    return {key: _rounded(value) for key, value in found.items()}


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent do not exceed."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def _parts(campaign: Campaign) -> dict[str, dict[str, float]]:
    recovered = [crash for crash in campaign.crashes if crash.total is not None]
    found: dict[str, dict[str, float]] = {}
    for part in PARTS:
        values = [float(getattr(crash, part)) for crash in recovered]
        found[part] = {"mean": statistics.fmean(values), "sigma": statistics.pstdev(values)}
    return found


def _availability(mttr: float, mtbf: float) -> dict[str, float]:
    available = mtbf / (mtbf + mttr)
    return {
        "mtbf": mtbf,
        "mttr": mttr,
        "availability": available,
        "nines": -math.log10(1 - available),
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return round(value, 6) if isinstance(value, float) else value


WORDS: Final = {
    "detection": "until the monitor can know",
    "schedule": "until a controller acts",
    "ladder": "until the step that helps",
    "order": "until the VM is switched on",
    "install": "installation",
    "boot": "boot",
}


def lines(found: dict[str, Any]) -> list[str]:
    """The figures for people."""
    head = f"{found['crashes']} x {found['fault']}, steps: {found['steps']}"
    if "mean" not in found:
        return [head, f"  none of the {found['unrecovered']} recovered"]
    percents = ", ".join(f"{key} % {value:.0f} s" for key, value in found["percentiles"].items())
    shape = f"mean {found['mean']:.1f} s, sigma {found['sigma']:.1f} s"
    span = f"{found['min']:.0f} to {found['max']:.0f} s; unrecovered {found['unrecovered']}"
    often = f"with one crash per VM in {found['mtbf'] / 86400:g} days"
    times = f"MTBF {found['mtbf']:.0f} s, MTTR {found['mttr']:.0f} s"
    nines = f"available {found['availability']:.5%} ({found['nines']:.1f} nines)"
    told = [
        head,
        f"  {shape}, {span}",
        f"  within: {percents}",
        f"  {often}: {times}, {nines}",
    ]
    for part, words in WORDS.items():
        each = found["parts"][part]
        if each["mean"] or each["sigma"]:
            told.append(f"  {words:<28} {each['mean']:7.1f} s +/- {each['sigma']:.1f}")
    return told
