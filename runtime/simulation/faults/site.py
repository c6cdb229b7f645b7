"""What can happen to services that a site has once: boot, names, the shared state, a switch."""

from __future__ import annotations

from typing import Final

from threerc.runtime.simulation.faults.base import SITE, Begin, End, Fault, Options
from threerc.runtime.simulation.simulation import Simulation


def _service(name: str) -> tuple[Begin, End]:
    def begin(simulation: Simulation, _name: str, _options: Options) -> None:
        simulation.site.down_services.add(name)

    def end(simulation: Simulation, _name: str) -> None:
        simulation.site.down_services.discard(name)

    return begin, end


def _state(simulation: Simulation, _name: str, options: Options) -> None:
    simulation.site.state = options.get("mode", "lost")


def _state_back(simulation: Simulation, _name: str) -> None:
    simulation.site.state = "ok"


def _switch(simulation: Simulation, name: str, _options: Options) -> None:
    for host in name.split():
        simulation.site.hosts[host].switches.add(name)
    simulation.site.network_changed()


def _switch_back(simulation: Simulation, name: str) -> None:
    for host in name.split():
        simulation.site.hosts[host].switches.discard(name)
    simulation.site.network_changed()


SITE_FAULTS: Final = (
    *(
        Fault(name, SITE, f"{name.upper()} answers nobody: {so}.", *_service(name))
        for name, so in (
            ("dhcp", "VMs boot from their disks"),
            ("tftp", "VMs boot from their disks"),
            ("dns", "installations fail"),
        )
    ),
    Fault(
        "state",
        SITE,
        "The shared state is `lost` (not mounted) or `full` (can be read).",
        _state,
        _state_back,
        modes=("lost", "full"),
    ),
    Fault(
        "switch",
        SITE,
        "The hosts in `of` only reach one another.",
        _switch,
        _switch_back,
    ),
)
