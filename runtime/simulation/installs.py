"""Installers: for how long a boot link names one, and how often one has run in vain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from threerc.runtime.simulation.guests import Guest, Stage
from threerc.runtime.simulation.machines import Ssh
from threerc.runtime.simulation.site import Site

_TICKS: Final = 2
"""So many ticks after its deadline a link has to be back: one may find the other at it."""
_UP: Final = 200.0
"""Who was up for so many seconds was helped."""


class Installs:
    """Watches both; `late` and `often` are told what is wrong."""

    def __init__(
        self, site: Site, late: Callable[[str], None], often: Callable[[str], None]
    ) -> None:
        self.site = site
        self.late = late
        self.often = often
        self._links: dict[str, float] = {}
        self._overdue: Counter[str] = Counter()
        self._runs: Counter[str] = Counter()
        self._installing: set[str] = set()
        self._up: dict[str, float] = {}

    # -- links

    def linked(self, vm: str) -> None:
        """A controller has pointed a VM's link at its installer."""
        self._links.setdefault(vm, self.site.timeline.now)

    def ended(self, controller: str, start: float, patience: float) -> None:
        """A tick is over that began then: links whose deadline was past have to be back."""
        deadline = start - self.site.config.boot_link - patience
        for vm, since in list(self._links.items()):
            guest = self.site.guests[vm]
            if guest.link != guest.installer:
                del self._links[vm], self._overdue[vm]
            elif since < deadline and self._can_switch(controller):
                self._overdue[vm] += 1
                if self._overdue[vm] == _TICKS:
                    seconds = self.site.timeline.now - since
                    self.late(f"the boot link of {vm} says install for {seconds:.0f} s by now")

    def _can_switch(self, controller: str) -> bool:
        here = self.site.hosts[controller]
        servers = [self.site.hosts[each.host] for each in self.site.config.tftp_servers]
        return all(
            here is there or (here.reaches(there) and there.ssh is Ssh.OK) for there in servers
        )

    # -- installers

    def copies_changed(self, guest: Guest) -> None:
        """Count the installers that run, since it was up for a while."""
        vm, now = guest.name, self.site.timeline.now
        if guest.serving:
            self._up.setdefault(vm, now)
        elif vm in self._up and now - self._up.pop(vm) >= _UP:
            self.begin_anew(vm)
        installing = any(copy.stage is Stage.INSTALL for copy in guest.copies.values())
        if installing and vm not in self._installing:
            self._begins(vm)
        (self._installing.add if installing else self._installing.discard)(vm)

    def _begins(self, vm: str) -> None:
        self._runs[vm] += 1
        config = self.site.config
        policy = config.policy(config.virtual_machines[vm])
        most = policy.flapping.give_up * max(1, policy.steps.reinstall)
        if self._runs[vm] == most + 1:
            self.often(f"{vm} was installed {most + 1} times and never came up")

    def begin_anew(self, vm: str) -> None:
        """It was up, or an operator wants it to be tried again."""
        self._runs.pop(vm, None)
