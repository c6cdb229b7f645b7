"""Bootable floppy images that hand a network-booted host over to one of its own disks.

The boot server sends such an image under memdisk; GRUB legacy on it chain-loads a hard disk, so
that no byte is written to any disk (thesis, 5.8). Images are made without root, without mounting,
and are the same bytes on every run with the same versions of GRUB.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

# What a person at the console needs to see the menu and press a key; the thesis waits 10 s, which
# a night's reboot of a whole cluster would pay on every host.
TIMEOUT_SECONDS: Final = 3

_GRUB_FOLDERS: Final = (Path("/usr/lib/grub/x86_64-pc"), Path("/usr/lib/grub/i386-pc"))
_STAGES: Final = ("stage1", "stage2")
# GRUB reads menu.lst; grub.conf is the name that the thesis, as Red Hat, knows it by.
_MENUS: Final = ("menu.lst", "grub.conf")
_ON_FLOPPY: Final = "::/boot/grub"
_IMAGE: Final = "floppy.img"
_GRUB_SCRIPT: Final = f"device (fd0) {_IMAGE}\nroot (fd0)\nsetup (fd0)\nquit\n"

# FAT counts time from 1980-01-01, and every image has to carry the same time and serial number.
_FAT_EPOCH: Final = "315532800"
_SERIAL: Final = "33524330"
# mformat writes its own version here (offset 3 of the boot sector, 8 bytes), and GRUB keeps it.
_OEM_NAME: Final = slice(3, 11)
_OEM_NEUTRAL: Final = b"MSDOS5.0"

_TOOL_SECONDS: Final = 60


class ToolMissing(LookupError):
    """A program or file that the images are made with is not installed."""

    def __init__(self, program: str, package: str) -> None:
        super().__init__(f"{program} not found (Debian: {package})")
        self.program = program
        self.package = package


class FloppyError(RuntimeError):
    """A tool was there and refused the work; the message carries its output."""


def menu(disks: int, default: int) -> str:
    """The thesis's menu: one entry per BIOS disk, of which `default` (from 1) boots by itself.

    Source: thesis, 5.8, `grub.conf`, with whole disks in place of their first partitions.
    """
    if not 1 <= default <= disks:
        raise ValueError(f"default disk {default} is not one of 1 to {disks}")
    # memdisk adds the floppy as BIOS drive 0x00 (fd0) and leaves 0x80, 0x81 (hd0, hd1) alone; the
    # chain-loaded MBR gets its true drive in DL. There is no `map (hd0) (hd1)` on purpose: GRUB 2,
    # SYSLINUX and GRUB legacy (with `root (hd1,N)`) on disk two start without it, and under QEMU
    # both GRUBs hang with it. Only a loader that reads drive 0x80 whatever DL says would need it,
    # as that of DOS and older Windows (GRUB legacy manual, 4.2.6).
    entries = [
        f"\ntitle Boot from disk {disk}\nrootnoverify (hd{disk - 1})\nchainloader +1\n"
        for disk in range(1, disks + 1)
    ]
    return f"default {default - 1}\ntimeout {TIMEOUT_SECONDS}\n" + "".join(entries)


def grub_floppy(menu: str) -> bytes:
    """A 1.44 MB FAT12 image that boots GRUB legacy with this menu.

    Raises ToolMissing where mtools or grub-legacy are not installed, FloppyError where they fail.
    """
    mformat, mmd, mcopy = (_program(name, "mtools") for name in ("mformat", "mmd", "mcopy"))
    grub = _program("grub", "grub-legacy")
    stages = _stages()
    with tempfile.TemporaryDirectory(prefix="threerc-floppy-") as temporary:
        folder = Path(temporary)
        for name in _MENUS:
            (folder / name).write_text(menu, encoding="ascii", newline="\n")
        _run(folder, mformat, "-C", "-f", "1440", "-N", _SERIAL, "-i", _IMAGE, "::")
        _run(folder, mmd, "-i", _IMAGE, "::/boot", _ON_FLOPPY)
        _run(folder, mcopy, "-i", _IMAGE, *map(str, stages), *_MENUS, _ON_FLOPPY)
        _install_grub(folder, grub)
        image = bytearray((folder / _IMAGE).read_bytes())
    image[_OEM_NAME] = _OEM_NEUTRAL
    return bytes(image)


def _install_grub(folder: Path, grub: str) -> None:
    """Write GRUB's boot sector and the list of stage2's sectors into the image."""
    # An empty device map keeps the shell from probing, and naming, the disks of this machine.
    (folder / "device.map").touch()
    options = ("--batch", "--no-floppy", "--device-map=device.map")
    output = _run(folder, grub, *options, script=_GRUB_SCRIPT)
    # The shell's exit status does not tell a failed setup.
    if "succeeded" not in output:
        raise FloppyError(f"grub could not set up the floppy image:\n{output}")


def _program(name: str, package: str) -> str:
    """The path of a program; grub lives in sbin, which is not on a user's PATH."""
    folders = [*os.environ.get("PATH", os.defpath).split(os.pathsep), "/usr/sbin", "/sbin"]
    # An empty entry would mean the current folder.
    path = shutil.which(name, path=os.pathsep.join(filter(None, folders)))
    if path is None:
        raise ToolMissing(name, package)
    return path


def _stages() -> list[Path]:
    for folder in _GRUB_FOLDERS:
        stages = [folder / name for name in _STAGES]
        if all(stage.is_file() for stage in stages):
            return stages
    raise ToolMissing("grub's stage1 and stage2", "grub-legacy")


def _run(folder: Path, program: str, *arguments: str, script: str = "") -> str:
    """Run a tool in `folder`, with `script` as its input, and return what it printed."""
    # Nothing of the user's settings, clock or zone gets in. mtools takes its settings from the
    # environment first, so the two that shape a directory are given here.
    environment = {
        "HOME": str(folder),
        "LC_ALL": "C",
        "MTOOLS_NAME_NUMERIC_TAIL": "1",
        "MTOOLS_NO_VFAT": "0",
        "SOURCE_DATE_EPOCH": _FAT_EPOCH,
        "TZ": "UTC",
    }
    name = Path(program).name
    try:
        result = subprocess.run(
            [program, *arguments],
            cwd=folder,
            env=environment,
            input=script,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=_TOOL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FloppyError(f"{name} did not run: {error}") from error
    if result.returncode != 0:
        raise FloppyError(f"{name} failed with status {result.returncode}:\n{result.stdout}")
    return result.stdout
