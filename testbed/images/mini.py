"""mini: the smallest system that a site's hosts may be: it answers ssh, and Ganglia sees it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from threerc.testbed.images.archive import Tree
from threerc.testbed.images.cache import Build
from threerc.testbed.images.initrd import initrd, merged, script
from threerc.testbed.images.packages import unpack
from threerc.testbed.images.unpacked import Unpacked

_ROOT: Final = Path(__file__).parent / "mini-root"
_GANGLIA: Final = "lib/x86_64-linux-gnu/ganglia"
_PROGRAMS: Final = (
    *("sbin/gmond", "sbin/sshd", "bin/ssh-keygen", "bin/scp", "lib/openssh/sftp-server"),
    *("bin/drill", "bin/chrt"),
    *(f"{_GANGLIA}/mod{name}.so" for name in ("cpu", "disk", "load", "mem", "net", "proc", "sys")),
)
_FOLDERS: Final = (
    *("dev", "proc", "sys", "run", "mnt", "boot", "var/log", "var/lib", "var/empty"),
    *("etc/ganglia", "usr/local/sbin", "usr/local/bin"),
)


@dataclass(frozen=True, slots=True)
class Mini:
    """busybox with a real sshd and gmond, and a stock kernel with no more modules than needed."""

    name: str = "mini"
    packages: tuple[str, ...] = (
        *("linux-image-amd64", "busybox-static", "openssh-server", "openssh-client"),
        *("ganglia-monitor", "ldnsutils", "util-linux"),
    )
    outputs: tuple[str, ...] = ("tar.gz",)

    def make(self, build: Build, outputs: tuple[Path, ...]) -> None:
        """Write the image."""
        unpack(build.files, build.work)
        unpacked = Unpacked(build.work)
        tree = merged()
        for folder in _FOLDERS:
            tree.folder(folder)
        tree.folder("root", 0o700)
        tree.folder("tmp", 0o1777)
        tree.link("var/run", "/run")
        unpacked.programs(tree, _PROGRAMS)
        _busybox(tree, unpacked)
        for file in sorted(_ROOT.rglob("*")):
            if file.is_file():
                mode = 0o755 if os.access(file, os.X_OK) else 0o644
                tree.add(file.relative_to(_ROOT).as_posix(), file.read_bytes(), mode)
        tree.add("etc/udhcpc/lease.sh", script("lease.sh"), 0o755)
        tree.copy("boot/vmlinuz", unpacked.kernel())
        start = build.work / "initrd.img"
        initrd(unpacked, "boot.sh").write_cpio(start)
        tree.copy("boot/initrd.img", start)
        tree.write_tar(outputs[0])


def _busybox(tree: Tree, unpacked: Unpacked) -> None:
    """busybox, under the name of each of its programs that nothing else has taken."""
    busybox = unpacked.file("bin/busybox")
    tree.copy("usr/bin/busybox", busybox)
    listed = subprocess.check_output([str(busybox), "--list-full"], text=True)
    for path in listed.split():
        where = path if path.startswith("usr/") else f"usr/{path}"
        if path != "linuxrc" and where not in tree.entries:
            tree.link(where, "/usr/bin/busybox")


MINI: Final = Mini()
