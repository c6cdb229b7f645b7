"""Block devices over files. They go with the process that opened them, however it ends."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from pathlib import Path
from typing import Final

from threerc.testbed.errors import TestbedError

_CONTROL: Final = Path("/dev/loop-control")
_GET_FREE: Final = 0x4C82
_CONFIGURE: Final = 0x4C0A
_AUTOCLEAR: Final = 4
_TRIES: Final = 20


def open_loop(file: Path) -> int:
    """A block device over a file; its device number. It is there while this process lives.

    Raises OSError; TestbedError where the kernel has no loop devices.
    """
    if not _CONTROL.exists():
        raise TestbedError("the kernel has no loop devices, for volumes (try: modprobe loop)")
    backing = os.open(file, os.O_RDWR)
    try:
        for _ in range(_TRIES):
            device = _free()
            try:
                fcntl.ioctl(device, _CONFIGURE, _configuration(backing))
            except OSError as error:
                os.close(device)
                if error.errno != errno.EBUSY:  # else somebody was quicker
                    raise
                continue
            return os.fstat(device).st_rdev  # `device` stays open: that keeps it there
    finally:
        os.close(backing)
    raise TestbedError(f"{file}: no free loop device in {_TRIES} tries")


def _free() -> int:
    control = os.open(_CONTROL, os.O_RDWR)
    try:
        number = fcntl.ioctl(control, _GET_FREE)
    finally:
        os.close(control)
    return os.open(f"/dev/loop{number}", os.O_RDWR)


def _configuration(backing: int) -> bytes:
    """The kernel's `struct loop_config`, of which only the file and the flags are set."""
    info = struct.pack("=5Q4I64s64s32s2Q", 0, 0, 0, 0, 0, 0, 0, 0, _AUTOCLEAR, b"", b"", b"", 0, 0)
    return struct.pack("=2I", backing, 0) + info + bytes(64)
