"""What operators do at their keyboards: the real commands, and things behind 3RC's back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from threerc.runtime import operators
from threerc.runtime.simulation.simulation import Simulation

Options = dict[str, Any]
Do = Callable[[Simulation, str, Options], str]


@dataclass(frozen=True)
class Command:
    """A command: on what (`VM`, `PH` or nothing), what it does, which keys it takes or needs."""

    of: str
    about: str
    do: Do
    options: tuple[str, ...] = ()
    required: tuple[str, ...] = ()


def _pause(simulation: Simulation, vm: str, options: Options) -> str:
    return operators.pause(simulation.site.store, simulation.config, vm or None, options["why"])


def _resume(simulation: Simulation, vm: str, _options: Options) -> str:
    for name in [vm] if vm else simulation.site.guests:
        simulation.invariants.resumed(name)
    return operators.resume(simulation.site.store, simulation.config, vm or None)


def _maintain(simulation: Simulation, host: str, options: Options) -> str:
    store = simulation.site.store
    return operators.maintain(store, simulation.config, host, drain=options["drain"])


def _end_maintenance(simulation: Simulation, host: str, _options: Options) -> str:
    return operators.end_maintenance(simulation.site.store, simulation.config, host)


def _release(simulation: Simulation, _name: str, _options: Options) -> str:
    return operators.release(simulation.site.store)


def _installed(simulation: Simulation, vm: str, _options: Options) -> str:
    return operators.installed(simulation.site.store, simulation.config, vm)


def _start(simulation: Simulation, vm: str, options: Options) -> str:
    guest = simulation.site.guests[vm]
    guest.start(simulation.site.hosts[options["on"]])
    guest.by_hand = True
    return f"{vm} started on {options['on']} by hand"


def _stop(simulation: Simulation, vm: str, _options: Options) -> str:
    guest = simulation.site.guests[vm]
    for host in list(guest.copies):
        guest.end(host)
    return f"{vm} switched off by hand"


def _move(simulation: Simulation, vm: str, options: Options) -> str:
    guest = simulation.site.guests[vm]
    origin = guest.up_on
    if origin is None:
        return f"{vm} is not up, and cannot be moved"
    guest.migrate(origin.name, simulation.site.hosts[options["on"]])
    guest.by_hand = True
    return f"{vm} moved to {options['on']} by hand, running"


def _boot_link(simulation: Simulation, vm: str, options: Options) -> str:
    simulation.site.guests[vm].link = options["to"]
    return f"the boot link of {vm} switched to {options['to']} by hand"


def _power_on(simulation: Simulation, host: str, _options: Options) -> str:
    simulation.site.power_on(host)
    return f"{host} switched on by hand"


COMMANDS: Final = {
    "pause": Command("VM", "`3rc pause`; without `of` all VMs", _pause, ("why",)),
    "resume": Command("VM", "`3rc resume`; without `of` all VMs", _resume),
    "maintenance": Command("PH", "`3rc maintenance`", _maintain, ("drain",), ("of",)),
    "end-maintenance": Command("PH", "`3rc maintenance --end`", _end_maintenance, (), ("of",)),
    "release": Command("", "`3rc release`", _release),
    "installed": Command("VM", "`3rc installed`", _installed, (), ("of",)),
    "start": Command("VM", "starts a VM by hand, `on` a host", _start, ("on",), ("of", "on")),
    "stop": Command("VM", "switches a VM off by hand", _stop, (), ("of",)),
    "move": Command("VM", "moves a running VM by hand, `on` a host", _move, ("on",), ("of", "on")),
    "boot-link": Command(
        "VM", "switches a boot link by hand, `to` a boot file", _boot_link, ("to",), ("of", "to")
    ),
    "power-on": Command("PH", "switches a host on", _power_on, (), ("of",)),
}
