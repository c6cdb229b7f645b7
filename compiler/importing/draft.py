"""A site in the making: hosts and networks as site.yaml will say them."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

from threerc.compiler.findings import Place
from threerc.compiler.importing.facts import NOWHERE, Address, Facts
from threerc.compiler.model.host import HostKind


@dataclass
class Seat:
    """An interface: a host's own or a further one. `dns` as in the model."""

    address: IPv4Address | None = None
    address6: IPv6Address | None = None
    mac: str | None = None
    dns: str = "all"
    dhcp: list[str] = field(default_factory=list)

    @property
    def addresses(self) -> list[Address]:
        """Its addresses."""
        return [each for each in (self.address, self.address6) if each is not None]


@dataclass
class DraftHost(Seat):
    """A host. `more` are further keys of its section, with values as in site.yaml."""

    name: str = ""
    place: Place = NOWHERE
    section: HostKind = "worker_nodes"
    interfaces: dict[str, Seat] = field(default_factory=dict)
    aliases: list[str] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    description: str = ""
    os: str = ""
    middleware: str = ""
    boot: str = ""
    disks: int = 0
    more: dict[str, Any] = field(default_factory=dict)

    def seats(self) -> list[tuple[str, Seat]]:
        """Its interfaces with their names in DNS."""
        return [(self.name, self), *((f"{self.name}-{n}", s) for n, s in self.interfaces.items())]


@dataclass
class DraftNetwork:
    """A network. `boot_server` is the next-server that its hosts are told, `served` whether dhcpd
    has hosts or a pool in it.
    """

    name: str
    prefix: IPv4Network | None = None
    prefix6: IPv6Network | None = None
    gateway: IPv4Address | None = None
    dns: list[str] | None = None
    ntp: list[str] = field(default_factory=list)
    domain: str = ""
    pool: tuple[IPv4Address, IPv4Address] | None = None
    vlan: int | None = None
    boot: bool = False
    lease: int | None = None
    dhcp: list[str] = field(default_factory=list)
    boot_server: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    place: Place = NOWHERE

    def holds(self, address: Address) -> bool:
        """Whether an address lies in it."""
        prefix = self.prefix if address.version == 4 else self.prefix6
        return prefix is not None and address in prefix

    def reserved(self, address: Address) -> bool:
        """Whether an address is the network's own, its broadcast or its gateway's."""
        prefix = self.prefix if address.version == 4 else self.prefix6
        if prefix is None or prefix.prefixlen >= prefix.max_prefixlen - 1:
            return False
        ends = {prefix.network_address}
        if prefix.version == 4:
            ends.add(prefix.broadcast_address)
        return address in ends or address == self.gateway


@dataclass
class DraftZone:
    """What a zone says beyond the hosts' records."""

    ttl: int | None = None
    records: list[str] = field(default_factory=list)


@dataclass
class Profile:
    """An OS profile; `keys` are those of site.yaml."""

    name: str
    keys: dict[str, Any]
    place: Place

    @property
    def unattended(self) -> bool:
        """Whether a boot link can say `install`."""
        return bool(self.keys["installer"] != "manual")


@dataclass
class Draft:
    """All of a site. `facts.lost` collects what it cannot say."""

    facts: Facts
    domain: str = ""
    networks: dict[str, DraftNetwork] = field(default_factory=dict)
    hosts: dict[str, DraftHost] = field(default_factory=dict)
    profiles: dict[str, Profile] = field(default_factory=dict)
    middleware: list[str] = field(default_factory=list)
    volumes: dict[str, dict[str, Any]] = field(default_factory=dict)
    dhcp: list[str] = field(default_factory=list)
    dns: dict[str, Any] = field(default_factory=dict)
    zones: dict[str, DraftZone] = field(default_factory=dict)

    def network_of(self, address: Address) -> DraftNetwork | None:
        """The network that an address lies in."""
        return next((each for each in self.networks.values() if each.holds(address)), None)

    def host_of(self, address: Address) -> DraftHost | None:
        """The host that has an address."""
        for host in self.hosts.values():
            if any(address in seat.addresses for _, seat in host.seats()):
                return host
        return None

    def with_role(self, role: str) -> list[DraftHost]:
        """The hosts of a role."""
        return [host for host in self.hosts.values() if role in host.roles]

    def fqdn(self, name: str) -> str:
        """Full name in lower case, with the final dot."""
        return f"{name}.{self.domain}.".lower()
