"""What a domain is defined from; libvirt's own schema judges it. The rest is in tests/real."""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from tests.lab import requires_real
from tests.runtime.hypervisors.domains import with_domains
from tests.runtime.hypervisors.site import HOSTS, MIRRORED, site
from tests.runtime.hypervisors.sshd import Keys
from threerc.runtime.config import ControllerConfig, VirtualMachine
from threerc.runtime.errors import Refused
from threerc.runtime.hypervisors.libvirt import Libvirt, fit
from threerc.runtime.remote import open_remote

KEYS = Keys(Path("/etc/3rc/key"), Path("/host"), Path("/etc/3rc/known_hosts"))
ADDRESSES = {"alfa01": "192.168.1.11", "alfa02": "192.168.1.12"}
CPU = '<cpu mode="host-model" />'


def compiled(folder: Path, kvm: str = "", **changes: Any) -> ControllerConfig:
    """The small site with its domains compiled, with changes to the VM `vrt1`; `kvm` are those of
    the hosts that have it.
    """
    made = site(KEYS, ADDRESSES, 22, "libvirt", Path("/srv/images"))
    told = made.virtual_machines["vrt1"].model_dump() | changes
    machines = made.virtual_machines | {"vrt1": VirtualMachine.model_validate(told)}
    hosts = {
        name: host.model_copy(update={"kvm": name in kvm.split()})
        for name, host in made.physical_hosts.items()
    }
    update = {"virtual_machines": machines, "physical_hosts": hosts}
    return with_domains(made.model_copy(update=update), folder)


def definition(config: ControllerConfig, host: str, vm: str = "vrt1") -> str:
    """What a VM is defined by on a host."""
    return Libvirt(config, host, open_remote(config, host)).definition(vm)


def parts(text: str) -> list[str]:
    """What a definition says, in no order, without our mark."""
    domain = ET.fromstring(text)  # noqa: S314 - it is our own
    kept = [each for each in domain if each.tag != "metadata"]
    said = [ET.canonicalize(ET.tostring(each), strip_text=True) for each in kept]
    return sorted([*said, *map(str, domain.attrib.items())])


def mark(text: str) -> str | None:
    (found,) = ET.fromstring(text).findall("metadata/*")  # noqa: S314 - it is our own
    return found.get("sha256")


@pytest.mark.parametrize("vm", ["vrt1", "1", MIRRORED])
@pytest.mark.parametrize("kvm", ["alfa01 alfa02", ""])
def test_hosts_like_the_home_get_what_was_compiled(kvm: str, vm: str, tmp_path: Path) -> None:
    config = compiled(tmp_path, kvm)
    file = (tmp_path / f"{vm}.xml").read_text()
    for host in HOSTS:
        assert parts(definition(config, host, vm)) == parts(file)


@pytest.mark.parametrize("kvm", ["alfa01", "alfa02"])
def test_another_host_gets_what_would_be_compiled_for_it(kvm: str, tmp_path: Path) -> None:
    """Nothing differs but what comes of its having hardware virtualisation or not."""
    found = definition(compiled(tmp_path, kvm), "alfa02")
    wanted = definition(compiled(tmp_path, kvm, home="alfa02"), "alfa02")
    assert parts(found) == parts(wanted)
    assert ('type="kvm"' in found, CPU in found) == (kvm == "alfa02", kvm == "alfa02")


@pytest.mark.parametrize(
    ("before", "kvm", "after"),
    [
        (f'<domain type="kvm">{CPU}<os /></domain>', True, None),
        (f'<domain type="kvm">{CPU}<os /></domain>', False, '<domain type="qemu"><os /></domain>'),
        ('<domain type="qemu"><os /></domain>', True, f'<domain type="kvm"><os />{CPU}</domain>'),
        ('<domain type="qemu"><os /></domain>', False, None),
    ],
)
def test_fit(before: str, kvm: bool, after: str | None) -> None:
    domain = ET.fromstring(before)  # noqa: S314 - it is our own
    fit(domain, kvm=kvm)
    assert ET.tostring(domain, encoding="unicode") == (after or before)


def test_the_mark_tells_definitions_apart(tmp_path: Path) -> None:
    first = definition(compiled(tmp_path), "alfa01")
    assert mark(first) == mark(definition(compiled(tmp_path), "alfa02"))
    others = [
        definition(compiled(tmp_path, cpus=2), "alfa01"),
        definition(compiled(tmp_path, "alfa01"), "alfa01"),
        definition(compiled(tmp_path), "alfa01", "vrt10"),
    ]
    assert len({mark(each) for each in (first, *others)}) == 4


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (None, "No such file or directory"),
        ("", "no element found"),
        ("<domain><name>vrt1</name>", "no element found"),
        ("<domain/>", "not the definition of vrt1"),
    ],
)
def test_a_file_that_is_not_there_or_broken_is_refused(
    broken: str | None, why: str, tmp_path: Path
) -> None:
    config = compiled(tmp_path)
    file = tmp_path / "vrt1.xml"
    if broken is None:
        file.unlink()
    else:
        file.write_text(broken)
    with pytest.raises(Refused, match=why) as refused:
        definition(config, "alfa01")
    assert str(file) in str(refused.value)
    assert "build the site" in str(refused.value)


def test_the_file_of_another_vm_or_site_is_refused(tmp_path: Path) -> None:
    config = compiled(tmp_path)
    with pytest.raises(Refused, match="not the definition of vrt1"):
        definition(config.model_copy(update={"site": "another"}), "alfa01")
    (tmp_path / "vrt10.xml").replace(tmp_path / "vrt1.xml")
    with pytest.raises(Refused, match="not the definition of vrt1"):
        definition(config, "alfa01")


def test_the_number_is_the_vms_own(tmp_path: Path) -> None:
    config = compiled(tmp_path)
    assert len({config.uuid(vm) for vm in config.virtual_machines}) == len(config.virtual_machines)


@requires_real()
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("changes", [{}, {"device": "hda"}, {"image": "/dev/vg0/vrt1"}])
@pytest.mark.parametrize("vm", ["vrt1", "1", MIRRORED])
def test_libvirts_schema_takes_it(
    tmp_path: Path, vm: str, changes: dict[str, Any], host: str
) -> None:
    for kvm in HOSTS:
        text = definition(compiled(tmp_path, kvm, **changes), host, vm)
        assert validated(tmp_path, text).returncode == 0


@requires_real()
def test_libvirts_schema_refuses_another(tmp_path: Path) -> None:
    text = definition(compiled(tmp_path), "alfa01").replace("<vcpu>1<", "<vcpu>many<")
    assert "fails to validate" in validated(tmp_path, text).stderr


def validated(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    path = folder / "defined.xml"
    path.write_text(text)
    command = ["virt-xml-validate", str(path), "domain"]
    return subprocess.run(command, capture_output=True, text=True, check=False)
