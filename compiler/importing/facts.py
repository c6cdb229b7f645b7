"""What the files of a site say, each with its place: what readers find, before it is merged."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import NamedTuple

from threerc.compiler.findings import Place

Address = IPv4Address | IPv6Address
NOWHERE = Place("", 1, 1)
"""The place of what no file says."""
Settings = dict[str, str]
"""Statements of dhcpd.conf by what they set: `option routers` to `192.168.1.254`."""
IPXE = "`option ipxe.no-pxedhcp 1`: iPXE waits for no other boot server"
LOADERS = "the boot loader of their architecture"
"""What 3RC's DHCP server tells all machines, whatever a site says."""


class Lost(NamedTuple):
    """Something that site.yaml cannot say, or says otherwise.

    `text` is the thing itself, where it may be shown: no key is ever in it.
    """

    place: Place
    reason: str
    text: str = ""


class Record(NamedTuple):
    """A record of DNS. Owner and names within the data are full, with the final dot."""

    owner: str
    ttl: int
    kind: str
    data: str
    place: Place
    comment: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What the record says: names in DNS know no case."""
        quoted = '"' in self.data
        return self.owner.lower(), self.kind, self.data if quoted else self.data.lower()


@dataclass
class ZoneFacts:
    """A zone: `name` is in lower case, without the final dot."""

    name: str
    place: Place
    records: list[Record] = field(default_factory=list)
    primary: str = ""
    mailbox: str = ""
    negative_ttl: int | None = None


@dataclass
class Reservation:
    """A host of a DHCP server. `addresses` are texts: a name is to be looked for in DNS.

    `settings` are those of the host and of the groups it stands in.
    """

    name: str
    mac: str
    addresses: tuple[str, ...]
    place: Place
    settings: Settings = field(default_factory=dict)
    comment: str = ""


@dataclass
class Subnet:
    """A network of a DHCP server. `settings` are its own and those of what it stands in."""

    prefix: IPv4Network | IPv6Network
    place: Place
    settings: Settings = field(default_factory=dict)
    pools: list[tuple[IPv4Address, IPv4Address, Place]] = field(default_factory=list)
    name: str = ""
    vlan: int | None = None


class Boot(NamedTuple):
    """What a boot file makes a machine do: `local`, `disk2`, or a kernel with its arguments.

    `kind` is `local`, `disk`, `kernel` or `other`.
    """

    kind: str
    kernel: str = ""
    initrd: str = ""
    arguments: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.kind == "kernel":
            words = [self.kernel, *([f"initrd={self.initrd}"] if self.initrd else [])]
            return " ".join([*words, *self.arguments])
        return f"disk{self.kernel}" if self.kind == "disk" else self.kernel or self.kind


class BootFile(NamedTuple):
    """A file of pxelinux.cfg, or a link there; `target` is the name of what a link leads to."""

    name: str
    target: str
    boot: Boot
    place: Place
    description: str = ""


class Sighting(NamedTuple):
    """A name that a file gives to an address or a MAC."""

    name: str
    address: Address | None
    mac: str | None
    aliases: tuple[str, ...]
    place: Place


class Machine(NamedTuple):
    """A line of hosts.def: `kind` is PH or VM; a PH has `maxl`, a VM the rest."""

    kind: str
    name: str
    place: Place
    maxl: str = ""
    inst: int = 0
    system: str = ""
    middleware: str = ""


@dataclass
class Domain:
    """A virtual machine as libvirt knows it. Memory in KiB."""

    name: str
    place: Place
    memory: int = 0
    cpus: int = 0
    mac: str = ""
    bridge: str = ""
    disk: str = ""
    device: str = ""


class VolumeEnd(NamedTuple):
    """One of the two hosts of a DRBD resource."""

    host: str
    minor: int | None
    disk: str
    address: Address | None
    port: int | None


@dataclass
class VolumeFacts:
    """A DRBD resource. `size` is what 3RC's own comment says, for DRBD does not."""

    name: str
    place: Place
    ends: list[VolumeEnd] = field(default_factory=list)
    protocol: str = ""
    size: str = ""


@dataclass
class Facts:
    """All that was read. `servers` are addresses of the DHCP servers, the primary first;
    `authoritative` if the top of their file says so; `own` is what it tells all machines of that
    which 3RC always says.
    """

    reservations: list[Reservation] = field(default_factory=list)
    subnets: list[Subnet] = field(default_factory=list)
    settings: Settings = field(default_factory=dict)
    definitions: list[str] = field(default_factory=list)
    zones: dict[str, ZoneFacts] = field(default_factory=dict)
    boot_files: dict[str, BootFile] = field(default_factory=dict)
    pxelinux: Path | None = None
    sightings: list[Sighting] = field(default_factory=list)
    machines: list[Machine] = field(default_factory=list)
    homes: dict[str, str] = field(default_factory=dict)
    domains: list[Domain] = field(default_factory=list)
    volumes: list[VolumeFacts] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    dhcp: bool = False
    authoritative: bool = False
    own: set[str] = field(default_factory=set)
    servers: list[str] = field(default_factory=list)

    def lose(self, place: Place, reason: str, text: str = "") -> None:
        """Note something that cannot be expressed."""
        self.lost.append(Lost(place, reason, text))
