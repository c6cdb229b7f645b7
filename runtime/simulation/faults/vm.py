"""What can happen to a VM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from threerc.runtime.simulation.faults.base import VM, Begin, End, Fault, Options
from threerc.runtime.simulation.guests import Guest, Stage
from threerc.runtime.simulation.simulation import Simulation


def _vm(call: Callable[[Guest], Any]) -> Begin:
    def begin(simulation: Simulation, name: str, _options: Options) -> None:
        guest = simulation.site.guests[name]
        call(guest)
        simulation.site.moved(guest)

    return begin


def _vm_end(call: Callable[[Guest], Any]) -> End:
    return lambda simulation, name: _vm(call)(simulation, name, {})


def _off(guest: Guest) -> None:
    for host in list(guest.copies):
        guest.end(host)


def _set(key: str, value: Any) -> Callable[[Guest], None]:
    return lambda guest: setattr(guest, key, value)


def _erase_boot(guest: Guest) -> None:
    guest.erased = True
    for host in list(guest.copies):
        guest.begin_again(host)


def _disk_errors(guest: Guest) -> None:
    guest.broken = True
    guest.put(Stage.HUNG, only=Stage.UP)


def _start_fails(simulation: Simulation, name: str, options: Options) -> None:
    guest = simulation.site.guests[name]
    guest.failing_starts[options.get("on", "*")] = options.get("times", 1_000_000)


def _install_fails(simulation: Simulation, name: str, options: Options) -> None:
    simulation.site.guests[name].failing_installs = options.get("times", 1_000_000)


VM_FAULTS: Final = (
    Fault("poweroff", VM, "It is switched off.", _vm(_off)),
    Fault(
        "halt",
        VM,
        "Its system is shut down, its process stays.",
        _vm(lambda guest: guest.put(Stage.HALTED, only=Stage.UP)),
    ),
    Fault(
        "panic",
        VM,
        "Its kernel stops.",
        _vm(lambda guest: guest.put(Stage.HUNG, only=Stage.UP)),
    ),
    Fault(
        "overload",
        VM,
        "So much load that it answers nobody, until it is over.",
        _vm(lambda guest: guest.put(Stage.HUNG, only=Stage.UP)),
        _vm_end(lambda guest: guest.put(Stage.UP, only=Stage.HUNG)),
    ),
    Fault(
        "freeze",
        VM,
        "Its process is stopped, and goes on where it was.",
        _vm(lambda guest: guest.put(Stage.HUNG, only=Stage.UP)),
        _vm_end(lambda guest: guest.put(Stage.UP, only=Stage.HUNG)),
    ),
    Fault(
        "erase-boot",
        VM,
        "/boot is erased and it reboots: only a reinstallation, or a snapshot, helps.",
        _vm(_erase_boot),
    ),
    Fault(
        "disk-errors",
        VM,
        "Its disk fails: it stops and can neither boot nor be installed.",
        _vm(_disk_errors),
        _vm_end(_set("broken", False)),
    ),
    Fault(
        "network",
        VM,
        "Its network is cut; it goes on running.",
        _vm(_set("cut", True)),
        _vm_end(_set("cut", False)),
    ),
    Fault(
        "gmond",
        VM,
        "It sends no heartbeats, all else is well; a reboot helps.",
        _vm(_set("mute", True)),
        _vm_end(_set("mute", False)),
    ),
    Fault(
        "start-fails",
        VM,
        "The hypervisor, on all hosts or one, cannot start it.",
        _start_fails,
        _vm_end(lambda guest: guest.failing_starts.clear()),
        ("times", "on"),
    ),
    Fault(
        "install-fails",
        VM,
        "The installer stops with an error.",
        _install_fails,
        _vm_end(_set("failing_installs", 0)),
        ("times",),
    ),
)
