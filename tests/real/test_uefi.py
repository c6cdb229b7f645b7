"""Machines with UEFI boot what their boot link says, as those with a BIOS do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.compiler.support import TODAY
from tests.lab import Machine, Namespace, dhcpd, kea, machine, namespace, requires_real, tftpd
from tests.lab.uefi import Way, bootable_disk, uefi
from tests.testbed.installing import install_server
from threerc.compiler.build import Options, build
from threerc.runtime.bootlinks import BootLinks
from threerc.testbed.images import Images

pytestmark = requires_real()

NAME, MAC, STRANGER = "wn001", "52:54:00:00:01:0b", "52:54:00:00:01:ff"
SITE: Final = f"""\
site: lab
domain: example.org
dhcp: {{server: SERVER}}
networks:
  lan: {{prefix: 192.168.1.0/24, boot: true, pool: 192.168.1.200-192.168.1.209}}
os_profiles:
  tiny:
    installer: image
    kernel: tiny/vmlinuz
    initrd: tiny/initrd
    image: http://192.168.1.2/images/image.tar.gz
    arguments: [console=ttyS0, 'odd="$a;b"']
    disk: vda
service_hosts:
  server: {{address: 192.168.1.2, roles: [dhcp, tftp, dns, install, collector]}}
worker_nodes:
  {NAME}: {{address: 192.168.1.11, mac: "{MAC}", os: tiny, dual_boot: {{disks: [vda, vdb]}}}}
"""
BOOT_SECONDS: Final = 180


@dataclass
class Lab:
    """The site's server, running, and the disks of its one machine."""

    net: Namespace
    server: Path
    disks: list[Path]

    def boots_next(self, target: str) -> None:
        """Switch the machine's boot link."""
        links = BootLinks.load(self.server)
        links.switch(links.find([NAME]), target)

    @contextmanager
    def switched_on(self, way: Way = "pxe", mac: str = MAC) -> Iterator[Machine]:
        """The machine, or a stranger with its disks."""
        with machine(
            self.net, mac=mac, disks=self.disks, memory=512, arguments=uefi(self.net.work, way)
        ) as host:
            yield host


@pytest.fixture
def cache(pytestconfig: pytest.Config) -> Path:
    """Where images are kept from one run of the tests to the next."""
    return Path(pytestconfig.cache.mkdir("threerc-images"))


@contextmanager
def lab(work: Path, server: str = "dhcpd") -> Iterator[Lab]:
    """The site, with a DHCP server of the one or of the other kind."""
    site = work / "site.yaml"
    site.write_text(SITE.replace("SERVER", server))
    report = build(site, Options(out=work / "out", today=TODAY, strict=True))
    assert not report.tree.left_out
    root = report.out / "server"
    disks = [
        bootable_disk(work / f"{each}.img", "EFI/debian/grubx64.efi", f"This is disk {each}")
        for each in ("one", "two")
    ]
    with namespace(work / "lab", "192.168.1.2/24") as net:
        served = (
            kea(net, root / "etc/kea/kea-dhcp4.conf")
            if server == "kea"
            else dhcpd(net, root / "etc/dhcp/dhcpd.conf")
        )
        with served, tftpd(net, root / "srv/tftp"), install_server(net, root):
            yield Lab(net, root, disks)


@pytest.mark.parametrize("server", ["dhcpd", "kea"])
def test_it_installs_itself(server: str, tmp_path: Path, cache: Path) -> None:
    images = Images.of("mini", cache=cache, say=print)
    with lab(tmp_path, server) as site:
        folder = site.server / "srv/tftp/tiny"
        folder.mkdir()
        shutil.copy(images.kernel, folder / "vmlinuz")
        shutil.copy(images.initrd, folder / "initrd")
        site.boots_next("install")
        with site.switched_on() as host:
            host.wait_for("BOOTIF=01-52-54-00-00-01-0b", BOOT_SECONDS)
            assert host.said("threerc.install=http://192.168.1.2 ")
            assert host.said(" odd=$a;b ")
            host.wait_for("3RC-INSTALL begin", BOOT_SECONDS)


def test_the_boot_link_chooses_the_disk(tmp_path: Path) -> None:
    with lab(tmp_path) as site:
        before = [disk.read_bytes() for disk in site.disks]
        for target, disk in (("disk1", "one"), ("disk2", "two"), ("local", "one")):
            site.boots_next(target)
            with site.switched_on() as host:
                host.wait_for(f"This is disk {disk}", BOOT_SECONDS)
        assert [disk.read_bytes() for disk in site.disks] == before


@pytest.mark.parametrize("way", ["http", "ipxe"])
def test_whatever_loads_the_boot_loader(way: Way, tmp_path: Path) -> None:
    with lab(tmp_path) as site:
        site.boots_next("disk2")
        with site.switched_on(way) as host:
            host.wait_for("This is disk two", BOOT_SECONDS)


def test_a_stranger_boots_from_its_own_disk(tmp_path: Path) -> None:
    with lab(tmp_path) as site, site.switched_on(mac=STRANGER) as host:
        host.wait_for("This is disk one", BOOT_SECONDS)
        assert host.said("192.168.1.200")


def test_a_boot_file_that_is_gone_is_waited_for(tmp_path: Path) -> None:
    with lab(tmp_path) as site:
        site.boots_next("disk2")
        file = site.server / "srv/tftp/grub/boot/disk2.cfg"
        content = file.read_text()
        file.unlink()
        with site.switched_on() as host:
            host.wait_for("disk2 could not be booted", BOOT_SECONDS)
            file.write_text(content)
            host.wait_for("This is disk two", BOOT_SECONDS)
