"""Capacity: VMs fit their physical hosts, also when one of those has died (N+1)."""

from __future__ import annotations

from collections.abc import Iterator

from threerc.compiler.model import PhysicalHost, VirtualMachine
from threerc.compiler.rules.base import Facts, Problem, gib, listed, path_of, rule
from threerc.compiler.rules.packing import OVERCOMMIT, Packing
from threerc.compiler.wording import counted


@rule(
    "vm-fits-host",
    reason="A VM with more CPUs or memory than its physical host has cannot be started there.",
    hint="make the VM smaller, or name another host",
)
def vm_fits_host(facts: Facts) -> Iterator[Problem]:
    """Each VM by itself fits its home, and each host that it says it may run on."""
    hosts = facts.site.physical_hosts
    for vm in facts.site.virtual_machines.values():
        if vm.home in hosts:
            for field, wants in _beyond(vm, hosts[vm.home]):
                yield Problem(path_of(vm, field), wants)
        for position, name in enumerate(vm.allowed or ()):
            if name in hosts and name != vm.home:
                for _, wants in _beyond(vm, hosts[name]):
                    yield Problem(path_of(vm, "allowed", position), wants, severity="warning")


def _beyond(vm: VirtualMachine, host: PhysicalHost) -> Iterator[tuple[str, str]]:
    """What a VM has more of than a host: the field and the words."""
    if host.cpus is not None and vm.cpus > host.cpus:
        yield "cpus", f"{vm.name} has {vm.cpus} CPUs, {host.name} only {host.cpus}"
    if host.memory is not None and vm.memory > host.memory:
        yield "memory", f"{vm.name} has {gib(vm.memory)} of memory, {host.name} {gib(host.memory)}"


@rule(
    "memory-fits",
    reason="Memory is not shared between VMs: those at home on a host have to fit together.",
    hint="move VMs to another home, or give them less memory",
)
def memory_fits(facts: Facts) -> Iterator[Problem]:
    """The VMs at home on a physical host fit its memory."""
    for name, vms in facts.residents.items():
        host = facts.site.physical_hosts[name]
        total = sum(vm.memory for vm in vms)
        if host.memory is not None and total > host.memory:
            words = f"{_vms(vms)} at home on {name} need {gib(total)}"
            yield Problem(path_of(host, "memory"), f"{words} of memory, it has {gib(host.memory)}")


@rule(
    "disk-fits",
    reason="A physical host's disks hold its VMs' disks and its halves of mirrored volumes.",
    hint="move VMs or volumes to another host, or correct the disks",
)
def disk_fits(facts: Facts) -> Iterator[Problem]:
    """The disks and volumes of a physical host fit its storage, where its disks are given."""
    for name, need in facts.disk_needs.items():
        host = facts.site.physical_hosts.get(name)
        if host is not None and host.disks and need > host.storage():
            words = f"VMs and volumes on {name} need {gib(need)} of disk"
            message = f"{words}, it has {gib(host.storage())}"
            yield Problem(path_of(host, "disks"), message, key=True)


@rule(
    "cpus-fit",
    reason=f"With more than {OVERCOMMIT} virtual CPUs for each CPU its VMs slow each other down.",
    hint="move VMs to another home, or give them fewer CPUs",
    severity="warning",
)
def cpus_fit(facts: Facts) -> Iterator[Problem]:
    """The VMs at home on a physical host do not overcommit its CPUs beyond reason."""
    for name, vms in facts.residents.items():
        host = facts.site.physical_hosts[name]
        total = sum(vm.cpus for vm in vms)
        if host.cpus is not None and total > OVERCOMMIT * host.cpus:
            words = f"{_vms(vms)} at home on {name} have {total} CPUs"
            yield Problem(path_of(host, "cpus"), f"{words}, it has {host.cpus}")


def _vms(vms: list[VirtualMachine]) -> str:
    return listed(vm.name for vm in vms)


@rule(
    "anti-affinity",
    reason="VMs of one group never share a physical host, so that one's death spares the others.",
    hint="give them different homes, or allow them on more hosts",
)
def anti_affinity(facts: Facts) -> Iterator[Problem]:
    """Partners have different homes, and there are hosts for all of them."""
    groups: dict[str, list[VirtualMachine]] = {}
    for vm in facts.site.virtual_machines.values():
        if vm.anti_affinity is not None:
            groups.setdefault(vm.anti_affinity, []).append(vm)
    for group, vms in groups.items():
        homes: dict[str, str] = {}
        for vm in vms:
            first = homes.setdefault(vm.home, vm.name)
            if first != vm.name:
                message = (
                    f"{vm.name} and {first}, both of group `{group}`, are at home on {vm.home}"
                )
                yield Problem(path_of(vm, "home"), message)
        hosts = {name for vm in vms for name in facts.candidates[vm.name]}
        if hosts and len(vms) > len(hosts):
            few = counted(len(hosts), "physical host")
            words = f"group `{group}` has {len(vms)} VMs, and may run on {few} only"
            yield Problem(path_of(vms[-1], "anti_affinity"), words)


@rule(
    "n-plus-one",
    reason="When a physical host dies, its VMs are restarted on the others, if those have room and "
    "their disks are mirrored or may be made anew (INST 1).",
    hint="more room, fewer VMs or more hosts allowed, and a mirrored volume or `inst: 1`; "
    "`recovery.n_plus_one` sets how serious this is",
    severity="warning",
    needs=("physical_hosts", "virtual_machines", "volumes"),
)
def n_plus_one(facts: Facts) -> Iterator[Problem]:
    """The VMs of each physical host would run on the others; asked where its size is known."""
    setting = facts.site.recovery.n_plus_one
    if setting == "off":
        return
    packing = Packing(facts)
    for name in facts.residents:
        host = facts.site.physical_hosts[name]
        if host.memory is None and host.cpus is None and not host.disks:
            continue
        reasons: dict[str, list[VirtualMachine]] = {}
        for vm in packing.waiting(name):
            reasons.setdefault(_why(packing, vm), []).append(vm)
        for why, vms in reasons.items():
            words = f"if {name} died, {_vms(vms)} would wait: {why}"
            yield Problem(path_of(host), words, severity=setting, key=True)


def _why(packing: Packing, vm: VirtualMachine) -> str:
    """Why a VM would wait."""
    if packing.bound(vm):
        return "not mirrored, and not to be reinstalled (INST 0)"
    if packing.stuck(vm):
        return "no other host may run it"
    return "no other host that may run it has room"


RULES = (vm_fits_host, memory_fits, disk_fits, cpus_fit, anti_affinity, n_plus_one)
