"""libvirt (KVM/QEMU) through virsh on the physical host, which needs no more than ssh.

Source: virsh(1), https://libvirt.org/formatdomain.html.
"""

from __future__ import annotations

import hashlib
import re
import xml.etree.ElementTree as ET
from typing import Final

from threerc.runtime.errors import Refused
from threerc.runtime.hypervisors.base import RemoteHypervisor

_VIRSH: Final = ("virsh", "-c", "qemu:///system")
_UUID: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_DOMAIN: Final = re.compile(rf"({_UUID})\s+(\S.*)")
_NUMBER: Final = re.compile(_UUID)
_MARK: Final = "urn:threerc:domain:"
"""In the metadata of the domains that we have defined, followed by a digest of what we said."""
_BUSES: Final = {"sd": "scsi", "vd": "virtio", "hd": "ide", "xvd": "virtio"}
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
            uuid = str(self.uuid(vm))
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
        """The XML that defines a VM."""
        domain = self._domain(vm)
        mark = ET.Element(f"{{{_MARK}1}}definition", sha256=_digest(domain))
        ET.SubElement(domain, "metadata").append(mark)
        return ET.tostring(domain, encoding="unicode")

    def _domain(self, vm: str) -> ET.Element:
        machine = self.machine(vm)
        kvm = self.config.physical_hosts[self.host].kvm
        domain = ET.Element("domain", type="kvm" if kvm else "qemu")
        _add(domain, "name", vm)
        _add(domain, "uuid", str(self.uuid(vm)))
        _add(domain, "memory", str(machine.memory // _MIB), unit="MiB")
        _add(domain, "vcpu", str(machine.cpus))
        system = _add(domain, "os")
        _add(system, "type", "hvm", arch="x86_64")
        for device in ["network"] * (machine.boot is not None) + ["hd"]:
            _add(system, "boot", dev=device)
        features = _add(domain, "features")
        _add(features, "acpi")
        _add(features, "apic")
        if kvm:
            _add(domain, "cpu", mode="host-model")
        _add(domain, "clock", offset="utc")
        for event, action in [("poweroff", "destroy"), ("reboot", "restart"), ("crash", "destroy")]:
            _add(domain, f"on_{event}", action)
        domain.append(self._devices(vm))
        return domain

    def _devices(self, vm: str) -> ET.Element:
        machine = self.machine(vm)
        bus = _BUSES[machine.device[:-1]]
        path, layout = self.disk(vm), self.disk_format(vm)
        kind, source = ("block", "dev") if layout == "raw" else ("file", "file")
        devices = ET.Element("devices")
        disk = _add(devices, "disk", type=kind, device="disk")
        # Nothing of a copy that was killed is left in its host's memory, to be written later.
        _add(disk, "driver", name="qemu", type=layout, cache="none")
        _add(disk, "source", **{source: path})
        _add(disk, "target", dev=machine.device.removeprefix("x"), bus=bus)
        if bus == "scsi":
            _add(devices, "controller", type="scsi", model="virtio-scsi")
        card = _add(devices, "interface", type="bridge")
        if machine.mac is not None:
            _add(card, "mac", address=machine.mac)
        _add(card, "source", bridge=machine.bridge)
        _add(card, "model", type="e1000" if bus == "ide" else "virtio")
        _add(devices, "serial", type="pty")
        _add(devices, "graphics", type="vnc", autoport="yes", listen="127.0.0.1")
        _add(devices, "memballoon", model="none")
        return devices


def _add(parent: ET.Element, tag: str, text: str | None = None, /, **attributes: str) -> ET.Element:
    child = ET.SubElement(parent, tag, attributes)
    child.text = text
    return child


def _digest(domain: ET.Element) -> str:
    return hashlib.sha256(ET.tostring(domain)).hexdigest()
