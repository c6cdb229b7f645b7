"""The VMs as they truly are: their copies, disks and boot links.

Source: thesis 5.8 and 7.13 for what a boot and an installation are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from threerc.runtime.simulation.machines import MAIN, Host
from threerc.runtime.simulation.timeline import Entry, Timeline
from threerc.runtime.simulation.timing import Chance, Timing

OK: Final = "ok"
DEAD: Final = "dead"
STALE: Final = "stale"
EMPTY: Final = "empty"
NO_BOOT: Final = "no-boot"
"""How a service answers: rightly, not at all, as in former times, with nothing, no boot file."""


class Stage(StrEnum):
    """What a copy of a VM is doing. In all of them its process is there, and holds its disk."""

    PXE = "pxe"
    BOOT = "booting"
    INSTALL = "installing"
    UP = "up"
    HUNG = "hung"
    HALTED = "halted"
    STUCK = "stuck"


@dataclass(eq=False)
class Copy:
    """A VM's process on a host."""

    host: Host
    stage: Stage = Stage.PXE
    timer: Entry | None = None


class Surroundings(Protocol):
    """What a VM needs of its site."""

    timeline: Timeline
    timing: Timing
    chance: Chance

    def service(self, name: str, host: Host) -> str:
        """How `dhcp`, `tftp` or `dns` answers what is on this host: `ok`, `dead`, its lie."""

    def shown_link(self, guest: Guest) -> str | None:
        """The boot file that TFTP would give it."""

    def moved(self, guest: Guest) -> None:
        """A copy was started or ended, or does something else than before."""


class Guest:
    """One VM. `erased` and `broken` are its disk: no /boot on it, and errors from it.

    `cut`: its network; `astray`: it came up at an address that is not its own, where nobody looks
    for it. `by_hand`: a human has put it where it is, which nobody told the controllers.
    """

    def __init__(self, name: str, site: Surroundings, installer: str | None) -> None:
        self.name = name
        self.site = site
        self.installer = installer
        self.link: str | None = None
        self.copies: dict[str, Copy] = {}
        self.erased = False
        self.broken = False
        self.cut = False
        self.astray = False
        self.mute = False
        self.failing_starts: dict[str, int] = {}
        self.failing_installs = 0
        self.installations = 0
        self.by_hand = False
        self.on_installed: Callable[[], None] | None = None

    @property
    def up_on(self) -> Host | None:
        """The host on which it is up and not frozen with it; of two, the one that is reached."""
        found: Host | None = None
        for copy in self.copies.values():
            if copy.stage is Stage.UP and copy.host.runs:
                if copy.host.segment == MAIN:
                    return copy.host
                found = copy.host
        return found

    @property
    def reachable(self) -> bool:
        """Whether it is up and on the network of its host, at its own address."""
        return self.up_on is not None and not self.cut and not self.astray

    @property
    def serving(self) -> bool:
        """Whether its users can reach it."""
        host = self.up_on
        return host is not None and self.reachable and host.segment == MAIN

    @property
    def beats(self) -> bool:
        """Whether it sends heartbeats."""
        return self.reachable and not self.mute

    # -- what is done to it

    def start(self, host: Host) -> None:
        """Switch it on there; it may run elsewhere too, which is what must never be."""
        if host.name not in self.copies:
            self.by_hand = False
            copy = self.copies[host.name] = Copy(host)
            self._begin(copy)

    def end(self, host: str) -> None:
        """Switch off the copy on a host, if there is one."""
        copy = self.copies.pop(host, None)
        if copy is not None:
            self._cancel(copy)
            self.site.moved(self)

    def begin_again(self, host: str) -> None:
        """Reset the copy on a host: it starts from PXE on."""
        copy = self.copies.get(host)
        if copy is not None:
            self._cancel(copy)
            self._begin(copy)

    def put(self, stage: Stage, only: Stage | None = None) -> None:
        """Let all its copies, or those in one stage, come to another where they stay."""
        for copy in self.copies.values():
            if only is None or copy.stage is only:
                self._cancel(copy)
                copy.stage = stage
        self.site.moved(self)

    def live_on(self, host: Host) -> None:
        """Let it be up there, as from long ago."""
        self.copies = {host.name: Copy(host, Stage.UP)}

    def migrate(self, origin: str, to: Host) -> None:
        """Move a copy as it is; only to be done with one that is up."""
        self.by_hand = False
        self.copies[to.name] = Copy(to, self.copies.pop(origin).stage)
        self.site.moved(self)

    def freeze(self, host: str) -> None:
        """Its host hangs, and it with it."""
        copy = self.copies.get(host)
        if copy is not None:
            self._cancel(copy)
            self.site.moved(self)

    def thaw(self, host: str) -> None:
        """Its host goes on; what was under way begins again."""
        copy = self.copies.get(host)
        if copy is not None and copy.stage in (Stage.PXE, Stage.BOOT, Stage.INSTALL):
            self._begin(copy)
        self.site.moved(self)

    # -- what it does then

    def _later(self, copy: Copy, seconds: float, call: Callable[[Copy], None]) -> None:
        timeline = self.site.timeline
        copy.timer = timeline.at(timeline.now + seconds, lambda: call(copy))

    def _cancel(self, copy: Copy) -> None:
        if copy.timer is not None:
            self.site.timeline.cancel(copy.timer)
            copy.timer = None

    def _is(self, copy: Copy, stage: Stage) -> None:
        copy.stage, copy.timer = stage, None
        self.site.moved(self)

    def _begin(self, copy: Copy) -> None:
        self._is(copy, Stage.PXE)
        dhcp, tftp = (self.site.service(each, copy.host) for each in ("dhcp", "tftp"))
        if self.cut or DEAD in (dhcp, tftp):
            self._later(copy, self.site.timing.no_pxe, self._boot)
        elif dhcp == OK and tftp != EMPTY:
            self._later(copy, self.site.timing.pxe, self._follow_link)
        else:  # no boot loader, or not for its address: so it is told at once
            self._later(copy, self.site.timing.pxe, self._boot)

    def _follow_link(self, copy: Copy) -> None:
        link = self.site.shown_link(self)
        if link is not None and link == self.installer:
            self._install(copy)
        else:
            self._boot(copy)

    def _boot(self, copy: Copy) -> None:
        self._is(copy, Stage.BOOT)
        timing = self.site.timing
        seconds = self.site.chance.around(f"boot/{self.name}", timing.boot, timing.boot_sigma)
        self._later(copy, seconds, self._booted)

    def _booted(self, copy: Copy) -> None:
        good = not self.erased and not self.broken
        self.mute = self.mute and not good
        self.astray = self.site.service("dhcp", copy.host) == STALE
        self._is(copy, Stage.UP if good else Stage.STUCK)

    def _install(self, copy: Copy) -> None:
        """The disk is wiped first: whoever interrupts an installation leaves nothing to boot."""
        self.erased = True
        self._is(copy, Stage.INSTALL)
        timing = self.site.timing
        draw = self.site.chance.around
        seconds = draw(f"install/{self.name}", timing.install, timing.install_sigma)
        self._later(copy, seconds, self._installed)

    def _installed(self, copy: Copy) -> None:
        fails = self.failing_installs > 0
        self.failing_installs -= fails
        if fails or self.broken or self.cut or self.site.service("dns", copy.host) == DEAD:
            self._is(copy, Stage.STUCK)
            return
        self.erased = False
        self.installations += 1
        if self.on_installed:
            self.on_installed()
        self._begin(copy)
