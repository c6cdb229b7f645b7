"""Xen through `xl` on the physical host.

Source: xl(1), xl.cfg(5), xl-disk-configuration(5).
"""

from __future__ import annotations

import re
from typing import Final

from threerc.runtime.errors import Refused
from threerc.runtime.hypervisors.base import RemoteHypervisor

_DOMAIN_0: Final = "Domain-0"
# Name  ID  Mem  VCPUs  State  Time(s); one that is going away may have no name any more.
_HEAD: Final = re.compile(r"Name\s+ID\s+Mem\b")
_ROW: Final = re.compile(r"(\S+)\s+(\d+)\s+\d+\s+\d+\s+\S+\s+\S+")
_MIB: Final = 1 << 20
_CONFIG_FOLDER: Final = "/run"


class Xen(RemoteHypervisor):
    """Xen with its `xl` tool. Domains are addressed by number: xl takes names for numbers."""

    def running(self) -> frozenset[str]:
        """All domains but the host's own; xl lists them until the last of their memory is gone."""
        return frozenset(self._domains())

    def _domains(self) -> dict[str, str]:
        """The numbers of the domains, by name; what the host's login shell says comes before."""
        lines = iter(self.remote.done("xl", "list").splitlines())
        if not any(_HEAD.match(line) for line in lines):
            raise Refused(f"{self.host}: xl lists nothing that we know")
        found: dict[str, str] = {}
        for line in lines:
            row = _ROW.match(line)
            if row is None:
                raise Refused(f"{self.host}: xl lists a domain as {line[:100]!r}")
            found[row[1]] = row[2]
        found.pop(_DOMAIN_0, None)
        return found

    def _switch_off(self, vm: str) -> str:
        number = self._domains().get(vm)
        if number is None:
            return "it did not run"
        return self.remote.call("xl", "destroy", number).reason

    def _switch_on(self, vm: str) -> None:
        # xl reads a plain file only.
        path = f"{_CONFIG_FOLDER}/3rc-{vm}.cfg"
        self.remote.done("dd", "status=none", f"of={path}", text=self.definition(vm))
        self.remote.done("xl", "create", path)

    def _move(self, vm: str, to: str) -> None:
        self.remote.done("xl", "migrate", self._domains()[vm], self.address(to))

    def definition(self, vm: str) -> str:
        """The configuration of a VM. No value has a character that would need quoting."""
        machine = self.machine(vm)
        card = [f"bridge={machine.bridge}"]
        if machine.mac is not None:
            card.insert(0, f"mac={machine.mac}")
        layout, path = self.config.disk_format(vm), self.config.disk(vm)
        disk = f"format={layout},vdev={machine.device},target={path}"
        return "\n".join(
            [
                f'name = "{vm}"',
                f'uuid = "{self.config.uuid(vm)}"',
                'type = "hvm"',
                f"memory = {machine.memory // _MIB}",
                f"vcpus = {machine.cpus}",
                f'boot = "{"nc" if machine.boot is not None else "c"}"',
                f'disk = [ "{disk}" ]',
                f'vif = [ "{",".join(card)}" ]',
                'serial = "pty"',
                'on_poweroff = "destroy"',
                'on_reboot = "restart"',
                'on_crash = "destroy"',
                "",
            ]
        )
