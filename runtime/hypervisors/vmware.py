"""VMware Server 2 (`vmware-vim-cmd`) and ESXi (`vim-cmd`), through the host's own tool.

Neither can be had without a licence, so this was only ever run against a stand-in, a script that
answers as those tools do. VMs are registered on each host that may run them, as in the thesis;
there is no tool on the host that would create them from nothing.

Source: thesis, appendix (VMrestart); `vim-cmd vmsvc` for the words.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Final

from threerc.runtime.errors import Refused
from threerc.runtime.hypervisors.base import RemoteHypervisor

_SERVER: Final = "vmware-vim-cmd"
_ESXI: Final = "vim-cmd"
_NOT_FOUND: Final = 127
_PROCESS: Final = "vmware-vmx"
# Vmid   Name   File   Guest OS   Version   Annotation; the name may have blanks.
_HEAD: Final = "Vmid"
_ROW: Final = re.compile(r"^(\d+)\s+(\S.*?)\s+\[[^\]]*\]\s")
_SNAPSHOT: Final = re.compile(r"Snapshot Id\s*:\s*(\d+)")


class VMware(RemoteHypervisor):
    """VMware's host tools."""

    @cached_property
    def _tool(self) -> str:
        server = self.remote.call(_SERVER, "vmsvc/getallvms").status != _NOT_FOUND
        return _SERVER if server else _ESXI

    def running(self) -> frozenset[str]:
        """All VMs that are not switched off."""
        return frozenset(vm for vm, number in self._registered().items() if self._is_on(number))

    def _registered(self) -> dict[str, str]:
        """The numbers of the VMs, by name."""
        lines = self._vim("getallvms").splitlines()
        if not any(line.startswith(_HEAD) for line in lines):
            raise Refused(f"{self.host}: {self._tool} lists nothing that we know")
        rows = map(_ROW.match, lines)  # an annotation may have many lines
        return {row[2]: row[1] for row in rows if row is not None}

    def _is_on(self, number: str) -> bool:
        state = self._vim("power.getstate", number)
        return "Powered off" not in state and "Suspended" not in state

    def _runs(self, vm: str) -> bool:
        number = self._registered().get(vm)
        return bool(self._processes(vm)) or (number is not None and self._is_on(number))

    def _processes(self, vm: str) -> list[str]:
        """The processes that run a VM on VMware Server; on ESXi nobody sees them."""
        listed = self.remote.call("pgrep", "-a", _PROCESS)
        rows = [line.split() for line in listed.output.splitlines()] if listed.status == 0 else []
        found = [row for row in rows if any(each.endswith(f"/{vm}.vmx") for each in row[1:])]
        if any(not row[0].isdigit() for row in found):
            raise Refused(f"{self.host}: pgrep lists a process as {' '.join(found[0])[:100]!r}")
        return [row[0] for row in found]

    def _switch_off(self, vm: str) -> str:
        """As the appendix: power off, and kill what is left of it."""
        number = self._registered().get(vm)
        said = "it is not registered there"
        if number is not None and self._is_on(number):
            said = self.remote.call(self._tool, "vmsvc/power.off", number).reason
        for process in self._processes(vm):
            self.remote.call("kill", "-KILL", process)
        return said

    def _switch_on(self, vm: str) -> None:
        number = self._number(vm)
        if self._tool == _SERVER:
            # What a host that died has locked stays so; the old copy is known to be dead.
            for locked in ("vmdk", "vmx"):
                lock = f"{self.config.images}/{vm}/{vm}.{locked}.lck"
                self.remote.done("rm", "-r", "-f", "--", lock)
        self._vim("power.on", number)

    def _bring_back(self, vm: str) -> None:
        if self._tool == _SERVER:
            raise Refused(f"{self.host}: snapshots of VMware Server are not brought back")
        number = self._number(vm)
        snapshots = _SNAPSHOT.findall(self._vim("snapshot.get", number))
        if not snapshots:
            raise Refused(f"{self.host}: there is no snapshot of {vm}")
        self._vim("snapshot.revert", number, max(snapshots, key=int), "0")

    def _move(self, vm: str, to: str) -> None:
        raise Refused(f"{vm} cannot move to {to}: VMware's hosts do that for vCenter only")

    def _number(self, vm: str) -> str:
        number = self._registered().get(vm)
        if number is None:
            raise Refused(f"{self.host}: {vm} is not registered there")
        return number

    def _vim(self, command: str, *arguments: str) -> str:
        return self.remote.done(self._tool, f"vmsvc/{command}", *arguments)
