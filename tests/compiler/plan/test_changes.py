"""What a plan says of each change: in terms of hosts, with the right risk, and of every field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.compiler.support import good_site
from threerc.compiler.lock import LockData, LockedVolume
from threerc.compiler.model import KINDS, Site
from threerc.compiler.model.site import SiteSettings
from threerc.compiler.plan import hosts as host_part
from threerc.compiler.plan import site as site_part
from threerc.compiler.plan.change import Change, Risk
from threerc.compiler.plan.compare import compare
from threerc.compiler.plan.snapshot import read, snapshot

SITE = """\
site: test
domain: example.org
networks:
  lan: {prefix: 192.168.1.0/24, gateway: 192.168.1.254, boot: true}
os_profiles:
  deb: {installer: preseed, release: bookworm, kernel: k, initrd: i, repository: "http://s/d"}
middleware: {web: {scripts: ["http://s/web.sh"]}}
physical_hosts:
  ph1: {address: 192.168.1.1, mac: "02:00:00:00:01:01", cpus: 8, memory: 16GiB}
  ph2: {address: 192.168.1.2, mac: "02:00:00:00:01:02", cpus: 8, memory: 16GiB}
virtual_machines:
  vm1: {address: 192.168.1.11, mac: "02:00:00:00:02:01", home: ph1, os: deb, memory: 2GiB}
  vm2: {home: ph2, volume: data, address: 192.168.1.12, mac: "02:00:00:00:02:02"}
worker_nodes:
  wn[1-3]: {address: 192.168.1.21-192.168.1.23, mac: "02:00:00:00:03:01-02:00:00:00:03:03"}
service_hosts:
  s: {address: 192.168.1.200, roles: [dhcp, dns, tftp, install, collector, controller]}
  t: {address: 192.168.1.201, roles: [collector, controller]}
volumes:
  data: {peers: [ph1, ph2], disk: /dev/vg/data, size: 20GiB}
"""
LOCK = LockData(volumes={"data": LockedVolume(minor=7, port=7795)})


def changes(folder: Path, old: str, new: str, *, text: str = SITE) -> list[Change]:
    """What a plan says when `old` in the site's text becomes `new`."""
    assert text.count(old) == 1, old
    before = good_site(folder, text)
    after = good_site(folder, text.replace(old, new))
    return list(compare(snapshot(before, LOCK), snapshot(after, LOCK)).changes)


CASES = [
    ("11, mac", "14, mac", Risk.TOUCHES_VM, "vm1", "address 192.168.1.11 -> 192.168.1.14"),
    ("192.168.1.2, mac", "192.168.1.9, mac", Risk.RESTARTS, "ph2", "address 192.168.1.2 -> "),
    ("02:00:00:00:02:01", "02:00:00:00:02:0a", Risk.TOUCHES_VM, "vm1", "mac 02:00:00:00:02:01 ->"),
    (
        "os: deb,",
        "os: deb, inst: 1,",
        Risk.LOSES_DATA,
        "vm1",
        "may now be reinstalled (INST 0 -> 1)",
    ),
    (
        "os: deb,",
        "os: deb, boot: install,",
        Risk.LOSES_DATA,
        "vm1",
        "boots install instead of none",
    ),
    ("os: deb,", "os: deb, middleware: web,", Risk.HARMLESS, "vm1", "middleware none -> web"),
    ("os: deb,", "os: deb, priority: 5,", Risk.HARMLESS, "vm1", "priority 0 -> 5"),
    ("os: deb,", "os: deb, aliases: [www, w],", Risk.HARMLESS, "vm1", "aliases none -> www, w"),
    ("memory: 2GiB", "memory: 3GiB", Risk.HARMLESS, "vm1", "memory 2 GiB -> 3 GiB"),
    ("home: ph1", "home: ph2", Risk.HARMLESS, "vm1", "home ph1 -> ph2"),
    ("size: 20GiB", "size: 10GiB", Risk.LOSES_DATA, "volume data", "size 20 GiB -> 10 GiB"),
    ("size: 20GiB", "size: 30GiB", Risk.TOUCHES_VM, "volume data", "size 20 GiB -> 30 GiB"),
    ("/dev/vg/data", "/dev/vg/new", Risk.LOSES_DATA, "volume data", "disk /dev/vg/data -> /dev/vg"),
    ("gateway: 192.168.1.254", "gateway: 192.168.1.253", Risk.RESTARTS, "network lan", "gateway "),
    ("release: bookworm", "release: trixie", Risk.HARMLESS, "OS profile deb", "release bookworm"),
    (
        "domain: example.org",
        "domain: example.net",
        Risk.RESTARTS,
        "setting domain",
        "example.org ->",
    ),
    (
        "domain: example.org\n",
        "domain: example.org\nrecovery: {steps: {reboot: 2}}\n",
        Risk.HARMLESS,
        "setting recovery",
        "steps none -> reboot 2",
    ),
]


@pytest.mark.parametrize(("old", "new", "risk", "subject", "what"), CASES)
def test_a_change_is_told_with_its_risk(
    tmp_path: Path, old: str, new: str, risk: Risk, subject: str, what: str
) -> None:
    (change,) = changes(tmp_path, old, new)
    assert (change.risk, change.subject) == (risk, subject)
    assert change.what.startswith(what)


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("memory: 2GiB", "memory: 3GiB", ("VM definition", "controllers")),
        ("os: deb,", "os: deb, cpus: 2,", ("VM definition", "controllers")),
        ("home: ph1", "home: ph2", ("VM definition", "controllers")),
        ("02:00:00:00:02:01", "02:00:00:00:02:0a", ("DHCP reservation", "VM definition")),
        ("02:00:00:00:01:01", "02:00:00:00:01:0a", ("DHCP reservation",)),
        ("cpus: 8, memory: 16GiB}\n  ph2", "cpus: 9, memory: 16GiB}\n  ph2", ("controllers",)),
        ("memory: 16GiB}\n  ph2", "memory: 8GiB}\n  ph2", ("controllers",)),
        (
            "memory: 16GiB}\n  ph2",
            "memory: 16GiB, kvm: false}\n  ph2",
            ("definitions of its VMs", "controllers"),
        ),
    ],
)
def test_a_change_names_the_files_that_change(
    tmp_path: Path, old: str, new: str, where: tuple[str, ...]
) -> None:
    """Of these a machine's definition, which is compiled too."""
    (change,) = changes(tmp_path, old, new)
    assert change.where == where
    started = "VM definition" in where or "definitions of its VMs" in where
    assert ("started next" in change.note) <= started


VM = '  vm1: {address: 192.168.1.11, mac: "02:00:00:00:02:01", home: ph1, os: deb'


def test_new_hosts_and_hosts_that_are_gone(tmp_path: Path) -> None:
    (gone,) = changes(tmp_path, VM, "#")
    assert (gone.risk, gone.what) == (Risk.TOUCHES_VM, "virtual machine is gone")
    assert "nobody brings it back" in gone.note
    (new,) = changes(tmp_path, "#", VM, text=SITE.replace(VM, "#"))
    assert (new.risk, new.what) == (Risk.RESTARTS, "new virtual machine, 192.168.1.11")
    assert new.where[:2] == ("DHCP reservation", "boot link")


def test_new_volumes_and_volumes_that_are_gone(tmp_path: Path) -> None:
    volume = "  data: {peers: [ph1, ph2], disk: /dev/vg/data, size: 20GiB}\n"
    without = SITE.replace(volume, "").replace("volume: data, ", "")
    before, after = good_site(tmp_path, without), good_site(tmp_path, SITE)
    old, new = snapshot(before, LockData()), snapshot(after, LOCK)
    told = [change for change in compare(old, new).changes if change.subject == "volume data"]
    assert [each.what for each in told] == [
        "new DRBD volume on ph1/ph2: minor 7, port 7795, 20 GiB"
    ]
    assert told[0].hosts == ("ph1", "ph2")
    (gone,) = (c for c in compare(new, old).changes if c.subject == "volume data")
    assert (gone.risk, gone.what) == (Risk.LOSES_DATA, "DRBD volume on ph1/ph2 is gone")
    (disk,) = (c for c in compare(old, new).changes if c.subject == "vm2")
    assert (disk.risk, disk.note) == (Risk.LOSES_DATA, "it gets another disk")


def test_a_host_of_another_kind_is_another_host(tmp_path: Path) -> None:
    before = good_site(tmp_path, SITE)
    moved = SITE.replace("  t: {", "#").replace(
        "physical_hosts:\n", "physical_hosts:\n  t: {address: 192.168.1.201}\n"
    )
    after = good_site(tmp_path, moved.replace("collector, controller]}\n  #", ""))
    told = compare(snapshot(before, LOCK), snapshot(after, LOCK)).changes
    assert [each.what for each in told if each.subject == "t"] == [
        "service host is gone",
        "new physical host, 192.168.1.201",
    ]


def test_the_worst_comes_first_and_the_share_is_of_hosts(tmp_path: Path) -> None:
    before = good_site(tmp_path, SITE)
    after = good_site(
        tmp_path,
        SITE.replace("os: deb", "os: deb, inst: 1").replace("wn[1-3]: {", "wn[1-3]: {os: deb, "),
    )
    found = compare(snapshot(before, LOCK), snapshot(after, LOCK))
    assert [each.subject for each in found.changes] == ["vm1", "wn1", "wn2", "wn3"]
    assert found.hosts == ("vm1", "wn1", "wn2", "wn3")
    assert found.share == pytest.approx(4 / 9)
    assert found.risk is Risk.LOSES_DATA


def test_nothing_changes_for_the_same_site(sns_pisa: Site) -> None:
    assert compare(snapshot(sns_pisa, LOCK), snapshot(sns_pisa, LOCK)).changes == ()


def test_a_snapshot_is_read_as_it_was_written(sns_pisa: Site) -> None:
    taken = snapshot(sns_pisa, LOCK)
    assert read(taken.text()) == taken


@pytest.mark.parametrize("text", ["", "{}", "[\n]\n", "{\nhost/a: {}\n}\n", "{\n}"])
def test_what_is_no_snapshot(text: str) -> None:
    if text == "{\n}":
        assert read(text).lines == {}
        return
    with pytest.raises(ValueError, match="snapshot"):
        read(text)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_a_host_is_told(kind: Any) -> None:
    told = {*host_part._FIELDS, *host_part._SPECIAL, *host_part._LEFT_OUT}  # noqa: SLF001
    assert set(KINDS[kind].model_fields) <= told


def test_every_setting_is_told() -> None:
    apart = {"volumes", "networks", "os_profiles", "middleware"}
    assert set(SiteSettings.model_fields) == {*site_part._SETTINGS, *apart}  # noqa: SLF001
