"""NFS exports: what they say, and that exportfs takes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.support import HEAD, compiled, good_site, staged, text_of
from threerc.compiler.artefacts.exports import compile_exports
from threerc.compiler.model import Site
from threerc.compiler.tree import Tree
from threerc.compiler.verify.base import Checker
from threerc.compiler.verify.exports import CHECKERS

EXPORTS = "alfa01/etc/exports.d/shared.exports"


def test_both_peers_export_the_same_with_a_fixed_fsid(sns_pisa: Site) -> None:
    tree = compiled(compile_exports, sns_pisa)
    text = text_of(tree, EXPORTS)
    assert text == text_of(tree, "alfa02/etc/exports.d/shared.exports")
    assert "/srv/shared 192.168.1.0/24(rw,sync,no_subtree_check,mountpoint,fsid=3) " in text
    assert " fd00:5:2::/64(rw,sync,no_subtree_check,mountpoint,fsid=3)\n" in text


def test_hosts_and_literal_clients(tmp_path: Path) -> None:
    site = (
        HEAD
        + """
physical_hosts:
  a: {address: 192.168.1.1, interfaces: {eth1: {address: 192.168.1.101}}}
  b: {address: 192.168.1.2}
volumes:
  v:
    peers: [a, b]
    disk: /dev/vg/v
    size: 1GiB
    nfs: {path: /srv/v, clients: [a, 10.0.0.0/8], options: [ro, no_subtree_check]}
"""
    )
    tree = compiled(compile_exports, good_site(tmp_path, site))
    line = text_of(tree, "b/etc/exports.d/v.exports").splitlines()[-1]
    options = "(ro,no_subtree_check,mountpoint,fsid=1)"
    clients = ("192.168.1.1", "192.168.1.101", "10.0.0.0/8")
    assert line == " ".join(["/srv/v", *(client + options for client in clients)])


def test_options_that_are_given_are_not_added(tmp_path: Path) -> None:
    site = (
        HEAD
        + """
physical_hosts: {a: {address: 192.168.1.1}, b: {address: 192.168.1.2}}
volumes:
  v:
    peers: [a, b]
    disk: /dev/vg/v
    size: 1GiB
    nfs: {path: /srv/v/export, clients: [lan], options: [ro, fsid=77, mp=/srv/v]}
"""
    )
    text = text_of(
        compiled(compile_exports, good_site(tmp_path, site)), "a/etc/exports.d/v.exports"
    )
    assert text.endswith("\n/srv/v/export 192.168.1.0/24(ro,fsid=77,mp=/srv/v)\n")


@pytest.mark.parametrize("checker", CHECKERS, ids=["us", "exportfs"])
def test_the_checkers_take_it(sns_pisa: Site, tmp_path: Path, checker: Checker) -> None:
    assert list(staged(tmp_path, compiled(compile_exports, sns_pisa), checker)) == []


@pytest.mark.parametrize("checker", CHECKERS, ids=["us", "exportfs"])
@pytest.mark.parametrize("wrong", ["(rw,syn c)", "(rw,sync", "()"])
def test_the_checkers_refuse_a_broken_file(
    sns_pisa: Site, tmp_path: Path, checker: Checker, wrong: str
) -> None:
    tree = compiled(compile_exports, sns_pisa)
    if wrong == "()" and checker.program:
        wrong = "(rw,synk)"  # empty options are fine with exportfs, unknown ones with us
    failures = list(staged(tmp_path, _broken(tree, wrong), checker))
    assert [(f.path, f.line) for f in failures][:1] == [(EXPORTS, 2)]


def _broken(tree: Tree, wrong: str) -> Tree:
    entry = tree.entries[EXPORTS]
    content = f"# broken\n/srv/shared 192.168.1.0/24{wrong}\n".encode()
    tree.entries[EXPORTS] = entry._replace(content=content)
    return tree
