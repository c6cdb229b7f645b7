"""What a testbed needs of the machine, looked at before anything is begun."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from threerc.testbed.errors import TestbedError
from threerc.testbed.parts import LabSpec
from threerc.testbed.process import FOLDERS, PACKAGES

_ALWAYS: Final = ("unshare", "nsenter", "setpriv", "tini")


def check_machine() -> None:
    """TestbedError that names all that every testbed needs and that is missing."""
    if os.geteuid() != 0:
        raise TestbedError("the testbed needs root, for namespaces and mounts (try: sudo 3rc ...)")
    _refuse([*_missing_programs(_ALWAYS), *_missing_features()])


def check(spec: LabSpec) -> None:
    """TestbedError that names all that this one needs and that is missing."""
    check_machine()
    _refuse([*_missing_programs(_programs(spec)), *_missing_devices(spec)])


def _refuse(missing: list[str]) -> None:
    if missing:
        raise TestbedError("the testbed needs:\n  " + "\n  ".join(missing))


def _missing_programs(names: Iterable[str]) -> Iterator[str]:
    for name in sorted(names):
        if shutil.which(name, path=FOLDERS) is None:
            package = PACKAGES.get(Path(name).name)
            yield f"the program {name}" + (f" (Debian: {package})" if package else "")


def _missing_features() -> Iterator[str]:
    if importlib.util.find_spec("pyroute2") is None:
        yield "the Python package pyroute2 (pip install 'threerc[testbed]')"
    kinds = Path("/proc/filesystems").read_text(encoding="ascii").split()
    if "overlay" not in kinds and not _module("overlay"):
        yield "a kernel with overlayfs (try: modprobe overlay)"


def _missing_devices(spec: LabSpec) -> Iterator[str]:
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
    return found - laid


def _module(name: str) -> bool:
    """Whether the kernel will load a module when it is first used."""
    folder = Path("/lib/modules") / os.uname().release
    return any(folder.glob(f"kernel/**/{name}.ko*"))
