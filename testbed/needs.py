"""What a testbed needs of the machine, looked at before anything is begun."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from threerc.testbed.errors import TestbedError
from threerc.testbed.parts import LabSpec
from threerc.testbed.process import FOLDERS, PACKAGES

_ALWAYS: Final = ("unshare", "nsenter", "setpriv", "tini")


def check(spec: LabSpec) -> None:
    """TestbedError that names all that is missing, with the Debian packages that have it."""
    if os.geteuid() != 0:
        raise TestbedError("the testbed needs root, for namespaces and mounts (try: sudo 3rc ...)")
    if missing := list(_missing(spec)):
        raise TestbedError("the testbed needs:\n  " + "\n  ".join(missing))


def _missing(spec: LabSpec) -> Iterator[str]:
    for name in sorted(_programs(spec)):
        if shutil.which(name, path=FOLDERS) is None:
            package = PACKAGES.get(Path(name).name)
            yield f"the program {name}" + (f" (Debian: {package})" if package else "")
    if importlib.util.find_spec("pyroute2") is None:
        yield "the Python package pyroute2 (pip install 'threerc[testbed]')"
    kinds = Path("/proc/filesystems").read_text(encoding="ascii").split()
    if "overlay" not in kinds and not _module("overlay"):
        yield "a kernel with overlayfs (try: modprobe overlay)"
    if spec.machines and not Path("/dev/net/tun").exists():
        yield "a kernel with TAP devices (try: modprobe tun)"
    if any(capsule.volumes for capsule in spec.capsules) and not Path("/dev/loop-control").exists():
        yield "a kernel with loop devices (try: modprobe loop)"


def _programs(spec: LabSpec) -> set[str]:
    found = {daemon.command[0] for capsule in spec.capsules for daemon in capsule.daemons}
    laid = {
        file.path
        for capsule in spec.capsules
        for file in (*capsule.files, *(file for daemon in capsule.daemons for file in daemon.files))
    }
    if spec.machines:
        found.add("qemu-system-x86_64")
    return {*_ALWAYS, *(found - laid)}


def _module(name: str) -> bool:
    """Whether the kernel will load a module when it is first used."""
    folder = Path("/lib/modules") / os.uname().release
    return any(folder.glob(f"kernel/**/{name}.ko*"))
