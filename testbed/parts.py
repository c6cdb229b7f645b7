"""What a testbed is made of, as data: the lab builds it, tests look at it.

A *capsule* stands for a physical host, a service host, the router or the boards: a network, mount,
PID, UTS and IPC namespace of its own. A *bridge* stands for one network on one switch. A *machine*
is a QEMU process of the lab's own, such as a worker node; virtual machines are not in here, since
they are started by their physical host's libvirtd.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Bridge:
    """One network on one switch. `uplinks` are the bridges of the same network that it reaches."""

    name: str
    network: str
    switch: str
    uplinks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """A network card of a capsule. It is plugged into the first of `bridges` whose switch works.

    With `inner` it has no address of its own, but is a port of that bridge inside the capsule,
    which has the addresses and which virtual machines are plugged into.
    """

    name: str
    mac: str
    bridges: tuple[str, ...]
    addresses: tuple[IPv4Interface | IPv6Interface, ...] = ()
    inner: str | None = None


@dataclass(frozen=True, slots=True)
class Lay:
    """A file laid into a capsule's file system, over the machine's own; `text` or a copy.

    It is laid when the capsule is switched on for the first time, below /run and /tmp each time.
    `owner` is a user of the capsule's, or `user:group`.
    """

    path: str
    text: str | None = None
    source: Path | None = None
    mode: int = 0o644
    owner: str = "root"


@dataclass(frozen=True, slots=True)
class Ready:
    """How a daemon is seen to serve: a port that it listens on (`623`, or `192.0.2.1:623` where
    others listen on it too), a file that it makes, or a word in its log.
    """

    kind: Literal["udp", "tcp", "path", "log"]
    value: str


@dataclass(frozen=True, slots=True)
class Daemon:
    """A program that runs in a capsule in the foreground, as its init system would start it.

    It is ready once `ready` holds, within `seconds`. Its output goes to the run's folder,
    `logs/<capsule>/<name>.log`. `start` are argument lists run to their end before it.
    """

    name: str
    command: tuple[str, ...]
    ready: Ready | None = None
    seconds: float = 20.0
    files: tuple[Lay, ...] = ()
    folders: tuple[tuple[str, str, int], ...] = ()
    """Folders to make before: path, owner, mode."""
    start: tuple[tuple[str, ...], ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    restart: bool = False
    """Whether it is started again when it ends by itself, as systemd would."""


@dataclass(frozen=True, slots=True)
class Bind:
    """A file or folder of the run, the same in several capsules: shared state, images, volumes."""

    source: Path
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Volume:
    """A block device over a sparse file, the same in all capsules that name the file."""

    source: Path
    target: str
    mebibytes: int


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of the run that is a small file system of its own, so that it can be filled up.

    Only the lab and what it is bound into see what is in it.
    """

    path: Path
    mebibytes: int


@dataclass(frozen=True, slots=True)
class CapsuleSpec:
    """A capsule to be built."""

    name: str
    kind: Literal["physical", "service", "router", "boards"]
    cards: tuple[Card, ...]
    gateway: str | None = None
    tree: Path | None = None
    """The host's own folder of the compiled tree, laid over its file system."""
    files: tuple[Lay, ...] = ()
    binds: tuple[Bind, ...] = ()
    volumes: tuple[Volume, ...] = ()
    daemons: tuple[Daemon, ...] = ()


@dataclass(frozen=True, slots=True)
class MachineSpec:
    """A machine of iron that boots from the network: a worker node."""

    name: str
    mac: str
    bridges: tuple[str, ...]
    memory: int
    disks: tuple[Path, ...]
    kvm: bool = False


@dataclass(frozen=True, slots=True)
class LabSpec:
    """All of it."""

    site: str
    bridges: tuple[Bridge, ...]
    capsules: tuple[CapsuleSpec, ...]
    machines: tuple[MachineSpec, ...] = ()
    stores: tuple[Store, ...] = ()
