"""GRUB's network configuration: what is in it, and that GRUB's checker takes it.

What GRUB makes of it is in tests/real/test_uefi.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.support import HEAD, compiled, good_site, staged, text_of
from threerc.compiler.artefacts.grub_net import compile_grub_net
from threerc.compiler.artefacts.pxelinux import compile_pxelinux
from threerc.compiler.model import Site
from threerc.compiler.tree import Tree
from threerc.compiler.verify import verify
from threerc.compiler.verify.grub_net import CHECKER

GRUB = "bibe/srv/tftp/grub"


def test_each_boot_link_has_a_twin(sns_pisa: Site) -> None:
    links = compiled(compile_pxelinux, sns_pisa).entries
    twins = compiled(compile_grub_net, sns_pisa).entries
    wanted = {p.rpartition("/")[2]: e.concerns for p, e in links.items() if e.target is not None}
    found = {p.partition("cfg-")[2]: e.concerns for p, e in twins.items() if e.target is not None}
    assert found == wanted
    assert {e.target for e in twins.values() if e.target is not None} == {"hosts.cfg"}


def test_each_boot_file_has_a_twin_of_the_name_that_it_begins_with(sns_pisa: Site) -> None:
    tree = compiled(compile_pxelinux, sns_pisa)
    files = {path: entry for path, entry in tree.entries.items() if "/pxelinux.cfg/" in path}
    named = {
        text_of(tree, p).split("default ")[1].split()[0] for p, e in files.items() if not e.target
    }
    twins = compiled(compile_grub_net, sns_pisa).entries
    assert named == {"local", "disk1", "disk2", "sl4-32", "sl4-64", "debian"}
    assert {f"{GRUB}/boot/{name}.cfg" for name in named} <= set(twins)
    for path, entry in files.items():
        if entry.target is None:
            words = [line for line in text_of(tree, path).splitlines() if line[0] != "#"]
            assert words[0].startswith("default "), "GRUB would not know another word"


def test_the_installer_is_told_the_same_as_by_pxelinux(tmp_path: Path) -> None:
    text = """
os_profiles:
  el9:
    installer: kickstart
    release: RHEL9
    kernel: k/vmlinuz
    initrd: k/initrd
    repository: http://192.168.1.2/el
    arguments: ['a="b"', "x='$y;z"]
service_hosts:
  bibe: {address: 192.168.1.2, roles: [tftp, install]}
"""
    site = good_site(tmp_path, HEAD + text)
    boot = text_of(compiled(compile_grub_net, site), f"{GRUB}/boot/el9.cfg")
    assert (
        "if linux '/k/vmlinuz' 'inst.ks=http://192.168.1.2/profiles/el9.cfg' 'a=b' "
        """'x='"'"'$y;z' BOOTIF=01-$a-$b-$c-$d-$e-$f; then\n"""
    ) in boot
    assert "if initrd '/k/initrd'; then\n" in boot


def _named(tree: Tree) -> Tree:
    for path, entry in tree.entries.items():
        tree.entries[path] = entry._replace(artefact="grub_net")
    return tree


def test_the_checker_takes_it_and_wants_kernels_to_be_there(sns_pisa: Site, tmp_path: Path) -> None:
    tree = compiled(compile_grub_net, sns_pisa)
    assert {each.path for each in staged(tmp_path / "alone", tree, CHECKER)} == {
        f"{GRUB}/boot/{name}.cfg" for name in ("sl4-32", "sl4-64", "debian")
    }
    tree = _named(tree)
    for path, entry in tree.entries.items():
        if entry.target is None:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(entry.content)
    tree.to_provide = compiled(compile_pxelinux, sns_pisa).to_provide
    assert verify(tmp_path, tree, print, [CHECKER])[0].failures == []


@pytest.mark.parametrize(("old", "new"), [("done", "fi"), ("if [", "if [ '")])
def test_a_broken_file_is_refused(old: str, new: str, sns_pisa: Site, tmp_path: Path) -> None:
    tree = compiled(compile_grub_net, sns_pisa)
    path = f"{GRUB}/boot/local.cfg"
    broken = text_of(tree, path).replace(old, new)
    tree.entries = {path: tree.entries[path]._replace(content=broken.encode())}
    (failure,) = staged(tmp_path, tree, CHECKER)
    assert failure.path == path
    assert failure.line > 0
