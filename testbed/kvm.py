"""Whether this machine's KVM boots a machine. That /dev/kvm can be opened says little: below some
hypervisors a machine starts, and hangs before it has read its disk.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from threerc.testbed.process import program

_SAID: Final = b"3RC boots"
_SERIAL: Final = b"\xba\xf8\x03"  # mov dx, 0x3f8
_EXIT: Final = b"\xba\xf4\x00\xee\xf4"  # mov dx, 0xf4; out dx, al; hlt
_SECONDS: Final = 5.0


def why_not(accelerator: str = "kvm", seconds: float = _SECONDS) -> str:
    """Why QEMU's accelerator cannot be used; nothing where a machine has booted with it.

    The machine's disk is one sector, which says something on the serial port and ends QEMU.
    """
    with TemporaryDirectory() as folder:
        disk = Path(folder, "disk")
        disk.write_bytes(_sector())
        command = [
            program("qemu-system-x86_64"), "-nodefaults", "-no-user-config", "-display", "none",
            "-machine", "pc,graphics=off", "-accel", accelerator, "-m", "16", "-serial", "stdio",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-drive", f"file={disk},format=raw",
        ]  # fmt: skip
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired:
            return f"a machine that was started with {accelerator} did not boot in {seconds:g} s"
    if _SAID in done.stdout:
        return ""
    last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
    return last[0].rpartition("qemu-system-x86_64: ")[2] if last else "QEMU ended without a word"


def _sector() -> bytes:
    """A boot sector for BIOS."""
    words = b"".join(b"\xb0%c\xee" % letter for letter in _SAID)  # mov al, letter; out dx, al
    return (_SERIAL + words + _EXIT).ljust(510, b"\0") + b"\x55\xaa"
