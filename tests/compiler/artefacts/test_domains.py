"""libvirt's domains: what their definitions say, who has them, and that libvirt takes them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.compiler.support import HEAD, TODAY, compiled, good_site, staged, text_of
from tests.lab import requires_real
from threerc.compiler.artefacts.domains import compile_domains
from threerc.compiler.lock import Lock
from threerc.compiler.model import Site
from threerc.compiler.tree import Tree
from threerc.compiler.verify import domains
from threerc.compiler.verify.domains import CHECKER
from threerc.runtime.config import ControllerConfig

FOLDER = "etc/3rc/domains"
HOSTS = """
service_hosts:
  bibe: {address: 192.168.1.10, roles: [controller]}
  bussolo: {address: 192.168.1.9, roles: [controller]}
physical_hosts:
  alfa01: {address: 192.168.1.11}
  alfa02: {address: 192.168.1.12, kvm: false}
  xen01: {address: 192.168.1.13, hypervisor: xen}
"""
VM = "virtual_machines: {{vm: {{home: alfa01, memory: 64MiB, {}}}}}\n"


def tree_of(folder: Path, text: str) -> Tree:
    return compiled(compile_domains, good_site(folder, HEAD + HOSTS + text), Lock(TODAY))


def domain(folder: Path, text: str) -> ET.Element:
    """The definition of `vm`."""
    found = text_of(tree_of(folder, text), f"bibe/{FOLDER}/vm.xml")
    return ET.fromstring(found)  # noqa: S314 - it is our own


def attributes(found: ET.Element | None) -> dict[str, str]:
    assert found is not None
    return dict(found.attrib)


def test_it_says_what_the_site_says(tmp_path: Path) -> None:
    more = 'address: 192.168.1.31, mac: "02:00:00:00:02:00", bridge: br-farm, cpus: 3'
    found = domain(tmp_path, VM.format(more))
    assert found.findtext("name") == "vm"
    assert found.findtext("memory") == "64"
    assert found.findtext("vcpu") == "3"
    assert [each.get("dev") for each in found.findall("os/boot")] == ["network", "hd"]
    disk = "devices/disk/"
    images = "/var/lib/libvirt/images"
    assert attributes(found.find(disk + "source")) == {"file": f"{images}/vm.qcow2"}
    assert attributes(found.find(disk + "target")) == {"dev": "sda", "bus": "scsi"}
    assert attributes(found.find(disk + "driver"))["cache"] == "none"
    card = "devices/interface/"
    assert attributes(found.find(card + "mac")) == {"address": "02:00:00:00:02:00"}
    assert attributes(found.find(card + "source")) == {"bridge": "br-farm"}


def test_a_vm_that_does_not_boot_over_pxe_boots_from_its_disk(tmp_path: Path) -> None:
    found = domain(tmp_path, VM.format("address: 192.168.1.31"))
    assert [each.get("dev") for each in found.findall("os/boot")] == ["hd"]
    assert found.find("devices/interface/mac") is None


def test_a_mirrored_volume_is_a_raw_device(tmp_path: Path) -> None:
    volume = "volumes: {v: {peers: [alfa01, alfa02], disk: /dev/vg/v, size: 1GiB, minor: 3}}\n"
    disk = domain(tmp_path, VM.format("volume: v") + volume).find("devices/disk")
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
    device: str, seen: str, bus: str, card: str, tmp_path: Path
) -> None:
    found = domain(tmp_path, VM.format(f"device: {device}"))
    assert attributes(found.find("devices/disk/target")) == {"dev": seen, "bus": bus}
    assert attributes(found.find("devices/interface/model")) == {"type": card}


@pytest.mark.parametrize(("home", "kind"), [("alfa01", "kvm"), ("alfa02", "qemu")])
def test_it_is_for_the_home(home: str, kind: str, tmp_path: Path) -> None:
    found = domain(tmp_path, VM.format("").replace("alfa01", home))
    assert found.get("type") == kind
    assert (found.find("cpu") is not None) == (kind == "kvm")


def test_each_controller_has_those_that_may_run_under_libvirt(tmp_path: Path) -> None:
    text = """
virtual_machines:
  anywhere: {home: alfa01}
  xens: {home: xen01}
  moves: {home: xen01, allowed: [alfa01]}
"""
    found = tree_of(tmp_path, text).entries
    hosts, names = ("bibe", "bussolo"), ("anywhere", "moves")
    assert set(found) == {f"{host}/{FOLDER}/{name}.xml" for host in hosts for name in names}
    assert found[f"bibe/{FOLDER}/moves.xml"].concerns == ("moves",)
    for name in names:
        assert len({found[f"{host}/{FOLDER}/{name}.xml"].content for host in hosts}) == 1


def test_it_is_where_the_controllers_look(sns_pisa: Site) -> None:
    folder = ControllerConfig.model_fields["domains"].default
    expected = {
        f"{host.name}{folder}/{vm}.xml"
        for host in sns_pisa.with_role("controller")
        for vm in sns_pisa.virtual_machines
    }
    assert set(compiled(compile_domains, sns_pisa).entries) == expected


@pytest.mark.parametrize(
    ("old", "new"),
    [("roles: [controller]", "roles: [dns]"), (".11}", ".11, hypervisor: xen}")],
    ids=["no controllers", "no libvirt"],
)
def test_where_nobody_needs_them_there_are_none(old: str, new: str, tmp_path: Path) -> None:
    hosts = HOSTS.replace("kvm: false", "hypervisor: xen").replace(old, new)
    site = good_site(tmp_path, HEAD + hosts + "virtual_machines: {vm: {home: xen01}}\n")
    assert compiled(compile_domains, site).entries == {}


@requires_real()
def test_libvirts_schema_takes_them(sns_pisa: Site, tmp_path: Path) -> None:
    assert list(staged(tmp_path, compiled(compile_domains, sns_pisa), CHECKER)) == []


@requires_real()
def test_libvirts_schema_refuses_what_it_does_not_know(
    sns_pisa: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each broken file and no other, also those that come in a later call."""
    monkeypatch.setattr(domains, "_AT_ONCE", 3)
    tree = compiled(compile_domains, sns_pisa)
    broken = {"gridce": ("<vcpu>2<", "<vcpu>many<"), "vrt2": ("</domain>", "")}
    for path, entry in tree.entries.items():
        old, new = broken.get(Path(path).stem, ("", ""))
        assert old in entry.content.decode()
        changed = entry.content.decode().replace(old, new).encode()
        tree.entries[path] = entry._replace(content=changed)
    failures = list(staged(tmp_path, tree, CHECKER))
    assert sorted(Path(each.path).stem for each in failures) == sorted(broken)
    assert all(each.line > 0 and "error" in each.message for each in failures)
