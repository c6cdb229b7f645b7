"""Dual-boot images: their boot sector read back, their files listed by mtools."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from threerc.compiler.verify.base import Checker, Failure, Staged

_SIZE = 1_474_560
_SECTOR = 512
_SIGNATURE = b"\x55\xaa"
_FOLDER = "::/boot/grub"
_FILES = frozenset(f"{_FOLDER}/{name}" for name in ("stage1", "stage2", "menu.lst", "grub.conf"))


def _read_back(staged: Staged) -> Iterator[Failure]:
    for path, file in staged.files("dualboot"):
        image = file.read_bytes()
        if len(image) != _SIZE:
            yield Failure(path, 0, f"has {len(image)} bytes, a floppy {_SIZE}")
        sector = image[:_SECTOR]
        if not sector.endswith(_SIGNATURE) or b"GRUB " not in sector:
            yield Failure(path, 0, "does not start with GRUB's boot sector")


def _list(staged: Staged) -> Iterator[Failure]:
    for path, file in staged.files("dualboot"):
        result = staged.run("-b", "-i", file, _FOLDER)
        missing = sorted(_FILES.difference(result.stdout.split()))
        if missing:
            said = result.stderr.strip().splitlines()[-1:]
            yield Failure(path, 0, "; ".join(chain(said, [f"{missing[0]} is missing"])))


CHECKERS = (
    Checker("dualboot", "", "", _read_back),
    Checker("dualboot", "mdir", "mtools", _list),
)
