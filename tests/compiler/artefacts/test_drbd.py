"""DRBD: the resources, their numbers, and that drbdadm takes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.support import HEAD, TODAY, compiled, good_site, staged, text_of
from threerc.compiler.artefacts.drbd import compile_drbd
from threerc.compiler.lock import Lock
from threerc.compiler.model import Site
from threerc.compiler.tree import Tree
from threerc.compiler.verify.drbd import CHECKER

RES = "alfa01/etc/drbd.d/gridse.res"
HOSTS = (
    HEAD
    + """
physical_hosts:
  a: {address: 192.168.1.1}
  b: {address: 192.168.1.2}
  c: {address: 192.168.1.3}
volumes:
"""
)


def test_both_peers_hold_the_same_resource(sns_pisa: Site) -> None:
    tree = compiled(compile_drbd, sns_pisa)
    assert text_of(tree, RES) == text_of(tree, "alfa02/etc/drbd.d/gridse.res")
    assert tree.entries[RES].concerns == ("alfa01", "alfa02")
    assert "alfa03/etc/drbd.d/gridse.res" not in tree.entries
    assert "address   ipv4 192.168.1.12:7788;" in text_of(tree, RES)


def test_a_new_volume_renumbers_nobody(tmp_path: Path) -> None:
    lock = Lock(TODAY)
    zoo = "  zoo: {peers: [a, b], disk: /dev/vg/z, size: 1GiB}\n"
    ant = "  ant: {peers: [b, c], disk: /dev/vg/a, size: 1GiB}\n"
    before = compiled(compile_drbd, good_site(tmp_path, HOSTS + zoo), lock)
    after = compiled(compile_drbd, good_site(tmp_path, HOSTS + ant + zoo), lock)
    path = "a/etc/drbd.d/zoo.res"
    assert text_of(before, path) == text_of(after, path)
    assert "minor 1;" in text_of(after, "b/etc/drbd.d/ant.res")


def test_explicit_numbers_and_disks_win(tmp_path: Path) -> None:
    volume = (
        "  v: {peers: [a, b], disk: {a: /dev/sdb1, b: /dev/sdc1}, size: 1GiB, protocol: A,"
        " minor: 7, port: 7795}\n"
    )
    text = text_of(
        compiled(compile_drbd, good_site(tmp_path, HOSTS + volume)), "a/etc/drbd.d/v.res"
    )
    assert "device    /dev/drbd7 minor 7;" in text
    assert 'disk      "/dev/sdc1";' in text
    assert "192.168.1.2:7795;" in text
    assert "protocol A;" in text


def test_peers_without_ipv4_mirror_over_ipv6(tmp_path: Path) -> None:
    site = (
        HEAD.replace("prefix:", "prefix6: 'fd00::/64', prefix:")
        + """
physical_hosts:
  a: {address: 192.168.1.1, address6: 'fd00::1'}
  b: {address6: 'fd00::2'}
volumes:
  v: {peers: [a, b], disk: /dev/vg/v, size: 1GiB}
"""
    )
    tree = compiled(compile_drbd, good_site(tmp_path, site))
    text = text_of(tree, "a/etc/drbd.d/v.res")
    assert "address   ipv6 [fd00::1]:7788;" in text
    assert "address   ipv6 [fd00::2]:7788;" in text
    assert list(staged(tmp_path, tree, CHECKER)) == []


def test_a_volume_is_mirrored_over_the_network_that_it_names(tmp_path: Path) -> None:
    text = """\
  storage: {prefix: 10.0.0.0/24}
physical_hosts:
  ph1: {address: 192.168.1.11, interfaces: {eth1: {address: 10.0.0.11}}}
  ph2: {address: 192.168.1.12, interfaces: {eth2: {address: 10.0.0.12}}}
volumes:
  v: {peers: [ph1, ph2], disk: /dev/vg0/v, size: 1GiB, network: storage}
"""
    tree = compiled(compile_drbd, good_site(tmp_path, HEAD + text))
    resource = text_of(tree, "ph1/etc/drbd.d/v.res")
    assert "address   ipv4 10.0.0.11:7788;" in resource
    assert "address   ipv4 10.0.0.12:7788;" in resource
    assert list(staged(tmp_path / "tree", tree, CHECKER)) == []


def test_drbdadm_takes_it(sns_pisa: Site, tmp_path: Path) -> None:
    assert list(staged(tmp_path, compiled(compile_drbd, sns_pisa), CHECKER)) == []


def test_the_utilities_for_the_8_4_module_take_it_too(sns_pisa: Site, tmp_path: Path) -> None:
    old = CHECKER._replace(program="/usr/lib/drbd/drbdadm-84")
    assert list(staged(tmp_path, compiled(compile_drbd, sns_pisa), old)) == []


@pytest.mark.parametrize(("version", "section"), [(8, "disk"), (9, "net")])
def test_each_drbd_takes_its_fencing(version: int, section: str, tmp_path: Path) -> None:
    fencing = f"""
drbd:
  version: {version}
  fencing: {{policy: resource-and-stonith, handler: /usr/local/sbin/fence-peer}}
"""
    volume = "  v: {peers: [a, b], disk: /dev/vg/v, size: 1GiB}\n"
    tree = compiled(compile_drbd, good_site(tmp_path, HOSTS + volume + fencing))
    path = "a/etc/drbd.d/global_common.conf"
    text = text_of(tree, path)
    assert "fencing resource-and-stonith;" in text.partition(f"  {section} {{")[2].partition("}")[0]
    assert '    fence-peer "/usr/local/sbin/fence-peer";' in text
    assert list(staged(tmp_path, tree, CHECKER)) == []
    broken = _changed(tree, path, b"on-io-error", b"on-error")
    assert next(staged(tmp_path, broken, CHECKER)).path == path


def test_drbdadm_refuses_a_broken_resource_at_its_line(sns_pisa: Site, tmp_path: Path) -> None:
    tree = _changed(compiled(compile_drbd, sns_pisa), RES, b"disk  ", b"dosk  ")
    (failure, *_) = staged(tmp_path, tree, CHECKER)
    assert (failure.path, failure.line) == (RES, 9)


def test_drbdadm_refuses_a_minor_used_twice(sns_pisa: Site, tmp_path: Path) -> None:
    tree = compiled(compile_drbd, sns_pisa)
    entry = tree.entries[RES]
    other = entry.content.replace(b'resource "gridse"', b'resource "other"')
    tree.entries["alfa01/etc/drbd.d/other.res"] = entry._replace(content=other)
    failures = list(staged(tmp_path, tree, CHECKER))
    assert any("device-minor" in failure.message for failure in failures)


def _changed(tree: Tree, path: str, old: bytes, new: bytes) -> Tree:
    entry = tree.entries[path]
    tree.entries[path] = entry._replace(content=entry.content.replace(old, new))
    return tree
