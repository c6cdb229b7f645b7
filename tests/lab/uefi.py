"""Machines with UEFI: their firmware, and disks that such a firmware boots from."""

import shutil
import struct
import subprocess
from pathlib import Path
from typing import Final, Literal

from tests.lab.process import LabError

_CODE: Final = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
_VARIABLES: Final = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
_SECTOR: Final = 512
_DISK_BYTES: Final = 32 << 20
_FIRST_SECTOR: Final = 2048
_EFI_PARTITION: Final = 0xEF

Way = Literal["pxe", "http", "ipxe"]
"""How a machine boots: by the firmware's PXE, by its HTTP boot, or by the iPXE of its card."""


def uefi(work: Path, way: Way = "pxe") -> list[str]:
    """QEMU's arguments for a machine with OVMF (Debian: ovmf), whose settings are in `work`."""
    if not _CODE.exists():
        raise LabError(f"{_CODE} not found (Debian: ovmf)")
    variables = work / "ovmf-variables.fd"
    shutil.copy(_VARIABLES, variables)
    arguments = [
        *("-drive", f"if=pflash,format=raw,readonly=on,file={_CODE}"),
        *("-drive", f"if=pflash,format=raw,file={variables}"),
        *("-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n"),
    ]
    if way == "http":
        arguments += ["-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=n"]
    if way != "ipxe":
        arguments += ["-global", "virtio-net-pci.romfile="]
    return arguments


def bootable_disk(path: Path, loader: str, says: str) -> Path:
    """A raw disk with a system's EFI partition: its `loader` says something on the console.

    It needs mtools, grub-common and grub-efi-amd64-bin.
    """
    program, script = path.with_suffix(".efi"), path.with_suffix(".cfg")
    script.write_text(f'echo "{says}"\nhalt\n')
    _run("grub-mkimage", "-O", "x86_64-efi", "-o", program, "-p", "/", "-c", script, "echo", "halt")
    sectors = _DISK_BYTES // _SECTOR - _FIRST_SECTOR
    entry = struct.pack("<B3xB3xII", 0, _EFI_PARTITION, _FIRST_SECTOR, sectors)
    with path.open("wb") as disk:
        disk.write((bytes(446) + entry).ljust(_SECTOR - 2, b"\0") + b"\x55\xaa")
        disk.truncate(_DISK_BYTES)
    partition = f"{path}@@{_FIRST_SECTOR * _SECTOR}"
    _run("mformat", "-i", partition, "-T", str(sectors), "-h", "64", "-s", "32", "::")
    parts = loader.split("/")
    for depth in range(1, len(parts)):
        _run("mmd", "-i", partition, "::/" + "/".join(parts[:depth]))
    _run("mcopy", "-i", partition, program, f"::/{loader}")
    return path


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True)
