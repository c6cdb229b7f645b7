"""Floppy images: their menu, their files, and that they are always the same bytes."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.lab import requires_real
from threerc.compiler.floppy import FloppyError, ToolMissing, grub_floppy, menu

MENU: Final = """\
default 1
timeout 3

title Boot from disk 1
rootnoverify (hd0)
chainloader +1

title Boot from disk 2
rootnoverify (hd1)
chainloader +1
"""
# FAT times count in steps of two seconds: a clock that leaks in has moved on after this.
FAT_TIME_STEP_SECONDS: Final = 2.1


@pytest.fixture
def keep_umask() -> Iterator[None]:
    umask = os.umask(0o022)
    yield
    os.umask(umask)


def test_menu() -> None:
    assert menu(disks=2, default=2) == MENU


@pytest.mark.parametrize("default", [0, 3, -1])
def test_menu_refuses_a_default_that_is_no_disk(default: int) -> None:
    with pytest.raises(ValueError, match="not one of 1 to 2"):
        menu(disks=2, default=default)


@requires_real()
@pytest.mark.usefixtures("keep_umask")
def test_same_bytes_at_another_time_in_another_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = grub_floppy(MENU)
    time.sleep(FAT_TIME_STEP_SECONDS)
    os.umask(0o077)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    monkeypatch.setenv("MTOOLS_NO_VFAT", "1")
    assert grub_floppy(MENU) == first
    assert list(tmp_path.iterdir()) == []


@requires_real()
def test_image_is_a_bootable_floppy_with_the_menu_under_both_names(tmp_path: Path) -> None:
    image = grub_floppy(MENU)
    assert len(image) == 1440 * 1024
    assert image[510:512] == b"\x55\xaa"
    assert b"GRUB " in image[:512]
    path = tmp_path / "floppy.img"
    path.write_bytes(image)
    for name in ("menu.lst", "grub.conf"):
        command = ["mcopy", "-i", str(path), f"::/boot/grub/{name}", "-"]
        assert subprocess.run(command, check=True, capture_output=True).stdout == MENU.encode()


@requires_real()
def test_a_tool_that_fails_is_reported_with_its_words() -> None:
    with pytest.raises(FloppyError, match=r"(?s)mcopy failed.*[Dd]isk full"):
        grub_floppy("#" * 1440 * 1024)


def test_missing_mtools_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolMissing, match=r"mformat not found \(Debian: mtools\)") as caught:
        grub_floppy(MENU)
    assert (caught.value.program, caught.value.package) == ("mformat", "mtools")


@requires_real()
def test_missing_grub_files_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("threerc.compiler.floppy._GRUB_FOLDERS", ())
    with pytest.raises(ToolMissing, match="stage1") as caught:
        grub_floppy(MENU)
    assert caught.value.package == "grub-legacy"
