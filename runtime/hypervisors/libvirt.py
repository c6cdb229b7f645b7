"""libvirt (KVM/QEMU) through virsh on the physical host, which needs no more than ssh.

Source: virsh(1), https://libvirt.org/formatdomain.html.
"""

from __future__ import annotations

import hashlib
import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Final

from threerc.runtime.config import ControllerConfig
from threerc.runtime.errors import Refused
from threerc.runtime.hypervisors.base import RemoteHypervisor

_VIRSH: Final = ("virsh", "-c", "qemu:///system")
_UUID: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_DOMAIN: Final = re.compile(rf"({_UUID})\s+(\S.*)")
_NUMBER: Final = re.compile(_UUID)
_MARK: Final = "urn:threerc:domain:"
"""In the metadata of the domains that we have defined, followed by a digest of what we said."""
_MIB: Final = 1 << 20
_SLOWEST_MOVE: Final = 30 * _MIB
"""Bytes of memory a second that a live migration gets through at the least."""


class Libvirt(RemoteHypervisor):
    """KVM or QEMU under libvirt. Domains are addressed by UUID: virsh takes names for ids."""

    def running(self) -> frozenset[str]:
        """All domains that are active, also the paused and crashed ones."""
        return frozenset(self._domains())

    def _domains(self, *more: str) -> dict[str, str]:
        """The UUIDs of the domains, by name; what the host's login shell says is none."""
        found: dict[str, str] = {}
        for line in self._virsh("list", *more, "--uuid", "--name").splitlines():
            row = _DOMAIN.match(line)
            if row is not None:
                found[row[2].strip()] = row[1]
            elif _NUMBER.search(line):
                raise Refused(f"{self.host}: virsh lists a domain as {line[:100]!r}")
        return found

    def _switch_off(self, vm: str) -> str:
        uuid = self._domains().get(vm)
        if uuid is None:
            return "it did not run"
        return self.remote.call(*_VIRSH, "destroy", uuid).reason

    def _switch_on(self, vm: str) -> None:
        uuid = self._domains("--all").get(vm)
        if uuid is None or self._is_outdated(vm, uuid):
            self._virsh("define", "/dev/stdin", text=self.definition(vm))
            uuid = str(self.config.uuid(vm))
        # A memory image saved long ago does not fit the disk any more.
        self._virsh("start", "--force-boot", uuid)

    def _is_outdated(self, vm: str, uuid: str) -> bool:
        """Whether we have defined it, otherwise than we would now; people's own are left alone."""
        there = self._virsh("dumpxml", "--inactive", uuid)
        return _MARK in there and _digest(self._domain(vm)) not in there

    def _move(self, vm: str, to: str) -> None:
        host, ssh = self.address(to), self.config.ssh
        self._virsh(
            "migrate", "--live", "--persistent", "--undefinesource",
            "--domain", self._domains()[vm],
            "--desturi", f"qemu+ssh://{ssh.user}@{host}:{ssh.port}/system",
            "--migrateuri", f"tcp://{host}",
            seconds=self.config.deadline + self.machine(vm).memory / _SLOWEST_MOVE,
        )  # fmt: skip

    def _virsh(self, *arguments: str, text: str = "", seconds: float | None = None) -> str:
        return self.remote.done(*_VIRSH, *arguments, text=text, seconds=seconds)

    # -- the definition

    def definition(self, vm: str) -> str:
        """The XML that defines a VM here: its compiled file, fitted to this host and marked.

        Raises Refused where the file cannot be used.
        """
        domain = self._domain(vm)
        mark = ET.Element(f"{{{_MARK}1}}definition", sha256=_digest(domain))
        ET.SubElement(domain, "metadata").append(mark)
        return ET.tostring(domain, encoding="unicode")

    def _domain(self, vm: str) -> ET.Element:
        path = Path(self.config.domains) / f"{vm}.xml"
        try:
            domain = ET.parse(path).getroot()  # noqa: S314 - it is our own
        except OSError as error:
            raise Refused(_unusable(path, str(error.strerror))) from None
        except ET.ParseError as error:
            raise Refused(_unusable(path, str(error))) from None
        said = domain.findtext("name"), domain.findtext("uuid")
        if domain.tag != "domain" or said != (vm, str(self.config.uuid(vm))):
            raise Refused(_unusable(path, f"it is not the definition of {vm}"))
        fit(domain, kvm=self.config.physical_hosts[self.host].kvm)
        return domain


def undefined(config: ControllerConfig) -> list[str]:
    """The VMs that libvirt may run, and whose definition cannot be read on this controller."""
    hosts = {name for name, host in config.physical_hosts.items() if host.hypervisor == "libvirt"}
    return [
        name
        for name, vm in config.virtual_machines.items()
        if not hosts.isdisjoint((vm.home, *config.allowed_hosts(vm)))
        and not os.access(f"{config.domains}/{name}.xml", os.R_OK)
    ]


def fit(domain: ET.Element, *, kvm: bool) -> None:
    """Turn a VM's compiled definition, which is for its home, into that for a host with or
    without hardware virtualisation. Nothing else differs from host to host.
    """
    kind = "kvm" if kvm else "qemu"
    if domain.get("type") == kind:
        return
    domain.set("type", kind)
    if kvm:
        ET.SubElement(domain, "cpu", mode="host-model")
    else:
        for cpu in domain.findall("cpu"):
            domain.remove(cpu)


def _unusable(path: Path, why: str) -> str:
    return f"{path}: {why}: build the site, and lay the controllers' files out again"


def _digest(domain: ET.Element) -> str:
    return hashlib.sha256(ET.tostring(domain)).hexdigest()
