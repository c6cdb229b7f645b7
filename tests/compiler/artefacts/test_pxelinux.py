"""pxelinux.cfg: the links' names and targets, and the boot files."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compiler.support import HEAD, compiled, good_site, text_of
from threerc.compiler.artefacts.pxelinux import compile_pxelinux, hex_address
from threerc.compiler.model import Site
from threerc.compiler.model.os_profile import OsProfile
from threerc.compiler.tree import Tree
from threerc.compiler.verify import verify
from threerc.compiler.verify.pxelinux import CHECKER

TFTP = "/srv/tftp/pxelinux.cfg"
CFG = f"bibe{TFTP}"


@given(st.ip_addresses(v=4))
def test_a_link_is_the_address_in_upper_case_hex(address: IPv4Address) -> None:
    name = hex_address(address)
    assert name == "".join(f"{byte:02X}" for byte in address.packed)


def test_a_host_links_to_what_it_boots_by_declaration(sns_pisa: Site) -> None:
    entries = compiled(compile_pxelinux, sns_pisa).entries
    assert entries[f"{CFG}/C0A8011F"].target == "local"  # gridce
    assert entries[f"{CFG}/C0A80201"].target == "disk1"  # wn01
    assert entries[f"{CFG}/C0A80201"].concerns == ("wn01",)


def test_the_network_of_debians_installer_is_set_up_before_it_has_its_profile(
    sns_pisa: Site,
) -> None:
    text = text_of(compiled(compile_pxelinux, sns_pisa), f"{CFG}/debian")
    # Two interfaces, or DHCP without a router: of either it would ask a person.
    assert " interface=auto netcfg/get_nameservers=192.168.1.10 url=" in text
    assert "\n  ipappend 2\n" in text


def test_boot_files_of_the_thesis(sns_pisa: Site) -> None:
    text = text_of(compiled(compile_pxelinux, sns_pisa), f"{CFG}/disk2")
    assert "kernel kernel/memdisk" in text
    assert "append initrd=grub/grub-disk-hd2.img" in text


def test_strangers_boot_from_their_own_disk(sns_pisa: Site) -> None:
    text = text_of(compiled(compile_pxelinux, sns_pisa), f"{CFG}/default")
    assert "localboot 0" in text
    assert "kernel" not in text


def test_an_install_by_declaration_links_to_the_profile(tmp_path: Path) -> None:
    text = (
        HEAD
        + """
os_profiles:
  sl: {installer: kickstart, kernel: k, initrd: i, repository: http://192.168.1.2/sl}
service_hosts:
  s: {address: 192.168.1.2, roles: [tftp, install]}
worker_nodes:
  wn1: {address: 192.168.1.10, mac: 02:00:00:00:00:01, os: sl, boot: install}
"""
    )
    tree = compiled(compile_pxelinux, good_site(tmp_path, text))
    assert tree.entries["s/srv/tftp/pxelinux.cfg/C0A8010A"].target == "sl"
    assert "ks=http://192.168.1.2/profiles/sl.cfg" in text_of(tree, "s/srv/tftp/pxelinux.cfg/sl")


@pytest.mark.parametrize(
    ("release", "arguments"),
    [
        ("RHEL6", "ks=URL ksdevice=bootif"),
        ("F18", "ks=URL ksdevice=bootif"),
        ("RHEL7", "inst.ks=URL"),
        ("RHEL9", "inst.ks=URL"),
        ("F34", "inst.ks=URL"),
    ],
)
def test_each_anaconda_is_told_its_kickstart_as_it_reads_it(
    release: str, arguments: str, tmp_path: Path
) -> None:
    text = (
        HEAD
        + f"""
os_profiles:
  el:
    installer: kickstart
    release: {release}
    kernel: k
    initrd: i
    repository: http://192.168.1.2/el
service_hosts:
  s: {{address: 192.168.1.2, roles: [tftp, install]}}
"""
    )
    boot = text_of(compiled(compile_pxelinux, good_site(tmp_path, text)), f"s{TFTP}/el")
    url = "http://192.168.1.2/profiles/el.cfg"
    assert f"  append initrd=i {arguments.replace('URL', url)}\n" in boot
    assert "  ipappend 2\n" in boot


def test_an_image_is_unpacked_as_the_reference_says(tmp_path: Path) -> None:
    text = """
os_profiles:
  img: {installer: image, kernel: k, initrd: i, image: http://a/sl4.tar.gz, disk: vda}
service_hosts:
  s: {address: 192.168.1.2, roles: [tftp, install]}
"""
    boot = text_of(compiled(compile_pxelinux, good_site(tmp_path, HEAD + text)), f"s{TFTP}/img")
    words = boot.partition(" ip=dhcp ")[2].splitlines()[0].split()
    assert words == [
        "threerc.install=http://192.168.1.2",
        "threerc.image=http://a/sl4.tar.gz",
        "threerc.disk=vda",
    ]
    described = OsProfile.model_fields["image"].description or ""
    assert all(f"`{word.partition('=')[0]}=`" in described for word in words)


def _relabelled(tree: Tree) -> Tree:
    for path, entry in tree.entries.items():
        tree.entries[path] = entry._replace(artefact="pxelinux")
    return tree


def test_the_checker_wants_links_and_kernels_to_be_there(sns_pisa: Site, tmp_path: Path) -> None:
    tree = _relabelled(compiled(compile_pxelinux, sns_pisa))
    missing = {f.path for f in verify(tmp_path, tree, print, [CHECKER])[0].failures}
    # Memdisk and the images are made by other artefacts, absent from this tree.
    assert missing == {f"{CFG}/disk1", f"{CFG}/disk2"}
    del tree.entries[f"{CFG}/local"]
    tree.to_provide.clear()
    missing = {f.path for f in verify(tmp_path, tree, print, [CHECKER])[0].failures}
    assert {f"{CFG}/C0A8011F", f"{CFG}/sl4-32"} <= missing
