"""A host boots the disk that its boot link names, and nothing is written to any disk."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.compiler.support import TODAY
from tests.lab import (
    Namespace,
    dhcpd,
    machine,
    namespace,
    requires_real,
    router_advertisements,
    tftpd,
)
from threerc.compiler.build import Options, build
from threerc.runtime.bootlinks import BootLinks

pytestmark = requires_real()

MAC: Final = "52:54:00:00:01:0b"
BOOT_SECONDS: Final = 60
SITE: Final = f"""\
site: lab
domain: example.org
networks:
  lan: {{prefix: 192.168.1.0/24, boot: true}}
service_hosts:
  server: {{address: 192.168.1.2, roles: [dhcp, tftp]}}
worker_nodes:
  wn001: {{address: 192.168.1.11, mac: "{MAC}", dual_boot: {{disks: [vda, vdb]}}}}
"""

# A boot sector that says on COM1 which disk it is on and which BIOS drive it was told to be.
# Without interrupts, so that the firmware's own output does not get between the letters.
SECTOR_SIZE: Final = 512
SECTOR_CODE: Final = bytes.fromhex(
    "fa"        # 00        cli
    "fc"        # 01        cld
    "31c0"      # 02        xor  ax, ax
    "8ed8"      # 04        mov  ds, ax
    "80e20f"    # 06        and  dl, 0x0f       ; BIOS drive 0x80, 0x81 -> 0, 1
    "0016297c"  # 09        add  [0x7c29], dl   ; '0' before the message -> the drive
    "be297c"    # 0d        mov  si, 0x7c29
    "ac"        # 10  next: lodsb
    "84c0"      # 11        test al, al
    "7411"      # 13        jz   halt
    "88c4"      # 15        mov  ah, al
    "bafd03"    # 17        mov  dx, 0x3fd      ; COM1, line status
    "ec"        # 1a  wait: in   al, dx
    "a820"      # 1b        test al, 0x20       ; transmitter empty?
    "74fb"      # 1d        jz   wait
    "88e0"      # 1f        mov  al, ah
    "b2f8"      # 21        mov  dl, 0xf8       ; COM1, data
    "ee"        # 23        out  dx, al
    "ebea"      # 24        jmp  next
    "f4"        # 26  halt: hlt
    "ebfd"      # 27        jmp  halt
)  # fmt: skip
BOOT_SIGNATURE: Final = b"\x55\xaa"


def boot_sector(message: str) -> bytes:
    """A boot sector that prints the digit of its drive and then the message."""
    text = b"0" + message.encode() + b"\r\n\0"
    return (SECTOR_CODE + text).ljust(SECTOR_SIZE - len(BOOT_SIGNATURE), b"\0") + BOOT_SIGNATURE


@pytest.fixture
def disks(tmp_path: Path) -> list[Path]:
    paths = []
    for number in ("ONE", "TWO"):
        path = tmp_path / f"disk-{number}.img"
        path.write_bytes(boot_sector(f": DISK {number}").ljust(1 << 20, b"\0"))
        paths.append(path)
    return paths


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """The compiled files of the site's one server: its dhcpd.conf and its TFTP root."""
    site = tmp_path / "site.yaml"
    site.write_text(SITE)
    report = build(site, Options(out=tmp_path / "out", today=TODAY, strict=True))
    assert not report.tree.left_out
    return report.out / "server"


@pytest.fixture
def network(tmp_path: Path, server: Path) -> Iterator[Namespace]:
    with (
        namespace(tmp_path / "lab", "192.168.1.2/24") as net,
        dhcpd(net, server / "etc/dhcp/dhcpd.conf"),
        tftpd(net, server / "srv/tftp"),
        router_advertisements(net),
    ):
        yield net


def test_the_boot_link_chooses_the_disk(
    server: Path, disks: list[Path], network: Namespace
) -> None:
    before = [disk.read_bytes() for disk in disks]
    links = BootLinks.load(server)
    for target, words in (("disk1", "0: DISK ONE"), ("disk2", "1: DISK TWO")):
        links.switch(links.find(["wn001"]), target)
        with machine(network, mac=MAC, disks=disks, name=target) as host:
            # A host that finds nothing on the network would start from its first disk too.
            host.wait_for("MEMDISK", BOOT_SECONDS)
            host.wait_for(words, BOOT_SECONDS)
    assert [disk.read_bytes() for disk in disks] == before
