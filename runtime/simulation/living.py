"""Whether a power cut made an outage worse: it went over a VM that was up, and could be known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Final

from threerc.runtime.observation import TMAX
from threerc.runtime.round import Report
from threerc.runtime.simulation.guests import Guest
from threerc.runtime.simulation.site import Site

_LONG: Final = 2 * TMAX
"""Seconds after which a collector that has begun anew would have heard a VM."""


@dataclass(frozen=True, slots=True)
class _Cut:
    """A host's power was cut over a VM that had served, and been heard, since these moments."""

    host: str
    vm: str
    served: float
    heard: float


class Living:
    """Remembers since when each VM serves its users, and over whom power was cut in a tick."""

    def __init__(self, site: Site, say: Callable[[str], None]) -> None:
        self.site = site
        self.say = say
        self._served = {name: -inf for name, guest in site.guests.items() if guest.serving}
        self._heard = {name: -inf for name, guest in site.guests.items() if _heard(guest)}
        self._cuts: dict[str, list[_Cut]] = {}

    def copies_changed(self, guest: Guest) -> None:
        """See whether it serves, and is heard."""
        now = self.site.timeline.now
        _since(self._served, guest.name, now, now=guest.serving)
        _since(self._heard, guest.name, now, now=_heard(guest))

    def begins(self, controller: str) -> None:
        """A controller begins a tick."""
        self._cuts.pop(controller, None)

    def fenced(self, host: str, controller: str) -> None:
        """A host's power is cut: who serves there?"""
        there = self.site.hosts[host]
        for vm, served in self._served.items():
            guest = self.site.guests[vm]
            # Where a human has moved a VM behind everybody's back, nobody can know.
            if guest.up_on is there and not guest.by_hand:
                cut = _Cut(host, vm, served, self._heard.get(vm, inf))
                self._cuts.setdefault(controller, []).append(cut)

    def ended(self, controller: str, report: Report, start: float) -> None:
        """What the controller knew of them when its tick began, or could have asked."""
        for cut in self._cuts.get(controller, ()):
            why = self._known(cut, report, start)
            if why:
                self.say(f"{controller} cut the power of {cut.host} over {cut.vm}, {why}")

    def _known(self, cut: _Cut, report: Report, start: float) -> str:
        monitors = self.site.config.monitors
        seen = report.observation.hosts.get(cut.vm) if report.observation else None
        if seen is not None and not seen.down(monitors.down_after):
            return "which the monitor had heard"
        if monitors.probe != "none" and cut.served <= start:
            return "which answers when it is asked"
        if seen is None and cut.heard <= start - _LONG:
            return "which the monitor had only forgotten"
        return ""


def _heard(guest: Guest) -> bool:
    return guest.serving and guest.beats


def _since(moments: dict[str, float], name: str, moment: float, *, now: bool) -> None:
    if now:
        moments.setdefault(name, moment)
    else:
        moments.pop(name, None)
