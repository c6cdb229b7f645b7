"""Whether the VMs of a dead physical host would find room on the others.

Best fit, largest VM first, and if that leaves some out once more with the VMs first that have
the least choice. If it says that all fit, they do; a packing so tight that only a longer search
finds it counts as none, as no controller would find it either.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from math import inf

from threerc.compiler.model import VirtualMachine
from threerc.compiler.rules.base import Facts


class Packing:
    """The memory that each physical host has left, and who may go where.

    Hosts whose memory is not given are taken to have room for anything.
    """

    def __init__(self, facts: Facts) -> None:
        self._hosts = facts.site.physical_hosts
        self._residents = facts.residents
        self._candidates = facts.candidates
        # VMs that may run anywhere share one tuple, so its set is made once.
        self._sets = {id(names): frozenset(names) for names in facts.candidates.values()}
        self._groups: dict[str, set[str | None]] = {}
        self._rooms: list[tuple[float, str]] = []
        for name, host in self._hosts.items():
            vms = facts.residents.get(name, [])
            memory = inf if host.memory is None else host.memory
            self._rooms.append((memory - sum(vm.memory for vm in vms), name))
            self._groups[name] = {vm.anti_affinity for vm in vms}
        self._rooms.sort()

    def waiting(self, dead: str) -> list[VirtualMachine]:
        """The VMs at home on a physical host that would not fit elsewhere if it died."""
        vms = self._residents.get(dead, [])
        largest_first = sorted(vms, key=lambda vm: (-vm.memory, vm.name))
        waiting = self._pack(dead, largest_first)
        if waiting:
            choosiest_first = sorted(largest_first, key=lambda vm: len(self._allowed(vm)))
            waiting = min(waiting, self._pack(dead, choosiest_first), key=len)
        return waiting

    def stuck(self, vm: VirtualMachine) -> bool:
        """Whether no host but its home may run a VM."""
        return self._allowed(vm) <= {vm.home}

    def _allowed(self, vm: VirtualMachine) -> frozenset[str]:
        return self._sets[id(self._candidates[vm.name])]

    def _pack(self, dead: str, vms: list[VirtualMachine]) -> list[VirtualMachine]:
        """The VMs left over when they are placed in this order."""
        rooms = [room for room in self._rooms if room[1] != dead]
        partners: set[tuple[str, str | None]] = set()
        left: list[VirtualMachine] = []
        for vm in vms:
            at = self._best(rooms, partners, vm)
            if at is None:
                left.append(vm)
                continue
            free, name = rooms.pop(at)
            insort(rooms, (free - vm.memory, name))
            partners.add((name, vm.anti_affinity))
        return left

    def _best(
        self,
        rooms: list[tuple[float, str]],
        partners: set[tuple[str, str | None]],
        vm: VirtualMachine,
    ) -> int | None:
        """Where the host with the least sufficient room stands that may take a VM."""
        allowed, group = self._allowed(vm), vm.anti_affinity
        for at in range(bisect_left(rooms, (vm.memory, "")), len(rooms)):
            name = rooms[at][1]
            if name not in allowed:
                continue
            if group and (group in self._groups[name] or (name, group) in partners):
                continue
            cpus = self._hosts[name].cpus
            if cpus is None or vm.cpus <= cpus:
                return at
        return None
