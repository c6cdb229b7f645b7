"""The parts of a site's lab."""

from __future__ import annotations

from ipaddress import ip_interface
from pathlib import Path

import pytest

from tests.compiler.support import HEAD, TODAY, good_site
from tests.testbed.supplied import RUN, supplied
from threerc.compiler.lock import Lock
from threerc.compiler.model import Site
from threerc.compiler.model.dhcp import Dhcp
from threerc.compiler.tree import Output, Tree
from threerc.testbed.errors import TestbedError
from threerc.testbed.layout import layout
from threerc.testbed.needs import programs_of
from threerc.testbed.overlay import overlay
from threerc.testbed.parts import CapsuleSpec, LabSpec, Volume
from threerc.testbed.prepare import Wanted

NODES = ("wn01",)


def lab_of(site: Site, nodes: tuple[str, ...] = ()) -> LabSpec:
    supplies = supplied(site)
    built, _ = overlay(site, supplies)
    return layout(built, Output("test", Tree(), Lock(TODAY)), supplies, nodes)


def capsule(lab: LabSpec, name: str) -> CapsuleSpec:
    return next(each for each in lab.capsules if each.name == name)


@pytest.fixture
def lab(sns_pisa: Site) -> LabSpec:
    return lab_of(sns_pisa, NODES)


def test_a_switch_is_a_bridge_for_each_network(lab: LabSpec) -> None:
    assert [(b.network, b.switch) for b in lab.bridges] == [
        ("lan", "sw1"), ("lan", "sw2"), ("farm", "sw1"), ("farm", "sw2"),
    ]  # fmt: skip
    assert lab.bridges[0].uplinks == (lab.bridges[1].name,)
    assert len({b.name for b in lab.bridges}) == 4


def test_a_physical_host(lab: LabSpec) -> None:
    host = capsule(lab, "alfa01")
    (card,) = host.cards
    assert (card.mac, card.inner) == ("02:00:c0:a8:01:0b", "br0")
    assert card.addresses == (ip_interface("192.168.1.11/24"),)
    assert card.bridges == (lab.bridges[0].name, lab.bridges[1].name)
    assert host.gateway == "192.168.1.254"
    assert [d.name for d in host.daemons][:4] == ["sshd", "gmond", "virtlogd", "libvirtd"]
    assert Volume(RUN / "volumes/gridse.img", "/dev/drbd0", 100 * 1024) in host.volumes
    assert "/var/lib/libvirt/images" in [bind.target for bind in host.binds]


def test_a_service_host_has_all_its_roles(lab: LabSpec) -> None:
    host = capsule(lab, "bibe")
    names = {daemon.name for daemon in host.daemons}
    assert {"dhcpd", "tftpd", "named", "gmond", "gmetad", "sshd", "cron"} <= names
    assert [card.name for card in host.cards] == ["eth0", "eth1"]
    assert host.cards[1].bridges == (lab.bridges[2].name, lab.bridges[3].name)


def test_a_site_with_kea_runs_that(sns_pisa: Site) -> None:
    site = sns_pisa.model_copy(update={"dhcp": Dhcp(server="kea")})
    found = {each.name: each.command[0] for each in capsule(lab_of(site), "bibe").daemons}
    assert found["dhcpd"] == "kea-dhcp4"
    needed = programs_of(site, Wanted(TODAY))
    assert "kea-dhcp4" in needed
    assert "dhcpd" not in needed


def test_both_controllers_share_one_small_state(lab: LabSpec) -> None:
    (store,) = lab.stores
    for name in ("bibe", "bussolo"):
        assert (store.path, "/var/spool/ha") in [
            (bind.source, bind.target) for bind in capsule(lab, name).binds
        ]


def test_the_gateways_and_boards_are_capsules_of_their_own(lab: LabSpec) -> None:
    router, boards = capsule(lab, "router"), capsule(lab, "boards")
    assert [str(card.addresses[0].ip) for card in router.cards] == [
        "192.168.1.254", "192.168.2.254",
    ]  # fmt: skip
    assert [str(card.addresses[0].ip) for card in boards.cards] == [
        f"192.168.1.11{n}" for n in range(1, 5)
    ]
    assert len(boards.daemons) == 4


def test_a_worker_node_boots_from_its_network(lab: LabSpec) -> None:
    (node,) = lab.machines
    assert (node.mac, len(node.disks)) == ("02:00:c0:a8:02:01", 2)
    assert node.bridges == (lab.bridges[3].name,)


def test_names_and_macs_are_the_lab_s_only_once(lab: LabSpec) -> None:
    macs = [card.mac for each in lab.capsules for card in each.cards]
    assert len(macs) == len(set(macs))
    assert all(len(card.name) < 16 for each in lab.capsules for card in each.cards)


def test_rings_of_switches_are_cut(tmp_path: Path) -> None:
    ring = """\
cabling:
  switches: {a: {uplinks: [b, c]}, b: {uplinks: [c]}, c: {uplinks: [a]}}
service_hosts:
  one: {address: 192.168.1.1, roles: [dhcp, tftp, install], switches: [a, b]}
"""
    lab = lab_of(good_site(tmp_path, HEAD + ring))
    assert sum(len(each.uplinks) for each in lab.bridges) == 2


def test_a_site_without_cabling_has_one_switch(tmp_path: Path) -> None:
    text = "service_hosts: {one: {address: 192.168.1.1, roles: [dhcp, tftp, install]}}\n"
    lab = lab_of(good_site(tmp_path, HEAD + text))
    assert [each.switch for each in lab.bridges] == ["switch"]
    assert capsule(lab, "one").cards[0].bridges == (lab.bridges[0].name,)


def test_a_card_to_the_outside_is_plugged_into_nothing_and_told(tmp_path: Path) -> None:
    outside = """service_hosts:
  one:
    address: 192.168.1.1
    roles: [dhcp, tftp, install]
    interfaces: {eth1: {address: 203.0.113.7, address6: "2001:db8::7"}}
"""
    site = good_site(tmp_path, HEAD + outside)
    cards = capsule(lab_of(site), "one").cards
    assert [(card.name, len(card.bridges)) for card in cards] == [("eth0", 1), ("eth1", 0)]
    assert [str(each) for each in cards[1].addresses] == ["203.0.113.7/32", "2001:db8::7/128"]
    told = [line for line in overlay(site, supplied(site))[1] if "on no network" in line]
    assert [line.partition(" is ")[0] for line in told] == [
        "one-eth1: 203.0.113.7",
        "one-eth1: 2001:db8::7",
    ]


@pytest.mark.parametrize(
    ("node", "message"), [("nobody", "no worker node 'nobody'"), ("gridce", "no worker node")]
)
def test_a_node_that_is_none(sns_pisa: Site, node: str, message: str) -> None:
    with pytest.raises(TestbedError, match=message):
        lab_of(sns_pisa, (node,))
