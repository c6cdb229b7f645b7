"""The kernel and the initrd that install an image on a machine's disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from threerc.testbed.images.cache import Build
from threerc.testbed.images.initrd import initrd, script
from threerc.testbed.images.packages import unpack
from threerc.testbed.images.unpacked import Unpacked

_PROGRAMS: Final = ("sbin/sfdisk", "sbin/mke2fs", "bin/extlinux")
_MBR: Final = "lib/syslinux/mbr/mbr.bin"


@dataclass(frozen=True, slots=True)
class Installer:
    """A stock kernel, and busybox with what partitions a disk and makes it boot."""

    name: str = "installer"
    packages: tuple[str, ...] = (
        *("linux-image-amd64", "busybox-static"),
        *("fdisk", "e2fsprogs", "extlinux", "syslinux-common"),
    )
    outputs: tuple[str, ...] = ("vmlinuz", "initrd")

    def make(self, build: Build, outputs: tuple[Path, ...]) -> None:
        """Write the kernel and the initrd."""
        unpack(build.files, build.work)
        unpacked = Unpacked(build.work)
        kernel, image = outputs
        kernel.write_bytes(unpacked.kernel().read_bytes())
        tree = initrd(unpacked, "install.sh")
        unpacked.programs(tree, _PROGRAMS)
        tree.copy("usr/share/mbr.bin", unpacked.file(_MBR))
        tree.copy("etc/mke2fs.conf", unpacked.file("etc/mke2fs.conf"))
        tree.add("usr/share/lease.sh", script("lease.sh"), 0o755)
        tree.write_cpio(image)


INSTALLER: Final = Installer()
