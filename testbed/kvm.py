"""Whether this machine's KVM boots a machine. That /dev/kvm can be opened says little: below some
hypervisors the firmware starts, slowly, and then a kernel hangs.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from threerc.testbed.process import program

_PORT: Final = 0xF4
_WORD: Final = "U"
_PROVEN: Final = ord(_WORD) << 1 | 1
"""The status of a QEMU whose machine has written the word to the port of its isa-debug-exit."""
_INIT: Final = (
    "busybox mknod /port c 1 4",  # /dev/port
    f"printf {_WORD} | busybox dd of=/port bs=1 seek={_PORT}",
)
_ARGUMENTS: Final = f'quiet panic=-1 rdinit=/usr/bin/sh -- -c "{"; ".join(_INIT)}"'
_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.02


def why_not(
    kernel: Path,
    initrd: Path,
    accelerator: str = "kvm",
    emulation: str = "tcg",
    seconds: float = _SECONDS,
) -> str:
    """Why QEMU's accelerator cannot be used; nothing where a machine has booted with it.

    The machine boots the installer's kernel and initrd. It races with one that is emulated: if that
    has booted before it, there is nothing to be gained.
    """
    began = time.monotonic()
    with (
        _machine(kernel, initrd, accelerator) as tried,
        _machine(kernel, initrd, emulation) as emulated,
    ):
        while (past := time.monotonic() - began) < seconds:
            if tried.poll() is not None:
                _, said = tried.communicate()
                return "" if tried.returncode == _PROVEN else reason(said.decode(errors="replace"))
            if emulated.poll() == _PROVEN:
                return (
                    f"a machine that was started with {accelerator} had not booted after "
                    f"{past:.1f} s, when one that was emulated had"
                )
            time.sleep(_POLL_SECONDS)
    return f"a machine that was started with {accelerator} did not boot in {seconds:g} s"


@contextmanager
def _machine(kernel: Path, initrd: Path, accelerator: str) -> Iterator[subprocess.Popen[bytes]]:
    """A machine that ends QEMU when it has booted; it dies with this process."""
    command = [
        program("setpriv"), "--pdeathsig", "KILL", "--",
        program("qemu-system-x86_64"), "-nodefaults", "-no-user-config", "-display", "none",
        "-machine", "pc,graphics=off", "-accel", accelerator, "-m", "256", "-no-reboot",
        "-device", f"isa-debug-exit,iobase={_PORT:#x},iosize=4",
        "-kernel", str(kernel), "-initrd", str(initrd), "-append", _ARGUMENTS,
    ]  # fmt: skip
    nothing = subprocess.DEVNULL
    with subprocess.Popen(
        command, stdin=nothing, stdout=nothing, stderr=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def reason(said: str) -> str:
    """Why QEMU ended, by its own words; its warnings tell of features that nobody needs."""
    told = [line for line in said.splitlines() if line.strip() and "warning:" not in line]
    if not told:
        return "the machine ended before it had booted"
    return told[-1].rpartition("qemu-system-x86_64: ")[2]
