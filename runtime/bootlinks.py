"""Boot links: what each host boots next, as the TFTP host has it just now.

The compiler writes the table of hosts; the links themselves are runtime state.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypedDict

from threerc.runtime.errors import ControllerError

TABLE = "/etc/3rc/boot.hosts"
HEADER = "# NAME LINK DECLARED INSTALL DISKS"
NOTHING = "-"


class BootError(ControllerError):
    """A boot link that cannot be shown or switched; the text says why."""


class BootHost(NamedTuple):
    """A line of the table: a host, its link's name, and what the link may be set to."""

    name: str
    link: str
    declared: str
    install: str
    disks: int

    def target(self, wanted: str) -> str:
        """The boot file for `local`, `install` or `diskN`. Raises BootError."""
        if wanted == "local":
            return wanted
        if wanted == "install":
            if self.install == NOTHING:
                raise BootError(f"{self.name} has no OS profile with an unattended installer")
            return self.install
        disks = [f"disk{number}" for number in range(1, self.disks + 1)]
        if wanted in disks:
            return wanted
        known = ", ".join(["local", *(["install"] if self.install != NOTHING else []), *disks])
        raise BootError(f"{self.name} cannot boot `{wanted}`, only: {known}")


class Shown(TypedDict):
    """What `3rc boot` says of a host."""

    name: str
    link: str
    boots: str | None
    declared: str


def table(folder: str, hosts: Iterable[BootHost]) -> str:
    """The text of the table for a pxelinux.cfg folder: a line for each host."""
    lines = [f"# Boot links in {folder}; 3rc boot shows and switches them.", f"FOLDER {folder}"]
    lines.append(HEADER)
    lines += [f"{h.name} {h.link} {h.declared} {h.install} {h.disks}" for h in hosts]
    return "\n".join(lines) + "\n"


@dataclass
class BootLinks:
    """The table and the links of one TFTP host."""

    folder: Path
    hosts: dict[str, list[BootHost]]

    @classmethod
    def load(cls, root: Path) -> BootLinks:
        """Read the table of the TFTP host whose file system is at `root`. Raises BootError."""
        path = root / TABLE.lstrip("/")
        try:
            lines = path.read_text(encoding="ascii").splitlines()
        except OSError as error:
            reason = error.strerror or str(error)
            raise BootError(f"{path}: {reason}; is this the TFTP host?") from None
        folder: Path | None = None
        hosts: dict[str, list[BootHost]] = {}
        for number, line in enumerate(lines, 1):
            match line.split():
                case [] | ["#", *_]:
                    continue
                case ["FOLDER", name]:
                    folder = root / name.lstrip("/")
                case [name, link, declared, install, disks] if disks.isdigit():
                    host = BootHost(name, link, declared, install, int(disks))
                    hosts.setdefault(name, []).append(host)
                case _:
                    raise BootError(f"{path}:{number}: not a line of the boot table")
        if folder is None:
            raise BootError(f"{path}: no line `FOLDER <pxelinux.cfg folder>`")
        return cls(folder, hosts)

    def find(self, names: Iterable[str]) -> list[BootHost]:
        """The links of these hosts. Raises BootError where one is unknown."""
        found: list[BootHost] = []
        for name in names:
            if name not in self.hosts:
                raise BootError(f"{name} does not boot from this TFTP host")
            found.extend(self.hosts[name])
        return found

    def show(self, host: BootHost) -> Shown:
        """What a host boots next; None where it has no link."""
        boots: str | None = None
        with suppress(OSError):
            boots = os.readlink(self.folder / host.link)
        return {"name": host.name, "link": host.link, "boots": boots, "declared": host.declared}

    def switch(self, hosts: Iterable[BootHost], wanted: str) -> None:
        """Point links at `local`, `install` or `diskN`, each by one rename.

        All are checked before the first is switched. Raises BootError.
        """
        targets = [(host, host.target(wanted)) for host in hosts]
        for _, target in targets:
            if not (self.folder / target).is_file():
                raise BootError(f"there is no boot file {self.folder / target}")
        for host, target in targets:
            point(self.folder / host.link, target)


def point(link: Path, target: str) -> None:
    """Point a link at a boot file by one rename. Raises BootError."""
    beside = link.with_name(f".{link.name}.{os.getpid()}")
    try:
        beside.unlink(missing_ok=True)
        beside.symlink_to(target)
        beside.replace(link)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise BootError(f"cannot switch {link}: {error.strerror or error}") from None
