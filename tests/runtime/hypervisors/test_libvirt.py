"""The definition of a domain; libvirt's own schema judges it. The rest is in tests/real."""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from tests.lab import requires_real
from tests.runtime.hypervisors.site import HOSTS, MIRRORED, site
from tests.runtime.hypervisors.sshd import Keys
from threerc.runtime.config import ControllerConfig, VirtualMachine
from threerc.runtime.hypervisors.libvirt import Libvirt
from threerc.runtime.remote import open_remote

KEYS = Keys(Path("/etc/3rc/key"), Path("/host"), Path("/etc/3rc/known_hosts"))
ADDRESSES = {"alfa01": "192.168.1.11", "alfa02": "192.168.1.12"}


def libvirt(host: str = "alfa01", **changes: Any) -> Libvirt:
    """libvirt of a host of the small site, with changes to the VM `vrt1`."""
    made = site(KEYS, ADDRESSES, 22, "libvirt", Path("/srv/images"))
    told = made.virtual_machines["vrt1"].model_dump() | changes
    machines = made.virtual_machines | {"vrt1": VirtualMachine.model_validate(told)}
    config = made.model_copy(update={"virtual_machines": machines})
    return Libvirt(config, host, open_remote(config, host))


def domain(vm: str = "vrt1", **changes: Any) -> ET.Element:
    return ET.fromstring(libvirt(**changes).definition(vm))  # noqa: S314 - it is our own


def attributes(found: ET.Element | None) -> dict[str, str]:
    assert found is not None
    return dict(found.attrib)


def test_it_says_what_the_site_says() -> None:
    found = domain(bridge="br-farm", cpus=3)
    assert found.findtext("name") == "vrt1"
    assert found.findtext("memory") == "64"
    assert found.findtext("vcpu") == "3"
    assert [each.get("dev") for each in found.findall("os/boot")] == ["network", "hd"]
    disk = "devices/disk/"
    assert attributes(found.find(disk + "source")) == {"file": "/srv/images/vrt1.qcow2"}
    assert attributes(found.find(disk + "target")) == {"dev": "sda", "bus": "scsi"}
    assert attributes(found.find(disk + "driver"))["cache"] == "none"
    card = "devices/interface/"
    assert attributes(found.find(card + "mac")) == {"address": "02:00:00:00:02:00"}
    assert attributes(found.find(card + "source")) == {"bridge": "br-farm"}


def test_a_vm_that_does_not_boot_over_pxe_boots_from_its_disk() -> None:
    assert [each.get("dev") for each in domain("vrt10").findall("os/boot")] == ["hd"]


def test_a_mirrored_volume_is_a_raw_device() -> None:
    disk = domain(MIRRORED).find("devices/disk")
    assert disk is not None
    assert attributes(disk) == {"type": "block", "device": "disk"}
    assert attributes(disk.find("source")) == {"dev": "/dev/drbd3"}
    assert attributes(disk.find("driver"))["type"] == "raw"


@pytest.mark.parametrize(
    ("device", "seen", "bus", "card"),
    [
        ("sda", "sda", "scsi", "virtio"),
        ("vdb", "vdb", "virtio", "virtio"),
        ("hda", "hda", "ide", "e1000"),
        ("xvda", "vda", "virtio", "virtio"),
    ],
)
def test_the_disk_is_called_what_its_system_calls_it(
    device: str, seen: str, bus: str, card: str
) -> None:
    found = domain(device=device)
    assert attributes(found.find("devices/disk/target")) == {"dev": seen, "bus": bus}
    assert attributes(found.find("devices/interface/model")) == {"type": card}


def test_the_number_is_the_vms_own_and_the_same_on_each_host() -> None:
    numbers = {libvirt(host).uuid(vm) for host in HOSTS for vm in ("vrt1", "vrt10")}
    assert len(numbers) == 2


@requires_real()
@pytest.mark.parametrize("kvm", [True, False])
@pytest.mark.parametrize("changes", [{}, {"device": "hda"}, {"image": "/dev/vg0/vrt1"}])
@pytest.mark.parametrize("vm", ["vrt1", "1", MIRRORED])
def test_libvirts_schema_takes_it(
    tmp_path: Path, vm: str, changes: dict[str, Any], kvm: bool
) -> None:
    made = libvirt(**changes)
    hosts = {
        name: host.model_copy(update={"kvm": kvm})
        for name, host in made.config.physical_hosts.items()
    }
    config: ControllerConfig = made.config.model_copy(update={"physical_hosts": hosts})
    text = Libvirt(config, "alfa01", made.remote).definition(vm)
    assert validated(tmp_path, text).returncode == 0


@requires_real()
def test_libvirts_schema_refuses_another(tmp_path: Path) -> None:
    text = libvirt().definition("vrt1").replace("<vcpu>1<", "<vcpu>many<")
    assert "fails to validate" in validated(tmp_path, text).stderr


def validated(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    path = folder / "domain.xml"
    path.write_text(text)
    command = ["virt-xml-validate", str(path), "domain"]
    return subprocess.run(command, capture_output=True, text=True, check=False)
