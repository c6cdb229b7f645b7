"""What changes for a host, field by field."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import BaseModel

from threerc.compiler.model import KINDS
from threerc.compiler.model.host import VirtualMachine
from threerc.compiler.plan.change import Change, Risk

_KINDS: Final = {
    "physical_hosts": "physical host",
    "virtual_machines": "virtual machine",
    "worker_nodes": "worker node",
    "service_hosts": "service host",
}
_LEFT_OUT: Final = frozenset({"name", "groups"})
"""A group itself is nothing: what it gives its hosts shows in them."""


@dataclass(frozen=True, slots=True)
class _Field:
    """How a field's change is told. `vm`: its risk for a virtual machine, where that is another."""

    where: tuple[str, ...]
    risk: Risk
    note: str = ""
    vm: Risk | None = None


_INSTALLS: Final = "it is installed when it boots next"
_DOMAIN: Final = "takes effect when it is started next"
_OF_ITS_VMS: Final = "takes effect when they are started next"
_DEFINITION: Final = "VM definition"
"""Only virtual machines have one."""
_FIELDS: Final = {
    "address": _Field(
        ("DHCP reservation", "A", "PTR", "boot link", "hosts", "gmond", "controllers"),
        Risk.RESTARTS,
        "it keeps its old address until its lease is renewed",
        Risk.TOUCHES_VM,
    ),
    "address6": _Field(("DHCP reservation", "AAAA", "PTR", "hosts"), Risk.RESTARTS),
    "mac": _Field(("DHCP reservation", _DEFINITION), Risk.RESTARTS, "", Risk.TOUCHES_VM),
    "dns": _Field(("A", "AAAA", "PTR", "HINFO"), Risk.HARMLESS),
    "dhcp": _Field(("DHCP reservation",), Risk.RESTARTS),
    "aliases": _Field(("CNAME", "hosts"), Risk.HARMLESS),
    "interface": _Field(("DHCP server",), Risk.RESTARTS),
    "interfaces": _Field(("DHCP reservation", "A", "PTR", "hosts"), Risk.RESTARTS),
    "roles": _Field(("its daemons", "DHCP options", "gmond"), Risk.RESTARTS),
    "os": _Field(("HINFO", "boot file"), Risk.HARMLESS, "takes effect when it is installed next"),
    "middleware": _Field(("HINFO",), Risk.HARMLESS, "takes effect when it is installed next"),
    "dual_boot": _Field(("boot files",), Risk.HARMLESS),
    "ssh_host_keys": _Field(("controllers' known_hosts",), Risk.HARMLESS),
    "disks": _Field(("installer",), Risk.HARMLESS, "takes effect when it is installed next"),
    "raid": _Field(("installer",), Risk.HARMLESS, "takes effect when it is installed next"),
    "description": _Field(("comments",), Risk.RESTARTS),
    "volume": _Field((_DEFINITION, "controllers"), Risk.LOSES_DATA, "it gets another disk"),
    "image": _Field((_DEFINITION, "controllers"), Risk.LOSES_DATA, "it gets another disk"),
    "cpus": _Field((_DEFINITION, "controllers"), Risk.HARMLESS, _DOMAIN),
    "device": _Field((_DEFINITION,), Risk.TOUCHES_VM, _DOMAIN),
    "bridge": _Field((_DEFINITION,), Risk.TOUCHES_VM, _DOMAIN),
    # Its definition is for its home: with hardware virtualisation, or without.
    "home": _Field(
        (_DEFINITION, "controllers"), Risk.HARMLESS, "nobody moves it: home is where it began"
    ),
    "kvm": _Field(("definitions of its VMs", "controllers"), Risk.HARMLESS, _OF_ITS_VMS),
    **dict.fromkeys(
        (
            *("allowed", "anti_affinity", "hypervisor", "maxl", "power", "priority"),
            *("recovery", "snapshots", "start_after"),
        ),
        _Field(("controllers",), Risk.HARMLESS),
    ),
    **dict.fromkeys(("switches", "pdus"), _Field((), Risk.HARMLESS)),
}


Noun = dict[str, Any]
"""A host as a snapshot has it: its kind, and what is not as usual."""


def host_changes(name: str, old: Noun | None, new: Noun | None) -> list[Change]:
    """The changes of a host; without `old` it is new, without `new` it is gone."""
    if old is not None and new is not None and old["kind"] == new["kind"]:
        return list(_changed(name, old, new))
    found = [] if old is None else [_removed(name, old)]
    return found if new is None else [*found, _added(name, new)]


def _added(name: str, host: Noun) -> Change:
    where = ["A", "PTR", "hosts"] if "address" in host else ["hosts"]
    if "mac" in host and "address" in host:
        where = ["DHCP reservation", "boot link", *where]
    risk, note = Risk.RESTARTS, ""
    if host.get("boot") == "install":
        risk, note = Risk.LOSES_DATA, _INSTALLS
    elif _is_vm(host):
        note = "controllers leave it alone until it was up once"
    address = f", {host['address']}" if "address" in host else ""
    return Change(name, f"new {_kind(host)}{address}", risk, tuple(where), note, (name,))


def _removed(name: str, host: Noun) -> Change:
    where = ("DHCP reservation", "boot link", "A", "PTR", "hosts")
    risk, note = Risk.RESTARTS, ""
    if _is_vm(host):
        risk, note = Risk.TOUCHES_VM, "nobody stops it, and nobody brings it back any more"
    return Change(name, f"{_kind(host)} is gone", risk, where, note, (name,))


def _kind(host: Noun) -> str:
    """A tree that another version of 3RC built may have kinds that this one does not know."""
    return _KINDS.get(host["kind"], "host")


def _is_vm(host: Noun) -> bool:
    return bool(host["kind"] == VirtualMachine.kind)


def _changed(name: str, old: Noun, new: Noun) -> Iterator[Change]:
    fields = KINDS[new["kind"]].model_fields if new["kind"] in KINDS else {}
    for key in fields:
        before, after = (noun.get(key, fields[key].default) for noun in (old, new))
        if key in _LEFT_OUT or before == after:
            continue
        special = _SPECIAL.get(key)
        if special is not None:
            change = special(name, before, after)
            yield change if _is_vm(new) else _of_no_vm(change)
            continue
        how = _FIELDS[key]
        risk = how.vm if how.vm is not None and _is_vm(new) else how.risk
        what = f"{key} {shown(before)} -> {shown(after)}"
        change = Change(name, what, risk, how.where, how.note, (name,))
        yield change if _is_vm(new) else _of_no_vm(change)


def _of_no_vm(change: Change) -> Change:
    """A change without what is only so for virtual machines."""
    where = tuple(each for each in change.where if each != _DEFINITION)
    return replace(change, where=where, note="" if change.note == _DOMAIN else change.note)


def _inst(name: str, before: int, after: int) -> Change:
    may = "may now be reinstalled" if after else "may not be reinstalled any more"
    risk = Risk.LOSES_DATA if after else Risk.HARMLESS
    return Change(name, f"{may} (INST {before} -> {after})", risk, ("controllers",), "", (name,))


def _boot(name: str, before: str | None, after: str | None) -> Change:
    what = f"boots {shown(after)} instead of {shown(before)} by declaration"
    if after == "install":
        return Change(name, what, Risk.LOSES_DATA, ("boot link",), _INSTALLS, (name,))
    return Change(name, what, Risk.HARMLESS, ("boot link",), "", (name,))


def _disk(name: str, before: int | None, after: int | None) -> Change:
    what = f"disk {size(before)} -> {size(after)}"
    shrunk = before is not None and after is not None and after < before
    note = "nobody shrinks it: its next installation makes it anew" if shrunk else ""
    risk = Risk.LOSES_DATA if shrunk else Risk.HARMLESS
    return Change(name, what, risk, ("controllers",), note, (name,))


def _memory(name: str, before: int | None, after: int | None) -> Change:
    what = f"memory {size(before)} -> {size(after)}"
    return Change(name, what, Risk.HARMLESS, (_DEFINITION, "controllers"), _DOMAIN, (name,))


_SPECIAL: Final[dict[str, Callable[[str, Any, Any], Change]]] = {
    "inst": _inst,
    "boot": _boot,
    "disk": _disk,
    "memory": _memory,
}
_MOST: Final = 60


def shown(value: Any) -> str:
    """A value for people, in few words."""
    if value is None or value in ((), [], {}, ""):
        return "none"
    if isinstance(value, tuple | list):
        text = ", ".join(shown(each) for each in value)
    elif isinstance(value, dict):
        text = ", ".join(f"{key} {shown(each)}" for key, each in value.items())
    elif isinstance(value, BaseModel):
        return "as usual"
    else:
        text = str(value)
    return text if len(text) <= _MOST else text[: _MOST - 3] + "..."


def size(value: int | None) -> str:
    """Bytes for people."""
    if value is None:
        return "none"
    for unit, bits in (("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if value >= 1 << bits and value % (1 << bits) == 0:
            return f"{value >> bits} {unit}"
    return f"{value} bytes"
