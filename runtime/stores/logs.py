"""The controllers' log files: `log` with the thesis's lines, `log.json` with an event on each line.

Two controllers append to them. One write has all lines of a call, so that on a local disk they
never mingle; over NFS, where appending is not atomic, a lock keeps them apart. It is only waited
for so long: a controller that was stopped while it held the lock must not stop the other one.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final

from threerc.runtime.stores.encoding import encoded
from threerc.runtime.stores.files import FILE, hand_over, told

TEXT: Final = "log"
EVENTS: Final = "log.json"
_TRIES: Final = 100
_PAUSE: Final = 0.02
_BLOCK: Final = 1 << 16
_REACH: Final = 1 << 28
"""How far back events are looked for: 256 MiB, some 800,000 of them, which takes a second."""
_ROTATED: Final = ".1"
"""What logrotate calls the log before the present one (see templates/logrotate.j2)."""

_OF_ONE: Final = b'"vm":'


class Log:
    """The two log files in a folder, which must be there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def append(self, lines: Sequence[str], events: Sequence[Mapping[str, Any]]) -> None:
        """Add lines to `log` and events to `log.json`. Raises StoreLost."""
        with told(self.folder):
            if lines:
                text = "".join(f"{line}\n" for line in lines)
                _append(self.folder / TEXT, text.encode("utf-8", "backslashreplace"))
            if events:
                _append(self.folder / EVENTS, b"".join(map(encoded, events)))

    def events(self, vm: str | None, last: int) -> Sequence[Mapping[str, Any]]:
        """The newest events, oldest first: all, or those of a VM and of nobody in particular.

        Raises StoreLost.
        """
        with told(self.folder):
            return list(islice(self._backwards(vm), max(0, last)))[::-1]

    def _backwards(self, vm: str | None) -> Iterator[Mapping[str, Any]]:
        for name in (EVENTS, EVENTS + _ROTATED):
            with suppress(FileNotFoundError):
                yield from _backwards(self.folder / name, vm)


def _append(path: Path, data: bytes) -> None:
    """Add whole lines; they begin on a line of their own whatever was left there."""
    handle = _opened(path)
    try:
        _lock(handle)
        size = os.fstat(handle).st_size
        if size and os.pread(handle, 1, size - 1) != b"\n":
            data = b"\n" + data
        written = os.write(handle, data)
        os.fsync(handle)
        if written < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    finally:
        os.close(handle)


def _opened(path: Path) -> int:
    flags = os.O_RDWR | os.O_APPEND
    try:
        handle = os.open(path, flags | os.O_CREAT | os.O_EXCL, FILE)
    except FileExistsError:
        return os.open(path, flags)
    os.fchmod(handle, FILE)  # whatever the umask
    hand_over(handle, str(path))
    return handle


def _lock(handle: int) -> None:
    """Take the lock, or go on without: where nobody has it, or somebody for too long."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE)
        except OSError:  # a server without locks
            return
        else:
            return


def _backwards(path: Path, vm: str | None) -> Iterator[Mapping[str, Any]]:
    """Events from the newest on, of one VM or all, without the lines that are none."""
    wanted = b"" if vm is None else json.dumps(vm).encode("ascii")
    for line in _lines_backwards(path):
        if wanted not in line and _OF_ONE in line:
            continue
        try:
            event = json.loads(line)
        except ValueError:  # torn by a crash or a full disk
            continue
        if isinstance(event, dict) and (vm is None or event.get("vm", vm) == vm):
            yield event


def _lines_backwards(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        start = max(0, end - _REACH)
        rest = b""
        while end > start:
            begin = max(start, end - _BLOCK)
            file.seek(begin)
            rest, *lines = (file.read(end - begin) + rest).split(b"\n")
            yield from reversed(lines)
            end = begin
        if start == 0:
            yield rest
