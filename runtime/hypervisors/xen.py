"""Xen through `xl` on the physical host.

Source: xl(1), xl.cfg(5), xl-disk-configuration(5).
"""

from __future__ import annotations

from typing import Final

from threerc.runtime.hypervisors.base import RemoteHypervisor

_DOMAIN_0: Final = "Domain-0"
_MIB: Final = 1 << 20
_CONFIG_FOLDER: Final = "/run"


class Xen(RemoteHypervisor):
    """Xen with its `xl` tool. Domains are addressed by number: xl takes names for numbers."""

    def running(self) -> frozenset[str]:
        """All domains but the host's own; xl lists them until the last of their memory is gone."""
        return frozenset(self._domains())

    def _domains(self) -> dict[str, str]:
        """The numbers of the domains, by name."""
        rows = [line.split() for line in self.remote.done("xl", "list").splitlines()[1:]]
        return {row[0]: row[1] for row in rows if len(row) > 1 and row[0] != _DOMAIN_0}

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
        disk = f"format={self.disk_format(vm)},vdev={machine.device},target={self.disk(vm)}"
        return "\n".join(
            [
                f'name = "{vm}"',
                f'uuid = "{self.uuid(vm)}"',
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
