"""The first program in a capsule: it makes the capsule's file system, then becomes its process 1.

It is started in new namespaces by `capsule.py`, which sends `Orders` to its standard input, and
writes `ready`, or what went wrong, to its standard output. It imports next to nothing, since a
capsule should be up at once.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import pwd
import shutil
import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypedDict

READY: Final = "ready"
_MACHINE: Final = "/.machine"
"""Where the machine's own file system is while the capsule's is made."""
BIND: Final = 4096
_REC: Final = 16384
_REMOUNT: Final = 32
_READ_ONLY: Final = 1
_NOSUID_NODEV: Final = 2 | 4
_DETACH: Final = 2
_NODES: Final = ("null", "zero", "full", "random", "urandom", "tty", "fuse", "kvm", "net/tun")
_LINKS: Final = {
    "ptmx": "pts/ptmx",
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}
_LOST: Final = ("/run", "/tmp")  # noqa: S108 - the capsule's own
"""What a power cut empties."""


class File(TypedDict):
    """A file to lay; `source` is a path of the machine's."""

    path: str
    text: str | None
    source: str | None
    mode: int
    owner: str


class Folder(TypedDict):
    """A folder to make."""

    path: str
    owner: str
    mode: int


class Bound(TypedDict):
    """A file or folder of the machine's to be seen in the capsule."""

    source: str
    target: str
    read_only: bool


class Device(TypedDict):
    """A block device of the machine's to be seen in the capsule."""

    target: str
    number: int


class Orders(TypedDict):
    """How to make the file system; `disks` are the machine's mounted file systems but /."""

    name: str
    root: str
    first: bool
    disks: list[str]
    tree: str | None
    folders: list[Folder]
    files: list[File]
    binds: list[Bound]
    devices: list[Device]
    settings: dict[str, str]
    command: list[str]


def main() -> None:
    """Do what standard input orders."""
    orders: Orders = json.load(sys.stdin)
    try:
        _make(orders)
    except (OSError, LookupError) as error:
        print(f"{orders['name']}: {error}", flush=True)  # noqa: T201
        sys.exit(1)
    print(READY, flush=True)  # noqa: T201
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.execve(orders["command"][0], orders["command"], dict(os.environ))


def _make(orders: Orders) -> None:
    os.umask(0o022)
    socket.sethostname(orders["name"])
    _enter(orders["root"])
    _mount_kernel()
    for number, disk in enumerate(orders["disks"]):
        _overlay_disk(orders["root"], disk, number)
    for device in orders["devices"]:
        _node(device["target"], stat.S_IFBLK | 0o660, device["number"])
    if orders["first"] and orders["tree"]:
        _lay_tree(Path(_MACHINE + orders["tree"]))
    for file in orders["files"]:
        if orders["first"] or file["path"].startswith(tuple(f"{lost}/" for lost in _LOST)):
            _lay(file)
    for folder in orders["folders"]:
        _folder(folder)
    for bound in orders["binds"]:
        _bind(bound)
    for name, value in orders["settings"].items():
        Path("/proc/sys", name).write_text(value, encoding="ascii")
    mount("/proc/sys/net", "/proc/sys/net", "", BIND)  # the capsule's own; the rest is all hosts'
    mount("/proc/sys", "/proc/sys", "", BIND | _REC)
    mount("/proc/sys", "/proc/sys", "", BIND | _REMOUNT | _READ_ONLY)
    _umount(_MACHINE)
    Path(_MACHINE).rmdir()


# -- mounts


def _libc(name: str, *arguments: object, what: str) -> None:
    call: Callable[..., int] = getattr(ctypes.CDLL(None, use_errno=True), name)
    if call(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2). Raises OSError."""
    paths = (os.fsencode(source), os.fsencode(target))
    words = (*paths, kind.encode(), ctypes.c_ulong(flags), data.encode())
    _libc("mount", *words, what=f"mount {kind or source} on {target}")


def _umount(target: str) -> None:
    _libc("umount2", target.encode(), _DETACH, what=f"umount {target}")


def _enter(root: str) -> None:
    """Lay an overlay over the machine's /, and make it the capsule's."""
    os.chdir(root)  # so that no character of the path can be one of the options'
    mount("overlay", "root", "overlay", 0, "lowerdir=/,upperdir=upper,workdir=work")
    os.chdir("root")
    os.makedirs(f".{_MACHINE}", exist_ok=True)
    _libc("pivot_root", b".", f".{_MACHINE}".encode(), what="pivot_root")
    os.chdir("/")


def _mount_kernel() -> None:
    mount("proc", "/proc", "proc")
    mount("sysfs", "/sys", "sysfs")
    mount("tmpfs", "/dev", "tmpfs", 2, "mode=755,size=4m")
    for name in _NODES:
        _copy_node(f"{_MACHINE}/dev/{name}", f"/dev/{name}")
    for name, target in _LINKS.items():
        os.symlink(target, f"/dev/{name}")
    for folder in ("/dev/pts", "/dev/shm"):  # noqa: S108
        os.mkdir(folder)
    mount("devpts", "/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=620,gid=5")
    mount("tmpfs", "/dev/shm", "tmpfs", _NOSUID_NODEV, "mode=1777")  # noqa: S108
    mount("tmpfs", "/run", "tmpfs", _NOSUID_NODEV, "mode=755")
    mount("tmpfs", "/tmp", "tmpfs", _NOSUID_NODEV, "mode=1777")  # noqa: S108


def _copy_node(source: str, target: str) -> None:
    if os.path.exists(source):
        found = os.stat(source)
        _node(target, found.st_mode, found.st_rdev)


def _node(target: str, mode: int, number: int) -> None:
    os.makedirs(os.path.dirname(target), 0o755, exist_ok=True)
    os.mknod(target, mode, number)
    os.chmod(target, stat.S_IMODE(mode))


def _overlay_disk(root: str, disk: str, number: int) -> None:
    """A file system of the machine's, such as /usr or /home, as writable as / is.

    Overlayfs takes no vfat (/boot/efi) and nothing that ignores case, nor more than two overlays
    one over another: such a file system is seen as it is, and is read only.
    """
    os.chdir(f"{_MACHINE}{root}/disks/{number}")
    if not os.path.islink("lower"):
        os.symlink(_MACHINE + disk, "lower")
    try:
        mount("overlay", disk, "overlay", 0, "lowerdir=lower,upperdir=upper,workdir=work")
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        mount("lower", disk, "", BIND)
        mount("lower", disk, "", BIND | _REMOUNT | _READ_ONLY)
    os.chdir("/")


def _bind(bound: Bound) -> None:
    source, target = _MACHINE + bound["source"], bound["target"]
    if os.path.isdir(source):
        os.makedirs(target, 0o755, exist_ok=True)
    elif not os.path.exists(target):
        os.makedirs(os.path.dirname(target), 0o755, exist_ok=True)
        Path(target).touch()
    mount(source, target, "", BIND | _REC)
    if bound["read_only"]:
        mount(source, target, "", BIND | _REMOUNT | _READ_ONLY)


# -- files


def _lay_tree(tree: Path) -> None:
    """Lay a compiled tree over the file system; folders that are there stay as they are."""
    for folder, _, names in os.walk(tree):
        inside = Path("/") / Path(folder).relative_to(tree)
        inside.mkdir(0o755, parents=True, exist_ok=True)
        links = [each.name for each in os.scandir(folder) if each.is_symlink()]
        for name in {*names, *links}:
            target = inside / name
            target.unlink(missing_ok=True)
            shutil.copy2(Path(folder, name), target, follow_symlinks=False)


def _lay(file: File) -> None:
    target = Path(file["path"])
    target.parent.mkdir(0o755, parents=True, exist_ok=True)
    if file["source"] is not None:
        _copy(Path(_MACHINE + file["source"]), target)
    else:
        target.unlink(missing_ok=True)
        target.write_text(file["text"] or "", encoding="utf-8")
    os.chmod(target, file["mode"])
    _own(target, file["owner"])


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        target.unlink(missing_ok=True)
        shutil.copyfile(source, target)


def _folder(folder: Folder) -> None:
    target = Path(folder["path"])
    target.mkdir(0o755, parents=True, exist_ok=True)
    os.chmod(target, folder["mode"])
    _own(target, folder["owner"])


def _own(target: Path, owner: str) -> None:
    user, _, group = owner.partition(":")
    try:
        found = pwd.getpwnam(user)
    except KeyError:
        raise LookupError(f"{target}: no user {user} to own it") from None
    shutil.chown(target, found.pw_uid, group or found.pw_gid)


if __name__ == "__main__":
    main()
