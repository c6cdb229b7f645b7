"""What a site gives up whose policy is to proceed, and what it does not (thesis 2.14)."""

from __future__ import annotations

from typing import Final

from threerc.runtime.observation import TMAX
from threerc.runtime.simulation.guests import Copy, Guest
from threerc.runtime.simulation.machines import MAIN
from threerc.runtime.simulation.site import Site

_BEAT: Final = TMAX
"""By so much the last heartbeat came before the silence that truly was."""


class Splitting:
    """Remembers since when the hosts of VMs have been silent."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._silent: dict[str, float] = {}
        self._before: dict[str, tuple[float, float]] = {}
        self._left: dict[tuple[str, str], Copy] = {}

    def copies_changed(self, guest: Guest) -> None:
        """Look at the hosts that it is on: this is told too when they change."""
        for name in guest.copies:
            host = self.site.hosts[name]
            if not host.beats or host.segment != MAIN:
                self._silent.setdefault(name, self._since(name))
            elif name in self._silent:
                self._before[name] = self._silent.pop(name), self.site.timeline.now

    def _since(self, host: str) -> float:
        """Since when a host that falls silent is so: nobody hears who is back for too short."""
        now = self.site.timeline.now
        since, until = self._before.get(host, (now, 0.0))
        return since if now - until < TMAX else now

    def given_up(self, guest: Guest) -> bool:
        """Whether all its copies but the last are on hosts that were silent for long enough."""
        if self.site.config.split_brain.policy == "wait":
            return False
        left = [self._left_alive(guest, name) for name in list(guest.copies)[:-1]]
        return all(left)

    def _left_alive(self, guest: Guest, host: str) -> bool:
        """Whether a copy was given up there, be it long ago: when its host is back it lives on."""
        key, copy = (guest.name, host), guest.copies[host]
        if self._long_silent(host):
            self._left[key] = copy
        return self._left.get(key) is copy

    def _long_silent(self, host: str) -> bool:
        """Whether it is, or was when an action began that may still be under way."""
        config, now = self.site.config, self.site.timeline.now
        since, until = self._before.get(host, (now, now))
        if host in self._silent:
            since, until = self._silent[host], now
        return now - until <= config.deadline and until - since >= config.split_brain.after - _BEAT
