"""The simulated site as it truly is: machines, VMs, heartbeats, services, the shared state.

Faults and operators change it, controllers look at it and act on it through `world.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from threerc.runtime.config import ControllerConfig
from threerc.runtime.memory import say_so
from threerc.runtime.records import Step
from threerc.runtime.simulation.beats import Beats
from threerc.runtime.simulation.counted import CountedStore
from threerc.runtime.simulation.guests import DEAD, OK, STALE, Guest
from threerc.runtime.simulation.machines import MAIN, Host
from threerc.runtime.simulation.monitors import Source, sources
from threerc.runtime.simulation.timeline import Timeline
from threerc.runtime.simulation.timing import Chance, Timing


class Witness(Protocol):
    """Who watches what truly happens."""

    def copies_changed(self, guest: Guest) -> None:
        """A VM's copies, or what they do, are not what they were."""

    def linked(self, vm: str, target: str, controller: str) -> None:
        """A controller has switched a VM's boot link."""

    def attempted(self, vm: str, step: Step, controller: str) -> None:
        """A controller has given the order to start or reboot a VM; it may come to nothing."""

    def fenced(self, host: str, controller: str) -> None:
        """A controller cuts a host's power: it is just about to go."""


def host_names(config: ControllerConfig) -> tuple[str, ...]:
    """All physical and service hosts of a site, as far as its controllers know."""
    monitors = config.monitors
    names = [*config.physical_hosts, *config.controllers]
    names += [each.host for each in (*monitors.gmetad, *monitors.collectors)]
    names += [each.host for each in config.tftp_servers]
    return tuple(dict.fromkeys(names))


class Site:
    """All of it. `locks`: whether the VMs' disks can only be opened once (DRBD, libvirt)."""

    def __init__(
        self,
        config: ControllerConfig,
        timeline: Timeline,
        chance: Chance,
        timing: Timing,
        *,
        locks: bool = False,
    ) -> None:
        self.config = config
        self.timeline = timeline
        self.chance = chance
        self.timing = timing
        self.locks = locks
        self.store = CountedStore()
        self.state = "ok"
        self.services: dict[str, str] = {}
        """How `dhcp`, `tftp` and `dns` answer where they do not as they should."""
        self._old_links: dict[str, str | None] = {}
        self.witnesses: list[Witness] = []
        self.installers_say_so = False
        self.install_server = False
        self.sources: tuple[Source, ...] = sources(config)
        self.hosts = {name: Host(name, self._host_changed) for name in host_names(config)}
        self.guests = {name: self._guest(name) for name in config.virtual_machines}
        self.beats = Beats(
            lambda: self.timeline.now,
            self._sends,
            self._hears,
            dict.fromkeys(each.host for each in config.monitors.collectors),
            (*self.hosts, *self.guests),
        )
        self.beats.period = timing.heartbeat

    def _guest(self, name: str) -> Guest:
        boot = self.config.virtual_machines[name].boot
        guest = Guest(name, self, boot.install if boot else None)
        guest.link = self._declared(name)
        guest.on_installed = lambda: self._installed(name)
        return guest

    def _declared(self, vm: str) -> str | None:
        """What its boot link says when nothing is the matter."""
        boot = self.config.virtual_machines[vm].boot
        return boot.declared if boot else None

    def begin(self, where: dict[str, str | None]) -> None:
        """All is well, and has been for long; `where` says on which host each VM is, if any."""
        for name, host in where.items():
            if host is not None:
                self.guests[name].live_on(self.hosts[host])
        for name in (*self.hosts, *self.guests):
            if self._sends(name):
                before = self.chance.of(f"beat/{name}").uniform(0, self.beats.period)
                self.beats.begin(name, before)
        self.monitors_changed()

    def load(self, name: str) -> float:
        """A host's 5-minute load; that of a VM is never much."""
        host = self.hosts.get(name)
        return host.load if host else 0.5

    # -- who reaches whom

    def segment(self, name: str) -> str:
        """The part of the network that a host or VM is in; of a VM that is down: its own."""
        if name in self.hosts:
            return self.hosts[name].segment
        host = self.guests[name].up_on
        return host.segment if host else f"{name} nowhere"

    def _sends(self, name: str) -> bool:
        host = self.hosts.get(name)
        return host.beats if host else self.guests[name].beats

    def _hears(self, collector: str, name: str) -> bool:
        return self.hosts[collector].runs and self.segment(collector) == self.segment(name)

    def service(self, name: str, host: Host) -> str:
        """How `dhcp`, `tftp` or `dns` answers what is on this host: `ok`, `dead`, its lie."""
        servers = [self.hosts[each.host] for each in self.config.tftp_servers]
        there = any(host.reaches(each) for each in servers) if servers else host.segment == MAIN
        return self.services.get(name, OK) if there else DEAD

    def shown_link(self, guest: Guest) -> str | None:
        """The boot file that TFTP would give a VM: of a stale tree, that of when it grew stale."""
        return self._old_links.get(guest.name, guest.link)

    def answer(self, name: str, mode: str) -> None:
        """From now on a service answers so."""
        self.services[name] = mode
        if name == "tftp":
            stale = self.guests.values() if mode == STALE else ()
            self._old_links = {guest.name: guest.link for guest in stale}

    # -- what changes

    def moved(self, guest: Guest) -> None:
        """A copy of a VM was started or ended, or does something else than before."""
        self.beats.update(guest.name)
        for witness in self.witnesses:
            witness.copies_changed(guest)

    def _host_changed(self, host: Host) -> None:
        self.beats.update(host.name)
        for guest in self.guests.values():
            if host.name in guest.copies:
                self.moved(guest)
        if host.name in self.beats.ears:
            self.network_changed()
        self.monitors_changed()

    def monitors_changed(self) -> None:
        """Which monitors ask whom may not be what it was."""
        for source in self.sources:
            source.update(self)

    def network_changed(self) -> None:
        """Who hears whom is not what it was."""
        self.monitors_changed()
        for name in (*self.hosts, *self.guests):
            self.beats.update(name)
        for guest in self.guests.values():
            for witness in self.witnesses:
                witness.copies_changed(guest)

    def power_off(self, name: str) -> None:
        """Cut a host's power: whatever ran on it is gone."""
        host = self.hosts[name]
        host.powered = host.booted = host.hung = False
        for guest in self.guests.values():
            guest.end(name)
        host.changed(host)

    def power_on(self, name: str) -> None:
        """Give a host's power back; it boots, its VMs stay off."""
        host = self.hosts[name]
        if host.powered:
            return
        host.powered = True
        self.timeline.at(self.timeline.now + self.timing.host_boot, lambda: self._host_booted(host))

    def _host_booted(self, host: Host) -> None:
        if host.powered and not host.booted:
            host.booted = True
            host.boots += 1
            if host.name in self.beats.ears:
                self.beats.forget(host.name)
            host.changed(host)

    def hang(self, name: str) -> None:
        """Freeze a host and all that is on it."""
        host = self.hosts[name]
        host.hung = True
        self._each_on(name, lambda guest: guest.freeze(name))
        host.changed(host)

    def go_on(self, name: str) -> None:
        """Let a host go on that was frozen."""
        host = self.hosts[name]
        host.hung = False
        self._each_on(name, lambda guest: guest.thaw(name))
        host.changed(host)

    def _each_on(self, name: str, call: Callable[[Guest], None]) -> None:
        for guest in list(self.guests.values()):
            if name in guest.copies:
                call(guest)

    # -- what controllers do

    def link(self, vm: str, target: str, controller: str) -> None:
        """Switch a VM's boot link."""
        self.guests[vm].link = target
        for witness in self.witnesses:
            witness.linked(vm, target, controller)

    def attempt(self, vm: str, step: Step, controller: str) -> None:
        """An order to start or reboot a VM is on its way."""
        for witness in self.witnesses:
            witness.attempted(vm, step, controller)

    def fence(self, host: str, controller: str) -> None:
        """Cut a host's power."""
        for witness in self.witnesses:
            witness.fenced(host, controller)
        self.power_off(host)

    def _installed(self, vm: str) -> None:
        if self.install_server:
            self.guests[vm].link = self._declared(vm)
        if self.installers_say_so:
            say_so(self.store, "installed", vm, {})
