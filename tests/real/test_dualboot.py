"""A host boots the disk that its boot link names, and nothing is written to any disk."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from threerc.compiler.floppy import grub_floppy, menu

from tests.lab import (
    Namespace,
    dhcpd,
    machine,
    namespace,
    requires_real,
    router_advertisements,
    tftpd,
)

pytestmark = requires_real()

MAC: Final = "52:54:00:00:01:0b"
BOOT_LINK: Final = "pxelinux.cfg/C0A8010B"
BOOT_SECONDS: Final = 60
SYSLINUX_FILES: Final = {
    "pxelinux.0": "/usr/lib/PXELINUX/pxelinux.0",
    "ldlinux.c32": "/usr/lib/syslinux/modules/bios/ldlinux.c32",
    "kernel/memdisk": "/usr/lib/syslinux/memdisk",
}
DHCPD_CONF: Final = """\
authoritative;
subnet 192.168.1.0 netmask 255.255.255.0 {
  next-server 192.168.1.2;
  filename "pxelinux.0";
}
host wn001 {
  hardware ethernet 52:54:00:00:01:0b;
  fixed-address 192.168.1.11;
}
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
def tftp_root(tmp_path: Path) -> Path:
    """The part of a boot server's TFTP tree that dual boot needs."""
    root = tmp_path / "tftp"
    for folder in ("kernel", "grub", "pxelinux.cfg"):
        (root / folder).mkdir(parents=True)
    for name, source in SYSLINUX_FILES.items():
        shutil.copyfile(source, root / name)
    for disk in (1, 2):
        image = f"grub/grub-disk-hd{disk}.img"
        (root / image).write_bytes(grub_floppy(menu(disks=2, default=disk)))
        boot_file = f"default disk{disk}\nlabel disk{disk}\n  kernel kernel/memdisk\n"
        (root / f"pxelinux.cfg/disk{disk}").write_text(f"{boot_file}  append initrd={image}\n")
    # in.tftpd hands out what everybody may read, whatever the umask of this run.
    for path in (root, *root.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return root


@pytest.fixture
def network(tmp_path: Path, tftp_root: Path) -> Iterator[Namespace]:
    config = tmp_path / "dhcpd.conf"
    config.write_text(DHCPD_CONF)
    with (
        namespace(tmp_path / "lab", "192.168.1.2/24") as net,
        dhcpd(net, config),
        tftpd(net, tftp_root),
        router_advertisements(net),
    ):
        yield net


def switch(root: Path, target: str) -> None:
    """Point the host's boot link at one of the boot files."""
    link = root / BOOT_LINK
    new = link.with_suffix(".new")
    new.symlink_to(target)
    new.replace(link)


def test_the_boot_link_chooses_the_disk(
    tftp_root: Path, disks: list[Path], network: Namespace
) -> None:
    before = [disk.read_bytes() for disk in disks]
    for target, words in (("disk1", "0: DISK ONE"), ("disk2", "1: DISK TWO")):
        switch(tftp_root, target)
        with machine(network, mac=MAC, disks=disks, name=target) as host:
            # A host that finds nothing on the network would start from its first disk too.
            host.wait_for("MEMDISK", BOOT_SECONDS)
            host.wait_for(words, BOOT_SECONDS)
    assert [disk.read_bytes() for disk in disks] == before
