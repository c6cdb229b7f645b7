"""Boot loaders and dual-boot images: there, and refused when they are broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.compiler.support import compiled, staged
from tests.lab import requires_real
from threerc.compiler.artefacts import ARTEFACTS
from threerc.compiler.artefacts.dualboot import compile_dualboot
from threerc.compiler.artefacts.loaders import compile_loaders
from threerc.compiler.model import Site
from threerc.compiler.tree import Entry
from threerc.compiler.verify import CHECKERS, dualboot, loaders

Change = Callable[[bytes], bytes]
ROOT = "bibe/srv/tftp"


def test_every_artefact_has_a_checker() -> None:
    assert {checker.artefact for checker in CHECKERS} == set(ARTEFACTS)


@requires_real()
def test_the_checkers_take_what_is_made(sns_pisa: Site, tmp_path: Path) -> None:
    images = compiled(compile_dualboot, sns_pisa)
    assert [path.rpartition("/")[2] for path in images.entries] == [
        "grub-disk-hd1.img",
        "grub-disk-hd2.img",
    ]
    for number, checker in enumerate(dualboot.CHECKERS):
        assert list(staged(tmp_path / f"{number}", images, checker)) == []
    found = compiled(compile_loaders, sns_pisa)
    assert {path for path in found.entries if path.startswith(ROOT)} == {
        *(f"{ROOT}/{name}" for name in ("pxelinux.0", "ldlinux.c32", "kernel/memdisk")),
        *(f"{ROOT}/{name}" for name in ("bootx64.efi", "grubx64.efi")),
    }
    assert "bibe/srv/install/uefi/snponly.efi" in found.entries
    assert list(staged(tmp_path / "loaders", found, loaders.CHECKER)) == []


@requires_real()
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("pxelinux.0", lambda content: content.replace(b"PXELINUX", b"SYSLINUX")),
        ("pxelinux.0", lambda content: content + bytes(1 << 20)),
        ("ldlinux.c32", lambda content: b"#!" + content),
        ("kernel/memdisk", lambda _: b""),
        ("grubx64.efi", lambda content: b"<html>" + content),
    ],
)
def test_a_broken_loader_is_refused(
    name: str, change: Change, sns_pisa: Site, tmp_path: Path
) -> None:
    tree = compiled(compile_loaders, sns_pisa)
    entry: Entry = tree.entries[f"{ROOT}/{name}"]
    tree.entries[f"{ROOT}/{name}"] = entry._replace(content=change(entry.content))
    (failure,) = staged(tmp_path, tree, loaders.CHECKER)
    assert failure.path == f"{ROOT}/{name}"


@requires_real()
@pytest.mark.parametrize(
    ("checker", "change", "says"),
    [
        (0, lambda image: image[:-1], "has 1474559 bytes"),
        (0, lambda image: bytes(512) + image[512:], "does not start with GRUB's boot sector"),
        (1, lambda image: image.replace(b"STAGE2 ", b"STAGE3 "), "stage2 is missing"),
        (1, lambda image: image[:512] + bytes(len(image) - 512), "is missing"),
    ],
)
def test_a_broken_image_is_refused(
    checker: int, change: Change, says: str, sns_pisa: Site, tmp_path: Path
) -> None:
    tree = compiled(compile_dualboot, sns_pisa)
    path = f"{ROOT}/grub/grub-disk-hd1.img"
    tree.entries = {path: tree.entries[path]}
    tree.entries[path] = tree.entries[path]._replace(content=change(tree.entries[path].content))
    (failure,) = staged(tmp_path, tree, dualboot.CHECKERS[checker])
    assert failure.path == path
    assert says in failure.message
