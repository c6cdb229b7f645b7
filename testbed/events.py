"""What happened in a testbed, and when: one file of JSON lines, written by whoever saw it.

Times are seconds since the epoch, from the machine's own clock, which all capsules share.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any


class Kind(StrEnum):
    """What an event tells of. Beside each: who sees it."""

    FAULT = "fault"  # the lab: it has done that
    HEAL = "heal"  # the lab: it has undone it
    STOPPED = "stopped"  # libvirt: the VM's process is gone, or stands
    STARTED = "started"  # libvirt: the VM was switched on
    INSTALLING = "installing"  # serial console: the installer is at a phase
    INSTALLED = "installed"  # serial console: the installer is done
    BOOTED = "booted"  # serial console: all services of the VM are up
    HEARTBEAT = "heartbeat"  # a collector: the last one that it had of a host
    DECISION = "decision"  # a controller: its own event, as it wrote it
    NOTE = "note"  # anybody


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, to the host `of` (or `*`: the whole site)."""

    time: float
    kind: Kind
    of: str
    detail: Mapping[str, Any] = field(default_factory=dict)

    def line(self) -> str:
        """It as a line of the file, with its line end."""
        value = {"time": round(self.time, 3), "kind": self.kind.value, "of": self.of}
        return json.dumps({**self.detail, **value}, sort_keys=True) + "\n"


def append(path: Path, event: Event) -> None:
    """Write an event down; whole lines, also with several writers. Raises OSError.

    What a full disk takes only half of is none, and does not spoil the next one's line.
    """
    line = event.line().encode()
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        if _ends_half(descriptor):
            line = b"\n" + line
        if os.write(descriptor, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    finally:
        os.close(descriptor)


def _ends_half(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"


def add(path: Path, found: Iterable[Event]) -> None:
    """Write down those that a file does not have yet. Raises OSError."""
    known = {event.line() for event in read(path)}
    for event in found:
        if event.line() not in known:
            append(path, event)


def read(path: Path) -> list[Event]:
    """All events in the order of their times; what a killed writer left half is left out."""
    if not path.exists():
        return []
    found = list(_parsed(path.read_text(encoding="utf-8", errors="replace").splitlines()))
    return sorted(found, key=lambda event: event.time)


def _parsed(lines: list[str]) -> Iterator[Event]:
    for line in lines:
        try:
            value = json.loads(line)
            yield Event(
                float(value.pop("time")), Kind(value.pop("kind")), str(value.pop("of")), value
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
