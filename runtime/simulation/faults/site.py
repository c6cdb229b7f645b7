"""What can happen to services that a site has once: boot, names, the shared state, a switch."""

from __future__ import annotations

from typing import Final

from threerc.runtime.simulation.faults.base import SITE, Begin, End, Fault, Options
from threerc.runtime.simulation.guests import DEAD, EMPTY, NO_BOOT, OK, STALE
from threerc.runtime.simulation.simulation import Simulation

SWITCH: Final = "switch"
"""The one of them that strikes hosts: those of which it is the switch."""


def _service(name: str) -> tuple[Begin, End]:
    def begin(simulation: Simulation, _name: str, options: Options) -> None:
        simulation.site.answer(name, options.get("mode", DEAD))

    def end(simulation: Simulation, _name: str) -> None:
        simulation.site.answer(name, OK)

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
    Fault(
        "dhcp",
        SITE,
        "DHCP is `dead`, `stale` (gives addresses of former times: a VM that boots then is not "
        "found at its own until it boots again), or says `no-boot` file. Whichever: VMs boot from "
        "their disks.",
        *_service("dhcp"),
        modes=(DEAD, STALE, NO_BOOT),
    ),
    Fault(
        "tftp",
        SITE,
        "TFTP is `dead`, its files are `empty` (VMs boot from their disks), or it gives those of "
        "when it grew `stale`, whatever boot links say since.",
        *_service("tftp"),
        modes=(DEAD, STALE, EMPTY),
    ),
    Fault(
        "dns",
        SITE,
        "DNS is `dead` (installations fail), or its zones are `stale` or `empty`: installations "
        "end, with another middleware or none, which no controller sees.",
        *_service("dns"),
        modes=(DEAD, STALE, EMPTY),
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
        SWITCH,
        SITE,
        "The hosts in `of` only reach one another.",
        _switch,
        _switch_back,
    ),
)
