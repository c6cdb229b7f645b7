"""What operators say to the controllers: pause, maintenance, release. It is shared state."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from threerc.runtime.brake import Braked
from threerc.runtime.config import ControllerConfig
from threerc.runtime.errors import ControllerError
from threerc.runtime.memory import ALL, paused, say_so, take_back
from threerc.runtime.records import Record
from threerc.runtime.world import Store


class Unknown(ControllerError):
    """There is no such VM or physical host."""


def pause(store: Store, config: ControllerConfig, vm: str | None, why: str) -> str:
    """Leave a VM, or all, alone. Raises Unknown, Conflict, StoreLost."""
    name = _known_vm(config, vm)
    say_so(store, "paused", name, {"why": why})
    return f"{_called(name)} left alone until `3rc resume`"


def resume(store: Store, config: ControllerConfig, vm: str | None) -> str:
    """Care for a VM, or all, again; also for one that was left to a human."""
    name = _known_vm(config, vm)
    was_paused = take_back(store, "paused", name)
    vms = config.virtual_machines if name == ALL else [name]
    given_up = [each for each in vms if _take_up(store, config, each)]
    others = sorted(paused(store))
    if ALL in others:
        return f"{name} is paused with all others until `3rc resume`"
    but = f", but not {', '.join(others)}: paused by name" if others and name == ALL else ""
    said = "again" if was_paused or given_up else "already"
    return f"{_called(name)} cared for {said}{but}"


def maintain(store: Store, config: ControllerConfig, host: str, *, drain: bool) -> str:
    """Send no VM to a physical host; with `drain` move those away that are on it."""
    _known_host(config, host)
    say_so(store, "maintenance", host, {"drain": drain})
    return f"{host} gets no VM any more" + (", and those on it are moved away" if drain else "")


def end_maintenance(store: Store, config: ControllerConfig, host: str) -> str:
    """Send VMs to a physical host again. Nothing moves back by itself."""
    _known_host(config, host)
    if not take_back(store, "maintenance", host):
        return f"{host} was not in maintenance"
    return f"{host} may get VMs again"


def release(store: Store) -> str:
    """Take the brake off: what is silent by now is cared for."""
    found = store.get("brake")
    if found is None:
        return "the brake is not on"
    braked = Braked.model_validate(found.value)
    if braked.released:
        return "the brake is released already"
    released = braked.model_copy(update={"released": True})
    store.put("brake", released.model_dump(mode="json"), found.version)
    return f"released: {len(braked.hosts)} silent hosts are cared for"


def installed(store: Store, config: ControllerConfig, vm: str) -> str:
    """Say that a VM's installer is done: its boot link goes back before it reboots."""
    name = _known_vm(config, vm)
    say_so(store, "installed", name, {})
    return f"{name} is installed"


def _take_up(store: Store, config: ControllerConfig, vm: str) -> bool:
    """Care again for a VM that was left to a human, or was last on a host that is no more."""
    key = f"vm/{vm}"
    found = store.get(key)
    if found is None:
        return False
    record = Record.load(found.value)
    gone = record.host not in config.physical_hosts
    if not record.left and not gone:
        return False
    host = config.virtual_machines[vm].home if gone else record.host
    update = {"left": "", "strain": 0.0, "ladders": 0, "host": host}
    store.put(key, record.model_copy(update=update).dump(), found.version)
    return True


def _known_vm(config: ControllerConfig, vm: str | None) -> str:
    if vm is None:
        return ALL
    known_vm(config, vm)
    return vm


def known_vm(config: ControllerConfig, vm: str) -> None:
    """Raises Unknown where there is no such VM, with what may be meant."""
    if vm in config.physical_hosts:
        raise Unknown(f"{vm} is a physical host, no virtual machine: see `3rc maintenance {vm}`")
    if vm not in config.virtual_machines:
        hint = _near(vm, config.virtual_machines)
        raise Unknown(f"{config.site} has no virtual machine {vm}{hint}")


def _known_host(config: ControllerConfig, host: str) -> None:
    if host in config.virtual_machines:
        raise Unknown(f"{host} is a virtual machine, no physical host: see `3rc pause {host}`")
    if host not in config.physical_hosts:
        hint = _near(host, config.physical_hosts)
        raise Unknown(f"{config.site} has no physical host {host}{hint}")


def _near(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, sorted(known), 1)
    return f"; did you mean {near[0]}?" if near else ""


def _called(name: str) -> str:
    return "all virtual machines are" if name == ALL else f"{name} is"
