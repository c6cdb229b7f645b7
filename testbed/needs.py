"""What a testbed needs of the machine, looked at before anything is begun."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from datetime import date
from itertools import chain
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit
from typing import Final

from threerc.compiler.artefacts.dualboot import compile_dualboot
from threerc.compiler.artefacts.loaders import compile_loaders
from threerc.compiler.lock import Lock
from threerc.compiler.model import Role, Site
from threerc.compiler.tree import Output, Tree
from threerc.compiler.wording import counted
from threerc.testbed.errors import TestbedError
from threerc.testbed.parts import LabSpec
from threerc.testbed.prepare import Wanted
from threerc.testbed.process import FOLDERS, PACKAGES, program
from threerc.testbed.supplies import Image

_ALWAYS: Final = ("unshare", "nsenter", "setpriv", "tini")
_SITE: Final = ("nft", "pgrep", "radvd", "runuser", "ssh", "ssh-keygen", "sshd", "useradd")
"""What preparing a site, its capsules and the faults call, whatever the site is."""
_MACHINES: Final = ("qemu-img", "qemu-system-x86_64", "stdbuf")
_PHYSICAL: Final = ("libvirtd", "virsh", "virtlogd")
_POWER: Final = ("ipmi_sim", "ipmitool")
_VOLUMES: Final = ("flock", "ping")
_HOST_MIB: Final = 80
"""Memory of a capsule: its daemons and what it writes."""
_MACHINE_MIB: Final = 600
"""Memory of an emulated machine, however much it is given: what it touches, and QEMU itself."""
_IMAGE_MIB: Final[dict[Image, int]] = {"mini": 100, "debian": 1500}
"""Disk of a machine that is installed."""
_HOST_FILES: Final = 10
"""What the lab has open for a capsule: a descriptor for each daemon."""
_ROLES: Final[dict[Role, str]] = {
    "tftp": "in.tftpd",
    "dns": "named",
    "gmetad": "gmetad",
}


def check_machine() -> None:
    """TestbedError that names all that every testbed needs and that is missing."""
    if os.geteuid() != 0:
        raise TestbedError("the testbed needs root, for namespaces and mounts (try: sudo 3rc ...)")
    _refuse([*_missing_programs(_ALWAYS), *_missing_features()])
    _refuse([*_missing_namespaces()])


def check_site(site: Site, wanted: Wanted) -> None:
    """TestbedError that names all that a site needs and that is missing."""
    emulates = bool(site.physical_hosts or wanted.nodes)
    missing = (
        _missing_programs(programs_of(site, wanted)),
        _missing_features(),
        _missing_devices(emulates=emulates, volumes=bool(site.volumes)),
        _left_out(site, wanted.today),
        _out_of_reach(site, wanted),
    )
    _refuse([*chain(*missing)])


def check_size(site: Site, wanted: Wanted, folder: Path) -> None:
    """TestbedError where a site is too large for this machine, by rough figures.

    `folder` is where the run's folder will be.
    """
    hosts = len(site.physical_hosts) + len(site.service_hosts)
    vms = len(site.virtual_machines if wanted.vms is None else wanted.vms)
    machines = vms + len(wanted.nodes)
    while not folder.exists():
        folder = folder.parent
    sizes = (
        ("MiB of memory", hosts * _HOST_MIB + machines * _MACHINE_MIB, _free_memory()),
        (f"MiB in {folder}", machines * _IMAGE_MIB[wanted.image], _free_disk(folder)),
        ("open files (ulimit -Hn)", hosts * _HOST_FILES, getrlimit(RLIMIT_NOFILE)[1]),
    )
    what = f"for {counted(hosts, 'host')} and {counted(machines, 'machine')} (fewer: --vms)"
    _refuse([f"{need} {of} {what}; here are {has}" for of, need, has in sizes if need > has])


def _free_memory() -> int:
    """In MiB: what programs may take without swapping."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    found = dict(line.split(":") for line in lines)
    return int(found["MemAvailable"].split()[0]) >> 10


def _free_disk(folder: Path) -> int:
    return shutil.disk_usage(folder).free >> 20


def programs_of(site: Site, wanted: Wanted) -> set[str]:
    """The programs that a site is prepared, run and broken by."""
    found = {*_ALWAYS, *_SITE}
    found |= {program for role, program in _ROLES.items() if site.with_role(role)}
    if site.with_role("dhcp"):
        found.add("kea-dhcp4" if site.dhcp.server == "kea" else "dhcpd")
    if site.with_role("collector"):
        found.add("gmond")
    if wanted.profile == "thesis" or site.updates is not None:
        found.add("cron")
    if site.physical_hosts:
        found |= {*_MACHINES, *_PHYSICAL}
    if wanted.nodes:
        found |= {*_MACHINES}
    if any(host.power is not None for host in site.physical_hosts.values()):
        found |= {*_POWER}
    if site.volumes:
        found |= {*_VOLUMES}
    if site.monitoring.probe == "ping":
        found.add("fping")
    if wanted.image == "debian":
        found.add("mmdebstrap")
    return found


def check(spec: LabSpec) -> None:
    """TestbedError that names all that this one needs and that is missing."""
    check_machine()
    volumes = any(capsule.volumes for capsule in spec.capsules)
    missing = _missing_devices(emulates=bool(spec.machines), volumes=volumes)
    _refuse([*_missing_programs(_programs(spec)), *missing])


def _refuse(missing: list[str]) -> None:
    if missing:
        raise TestbedError("the testbed needs:\n  " + "\n  ".join(missing))


def _missing_programs(names: Iterable[str]) -> Iterator[str]:
    for name in sorted(names):
        if shutil.which(name, path=FOLDERS) is None:
            package = PACKAGES.get(Path(name).name)
            yield f"the program {name}" + (f" (Debian: {package})" if package else "")


def _left_out(site: Site, today: date) -> Iterator[str]:
    """The boot loaders that are not here, as the compiler names them: of all that it makes,
    nothing else depends on the machine.
    """
    tree = Tree()
    out = Output("boot loaders", tree, Lock(today))
    compile_loaders(site, out)
    compile_dualboot(site, out)
    yield from dict.fromkeys(each.reason for each in tree.left_out)


def _out_of_reach(site: Site, wanted: Wanted) -> Iterator[str]:
    """The scripts that no machine could fetch: there is nobody but the site, as it is compiled."""
    names = site.virtual_machines if wanted.vms is None else wanted.vms
    of = [site.virtual_machines[name].middleware for name in names]
    todo = [each for each in dict.fromkeys(of) if each is not None]
    for name in todo:  # those that it requires come after it
        todo += [each for each in site.middleware[name].requires if each not in todo]
        for script in site.middleware[name].scripts:
            if "://" in script:
                yield f"{script} (middleware {name}) as a file beside the site's: nobody serves it"


def _missing_features() -> Iterator[str]:
    if importlib.util.find_spec("pyroute2") is None:
        yield "the Python package pyroute2 (pip install 'threerc[testbed]')"
    kinds = Path("/proc/filesystems").read_text(encoding="ascii").split()
    if "overlay" not in kinds and not _module("overlay"):
        yield "a kernel with overlayfs (try: modprobe overlay)"


def _missing_namespaces() -> Iterator[str]:
    """Root in a container may not have any."""
    apart = ("--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--mount-proc")
    done = subprocess.run(
        [program("unshare"), *apart, program("true")], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        why = done.stderr.strip().removeprefix("unshare: ")
        yield f"namespaces and mounts, as a privileged container has them ({why})"


def _missing_devices(*, emulates: bool, volumes: bool) -> Iterator[str]:
    if emulates and not Path("/dev/net/tun").exists():
        yield "a kernel with TAP devices (try: modprobe tun)"
    if volumes and not Path("/dev/loop-control").exists():
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
