"""Whether the VMs of a dead physical host would find room on the others: memory, CPUs and disk.

Best fit, largest VM first, and if that leaves some out once more with the VMs first that have
the least choice. If it says that all fit, they do; a packing so tight that only a longer search
finds it counts as none, as no controller would find it either.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from math import inf
from typing import NamedTuple

from threerc.compiler.model import PhysicalHost, VirtualMachine
from threerc.compiler.rules.base import Facts

OVERCOMMIT = 4
"""Virtual CPUs for each CPU: CPUs are shared, up to where all would crawl."""


class _Room(NamedTuple):
    """What a physical host has left; of what is not given it has any amount."""

    memory: float
    name: str
    cpus: float
    disk: float

    def holds(self, vm: VirtualMachine) -> bool:
        return vm.memory <= self.memory and vm.cpus <= self.cpus and vm.local_disk <= self.disk

    def without(self, vm: VirtualMachine) -> _Room:
        cpus, disk = self.cpus - vm.cpus, self.disk - vm.local_disk
        return _Room(self.memory - vm.memory, self.name, cpus, disk)


class Packing:
    """The room that each physical host has left, and who may go where."""

    def __init__(self, facts: Facts) -> None:
        self._hosts = facts.site.physical_hosts
        self._residents = facts.residents
        self._candidates = facts.candidates
        # VMs that may run anywhere share one tuple, so its set is made once.
        self._sets = {id(names): frozenset(names) for names in facts.candidates.values()}
        self._groups: dict[str, set[str | None]] = {}
        self._rooms: list[_Room] = []
        for name, host in self._hosts.items():
            vms = facts.residents.get(name, [])
            self._rooms.append(_room(host, vms, facts.disk_needs.get(name, 0)))
            self._groups[name] = {vm.anti_affinity for vm in vms}
        self._rooms.sort()

    def waiting(self, dead: str) -> list[VirtualMachine]:
        """The VMs at home on a physical host that would not run elsewhere if it died."""
        vms = self._residents.get(dead, [])
        bound = [vm for vm in vms if self.bound(vm)]
        free = [vm for vm in vms if not self.bound(vm)]
        largest_first = sorted(free, key=lambda vm: (-vm.memory, vm.name))
        waiting = self._pack(dead, largest_first)
        if waiting:
            choosiest_first = sorted(largest_first, key=lambda vm: len(self._allowed(vm)))
            waiting = min(waiting, self._pack(dead, choosiest_first), key=len)
        return bound + waiting

    def bound(self, vm: VirtualMachine) -> bool:
        """Whether a VM is lost with its home: its only disk is there, and INST forbids another."""
        return vm.local_disk > 0 and not vm.inst

    def stuck(self, vm: VirtualMachine) -> bool:
        """Whether no host but its home may run a VM."""
        return self._allowed(vm) <= {vm.home}

    def _allowed(self, vm: VirtualMachine) -> frozenset[str]:
        return self._sets[id(self._candidates[vm.name])]

    def _pack(self, dead: str, vms: list[VirtualMachine]) -> list[VirtualMachine]:
        """The VMs left over when they are placed in this order."""
        rooms = [room for room in self._rooms if room.name != dead]
        partners: set[tuple[str, str | None]] = set()
        left: list[VirtualMachine] = []
        for vm in vms:
            at = self._best(rooms, partners, vm)
            if at is None:
                left.append(vm)
                continue
            room = rooms.pop(at)
            insort(rooms, room.without(vm))
            partners.add((room.name, vm.anti_affinity))
        return left

    def _best(
        self,
        rooms: list[_Room],
        partners: set[tuple[str, str | None]],
        vm: VirtualMachine,
    ) -> int | None:
        """Where the host with the least sufficient memory stands that may take a VM."""
        allowed, group = self._allowed(vm), vm.anti_affinity
        least = _Room(vm.memory, "", 0, 0)
        for at in range(bisect_left(rooms, least), len(rooms)):
            name = rooms[at].name
            if name not in allowed or not rooms[at].holds(vm):
                continue
            if group and (group in self._groups[name] or (name, group) in partners):
                continue
            cpus = self._hosts[name].cpus
            if cpus is None or vm.cpus <= cpus:
                return at
        return None


def _room(host: PhysicalHost, vms: list[VirtualMachine], disk_need: int) -> _Room:
    """What a host's own VMs leave of it."""
    memory = inf if host.memory is None else host.memory
    cpus = inf if host.cpus is None else OVERCOMMIT * host.cpus
    disk = host.storage() if host.disks else inf
    return _Room(
        memory - sum(vm.memory for vm in vms),
        host.name,
        cpus - sum(vm.cpus for vm in vms),
        disk - disk_need,
    )
