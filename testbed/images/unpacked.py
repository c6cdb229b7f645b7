"""Parts of unpacked packages: programs with their libraries, the kernel with its modules."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from threerc.testbed.images.archive import Tree
from threerc.testbed.images.packages import ImageError

_LIBRARIES: Final = "x86_64-linux-gnu"
_LOADER: Final = "lib64/ld-linux-x86-64.so.2"
_NEEDED: Final = re.compile(r"^\s+\S+ => (\S+) \(", re.MULTILINE)
_DEPENDS: Final = re.compile(rb"\0depends=([^\0]*)\0")

MODULES: Final = (
    # What a virtual machine's disk may hang on: virtio, SCSI over virtio, IDE and SATA.
    *("virtio_pci", "virtio_blk", "virtio_scsi", "sd_mod", "ata_piix", "ata_generic", "ahci"),
    # crc32c is asked for by name when the file system is mounted.
    *("crc32c_generic", "ext4"),
    *("virtio_net", "e1000", "8139cp"),
    # So that the power button is heard, and keys to the random numbers come sooner.
    *("button", "evdev", "virtio_rng"),
)


@dataclass(frozen=True, slots=True)
class Unpacked:
    """Debian packages, unpacked over one another; /bin and /usr/bin may still be two folders."""

    root: Path

    def file(self, path: str) -> Path:
        """A file, wherever its package has it: below usr or not. Raises ImageError."""
        for found in (self.root / path, self.root / "usr" / path):
            if found.exists():
                return found
        raise ImageError(f"the packages have no file {path}")

    def programs(self, tree: Tree, paths: Iterable[str]) -> None:
        """Add programs, or libraries that are loaded by name, and all libraries they need.

        Their paths are without usr, and so are they in the tree, where /lib is usr/lib.
        """
        needed: set[Path] = set()
        for path in paths:
            program = self.file(path)
            tree.copy(f"usr/{path}", program)
            needed.update(self._needed(program))
        for library in needed:
            tree.copy(f"usr/lib/{_LIBRARIES}/{library.name}", library)
        tree.copy(f"usr/{_LOADER}", self.file(_LOADER))

    def _needed(self, program: Path) -> Iterator[Path]:
        folders = [self.root / usr / "lib" / _LIBRARIES for usr in (".", "usr")]
        command = [
            str(self.root / _LOADER), "--library-path", ":".join(map(str, folders)), "--list",
            str(program),
        ]  # fmt: skip
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        found = [Path(path) for path in _NEEDED.findall(result.stdout)]
        if result.returncode != 0 or not all(path.is_relative_to(self.root) for path in found):
            raise ImageError(f"{program.name}: {result.stdout}{result.stderr}")
        yield from found

    def kernel(self) -> Path:
        """The kernel."""
        (found,) = (self.root / "boot").glob("vmlinuz-*")
        return found

    def modules(self, tree: Tree) -> None:
        """Add the kernel modules of `MODULES` as modules/NN-name.ko, in the order to load them."""
        there = {
            path.stem.replace("-", "_"): path for path in (self.root / "lib/modules").rglob("*.ko")
        }
        order: dict[str, None] = {}
        for name in MODULES:
            _in_order(name, there, order)
        for number, name in enumerate(order):
            tree.copy(f"modules/{number:02}-{name}.ko", there[name])


def _in_order(name: str, there: dict[str, Path], order: dict[str, None]) -> None:
    if name in order:
        return
    if name not in there:
        raise ImageError(f"the kernel has no module {name}")
    found = _DEPENDS.search(there[name].read_bytes())
    for each in found.group(1).decode().split(",") if found else ():
        if each:
            _in_order(each.replace("-", "_"), there, order)
    order[name] = None
