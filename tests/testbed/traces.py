"""What a run has left on the machine, if anything."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

OURS = re.compile(r"\d+: (lan-\w+|[vut]\d+)[@:]")
PATIENCE = 10.0


def left(mark: str) -> list[str]:
    """What there is of runs below a folder of this name, once the kernel has had its time."""
    deadline = time.monotonic() + PATIENCE
    while found := [*processes(mark), *mounts(mark), *links(), *loops(mark)]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return found


def processes(mark: str) -> Iterator[str]:
    """Of labs, which have the run's folder mounted, and of capsules, which have a file /mark.

    A lab that has only just started has not yet mounted anything: its command names the folder.
    """
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            starting = "threerc.testbed.lab" in words and mark in words
            mounted = mark in (folder / "mountinfo").read_text()
            theirs = starting or mounted or marked(folder, mark)
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if theirs and state != "Z":
            yield f"process {folder.name}: {words}"


def marked(folder: Path, mark: str) -> bool:
    try:
        return (folder / "root/mark").read_text() == mark
    except OSError:
        return False


def mounts(mark: str) -> Iterator[str]:
    yield from (line for line in Path("/proc/self/mounts").read_text().splitlines() if mark in line)


def links() -> Iterator[str]:
    shown = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    yield from (line for line in shown.splitlines() if OURS.match(line))


def loops(mark: str) -> Iterator[str]:
    for path in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            backing = path.read_text()
        except OSError:
            continue
        if mark in backing:
            yield f"{path}: {backing}"
