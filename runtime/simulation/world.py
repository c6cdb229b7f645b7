"""One controller's way to the simulated site: the protocol of runtime/world.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import tzinfo
from typing import Any, Final

from threerc.runtime.errors import ControllerError, MonitorLost, Unreachable
from threerc.runtime.monitors.base import fresh_seconds
from threerc.runtime.observation import Observation
from threerc.runtime.records import Step
from threerc.runtime.simulation.calls import Caller
from threerc.runtime.simulation.clock import Clock
from threerc.runtime.simulation.hypervisor import SimHypervisor, SimPower
from threerc.runtime.simulation.machines import Host, Ssh
from threerc.runtime.simulation.monitors import Source
from threerc.runtime.simulation.shared import SharedState
from threerc.runtime.simulation.site import Site
from threerc.runtime.simulation.timeline import LATE
from threerc.runtime.world import Job, Leave, Probed

_SILENT: Final = "has not answered in time"
_PATIENCE: Final = 2.0
"""Seconds after which runtime/monitors asks the next source as well."""


class SimWorld:
    """What a controller sees and does from its host. `told` are its notifications.

    `on_look` is called when it begins to look at the site: it has just taken the clock.
    """

    def __init__(self, site: Site, caller: Caller, clock: Clock, zone: tzinfo) -> None:
        self.site = site
        self.caller = caller
        self.clock = clock
        self.zone = zone
        self.host: Host = site.hosts[caller.name]
        self.store = SharedState(site, caller, self.host)
        self.told: list[Mapping[str, Any]] = []
        self.on_look: Callable[[], None] = lambda: None

    def now(self) -> float:
        """The controller's own clock."""
        return self.clock.local(self.site.timeline.now)

    def lacking(self) -> str:
        """Nothing."""
        return ""

    def observe(self) -> Observation:
        """What the first monitor with fresh data says. Raises MonitorLost."""
        self.on_look()
        failed: list[str] = []
        for source in self.site.sources:
            why = self._ask(source)
            if not why:
                return source.say(self.site, tuple(failed))
            failed.append(f"{source.name}: {why}")
        raise MonitorLost("; ".join(failed) or "the site has no monitor")

    def _ask(self, source: Source) -> str:
        """Why a source has nothing to say, or nothing."""
        self.caller.call("observe", self.site.timing.monitor)
        why = self._why_not(source)
        if why == _SILENT:
            self.caller.spend(_PATIENCE)
        return why

    def _why_not(self, source: Source) -> str:
        if not self.host.reaches(self.site.hosts[source.host]):
            return _SILENT
        if source.mode == "dead":
            return "Connection refused"
        age = source.age(self.site)
        if age > fresh_seconds(self.site.config.monitors.poll_interval):
            return f"its data is {age:.0f} s old"
        return ""

    def can_ask(self, source: Source) -> bool:
        """Whether a source would have something to say; takes no time."""
        return not self._why_not(source)

    def answers(self, hosts: Iterable[str]) -> Probed:
        """Those that answer the site's probe."""
        self.caller.call("answers", self.site.timing.monitor)
        names = list(hosts)
        found = frozenset(name for name in names if self._answers(name))
        if len(found) < len(names):
            self.caller.spend(3.0)
        return Probed(found)

    def _answers(self, name: str) -> bool:
        if self.site.config.monitors.probe == "none":
            return False
        if self.site.segment(name) != self.host.segment:
            return False
        if name in self.site.hosts:
            return self.site.hosts[name].runs
        guest = self.site.guests[name]
        return guest.reachable

    def hypervisor(self, host: str, leave: Leave | None = None) -> SimHypervisor:
        """The hypervisor of a physical host."""
        return SimHypervisor(self.site, self.caller, self.host, self.site.hosts[host], leave)

    def power(self, host: str) -> SimPower | None:
        """Its power, if the site can cut it."""
        if self.site.config.physical_hosts[host].power is None:
            return None
        return SimPower(self.site, self.caller, self.site.hosts[host])

    def reboot(self, vm: str, leave: Leave | None = None) -> None:
        """Tell a VM to reboot. Raises Unreachable."""
        self.caller.call("reboot", self.site.timing.ssh)
        if leave is not None:
            leave()
        self.site.attempt(vm, Step.REBOOT, self.caller.name)
        guest = self.site.guests[vm]
        host = guest.up_on
        if host is None or not guest.reachable or host.segment != self.host.segment:
            self.caller.spend(self.site.config.ssh.connect)
            raise Unreachable(f"{vm}: no answer within {self.site.config.ssh.connect} s")
        guest.begin_again(host.name)

    def boot(self, vm: str, target: str, leave: Leave | None = None) -> None:
        """Switch a VM's boot link. Raises Unreachable."""
        self._at_tftp("boot")
        if leave is not None:
            leave()
        self.site.link(vm, target, self.caller.name)

    def booted(self, vm: str) -> str | None:
        """Where a VM's boot link points. Raises Unreachable."""
        self._at_tftp("booted")
        return self.site.guests[vm].link

    def _at_tftp(self, name: str) -> None:
        self.caller.call(name, self.site.timing.ssh)
        for server in self.site.config.tftp_servers:
            host = self.site.hosts[server.host]
            if host is not self.host and (not self.host.reaches(host) or host.ssh is not Ssh.OK):
                self.caller.spend(self.site.config.ssh.connect)
                seconds = self.site.config.ssh.connect
                raise Unreachable(f"{host.name}: no answer within {seconds} s")

    def together(
        self,
        jobs: Mapping[str, Job],
        seconds: float,
        hosts: Mapping[str, str] | None = None,  # noqa: ARG002 - the protocol's
    ) -> Mapping[str, Any]:
        """Run jobs side by side, in virtual time."""
        found = self.site.timeline.gather(jobs, seconds)
        for name, result in found.items():
            if result is LATE:
                found[name] = Unreachable(f"not done within {seconds:g} s")
            elif isinstance(result, Exception) and not isinstance(result, ControllerError):
                raise result
        return found

    def tell(self, events: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        """Keep the notifications."""
        self.told.extend(events)
        return ()
