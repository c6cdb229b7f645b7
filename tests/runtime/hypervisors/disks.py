"""qcow2 disks for the tests of snapshots; with qemu-img and qemu-io, as admins have them."""

from __future__ import annotations

import subprocess
from pathlib import Path


def create(disk: Path) -> None:
    """An empty disk."""
    _run("qemu-img", "create", "-q", "-f", "qcow2", str(disk), "8M")


def snapshot(disk: Path) -> None:
    """Two snapshots, the second of which is to be found again, and a change after that."""
    for number, pattern in enumerate((0x11, 0x22, 0x33)):
        _run("qemu-io", "-f", "qcow2", "-c", f"write -q -P {pattern} 0 512", str(disk))
        if number < 2:
            # A name that is the other one's id.
            _run("qemu-img", "snapshot", "-c", str(2 - number), str(disk))


def is_as_in_snapshot(disk: Path) -> bool:
    """Whether the disk holds what it did when the second snapshot was taken."""
    command = ["qemu-io", "-f", "qcow2", "-r", "-U", "-c", "read -q -P 0x22 0 512", str(disk)]
    read = subprocess.run(command, capture_output=True, text=True, check=True)
    return "Pattern verification failed" not in read.stdout


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
