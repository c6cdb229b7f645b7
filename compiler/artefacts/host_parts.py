"""What one host's installation has of its own: its disk, its RAID array, its other interfaces.

Hosts that are alike share a part, so that thousands of worker nodes need one file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address
from typing import NamedTuple

from threerc.compiler.model import Host, Site
from threerc.compiler.model.host import BareMetal

UNATTENDED = ("kickstart", "preseed")
"""The installers that read a profile."""


class Link(NamedTuple):
    """A further interface: by DHCP, or with a static address and netmask."""

    device: str
    address: str = ""
    netmask: str = ""


class HostPart(NamedTuple):
    """Where a host is installed, and its further interfaces.

    `disks` are all that the installer may write to, the one that is booted from first. `level`
    is that of the RAID array over them; without one there is a single disk. `host` is set where
    nobody else can share the part.
    """

    disks: tuple[str, ...]
    level: int | None = None
    links: tuple[Link, ...] = ()
    host: str = ""

    @property
    def name(self) -> str:
        """Name of its file: one for each content."""
        disks = "-".join(self.disks).replace("/", "_")
        words = [f"disk-{disks}" if self.level is None else f"raid{self.level}-{disks}"]
        words += [f"host-{self.host}"] if self.host else [f"dhcp-{x.device}" for x in self.links]
        return ".".join(words)


class OwnPart(NamedTuple):
    """A host whose part is not its profile's default, and the addresses it may have then."""

    host: Host
    addresses: tuple[IPv4Address, ...]
    part: HostPart


def own_parts(site: Site) -> dict[str, list[OwnPart]]:
    """By OS profile: the hosts that are not installed as the profile's default says."""
    defaults = {
        name: HostPart((profile.disk,))
        for name, profile in site.os_profiles.items()
        if profile.installer in UNATTENDED
    }
    found: dict[str, list[OwnPart]] = {name: [] for name in defaults}

    def part_of(host: Host) -> HostPart | None:
        default = defaults.get(host.os or "")
        part = default and _part_of(site, host, default)
        return None if part == default else part

    for host in site.where(part_of):
        part = part_of(host)
        if part is not None:
            found[host.os or ""].append(OwnPart(host, tuple(_addresses(site, host)), part))
    return found


def _part_of(site: Site, host: Host, default: HostPart) -> HostPart:
    part = default
    if host.dual_boot is not None:
        part = HostPart((_declared_disk(host.boots, host.dual_boot.disks),))
    elif isinstance(host, BareMetal) and host.raid is not None:
        disks = host.raid.disks
        # An array without the system's disk holds data, which an installation leaves alone.
        if default.disks[0] in disks:
            part = HostPart(tuple(disks), host.raid.level)
    if not host.interfaces:
        return part
    links = tuple(_links(site, host))
    own = host.name if any(link.address for link in links) else ""
    return part._replace(links=links, host=own)


def _declared_disk(boots: str, disks: Sequence[str]) -> str:
    """The disk that a dual-boot host boots from by declaration, or the first."""
    return disks[int(boots.removeprefix("disk")) - 1] if boots.startswith("disk") else disks[0]


def _links(site: Site, host: Host) -> Iterator[Link]:
    for device, interface in sorted(host.interfaces.items()):
        if interface.address is None:
            continue
        network = site.networks.get(site.network_of(interface.address) or "")
        if network is None or network.prefix is None:
            continue
        if interface.mac and (network.boot or network.pool):
            yield Link(device)
        else:
            yield Link(device, str(interface.address), str(network.prefix.netmask))


def _addresses(site: Site, host: Host) -> Iterator[IPv4Address]:
    """By any of these a host may find itself in the table: who installs by hand types one in."""
    yield from (each.address for _, each in site.interfaces(host) if each.address)
