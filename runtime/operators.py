"""What operators say to the controllers: pause, maintenance, release. It is shared state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

from threerc.runtime.brake import Braked
from threerc.runtime.config import ControllerConfig
from threerc.runtime.errors import Conflict, ControllerError, Unwritable
from threerc.runtime.memory import ALL, paused, say_so, take_back
from threerc.runtime.records import Record, from_line, known_part, readable_part
from threerc.runtime.wording import briefly
from threerc.runtime.world import Store


class Unknown(ControllerError):
    """There is no such VM or physical host."""


def pause(store: Store, config: ControllerConfig, vm: str | None, why: str) -> str:
    """Leave a VM, or all, alone. Raises Unknown, Conflict, StoreLost."""
    name = _known_vm(config, vm)
    say_so(store, "paused", name, {"why": why})
    return f"{_called(name)} left alone until `3rc resume`"


def resume(store: Store, config: ControllerConfig, vm: str | None) -> str:
    """Care for a VM, or all, again; also for one that was left to a human.

    A record that cannot be read is written anew for a VM that is named and not paused: by mistake
    nobody throws away what a newer 3RC has written. Raises Unknown, Conflict, StoreLost; Unwritable
    where such a record has to be removed by hand.
    """
    name = _known_vm(config, vm)
    was_paused = take_back(store, "paused", name)
    vms = config.virtual_machines if name == ALL else [name]
    given_up: list[str] = []
    unread: dict[str, str] = {}
    for each in vms:
        try:
            given_up += [each] if _take_up(store, config, each) else []
        except ValueError as error:
            unread[each] = briefly(error)
    if unread and name != ALL and not was_paused:
        return _write_anew(store, config, name, unread[name])
    others = sorted(paused(store))
    if ALL in others:
        return f"{name} is paused with all others until `3rc resume`"
    but = f", but not {', '.join(others)}: paused by name" if others and name == ALL else ""
    said = "again" if was_paused or given_up else "already"
    resumed = f"{_called(name)} cared for {said}{but}"
    if not unread:
        return resumed
    why = ", ".join(f"{each} ({why})" for each, why in unread.items())
    how = _how_to_write_anew(store, unread, name)
    return f"{resumed}\nnothing is done for whom no record can be read: {why}{how}"


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
    try:
        braked = found.read(Braked)
    except ValueError:
        store.delete("brake", found.version)
        return "the brake could not be read and is removed: the next tick judges anew"
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
    """Care again for a VM that was left to a human, or was last on a host that is no more.

    Raises ValueError where its record cannot be read.
    """
    key = f"vm/{vm}"
    found = store.get(key)
    if found is None:
        return False
    record = found.read(Record)
    gone = record.host not in config.physical_hosts
    if not record.left and not gone:
        return False
    host = config.virtual_machines[vm].home if gone else record.host
    update = {"left": "", "strain": 0.0, "ladders": 0, "host": host}
    store.put(key, record.model_copy(update=update).dump(), found.version)
    return True


def _how_to_write_anew(store: Store, unread: Iterable[str], name: str) -> str:
    """What to type for the first of these VMs whose record can be written at all, or nothing."""
    for vm in unread:
        found = store.get(f"vm/{vm}")
        if found is not None and found.version:
            again = " once more" if name != ALL else ""
            return f"; `3rc resume {vm}`{again} writes it anew"
    return ""


def _write_anew(store: Store, config: ControllerConfig, vm: str, why: str) -> str:
    """Take up a VM whose record cannot be read, with what is known of it; what was there is kept.

    What is not known any more is looked for: where it runs, on all hosts that may have it, and
    whether its boot link says `install`.
    """
    key, aside = f"vm/{vm}", f"aside/{vm}"
    found = store.get(key)
    if found is None:
        return f"{key} has just been removed"
    if not found.version:
        raise Unwritable(f"{key} cannot be written anew: {why}, with all controllers stopped")
    machine = config.virtual_machines[vm]
    record = known_part(found.value) or _guessed(store, config, vm, found.value)
    host = record.host if record.host in config.physical_hosts else machine.home
    behind = tuple(name for name in record.behind if name != host)
    update = {"left": "", "strain": 0.0, "ladders": 0, "up": None, "host": host, "behind": behind}
    with _kept(store, aside, {"why": why, "was": found.value}):
        store.put(key, record.model_copy(update=update).dump(), found.version)
    return (
        f"{vm} is cared for again: its record, which could not be read ({why}), is written anew, "
        f"with {host} as its host; what was there is kept as {aside} of the shared state"
    )


def _guessed(store: Store, config: ControllerConfig, vm: str, left: Mapping[str, Any]) -> Record:
    """A record from what can be read of a damaged one, else from the thesis's line, else at home.

    A copy may run wherever the VM may, and its boot link may say `install`.
    """
    machine = config.virtual_machines[vm]
    line = store.published(vm)
    published = from_line(line, None) if line else None
    record = readable_part(left) or published or Record(host=machine.home)
    may_install = machine.boot is not None and machine.boot.install is not None
    link = record.last if may_install and record.link is None else record.link
    behind = tuple(dict.fromkeys((*record.behind, *config.places(machine))))
    return record.model_copy(update={"behind": behind, "link": link})


@contextmanager
def _kept(store: Store, aside: str, value: Mapping[str, Any]) -> Iterator[None]:
    """Keep what is about to be overwritten; where that is refused, `aside` is as it was before."""
    before = store.get(aside)
    version = store.put(aside, value, before.version if before else 0)
    try:
        yield
    except Conflict:
        if before is None:
            store.delete(aside, version)
        else:
            store.put(aside, before.value, version)
        raise


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
