"""Trees of files, written as a cpio or tar archive with the same bytes each time.

Owners are root, times are one constant, names are sorted.
Source: https://docs.kernel.org/driver-api/early-userspace/buffer-format.html (newc).
"""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Final

BUILT: Final = 1230768000
"""The time of all files, 2009-01-01 in UTC: what is made does not depend on when."""
_TRAILER: Final = "TRAILER!!!"
_LEVEL: Final = 6


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, folder, symbolic link or character device; `mode` has its type too."""

    mode: int
    content: bytes = b""
    device: tuple[int, int] = (0, 0)


@dataclass(slots=True)
class Tree:
    """Files by their path, which starts with no slash. Folders above them are made."""

    entries: dict[str, Entry] = field(default_factory=dict)

    def add(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """Add a file."""
        self._put(path, Entry(stat.S_IFREG | mode, content))

    def copy(self, path: str, source: Path) -> None:
        """Add a file of the disk, with its permissions, following links."""
        self.add(path, source.read_bytes(), stat.S_IMODE(source.stat().st_mode))

    def link(self, path: str, target: str) -> None:
        """Add a symbolic link."""
        self._put(path, Entry(stat.S_IFLNK | 0o777, target.encode()))

    def folder(self, path: str, mode: int = 0o755) -> None:
        """Add a folder."""
        self._put(path, Entry(stat.S_IFDIR | mode))

    def device(self, path: str, major: int, minor: int, mode: int = 0o600) -> None:
        """Add a character device."""
        self._put(path, Entry(stat.S_IFCHR | mode, device=(major, minor)))

    def _put(self, path: str, entry: Entry) -> None:
        for parent in PurePosixPath(path).parents:
            if str(parent) != ".":
                self.entries.setdefault(str(parent), Entry(stat.S_IFDIR | 0o755))
        self.entries[path] = entry

    def write_cpio(self, file: Path) -> None:
        """Write an initrd: cpio (newc), packed by gzip."""
        with packed(file) as stream:
            for number, (path, entry) in enumerate(sorted(self.entries.items()), 1):
                stream.write(_newc(path, entry, number))
            stream.write(_newc(_TRAILER, Entry(0), 0))

    def write_tar(self, file: Path) -> None:
        """Write an image: tar, packed by gzip, without the extensions that busybox lacks."""
        with packed(file) as stream, tar_writer(stream) as archive:
            for path, entry in sorted(self.entries.items()):
                archive.addfile(*_member(path, entry))


@contextmanager
def packed(file: Path) -> Iterator[gzip.GzipFile]:
    """A file to write to that is packed by gzip, without its name and the time."""
    with (
        file.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=_LEVEL, mtime=0) as stream,
    ):
        yield stream


def tar_writer(stream: gzip.GzipFile) -> tarfile.TarFile:
    """A tar archive of a kind that busybox reads, also with long names."""
    return tarfile.open(fileobj=stream, mode="w|", format=tarfile.GNU_FORMAT)


def _newc(path: str, entry: Entry, number: int) -> bytes:
    name = path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    fields = (
        *(number, entry.mode, 0, 0, links, BUILT, len(entry.content), 0, 0),
        *(*entry.device, len(name), 0),
    )  # fmt: skip
    header = b"070701" + b"".join(b"%08X" % value for value in fields)
    return _aligned(header + name) + _aligned(entry.content)


def _aligned(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def _member(path: str, entry: Entry) -> tuple[tarfile.TarInfo, IO[bytes] | None]:
    info = tarfile.TarInfo(f"./{path}")
    info.mode, info.mtime = stat.S_IMODE(entry.mode), BUILT
    info.uname = info.gname = "root"
    if stat.S_ISDIR(entry.mode):
        info.type = tarfile.DIRTYPE
    elif stat.S_ISLNK(entry.mode):
        info.type, info.linkname = tarfile.SYMTYPE, entry.content.decode()
    elif stat.S_ISCHR(entry.mode):
        info.type = tarfile.CHRTYPE
        info.devmajor, info.devminor = entry.device
    else:
        info.size = len(entry.content)
        return info, io.BytesIO(entry.content)
    return info, None
