"""The site as the testbed builds it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.support import HEAD, ROOT, TODAY, good_site, site_of
from tests.testbed.supplied import pair, supplied
from threerc.compiler import lock as locking
from threerc.compiler.build import compile_tree
from threerc.compiler.model import Site
from threerc.compiler.rules import run as rule_problems
from threerc.testbed.errors import TestbedError
from threerc.testbed.overlay import NAME, overlay

ODD = (
    HEAD
    + """\
administrators: {}
root_password: {env: ROOT_HASH}
os_profiles:
  red: {installer: kickstart, kernel: red/vmlinuz, initrd: red/initrd.img, repository: http://x/}
recovery:
  notify: {command: [/usr/local/bin/page]}
  etcd: {endpoints: ["http://192.168.1.77:2379"]}
physical_hosts:
  esx:
    address: 192.168.1.11
    hypervisor: vmware
    power: {kind: redfish, address: 192.168.1.111, password: {env: BOARD}}
  fenced:
    address: 192.168.1.12
    hypervisor: vmware
    power: {kind: fence, agent: fence_apc, options: {ip: 192.168.1.3}}
virtual_machines:
  web: {address: 192.168.1.21, mac: 02:00:00:00:00:21, home: esx, os: red, image: /dev/vg0/web}
service_hosts:
  one: {address: 192.168.1.1, roles: [dhcp, dns, tftp, install, collector, controller]}
"""
)


@pytest.fixture
def odd(tmp_path: Path) -> Site:
    """A site with all that cannot be had here."""
    loaded = site_of(tmp_path, ODD)
    assert loaded.site is not None, loaded.findings
    return loaded.site


def test_the_example_holds_together_and_compiles(sns_pisa: Site) -> None:
    site, _ = overlay(sns_pisa, supplied(sns_pisa, profile="fast"))
    folder = ROOT / "examples/sns-pisa"
    wrong = [
        problem
        for rule, problem in rule_problems(site, folder)
        if (problem.severity or rule.severity) == "error"
    ]
    assert wrong == []
    lock = locking.load(folder / "site.lock", TODAY)
    entries = compile_tree(site, lock, folder).entries
    boot = entries["bibe/srv/tftp/pxelinux.cfg/sl4-32"].content.decode()
    assert "threerc.image=http://192.168.1.10/images/mini.tar.gz" in boot
    assert "console=ttyS0" in boot
    known = entries["bussolo/etc/3rc/known_hosts"].content.decode()
    assert "gridce,gridce.sns.it,192.168.1.31 ssh-ed25519" in known
    install = entries["bibe/srv/install/post/install.sh"].content.decode()
    assert pair("identity").public in install
    scripts = entries["bibe/srv/install/middleware/ig_CE.list"].content.decode().splitlines()
    assert "http://192.168.1.10/testbed/host-key.sh" in scripts
    assert "time_threshold = 2\n" in entries["alfa01/etc/ganglia/gmond.conf"].content.decode()


def test_the_site_that_was_read_is_not_touched(sns_pisa: Site) -> None:
    before = sns_pisa.model_dump()
    overlay(sns_pisa, supplied(sns_pisa))
    assert sns_pisa.model_dump() == before


def test_everything_else_is_as_it_was(sns_pisa: Site) -> None:
    site, _ = overlay(sns_pisa, supplied(sns_pisa))
    for key in ("networks", "cabling", "volumes", "monitoring", "dns", "provisioning"):
        assert getattr(site, key) == getattr(sns_pisa, key), key
    assert site.recovery.waits == sns_pisa.recovery.waits
    assert site.virtual_machines["gridce"].home == "alfa01"


def test_what_cannot_be_had_is_replaced_and_told(odd: Site) -> None:
    site, changes = overlay(odd, supplied(odd))
    assert site.os_profiles["red"].installer == "image"
    assert site.os_profiles["red"].kernel == "red/vmlinuz"
    assert site.physical_hosts["esx"].hypervisor == "libvirt"
    power = site.physical_hosts["esx"].power
    assert power is not None
    assert power.password is not None
    assert (power.kind, power.password.file) == ("ipmi", "/etc/3rc/ipmi")
    assert site.physical_hosts["fenced"].power is None
    assert site.virtual_machines["web"].image is None
    assert site.virtual_machines["web"].middleware == NAME
    assert site.recovery.notify.command == ()
    assert site.recovery.etcd is None
    assert site.root_password is None
    told = "\n".join(changes)
    for word in ("os_profiles.red", "esx.hypervisor", "esx.power", "fenced.power", "web.image"):
        assert word in told
    for word in ("recovery.notify", "recovery.etcd", "root_password", "esx.kvm"):
        assert word in told


def test_kvm_is_kept_where_it_boots_a_machine(odd: Site) -> None:
    built, told = overlay(odd, supplied(odd))
    assert not built.physical_hosts["esx"].kvm
    assert "physical_hosts.esx.kvm: false: its machines are emulated: no KVM" in told
    built, told = overlay(odd, supplied(odd, no_kvm=""))
    assert built.physical_hosts["esx"].kvm
    assert not [line for line in told if ".kvm" in line]


def test_machines_that_are_not_wanted_are_nobody_s_concern(sns_pisa: Site) -> None:
    site, changes = overlay(sns_pisa, supplied(sns_pisa, vms=("vrt2", "gridce")))
    assert list(site.virtual_machines) == ["gridce", "vrt2"]
    assert site.virtual_machines["vrt2"].start_after == ()
    assert "lcg" not in [str(each) for each in site.monitoring.trusted]
    assert "virtual_machines: only gridce, vrt2" in changes
    assert not any(rule.severity == "error" for rule, problem in rule_problems(site, None)
                   if problem.severity is None)  # fmt: skip


def test_a_site_that_cannot_install_is_refused(tmp_path: Path) -> None:
    site = good_site(tmp_path, HEAD + "service_hosts: {one: {address: 192.168.1.1}}\n")
    with pytest.raises(TestbedError, match="no install server"):
        overlay(site, supplied(site))
