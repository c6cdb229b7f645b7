"""What the installer's initrd and that of an installed mini have in common."""

from __future__ import annotations

from typing import Final

import threerc.testbed.installer
from threerc.testbed.images.archive import Tree
from threerc.testbed.images.unpacked import Unpacked

_MERGED: Final = ("bin", "sbin", "lib", "lib64")


def merged() -> Tree:
    """A tree in which /bin, /sbin, /lib and /lib64 are those of /usr."""
    tree = Tree()
    for name in _MERGED:
        tree.folder(f"usr/{name}")
        tree.link(name, f"usr/{name}")
    return tree


def initrd(unpacked: Unpacked, init: str) -> Tree:
    """A busybox with the kernel modules, and one of the installer's scripts as its init."""
    tree = merged()
    tree.device("dev/console", 5, 1)
    for name in ("proc", "sys", "run", "tmp", "root"):
        tree.folder(name)
    tree.copy("usr/bin/busybox", unpacked.file("bin/busybox"))
    tree.link("usr/bin/sh", "busybox")
    tree.add("init", script(init), 0o755)
    unpacked.modules(tree)
    return tree


def script(name: str) -> bytes:
    """The text of a script of the installer."""
    return threerc.testbed.installer.text(name).encode()
