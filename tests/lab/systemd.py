"""systemd as process 1 of namespaces, in a control group of its own below that of the tests.

    with control_group("bibe") as group:
        command = [*joining(group), "unshare", "--cgroup", ..., *BECOME, "ssh", "named"]

It finds the mounts of a capsule (`testbed/inside.py`), and Debian's units of this machine, of which
those that are named are switched on, as by their packages, and no other. It has no way to the
machine's disks, clock and modules. Source: systemd's "The Container Interface".
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.lab.process import LabError

_SYSTEMD: Final = "/lib/systemd/systemd"
_EMPTY_SECONDS: Final = 5
_BECOME: Final = f"""
mount -o remount,bind,ro /sys
mount -t cgroup2 none /sys/fs/cgroup
rm -rf /etc/systemd/system/* /etc/rc[0-6S].d/* /etc/fstab /etc/crypttab
systemctl enable --quiet "$@"
exec setpriv --bounding-set -mknod,-sys_module,-sys_time env -i container=lab {_SYSTEMD}
"""
BECOME: Final = ("/bin/sh", "-euc", _BECOME, "systemd")
"""The command, before the names of units, that makes process 1 systemd."""


@contextmanager
def control_group(name: str) -> Iterator[Path]:
    """A control group; what runs in it has to be dead at the end of the block, when it is removed.

    LabError where there is no unified hierarchy in which one can be made, or no systemd.
    """
    if not Path(_SYSTEMD).exists():
        raise LabError(f"{_SYSTEMD} not found (Debian: systemd)")
    group = _own() / f"threerc-{os.getpid()}-{secrets.token_hex(3)}-{name}"
    try:
        group.mkdir()
    except OSError as error:
        raise LabError(f"no control group can be made: {error}") from None
    try:
        yield group
    finally:
        _remove(group)


def joining(group: Path) -> tuple[str, ...]:
    """The command, before another one, that runs it in a control group, with the same process."""
    return "/bin/sh", "-euc", 'echo 0 > "$0/cgroup.procs" && exec "$@"', str(group)


def _own() -> Path:
    """Where the unified hierarchy has the group of this process."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    own = next((line.removeprefix("0::/") for line in lines if line.startswith("0::")), None)
    mounts = map(str.split, Path("/proc/self/mounts").read_text().splitlines())
    top = next((words[1] for words in mounts if words[2] == "cgroup2"), None)
    if own is None or top is None:
        raise LabError("cgroup2 is not mounted")
    return Path(top, own)


def _remove(group: Path) -> None:
    """Remove a group and those in it, once the kernel has buried what ran there."""
    deadline = time.monotonic() + _EMPTY_SECONDS
    while "populated 1" in (group / "cgroup.events").read_text():
        if time.monotonic() > deadline:
            raise LabError(f"{group}: something still runs in it")
        time.sleep(0.02)
    for folder, _, _ in os.walk(group, topdown=False):
        Path(folder).rmdir()
