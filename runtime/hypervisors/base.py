"""What all hypervisors share: the order of things, and the VM's disk.

A VM's copy is dead when its host says so, not when a command to kill it has returned. All names
are turned into the hypervisor's own ids by comparing them whole: `vrt1` is not `vrt10`, and a VM
called `7` is not the hypervisor's number 7.
"""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from ipaddress import IPv4Address
from typing import Any, Final

from threerc.runtime.config import ControllerConfig, VirtualMachine
from threerc.runtime.errors import ControllerError, Refused
from threerc.runtime.remote import Remote

_LOOKS: Final = 20
_LOOK_SECONDS: Final = 0.5


class RemoteHypervisor(ABC):
    """The virtualisation layer of one physical host, over ssh: see world.Hypervisor.

    No time is kept here but by the remote, which also asks before each call whether the action
    that it is part of may go on.
    """

    def __init__(self, config: ControllerConfig, host: str, remote: Remote) -> None:
        self.config = config
        self.host = host
        self.remote = remote

    # -- what each has its own way of

    @abstractmethod
    def running(self) -> frozenset[str]:
        """All VMs that hold memory or disk there, also those that are paused or have crashed."""

    @abstractmethod
    def _switch_off(self, vm: str) -> str:
        """Switch a VM off, if it is on; what was said to that."""

    @abstractmethod
    def _switch_on(self, vm: str) -> None:
        """Define a VM if need be, and switch it on: by its last call, and by no other."""

    @abstractmethod
    def _move(self, vm: str, to: str) -> None:
        """Move a running VM to a host of the same kind."""

    def _runs(self, vm: str) -> bool:
        return vm in self.running()

    # -- what is the same for all

    def kill(self, vm: str) -> None:
        """Switch a VM off at once; returns when it does not run (any more)."""
        self.machine(vm)
        said = self._switch_off(vm)
        for look in range(_LOOKS):
            if look:
                time.sleep(_LOOK_SECONDS)
            if not self._runs(vm):
                self._let_go(vm)
                return
        raise Refused(f"{self.host}: {vm} still runs after it was killed: {said}")

    def start(self, vm: str) -> None:
        """Define a VM there if need be and switch it on; fine if it runs already."""
        self.machine(vm)
        if not self._runs(vm):
            self._hold(vm)
            self._try_on(vm)

    def restore(self, vm: str) -> None:
        """Bring a VM's disk back to its last snapshot and switch it on; it must not run."""
        self.machine(vm)
        if self._runs(vm):
            raise Refused(f"{self.host}: {vm} runs: its disk cannot be brought back")
        self._hold(vm)
        self._bring_back(vm)
        self._try_on(vm)

    def _try_on(self, vm: str) -> None:
        """Switch it on; where the host refuses, another one may need the volume next."""
        try:
            self._switch_on(vm)
        except Refused:
            with suppress(ControllerError):
                self._let_go(vm)
            raise

    def migrate(self, vm: str, to: str) -> None:
        """Move a running VM to another physical host without stopping it."""
        kind = self.config.physical_hosts[self.host].hypervisor
        there = self.config.physical_hosts.get(to)
        if there is None or there.hypervisor != kind:
            raise Refused(f"{to} is no physical host with {kind}")
        if self.machine(vm).volume is not None:
            raise Refused(f"{vm} is on a mirrored volume, which only one host has open at a time")
        if not self._runs(vm):
            raise Refused(f"{self.host}: {vm} does not run there")
        self._move(vm, to)

    def _bring_back(self, vm: str) -> None:
        """Bring the disk back to its last snapshot inside the qcow2 file, whoever made it.

        The hypervisor's own records of snapshots are only on the host where each was made.
        """
        disk = self.config.disk(vm)
        info = self.remote.done("qemu-img", "info", "--output=json", disk)
        try:
            snapshots: list[dict[str, Any]] = json.loads(info).get("snapshots", [])
            newest = max(snapshots, key=lambda s: (s["date-sec"], s["date-nsec"]), default=None)
        except (ValueError, KeyError, AttributeError, TypeError):
            raise Refused(f"{self.host}: qemu-img tells nothing of {disk} that we know") from None
        if newest is None:
            raise Refused(f"{self.host}: there is no snapshot of {vm} in {disk}")
        self.remote.done("qemu-img", "snapshot", "-a", str(newest["id"]), disk)

    # -- what the VM is, and where the hosts are

    def machine(self, vm: str) -> VirtualMachine:
        """What the site says of a VM. Raises Refused where there is none of that name."""
        if vm not in self.config.virtual_machines:
            raise Refused(f"{self.config.site} has no virtual machine {vm!r}")
        return self.config.virtual_machines[vm]

    def address(self, host: str) -> str:
        """How another physical host finds this one; a name where a URI would need brackets."""
        address = self.config.physical_hosts[host].address
        return str(address) if isinstance(address, IPv4Address) else f"{host}.{self.config.domain}"

    # -- its mirrored volume; DRBD itself refuses two primaries that see each other

    def _hold(self, vm: str) -> None:
        volume = self.machine(vm).volume
        if volume is not None:
            self.remote.done("drbdadm", "primary", volume)

    def _let_go(self, vm: str) -> None:
        """Leave the volume to the other host; where DRBD is not up there is nothing to leave."""
        volume = self.machine(vm).volume
        if volume is None:
            return
        role = self.remote.call("drbdadm", "role", volume)
        said = role.output.splitlines()  # that of a login shell may come before
        if role.status == 0 and any(line.startswith("Primary") for line in said):
            self.remote.done("drbdadm", "secondary", volume)
