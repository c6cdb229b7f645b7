"""The world that there is: real monitors, hypervisors, boot links, ssh and shared state."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import tzinfo
from functools import partial
from typing import Any, Final

from threerc.runtime import notify, remote
from threerc.runtime.config import ControllerConfig
from threerc.runtime.errors import Unreachable
from threerc.runtime.hypervisors import open_hypervisor
from threerc.runtime.hypervisors.libvirt import undefined
from threerc.runtime.monitors import from_config, observe
from threerc.runtime.monitors.probe import answering
from threerc.runtime.observation import Observation
from threerc.runtime.power import open_power
from threerc.runtime.remote_boot import BootSwitch
from threerc.runtime.stores import open_store
from threerc.runtime.threads import together
from threerc.runtime.world import Hypervisor, Job, Leave, Power, Probed, Store

_TELL_SECONDS: Final = 15.0
_NAMED: Final = 10
_LATE: Final = (
    "%d of %d notifications were not over within %g s; "
    "%d of them, not begun, wait for the next tick"
)
_log = logging.getLogger(__name__)


class RealWorld:
    """One controller's way to its site; `me` is the host that it runs on. Raises StoreLost."""

    zone: tzinfo | None = None

    def __init__(self, config: ControllerConfig, me: str) -> None:
        self.config = config
        self.me = me
        self.store: Store = open_store(config)
        self._monitors = from_config(config)
        self._boot = BootSwitch(config, me)

    def now(self) -> float:
        """This machine's clock."""
        return time.time()

    def lacking(self) -> str:
        """The definitions that are not here."""
        missing = undefined(self.config)
        if not missing:
            return ""
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        return (
            f"{self.me} has no definition that it can read of {', '.join(missing[:_NAMED])}{more} "
            f"in {self.config.domains}: build the site, and lay the controllers' files out again"
        )

    def observe(self) -> Observation:
        """What the first monitor with fresh data says. Raises MonitorLost."""
        return observe(self._monitors)

    def answers(self, hosts: Iterable[str]) -> Probed:
        """Those of the VMs and physical hosts that answer the probe."""
        physical, virtual = self.config.physical_hosts, self.config.virtual_machines
        found = {name: (physical.get(name) or virtual[name]).address for name in hosts}
        domain = self.config.domain
        addresses = {name: str(it or f"{name}.{domain}") for name, it in found.items()}
        return answering(addresses, self.config.monitors.probe)

    def hypervisor(self, host: str, leave: Leave | None = None) -> Hypervisor:
        """The hypervisor of a physical host. Raises Refused."""
        return open_hypervisor(self.config, host, leave)

    def power(self, host: str) -> Power | None:
        """The power of a physical host, if anything can cut it."""
        return open_power(self.config, host)

    def reboot(self, vm: str, leave: Leave | None = None) -> None:
        """Ask a VM to reboot itself. Raises Unreachable or Refused."""
        remote.reboot(self.config, vm, leave)

    def boot(self, vm: str, target: str, leave: Leave | None = None) -> None:
        """Point a VM's boot links at a boot file. Raises Unreachable or Refused."""
        self._boot.switch(vm, target, leave)

    def booted(self, vm: str) -> str | None:
        """What a VM's boot link points to. Raises Unreachable or Refused."""
        return self._boot.read(vm)

    def together(
        self, jobs: Mapping[str, Job], seconds: float, hosts: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        """Run jobs side by side."""
        return together(jobs, seconds, hosts)

    def tell(self, events: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        """Tell whoever is to be told; the events whose turn did not come in time."""
        settings = self.config.notify
        if not settings.command and not settings.webhook:
            return ()
        begun: set[int] = set()

        def tell(at: int) -> None:
            begun.add(at)
            notify.tell(settings, events[at])

        done = together({str(at): partial(tell, at) for at in range(len(events))}, _TELL_SECONDS)
        late = sum(isinstance(answer, Unreachable) for answer in done.values())
        left = [event for at, event in enumerate(events) if at not in begun]
        if late:
            _log.warning(_LATE, late, len(events), _TELL_SECONDS, len(left))
        return left
