"""DHCP as data: who is served in which network, and told what. Two servers write it down.

Source: RFC 2131, RFC 4578 and IANA's list of processor architectures (option 93), RFC 8415, thesis
5.2 and 5.3; UEFI specification 2.10, 24.7 ("HTTP Boot").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final, Literal, NamedTuple

from threerc.compiler.model import Alike, Host, Interface, Network, Role, Site

BIOS_LOADER: Final = "pxelinux.0"
UEFI_LOADER: Final = "bootx64.efi"
HTTP_LOADER: Final = "uefi/snponly.efi"
"""Below an install server's document root."""
_PAIR: Final = 2
Address = IPv4Address | IPv6Address
Prefix = IPv4Network | IPv6Network
Version = Literal[4, 6]


class Reservation(NamedTuple):
    """An interface with a fixed address, in the order of addresses; `more` are statements."""

    bits: int
    name: str
    mac: str
    address: str
    description: str
    more: tuple[str, ...]


class Subnet(NamedTuple):
    """A network whose hosts are served, and what they are told.

    `domains` are the network's own and the site's, if that is another. `next_server` is where a
    network that boots machines has its boot loaders.
    """

    name: str
    network: Network
    prefix: Prefix
    domains: tuple[str, ...]
    dns: tuple[Address, ...]
    ntp: tuple[Address, ...]
    next_server: Address | None
    hosts: tuple[Reservation, ...]


class Loader(NamedTuple):
    """What machines of some architectures (option 93) load first, by TFTP or from a URL."""

    name: str
    architectures: tuple[int, ...]
    file: str

    @property
    def over_http(self) -> bool:
        """Whether it is for machines that boot by HTTP: their server has to say that it knows."""
        return "://" in self.file


class Pair(NamedTuple):
    """A server, and the other one that it shares the pools with. The first is the primary."""

    is_primary: bool
    own: Host
    peer: Host


def loaders(site: Site) -> tuple[Loader, ...]:
    """The boot loaders of a site; machines of other architectures are told none."""
    url = site.install_url()
    found = [Loader("bios", (0,), BIOS_LOADER), Loader("uefi", (7, 9), UEFI_LOADER)]
    if url is not None:
        found.append(Loader("uefi-http", (16,), f"{url}/{HTTP_LOADER}"))
    return tuple(found)


def subnets(site: Site, version: Version) -> list[Subnet]:
    """The networks that are served, in ascending order.

    IPv4: those that boot machines or have a pool. IPv6: those in which an address is reserved.
    """
    reserved = _reservations(site, version)
    found: list[Subnet] = []
    for name, network in site.networks.items():
        prefix = network.prefix if version == 4 else network.prefix6
        wanted = network.boot or network.pool if version == 4 else name in reserved
        if prefix and wanted:
            found.append(_subnet(site, name, prefix, reserved.get(name, [])))
    return sorted(found, key=lambda subnet: int(subnet.prefix.network_address))


def silent(site: Site, server: Host, served: Iterable[Subnet], version: Version) -> list[Subnet]:
    """The networks that a server has an address on and serves nobody in, in ascending order."""
    found: dict[str, Subnet] = {}
    known = {subnet.name for subnet in served}
    for _, interface in site.interfaces(server):
        address = _of(interface, version)
        name = site.network_of(address) if address else None
        if name is None or name in known:
            continue
        network = site.networks[name]
        prefix = network.prefix if version == 4 else network.prefix6
        if prefix:
            found[name] = _subnet(site, name, prefix, [])
    return sorted(found.values(), key=lambda subnet: int(subnet.prefix.network_address))


def pair(servers: tuple[Host, ...], position: int, served: Iterable[Subnet]) -> Pair | None:
    """The pair that a server is of, if there are two and a pool that they share."""
    if len(servers) < _PAIR or not any(subnet.network.pool for subnet in served):
        return None
    return Pair(position == 0, servers[position], servers[1 if position == 0 else 0])


def has_ipv6(site: Site, server: Host) -> bool:
    """Whether a server can be asked over IPv6."""
    return any(interface.address6 for _, interface in site.interfaces(server))


def _reservations(site: Site, version: Version) -> dict[str, list[Reservation]]:
    found: dict[str, list[Reservation]] = {}
    for part in site.parts:
        if not isinstance(part, Alike):
            for network, each in _of_host(site, part, version):
                found.setdefault(network or "", []).append(each)
        elif version == 4:
            columns = zip(part.bits, part.names, part.macs, part.addresses, strict=True)
            known = found.setdefault(part.network or "", [])
            known += [Reservation(*row, "", ()) for row in columns]
    return found


def _of_host(site: Site, host: Host, version: Version) -> Iterator[tuple[str | None, Reservation]]:
    """The reservations of a host, and the network that each is in."""
    for name, interface in site.interfaces(host):
        address = _of(interface, version)
        if interface.mac and address:
            more, bits = interface.dhcp, int(address)
            each = Reservation(bits, name, interface.mac, str(address), host.description, more)
            yield site.network_of(address), each


def _subnet(site: Site, name: str, prefix: Prefix, hosts: list[Reservation]) -> Subnet:
    network = site.networks[name]
    version: Version = prefix.version
    boots = network.boot and version == 4
    return Subnet(
        name=name,
        network=network,
        prefix=prefix,
        domains=tuple(dict.fromkeys([network.domain or site.domain, site.domain])),
        dns=_servers(site, name, network.dns, version) or _with_role(site, "dns", name, version),
        ntp=_servers(site, name, network.ntp, version),
        next_server=next(iter(_with_role(site, "tftp", name, version)), None) if boots else None,
        hosts=tuple(sorted(hosts)),
    )


def _with_role(site: Site, role: Role, network: str, version: Version) -> tuple[Address, ...]:
    return _servers(site, network, [host.name for host in site.with_role(role)], version)


def _servers(
    site: Site, network: str, servers: Iterable[Address | str], version: Version
) -> tuple[Address, ...]:
    """Servers as addresses of one version, a host's on this network first."""
    found = [_address(site, s, network, version) if isinstance(s, str) else s for s in servers]
    return tuple(address for address in found if address and address.version == version)


def _address(site: Site, name: str, network: str, version: Version) -> Address | None:
    """A host's address on a network, or else its own."""
    host = site.hosts[name]
    for address in _addresses(site, host, version):
        if site.network_of(address) == network:
            return address
    return _of(host, version)


def _addresses(site: Site, host: Host, version: Version) -> Iterator[Address]:
    for _, interface in site.interfaces(host):
        if address := _of(interface, version):
            yield address


def _of(interface: Interface, version: Version) -> Address | None:
    return interface.address if version == 4 else interface.address6
