"""The site: everything that site.yaml says, and the look-ups that rules and artefacts share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, NamedTuple

from pydantic import Field, StringConstraints

from threerc.compiler.model.cabling import Cabling
from threerc.compiler.model.dhcp import Dhcp
from threerc.compiler.model.dns import Dns
from threerc.compiler.model.farm import Alike, Farm, Hosts
from threerc.compiler.model.host import (
    Host,
    Interface,
    PhysicalHost,
    Role,
    ServiceHost,
    VirtualMachine,
)
from threerc.compiler.model.middleware import Middleware
from threerc.compiler.model.monitor import Monitoring
from threerc.compiler.model.network import Network
from threerc.compiler.model.os_profile import OsProfile
from threerc.compiler.model.recovery import Minutes, Recovery
from threerc.compiler.model.storage import Drbd, Volume
from threerc.compiler.model.types import (
    AbsolutePath,
    DomainName,
    Explained,
    HostName,
    Line,
    Model,
    SecretReference,
    SshPublicKey,
    TimeZone,
    Word,
)


class Provisioning(Model):
    """Where the TFTP and install servers keep what they serve."""

    tftp_root: AbsolutePath = Field(default="/srv/tftp", description="Root of the TFTP server.")
    http_root: AbsolutePath = Field(
        default="/srv/install", description="Document root of the install server."
    )
    images: AbsolutePath = Field(
        default="/var/lib/libvirt/images",
        description="Where physical hosts keep the disks of VMs that name none.",
    )


# cron turns a bare % into a line break, eats backslashes on the way to the shell, and takes 998
# bytes, of which a quoted quote needs five.
CronCommand = Annotated[
    str,
    StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff%\\]{1,180}$"),
    Explained(
        "cron-command",
        "not one line without % and backslashes, at most 180 characters; put it into a script",
    ),
]


class Updates(Model):
    """A periodic update check on every installed node (thesis 5.7)."""

    command: CronCommand = Field(
        description="What cron runs, as root.",
        examples=["/usr/local/sbin/site-update"],
    )
    every: int = Field(
        default=60, description="Minutes between checks; a divisor of 60, or of 1440 by the hour."
    )


class SiteSettings(Model):
    """All of a site but its hosts."""

    site: Word = Field(description="Short name of the site.", examples=["sns-pisa"])
    domain: DomainName = Field(description="DNS domain of its hosts.", examples=["sns.it"])
    description: Line = Field(default="", description="For people; becomes a comment.")
    timezone: TimeZone = Field(
        default="UTC", description="Time zone of its hosts.", examples=["Europe/Rome"]
    )
    administrators: dict[Word, SshPublicKey | list[SshPublicKey]] = Field(
        default={},
        description="Who may log in as root: name and public ssh key or keys.",
        examples=[{"ha": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPxY2JB6dGqpAt6Y ha@bussolo"}],
    )
    root_password: SecretReference | None = Field(
        default=None,
        description="Where the hash of root's password is kept (crypt(3)). Without it root's "
        "password is locked and the administrators' keys are the only way in.",
    )
    networks: dict[Word, Network] = Field(min_length=1, description="Networks, by name.")
    dhcp: Dhcp = Field(default=Dhcp(), description="DHCP settings.")
    dns: Dns = Field(default=Dns(), description="DNS settings.")
    provisioning: Provisioning = Field(
        default=Provisioning(), description="Paths on the TFTP and install servers."
    )
    os_profiles: dict[Word, OsProfile] = Field(default={}, description="OS profiles, by name.")
    middleware: dict[Word, Middleware] = Field(default={}, description="Middleware, by name.")
    volumes: dict[Word, Volume] = Field(
        default={}, description="Volumes mirrored by DRBD, by name."
    )
    drbd: Drbd = Field(default=Drbd(), description="DRBD on all physical hosts.")
    monitoring: Monitoring = Field(default=Monitoring(), description="Ganglia.")
    recovery: Recovery = Field(default=Recovery(), description="The controllers' policy.")
    updates: Updates | None = Field(default=None, description="Update checks on the nodes.")
    cabling: Cabling = Field(default=Cabling(), description="Switches and power.")


class BootInterface(NamedTuple):
    """What dhcpd and pxelinux know an interface by that a host boots from."""

    mac: str
    address: IPv4Address


class Site(SiteSettings):
    """A site, with ranges, inventories, groups and defaults resolved into single hosts."""

    physical_hosts: dict[HostName, PhysicalHost] = Field(default={}, description="PHs, by name.")
    virtual_machines: dict[HostName, VirtualMachine] = Field(
        default={}, description="VMs, by name."
    )
    worker_nodes: Farm = Field(default=Farm(), description="WNs, by name.")
    service_hosts: dict[HostName, ServiceHost] = Field(
        default={}, description="Service hosts, by name."
    )

    @cached_property
    def hosts(self) -> Mapping[str, Host]:
        """All hosts by name: physical, virtual, worker, service; each in the YAML's order."""
        return Hosts(
            self.physical_hosts, self.virtual_machines, self.worker_nodes, self.service_hosts
        )

    @cached_property
    def parts(self) -> tuple[Alike | Host, ...]:
        """All hosts in the order of `hosts`; worker nodes that are alike, and in one network, as
        one part.
        """
        found: list[Alike | Host] = [
            *self.physical_hosts.values(),
            *self.virtual_machines.values(),
        ]
        for part in self.worker_nodes.parts:
            found += self._by_network(part) if isinstance(part, Alike) else [part]
        return (*found, *self.service_hosts.values())

    def _by_network(self, alike: Alike) -> Iterator[Alike]:
        first, last = min(alike.bits), max(alike.bits)
        spans = [span for span in self._spans[4] if span[0] <= last and first <= span[1]]
        if len(spans) == 1 and spans[0][0] <= first and last <= spans[0][1]:
            return iter((replace(alike, network=spans[0][2]),))
        return alike.by([self._network_at(4, bits) for bits in alike.bits])

    def where(self, test: Callable[[Host], object]) -> Iterator[Host]:
        """The hosts for which a test holds, in the order of `hosts`.

        The test may not look at name or MAC, and of the address at nothing but its network: of
        nodes that are alike one is tested.
        """
        for part in self.parts:
            if test(part.example if isinstance(part, Alike) else part):
                yield from self.each(part)

    @property
    def examples(self) -> Iterator[tuple[Host, Sequence[str]]]:
        """One host of each part, and the names of all that it is an example of."""
        for part in self.parts:
            yield (part.example, part.names) if isinstance(part, Alike) else (part, (part.name,))

    def each(self, part: Alike | Host) -> Iterator[Host]:
        """The hosts of a part, one by one."""
        if isinstance(part, Alike):
            return (self.worker_nodes[name] for name in part.names)
        return iter((part,))

    @cached_property
    def roles(self) -> dict[Role, tuple[Host, ...]]:
        """The hosts of each role that any host has, in the YAML's order."""
        found: dict[Role, list[Host]] = {}
        for host in self.where(lambda each: each.roles):
            for role in host.roles:
                found.setdefault(role, []).append(host)
        return {role: tuple(hosts) for role, hosts in found.items()}

    def with_role(self, role: Role) -> tuple[Host, ...]:
        """The hosts that have that role, in the YAML's order."""
        return self.roles.get(role, ())

    @cached_property
    def folder_hosts(self) -> tuple[Host, ...]:
        """The hosts that get files of their own, in the YAML's order: physical hosts, service
        hosts, and others with a role. The rest are many and equal: the install server has
        their files.
        """
        return tuple(self.where(self.has_folder))

    def has_folder(self, host: Host) -> bool:
        """Whether a host gets files of its own: see `folder_hosts`."""
        return bool(host.roles) or host.kind in ("physical_hosts", "service_hosts")

    def fqdn(self, name: str) -> str:
        """Full DNS name of a host, without a trailing dot."""
        return f"{name}.{self.domain}"

    def network_of(self, address: IPv4Address | IPv6Address) -> str | None:
        """Name of the network that an address lies in; the longest prefix wins."""
        return self._network_at(address.version, int(address))

    def _network_at(self, version: int, bits: int) -> str | None:
        for first, last, name in self._spans[version]:
            if first <= bits <= last:
                return name
        return None

    @cached_property
    def _spans(self) -> dict[int, list[tuple[int, int, str]]]:
        """First and last address of each prefix by IP version, narrowest first."""
        spans: dict[int, list[tuple[int, int, str]]] = {4: [], 6: []}
        for name, network in self.networks.items():
            for prefix in (network.prefix, network.prefix6):
                if prefix is not None:
                    span = (int(prefix.network_address), int(prefix.broadcast_address), name)
                    spans[prefix.version].append(span)
        for found in spans.values():
            found.sort(key=lambda span: (span[1] - span[0], span[2]))
        return spans

    def interfaces(self, host: Host) -> Iterator[tuple[str, Interface]]:
        """A host's interfaces with their DNS names: `bibe`, then `bibe-eth1` and so on."""
        yield host.name, host
        for name, interface in host.interfaces.items():
            yield f"{host.name}-{name}", interface

    def boot_interfaces(self, host: Host) -> tuple[BootInterface, ...]:
        """By which interfaces a host boots: MAC and address on a network that boots machines."""
        return tuple(
            BootInterface(each.mac, each.address)
            for _, each in self.interfaces(host)
            if each.mac and each.address and self.network_of(each.address) in self._boot_networks
        )

    @property
    def booting(self) -> Iterator[tuple[Host, Iterable[tuple[str, int]]]]:
        """What boots from the network: a host, or an example of nodes that are alike; and each
        one's name and address (as a number), once for each interface that it boots by.
        """
        for part in self.parts:
            if not isinstance(part, Alike):
                found = [(part.name, int(each.address)) for each in self.boot_interfaces(part)]
                if found:
                    yield part, found
            elif part.network in self._boot_networks:
                yield part.example, zip(part.names, part.bits, strict=True)

    def on_boot_network(self, host: Host) -> bool:
        """Whether a host has an IPv4 address on a network that boots machines."""
        found = (each.address for _, each in self.interfaces(host) if each.address)
        return any(self.network_of(address) in self._boot_networks for address in found)

    @cached_property
    def _boot_networks(self) -> frozenset[str]:
        return frozenset(name for name, network in self.networks.items() if network.boot)

    def allowed_hosts(self, vm: VirtualMachine) -> tuple[str, ...]:
        """The PHs that may run a VM: as it says, or its volume's peers, or its home's like."""
        if vm.allowed is not None:
            return tuple(dict.fromkeys([vm.home, *vm.allowed]))
        if vm.volume is not None and vm.volume in self.volumes:
            return tuple(self.volumes[vm.volume].peers)
        home = self.physical_hosts.get(vm.home)
        if home is None:
            return (vm.home,)
        return tuple(n for n, p in self.physical_hosts.items() if p.hypervisor == home.hypervisor)

    def mirror_addresses(self, volume: Volume) -> tuple[IPv4Address | IPv6Address, ...]:
        """The address of each peer by which a volume is mirrored: both IPv4, or else both IPv6;
        nothing where they have neither in common.
        """
        own = [list(self._addresses_on(volume.network, peer)) for peer in volume.peers]
        for version in (4, 6):
            found = [next((a for a in each if a.version == version), None) for each in own]
            ends = tuple(address for address in found if address is not None)
            if len(ends) == len(found):
                return ends
        return ()

    def _addresses_on(self, network: str | None, name: str) -> Iterator[IPv4Address | IPv6Address]:
        """A physical host's addresses on a network; without one, its own."""
        host = self.physical_hosts[name]
        for _, each in self.interfaces(host) if network else [(name, host)]:
            for address in (each.address, each.address6):
                if address and network in (None, self.network_of(address)):
                    yield address

    def installs(self, host: Host) -> str | None:
        """The OS profile a host is installed with unattended, or None."""
        profile = self.os_profiles.get(host.os or "")
        return None if profile is None or profile.installer == "manual" else host.os

    def is_red_hat(self, host: Host) -> bool:
        """Whether a host's system keeps its files where Red Hat does: it has a kickstart."""
        profile = self.os_profiles.get(host.os or "")
        return profile is not None and profile.installer == "kickstart"

    def install_url(self) -> str | None:
        """URL of the first install server, by address: installers may have no DNS yet."""
        for host in self.with_role("install"):
            if host.address is not None:
                return f"http://{host.address}"
        return None

    def administrator_keys(self) -> list[str]:
        """All administrators' public keys, in the YAML's order."""
        found: list[str] = []
        for keys in self.administrators.values():
            found.extend([keys] if isinstance(keys, str) else keys)
        return found

    def controller_minutes(self) -> dict[str, Minutes]:
        """Which minutes each controller acts in (thesis 8.6.2): as given, or by its place.

        A single one acts every minute; of two, the first on even and the second on odd minutes.
        """
        names = [host.name for host in self.with_role("controller")]
        usual: tuple[Minutes, ...] = ("every",) if len(names) == 1 else ("even", "odd")
        given = self.recovery.minutes
        return {name: given.get(name, usual[at % len(usual)]) for at, name in enumerate(names)}
