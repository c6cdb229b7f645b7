"""dhcpd.conf: every network that boots machines, every host with a fixed address.

Source: dhcpd.conf(5), dhcp-options(5), thesis 5.2 and 5.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Any, NamedTuple

from threerc.compiler.model import Host, Network, Role, Site
from threerc.compiler.templating import Safe, render
from threerc.compiler.tree import Output

BOOT_FILE = "pxelinux.0"
_FAILOVER_SERVERS = 2


class _Reservation(NamedTuple):
    """A host with a fixed address, in the order of addresses."""

    bits: int
    name: str
    mac: str
    address: IPv4Address
    description: str
    more: Safe


def compile_dhcpd(site: Site, out: Output) -> None:
    """/etc/dhcp/dhcpd.conf on each host with the role `dhcp`."""
    servers = site.with_role("dhcp")
    if not servers:
        return
    values = _values(site)
    served = {subnet["name"] for subnet in values["subnets"]}
    for position, server in enumerate(servers):
        failover = _failover(servers, position) if values["pools"] else None
        silent = _standing_in(site, server, served)
        text = render("dhcpd", server=server, failover=failover, silent=silent, **values)
        out.file(server.name, "/etc/dhcp/dhcpd.conf", text)


def _standing_in(site: Site, server: Host, served: set[str]) -> list[tuple[str, IPv4Network]]:
    """The networks that a server has an address on and serves nobody in, in ascending order.

    dhcpd listens on the interfaces of networks that it knows, also to what relays send it.
    """
    found = {site.network_of(address) for address in _addresses(site, server)} - served - {None}
    prefixes = {name: site.networks[name].prefix for name in sorted(filter(None, found))}
    silent = [(name, prefix) for name, prefix in prefixes.items() if prefix]
    return sorted(silent, key=lambda each: int(each[1].network_address))


def _values(site: Site) -> dict[str, Any]:
    reservations: dict[str, list[_Reservation]] = {}
    for host in site.hosts.values():
        for name, interface in site.interfaces(host):
            if interface.mac and interface.address:
                network = site.network_of(interface.address) or ""
                address, about = interface.address, host.description
                more = Safe("".join(f" {statement};" for statement in interface.dhcp))
                entry = _Reservation(int(address), name, interface.mac, address, about, more)
                reservations.setdefault(network, []).append(entry)
    served = {
        name: net for name, net in site.networks.items() if net.prefix and (net.boot or net.pool)
    }
    subnets = [_subnet(site, name, net, reservations.get(name, [])) for name, net in served.items()]
    return {
        "site": site,
        "subnets": sorted(subnets, key=lambda subnet: int(subnet["prefix"].network_address)),
        "statements": _statements(site.dhcp),
        "pools": any(net.pool for net in served.values()),
        "boot_file": BOOT_FILE,
    }


def _subnet(
    site: Site,
    name: str,
    network: Network,
    hosts: list[_Reservation],
) -> dict[str, Any]:
    return {
        "name": name,
        "network": network,
        "prefix": network.prefix,
        "domain": network.domain or site.domain,
        "dns": _servers(site, name, network.dns) or _role_addresses(site, "dns", name),
        "ntp": _servers(site, name, network.ntp),
        "next_server": next(iter(_role_addresses(site, "tftp", name)), None)
        if network.boot
        else None,
        "hosts": sorted(hosts),
        "statements": _statements(network.dhcp, "  "),
    }


def _statements(given: Iterable[str], indent: str = "") -> Safe:
    """Statements that the site gives word by word; the model vouches for each being one."""
    return Safe("\n".join(f"{indent}{statement};" for statement in given))


def _servers(site: Site, network: str, servers: Iterable[object]) -> list[IPv4Address]:
    """Servers as IPv4 addresses, a host's on this network first."""
    found = [s if not isinstance(s, str) else _address_on(site, s, network) for s in servers]
    return [address for address in found if isinstance(address, IPv4Address)]


def _role_addresses(site: Site, role: Role, network: str) -> list[IPv4Address]:
    return _servers(site, network, [host.name for host in site.with_role(role)])


def _address_on(site: Site, name: str, network: str) -> IPv4Address | None:
    """A host's address on a network, or else its own."""
    host = site.hosts[name]
    for address in _addresses(site, host):
        if site.network_of(address) == network:
            return address
    return host.address


def _addresses(site: Site, host: Host) -> Iterator[IPv4Address]:
    for _, interface in site.interfaces(host):
        if interface.address:
            yield interface.address


def _failover(servers: tuple[Host, ...], position: int) -> dict[str, Any] | None:
    """The failover pair of dhcpd.conf(5), so that two servers never lease one address twice."""
    if len(servers) < _FAILOVER_SERVERS:
        return None
    peer = servers[1 if position == 0 else 0]
    return {"primary": position == 0, "own": servers[position].address, "peer": peer.address}
