"""The forced command: each host gets what it needs. What it lets pass is in test_remote.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.support import HEAD, compiled, good_site, staged, text_of
from threerc.compiler.artefacts.forced_command import compile_forced_command
from threerc.compiler.model import Site
from threerc.compiler.verify.forced_command import CHECKER

PATH = "usr/local/sbin/3rc-allow"
SITE = """
physical_hosts:
  kvm: {address: 192.168.1.1, interfaces: {eth1: {address: 192.168.1.101}}}
  peer: {address: 192.168.1.2, interfaces: {eth1: {address: 192.168.1.102}}}
  xen: {address: 192.168.1.3, hypervisor: xen}
  vmw: {address: 192.168.1.4, hypervisor: vmware}
service_hosts:
  one: {address: 192.168.1.5, roles: [controller]}
  two: {address: 192.168.1.6, roles: [tftp]}
volumes:
  v: {peers: [kvm, peer], disk: /dev/vg/v, size: 1GiB}
"""


def words(text: str) -> set[str]:
    """The programs of its table."""
    table = text.partition("<<'TABLE'\n")[2].partition("TABLE\n")[0]
    return {line.split()[0] for line in table.splitlines()}


def test_each_host_allows_what_it_needs(tmp_path: Path) -> None:
    tree = compiled(compile_forced_command, good_site(tmp_path, HEAD + SITE))
    found = {path.partition("/")[0]: words(text_of(tree, path)) for path in tree.entries}
    assert found == {
        "kvm": {"virsh", "qemu-img", "drbdadm"},
        "peer": {"virsh", "qemu-img", "drbdadm"},
        "xen": {"xl", "dd", "qemu-img"},
        "vmw": {"vmware-vim-cmd", "vim-cmd", "pgrep", "kill", "rm"},
        "two": {"test", "readlink", "ln", "mv"},
    }


def test_a_site_without_controllers_lets_nobody_in(tmp_path: Path) -> None:
    site = good_site(tmp_path, HEAD + SITE.replace("[controller]", "[dns]"))
    assert not compiled(compile_forced_command, site).entries


def test_the_shell_takes_it(tmp_path: Path, sns_pisa: Site) -> None:
    tree = compiled(compile_forced_command, sns_pisa)
    assert list(staged(tmp_path, tree, CHECKER)) == []


@pytest.mark.parametrize(("old", "new"), [("refuse()", "refuse("), ("exit 126", "return 0")])
def test_the_shell_refuses_a_broken_one(tmp_path: Path, sns_pisa: Site, old: str, new: str) -> None:
    tree = compiled(compile_forced_command, sns_pisa)
    path = f"alfa01/{PATH}"
    broken = text_of(tree, path).replace(old, new)
    tree.entries[path] = tree.entries[path]._replace(content=broken.encode())
    assert [failure.path for failure in staged(tmp_path, tree, CHECKER)] == [path]
