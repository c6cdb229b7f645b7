"""A physical host as a capsule: namespaces with a real libvirtd, virtlogd and sshd of its own."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.lab import LabError, Namespace
from tests.lab.process import running, tail, wait_until

READY_SECONDS: Final = 60
CLONE_NEWNET: Final = 0x40000000
PROGRAMS: Final = {
    "libvirtd": "libvirt-daemon-system",
    "virtlogd": "libvirt-daemon-system",
    "virsh": "libvirt-clients",
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "sshd": "openssh-server",
}
# Nothing of this machine's own libvirt is read or written. Arguments: the host's name, its folder.
START: Final = """
set -eu
hostname "$0"
mount -t tmpfs none /run
mkdir -p /run/sshd /run/lock
for place in /etc/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /root; do
    mkdir -p "$1/tree$place" "$place"
    mount --bind "$1/tree$place" "$place"
done
virtlogd &
/usr/sbin/sshd -D -e -f "$1/sshd_config" &
libvirtd &
# Process 1 has to see the ends of QEMUs that libvirtd has let go of, or it waits for them for ever.
wait
"""
QEMU_CONF: Final = """
user = "root"
group = "root"
security_driver = "none"
namespaces = []
cgroup_controllers = []
"""
LIBVIRTD_CONF: Final = """
auth_unix_ro = "none"
auth_unix_rw = "none"
host_uuid = "{uuid}"
"""


@dataclass(frozen=True)
class Capsule:
    """A running physical host; `init` is the id of its process 1."""

    name: str
    init: int

    def run(self, *command: str) -> str:
        """Run a program inside; its output."""
        enter = ["nsenter", "-t", str(self.init), "-a", *command]
        return subprocess.run(enter, check=True, capture_output=True, text=True).stdout

    def processes(self) -> Iterator[tuple[int, list[str]]]:
        """The ids and arguments of all processes inside, as this machine sees them."""
        inside = os.readlink(f"/proc/{self.init}/ns/pid")
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(folder / "ns/pid") == inside:
                    yield int(folder.name), (folder / "cmdline").read_text().split("\0")
            except OSError:
                continue

    def guests(self) -> set[str]:
        """The VMs whose QEMU is there."""
        return {
            words[words.index("-name") + 1].split(",")[0].removeprefix("guest=")
            for _, words in self.processes()
            if "qemu-system" in words[0] and "-name" in words
        }

    def daemon(self, name: str) -> int:
        """The id of one of its daemons: `libvirtd`, or `[listener]`, the sshd."""
        return next(pid for pid, words in self.processes() if name in words[0])


@contextmanager
def capsule(net: Namespace, name: str, sshd_config: Path, number: int) -> Iterator[Capsule]:
    """A physical host in a network namespace; `sshd_config` lies in its folder."""
    _check_programs()
    work = sshd_config.parent
    _configure(work / "tree/etc/libvirt", number)
    command = net.command(
        "unshare", "-m", "-u", "-p", "-f", "--kill-child", "--mount-proc",
        "sh", "-c", START, name, str(work),
    )  # fmt: skip
    log = work / "capsule.log"
    with running(command, log) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")

        def init() -> int:
            return int((children.read_text().split() or ["0"])[0])

        def ready() -> bool:
            return init() > 0 and Path(f"/proc/{init()}/root/run/libvirt/libvirt-sock").exists()

        try:
            wait_until(ready, "libvirtd listened", process, READY_SECONDS)
        except LabError as error:
            raise LabError(f"{name}: {error}\n{tail(log)}") from error
        yield Capsule(name, init())
        # unshare does not end when it is asked to.
        process.kill()


def _check_programs() -> None:
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    for name, package in PROGRAMS.items():
        if shutil.which(name, path=path) is None:
            raise LabError(f"{name} not found (Debian: {package})")


def _configure(folder: Path, number: int) -> None:
    folder.mkdir(parents=True)
    (folder / "qemu.conf").write_text(QEMU_CONF)
    uuid = f"00000000-0000-4000-8000-{number:012d}"
    (folder / "libvirtd.conf").write_text(LIBVIRTD_CONF.format(uuid=uuid))


@contextmanager
def inside(net: Namespace) -> Iterator[None]:
    """Have this thread, and the programs that it starts, in a network namespace."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{net.name}", os.O_RDONLY)
    try:
        _enter(there)
        yield
    finally:
        _enter(before)
        os.close(there)
        os.close(before)


def _enter(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    setns: Callable[[int, int], int] = libc.setns
    if setns(descriptor, CLONE_NEWNET) != 0:
        raise LabError(f"setns: {os.strerror(ctypes.get_errno())}")
