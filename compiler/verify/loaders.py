"""Boot loaders, read back: each is what its name says, and what a boot ROM can load."""

from __future__ import annotations

from collections.abc import Iterator

from threerc.compiler.verify.base import Checker, Failure, Staged

# By file: what it holds and from which byte on (-1: anywhere).
_MARKS = {
    "pxelinux.0": (b"PXELINUX", -1),
    "ldlinux.c32": (b"\x7fELF", 0),
    "memdisk": (b"HdrS", 0x202),  # a Linux kernel to pxelinux
    "bootx64.efi": (b"MZ", 0),
    "grubx64.efi": (b"MZ", 0),
    "snponly.efi": (b"MZ", 0),
}
_MOST_FOR_PXE = 0x80000
"""What lies below the BIOS's own memory and may be in use: a boot ROM loads no more."""


def _check(staged: Staged) -> Iterator[Failure]:
    for path, file in staged.files("loaders"):
        name = file.name
        mark, place = _MARKS[name]
        content = file.read_bytes()
        found = content.find(mark)
        if found < 0 or place not in (-1, found):
            yield Failure(path, 0, f"is no {name}")
        elif name == "pxelinux.0" and len(content) > _MOST_FOR_PXE:
            yield Failure(path, 0, f"has {len(content)} bytes, more than a boot ROM can load")


CHECKER = Checker("loaders", "", "", _check)
