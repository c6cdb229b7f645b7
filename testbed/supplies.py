"""What the testbed brings along for a site: keys, the image, and where this program is.

The private halves of a site's keys and the media of its OS profiles are not on the machine that
tests it, so that each run has its own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from threerc.testbed.runs import EVENTS, SOCKET

CONSOLES = "consoles"
"""The folder of a run with the sockets of the virtual machines' serial consoles."""
Image = Literal["mini", "debian"]
Profile = Literal["thesis", "fast"]


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An ssh key: its private half as a file's text, its public one as one line."""

    private: str
    public: str


@dataclass(frozen=True, slots=True)
class Supplies:
    """All of it. `archive` is the image, packed; `kernel` and `initrd` start what installs it;
    `python` runs 3RC, and `visible` are the folders that it needs for that. `vms` are the virtual
    machines that are wanted; no others are in the site then.
    """

    run: Path
    python: Path
    visible: tuple[Path, ...]
    archive: Path
    kernel: Path
    initrd: Path
    identity: KeyPair
    host_keys: Mapping[str, KeyPair]
    board_password: str
    vms: tuple[str, ...]
    image: Image = "mini"
    profile: Profile = "thesis"
    no_kvm: str = "not tried"
    """Why machines are emulated; nothing where one has booted with KVM."""

    @property
    def tree(self) -> Path:
        """The compiled tree of the run."""
        return self.run / "tree"

    @property
    def state(self) -> Path:
        """What both controllers see as their state directory."""
        return self.run / "state"

    @property
    def disks(self) -> Path:
        """The disks of the virtual machines, which all physical hosts see."""
        return self.run / "disks"

    @property
    def volumes(self) -> Path:
        """The files behind the mirrored volumes."""
        return self.run / "volumes"

    @property
    def socket(self) -> Path:
        """Where the lab is talked to."""
        return self.run / SOCKET

    @property
    def events(self) -> Path:
        """The file of all that happened."""
        return self.run / EVENTS

    @property
    def consoles(self) -> Path:
        """The sockets of the virtual machines' serial consoles, by name."""
        return self.run / CONSOLES

    def logs(self, capsule: str) -> Path:
        """The folder of a capsule's logs."""
        return self.run / "logs" / capsule


def own_folders() -> list[Path]:
    """The folders that Python and 3RC's own program lie in; some may be in others."""
    home = Path(__file__).resolve().parent.parent
    rooms = ("compiler", "rollout", "runtime", "templates", "testbed")
    found = [Path(sys.prefix), Path(sys.base_prefix), *(home / room for room in rooms)]
    return [path for path in dict.fromkeys(found) if path.is_dir()]


def outermost(folders: Iterable[Path]) -> tuple[Path, ...]:
    """Those that are in none of the others."""
    found = tuple(folders)
    return tuple(path for path in found if not any(other in path.parents for other in found))
