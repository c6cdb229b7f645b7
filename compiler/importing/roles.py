"""Roles: which hosts run the site's DHCP, TFTP and DNS, as far as the files tell."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address

from threerc.compiler.findings import Place
from threerc.compiler.importing.draft import Draft, DraftHost, DraftNetwork
from threerc.compiler.importing.hosts import Hosts
from threerc.compiler.importing.naming import Names, is_label
from threerc.compiler.importing.networks import statement

_NEXT = "next-server "


def assign(draft: Draft, hosts: Hosts, names: Names) -> None:
    """Give the roles, and mend the networks accordingly."""
    _dns(draft, hosts, names)
    for network in draft.networks.values():
        _boot_server(draft, network)
    tftp = _tftp(draft, hosts)
    dhcp = _dhcp(draft, tftp)
    if tftp is None and dhcp is not None and _boots_from_itself(draft):
        # Without a next-server a machine boots from the DHCP server.
        _give(dhcp, "tftp")
        tftp = dhcp
    for network in draft.networks.values():
        _serve(draft, network, tftp)
        if network.dns == _default_dns(draft, network):
            network.dns = None
    for host in draft.hosts.values():
        if host.roles and host.section == "worker_nodes":
            host.section = "service_hosts"


def _give(host: DraftHost, role: str) -> None:
    if role not in host.roles:
        host.roles.append(role)


def _dns(draft: Draft, hosts: Hosts, names: Names) -> None:
    """The name servers of the zones that are hosts of the site, the SOA record's first."""
    zones = draft.facts.zones
    if not zones:
        return
    order = [zone for name, zone in zones.items() if name == draft.domain]
    order += [zone for name, zone in zones.items() if name != draft.domain]
    found: list[DraftHost] = []
    for zone in order:
        targets = [
            r.data for r in zone.records if r.kind == "NS" and r.owner[:-1].lower() == zone.name
        ]
        for target in [zone.primary, *targets]:
            host = _name_server(draft, hosts, names, target) if target in targets else None
            if host is not None and host not in found:
                found.append(host)
        if zone.name == draft.domain and found:
            break
    if not found:
        fallback = next((h for h in draft.hosts.values() if h.address), None)
        if fallback is None:
            reason = "no host has an address, so there is none to serve the zones"
            draft.facts.lose(order[0].place, reason)
            return
        reason = f"no name server of {draft.domain} is a host: {fallback.name} has the role dns"
        draft.facts.lose(order[0].place, reason)
        found = [fallback]
    for host in found:
        _give(host, "dns")
    # The first with the role stands in the SOA record.
    for host in reversed(found):
        draft.hosts = {host.name: draft.hosts.pop(host.name), **draft.hosts}


def _name_server(draft: Draft, hosts: Hosts, names: Names, target: str) -> DraftHost | None:
    """The host of an NS record; a name of the domain becomes one, also without a pointer."""
    short = names.short(target)
    host = hosts.named(short) if short else None
    if host is not None:
        return host if host.address else None
    addresses = names.addresses(target) if is_label(short) else []
    network = draft.network_of(addresses[0]) if addresses else None
    if network is None or network.reserved(addresses[0]) or addresses[0] in hosts.by_address:
        return None
    return hosts.add(short, names.forward[target.lower()][0].place, address=addresses[0])


def _boot_server(draft: Draft, network: DraftNetwork) -> None:
    """A next-server that most hosts of a network say themselves is the network's."""
    own = [h for h in draft.hosts.values() if h.address and network.holds(h.address) and h.mac]
    said = Counter(s for host in own for s in host.dhcp if s.startswith(_NEXT))
    if not network.boot_server and said:
        chosen = said.most_common(1)[0][0]
        network.boot_server = chosen.removeprefix(_NEXT)
        network.boot = True
    for host in own:
        host.dhcp = [s for s in host.dhcp if s != f"{_NEXT}{network.boot_server}"]


def _tftp(draft: Draft, hosts: Hosts) -> DraftHost | None:
    """The host that most networks boot from; a new one where its address has no name."""
    asked = Counter(n.boot_server for n in draft.networks.values() if n.boot_server)
    if not asked:
        return None
    address = IPv4Address(asked.most_common(1)[0][0])
    host = hosts.by_address.get(address)
    network = draft.network_of(address)
    if host is None and (network is None or network.reserved(address)):
        reason = f"the TFTP server {address} is in no network of the site: nobody has its role"
        draft.facts.lose(_place(draft), reason)
        return None
    if host is None:
        host = hosts.add("tftp", _place(draft), address=address)
        reason = f"no file names the TFTP server {address}: it is called {host.name}"
        draft.facts.lose(_place(draft), reason)
    _give(host, "tftp")
    return host


def _place(draft: Draft) -> Place:
    return next((subnet.place for subnet in draft.facts.subnets), Place("dhcpd.conf", 1, 1))


def _boots_from_itself(draft: Draft) -> bool:
    return any(n.boot and not n.boot_server for n in draft.networks.values())


def _dhcp(draft: Draft, tftp: DraftHost | None) -> DraftHost | None:
    """dhcpd.conf does not say whose it is: the boot server's, or a name server's."""
    if not draft.facts.dhcp:
        return None
    told = [*draft.facts.servers, draft.facts.settings.get("server-identifier", "")]
    found = [draft.host_of(IPv4Address(each)) for each in told if each[:1].isdigit()]
    named = [host for host in found if host is not None]
    for each in named:
        _give(each, "dhcp")
    said = next(iter(named), None)
    servers = [*draft.with_role("dns"), *(h for h in draft.hosts.values() if h.address)]
    host = said or tftp or next(iter(servers), None)
    if host is None:
        reason = "no file names a host that could be the DHCP server: give one the role `dhcp`"
        draft.facts.lose(_place(draft), reason)
        return None
    if said is None:
        reason = f"no file says which host is the DHCP server: {host.name} has the role"
        draft.facts.lose(_place(draft), reason)
    _give(host, "dhcp")
    return host


def _address_on(host: DraftHost, network: DraftNetwork) -> str:
    """A host's address on a network, or else its own."""
    for _, seat in host.seats():
        if seat.address and network.holds(seat.address):
            return str(seat.address)
    return str(host.address)


def _default_dns(draft: Draft, network: DraftNetwork) -> list[str]:
    """The DNS servers that 3RC tells a network without being told any."""
    return [_address_on(host, network) for host in draft.with_role("dns")]


def _serve(draft: Draft, network: DraftNetwork, tftp: DraftHost | None) -> None:
    """Whether a network boots machines, and from which server."""
    seats = [seat for host in draft.hosts.values() for _, seat in host.seats()]
    fixed = any(seat.mac and seat.address and network.holds(seat.address) for seat in seats)
    if fixed and not network.boot and network.pool is None:
        network.boot = True
        if tftp is not None:
            reason = f"hosts of {network.name} are told a boot server now, or they had no addresses"
            draft.facts.lose(network.place, reason)
        return
    if network.boot and fixed and "filename" not in network.settings:
        reason = f"all hosts of {network.name} are told the boot file now, not some"
        draft.facts.lose(network.place, reason)
    if network.boot and network.boot_server:
        expected = _address_on(tftp, network) if tftp else ""
        if expected != network.boot_server:
            network.dhcp += statement(draft, "next-server", network.boot_server, network.place)
        if tftp is None and "filename" in network.settings:
            value = network.settings["filename"]
            network.dhcp += [] if f"filename {value}" in network.dhcp else [f"filename {value}"]
