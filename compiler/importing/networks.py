"""Networks: from a DHCP server's subnets, and from addresses that lie in none of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address
from itertools import pairwise

from pydantic import TypeAdapter, ValidationError

from threerc.compiler.findings import Place
from threerc.compiler.importing.draft import Draft, DraftNetwork
from threerc.compiler.importing.facts import NOWHERE, Address, Facts, Settings, Subnet
from threerc.compiler.importing.naming import Names
from threerc.compiler.model.types import DhcpStatement, DomainName
from threerc.compiler.wording import counted

_STATEMENT: TypeAdapter[str] = TypeAdapter(DhcpStatement)
_DOMAIN: TypeAdapter[str] = TypeAdapter(DomainName)
_LEASE = "43200"
"""Seconds of dhcpd's own default lease."""
NEW_AUTHORITY = (
    "the server is not `authoritative`, and the compiled one is: it refuses addresses that it does "
    "not know (under `dhcp.statements` of the site, `not authoritative` keeps it as it was)"
)
BOOT_FILE = '"pxelinux.0"'
NETWORKS_OWN = {
    *("option subnet-mask", "option broadcast-address", "option routers", "option domain-name"),
    *("option domain-name-servers", "option ntp-servers", "option domain-search"),
    *("default-lease-time", "max-lease-time", "next-server", "filename", "use-host-decl-names"),
}
"""Settings that a network of site.yaml has keys for, or that 3RC writes itself."""


def statement(draft: Draft, key: str, value: str, place: Place) -> list[str]:
    """A setting as a statement for site.yaml; nothing where that does not take it."""
    text = f"{key} {value}".strip()
    try:
        return [_STATEMENT.validate_python(text)]
    except ValidationError:
        draft.facts.lose(place, "no statement that site.yaml takes", text)
        return []


def is_authoritative(facts: Facts) -> bool:
    """Whether the DHCP server refuses addresses that it does not know, in all networks."""
    subnets = [each for each in facts.subnets if each.prefix.version == 4]
    inner = bool(subnets) and all("authoritative" in each.settings for each in subnets)
    return facts.authoritative or inner


def top_statements(draft: Draft) -> list[str]:
    """What the top of dhcpd.conf says to all, beyond what each network says itself."""
    facts = draft.facts
    place = facts.subnets[0].place if facts.subnets else Place("dhcpd.conf", 1, 1)
    if facts.dhcp and not is_authoritative(facts) and "not" not in facts.settings:
        draft.facts.lose(place, NEW_AUTHORITY)
    found = list(dict.fromkeys(facts.definitions))
    for key, value in facts.settings.items():
        if key not in NETWORKS_OWN:
            found += statement(draft, key, value, place)
    return found


def from_subnets(draft: Draft, names: Names) -> None:
    """A network for each subnet; of two that share addresses the later one is lost."""
    kept: list[Subnet] = []
    for subnet in draft.facts.subnets:
        other = next((k for k in kept if _overlap(k.prefix, subnet.prefix)), None)
        if other is None:
            kept.append(subnet)
        elif other.prefix != subnet.prefix or other.settings != subnet.settings:
            draft.facts.lose(subnet.place, f"{subnet.prefix} overlaps {other.prefix}")
        else:
            other.pools += [each for each in subnet.pools if each[:2] not in _ends(other)]
    for subnet in sorted(kept, key=lambda each: (each.prefix.version, int(each.prefix[0]))):
        _add(draft, subnet, names)


def _overlap(one: IPv4Network | IPv6Network, other: IPv4Network | IPv6Network) -> bool:
    if isinstance(one, IPv4Network) and isinstance(other, IPv4Network):
        return one.overlaps(other)
    if isinstance(one, IPv6Network) and isinstance(other, IPv6Network):
        return one.overlaps(other)
    return False


def _ends(subnet: Subnet) -> set[tuple[IPv4Address, IPv4Address]]:
    return {(first, last) for first, last, _ in subnet.pools}


def _add(draft: Draft, subnet: Subnet, names: Names) -> None:
    prefix = subnet.prefix
    network = DraftNetwork(free_name(draft, subnet.name, prefix), place=subnet.place)
    network.vlan = subnet.vlan
    draft.networks[network.name] = network
    if isinstance(prefix, IPv6Network):
        network.prefix6 = prefix
        return
    network.prefix = prefix
    known = {key: v for key, v in draft.facts.settings.items() if key in NETWORKS_OWN}
    network.settings = {**known, **subnet.settings}
    _Settings(draft, network, names).apply()
    network.pool = _pool(draft, subnet, network)


def free_name(draft: Draft, wanted: str, prefix: IPv4Network | IPv6Network) -> str:
    """A name for a network that no other one has."""
    plain = re.sub(r"[^A-Za-z0-9._+-]+", "-", wanted).strip("-._+")[:50]
    if plain and plain not in draft.networks:
        return plain
    length = prefix.prefixlen
    first = re.sub(r"[.:]+", "-", str(prefix.network_address)).strip("-")
    usual = 24 if prefix.version == 4 else 64
    return f"{plain or 'net'}-{first}" + ("" if length == usual else f"-{length}")


class _Settings:
    """The settings of a subnet as keys of a network, each by a method of its own."""

    def __init__(self, draft: Draft, network: DraftNetwork, names: Names) -> None:
        self.draft = draft
        self.network = network
        self.names = names

    def apply(self) -> None:
        """Set the keys; what has none becomes a statement."""
        settings = self.network.settings
        ways: dict[str, Callable[[str], bool]] = {
            "option subnet-mask": lambda v: v == str(self._prefix.netmask),
            "option broadcast-address": lambda v: v == str(self._prefix.broadcast_address),
            "option routers": self._gateway,
            "option domain-name": self._domain,
            "option domain-search": self._search,
            "option domain-name-servers": self._dns,
            "option ntp-servers": self._ntp,
            "default-lease-time": self._lease,
            "max-lease-time": lambda v: v == settings.get("default-lease-time", _LEASE),
            "next-server": self._next_server,
            "filename": self._file_name,
            "use-host-decl-names": lambda _: True,
        }
        self._lease(settings.get("default-lease-time", _LEASE))
        for key, value in settings.items():
            if key not in ways or not ways[key](value):
                self.network.dhcp += statement(self.draft, key, value, self.network.place)

    @property
    def _prefix(self) -> IPv4Network:
        return self.network.prefix or IPv4Network("0.0.0.0/32")

    def _gateway(self, value: str) -> bool:
        found = self._servers(value)
        if len(found) != 1:
            return False
        address = ip_address(found[0])
        if not self.network.holds(address) or self.network.reserved(address):
            return False
        self.network.gateway = IPv4Address(found[0])
        return True

    def _domain(self, value: str) -> bool:
        domain = value.strip('"')
        try:
            _DOMAIN.validate_python(domain)
        except ValidationError:
            return False
        self.network.domain = "" if domain.lower() == self.draft.domain else domain
        return True

    def _search(self, value: str) -> bool:
        domain = self.network.settings.get("option domain-name", "").strip('"')
        wanted = [domain, self.draft.domain] if domain.lower() != self.draft.domain else []
        return [each.strip(' "').lower() for each in value.split(",")] == wanted

    def _dns(self, value: str) -> bool:
        self.network.dns = self._servers(value) or None
        return self.network.dns is not None

    def _ntp(self, value: str) -> bool:
        self.network.ntp = self._servers(value)
        return bool(self.network.ntp)

    def _lease(self, value: str) -> bool:
        if not value.isdigit() or not 60 <= int(value) < 2**31:
            return False
        self.network.lease = int(value)
        return True

    def _next_server(self, value: str) -> bool:
        found = self._servers(value)
        self.network.boot_server = found[0] if found else ""
        self.network.boot = True
        return bool(found)

    def _file_name(self, value: str) -> bool:
        self.network.boot = True
        return value == BOOT_FILE

    def _servers(self, value: str) -> list[str]:
        """Addresses of servers, also of those that are given by name; nothing if one is unknown."""
        found: list[str] = []
        for each in value.split(","):
            try:
                found.append(str(IPv4Address(each.strip())))
            except ValueError:
                known = self.names.addresses(each.strip())
                if not known:
                    return []
                found.append(str(known[0]))
        return found


def joined(
    pools: Iterable[tuple[IPv4Address, IPv4Address, Place]],
) -> list[tuple[int, int, Place]]:
    """Ranges of addresses, those that touch or overlap made one."""
    merged: list[tuple[int, int, Place]] = []
    for first, last, place in sorted(pools, key=lambda each: int(each[0])):
        if merged and int(first) <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(int(last), merged[-1][1]), merged[-1][2])
        else:
            merged.append((int(first), int(last), place))
    return merged


def _pool(
    draft: Draft, subnet: Subnet, network: DraftNetwork
) -> tuple[IPv4Address, IPv4Address] | None:
    """The largest range of a subnet."""
    merged = joined(subnet.pools)
    inside = [each for each in merged if network.holds(IPv4Address(each[0]))]
    if not inside:
        return None
    largest = max(inside, key=lambda each: each[1] - each[0])
    for each in merged:
        if each is not largest:
            text = f"range {IPv4Address(each[0])} {IPv4Address(each[1])};"
            draft.facts.lose(each[2], "a network of site.yaml has one pool", text)
    return IPv4Address(largest[0]), IPv4Address(largest[1])


def shrink_pools(draft: Draft, taken: set[int]) -> None:
    """Leave the largest part of each pool in which no host has a fixed address."""
    for network in draft.networks.values():
        if network.pool is None:
            continue
        first, last = map(int, network.pool)
        stops = sorted(each for each in taken if first <= each <= last)
        if not stops:
            continue
        edges = [first - 1, *stops, last + 1]
        parts = [(a + 1, b - 1) for a, b in pairwise(edges) if b - a > 1]
        text = f"range {IPv4Address(first)} {IPv4Address(last)};"
        inside = counted(len(stops), "host address", "host addresses")
        reason = f"{inside} inside the pool: it was made smaller"
        draft.facts.lose(network.place, reason, text)
        best = max(parts, key=lambda part: part[1] - part[0], default=None)
        network.pool = (IPv4Address(best[0]), IPv4Address(best[1])) if best else None


def from_addresses(draft: Draft, names: Names) -> None:
    """Networks for addresses that have a name and a pointer, but no subnet: a /24 or a /64."""
    for address in sorted(_lonely(draft, names, 4), key=int):
        if draft.network_of(address) is None:
            _add_24(draft, draft.facts, IPv4Network(f"{address}/24", strict=False))
    _add_64(draft, names, _lonely(draft, names, 6))


def _lonely(draft: Draft, names: Names, version: int) -> list[Address]:
    """The site's own addresses in no network."""
    return [
        address
        for address, known in names.names.items()
        if address.version == version
        and any(names.short(each) for each in known)
        and draft.network_of(address) is None
        and _is_ours(draft, names, address)
    ]


def _is_ours(draft: Draft, names: Names, address: Address) -> bool:
    """Whether an address is the site's: it has a pointer where any of its kind has; or else it is
    a private one, or one of IPv6 that belongs to a name with an address in some network.
    """
    ending = "in-addr.arpa" if address.version == 4 else "ip6.arpa"
    if any(zone.endswith(ending) for zone in draft.facts.zones):
        return address in names.pointers
    if address.version == 4:
        return address.is_private
    others = (other for full in names.names[address] for other in names.addresses_of(full))
    return any(other.version == 4 and draft.network_of(other) for other in others)


def _add_24(draft: Draft, facts: Facts, prefix: IPv4Network) -> None:
    """A network of 256 addresses, unless a subnet has a part of them."""
    if any(n.prefix and n.prefix.overlaps(prefix) for n in draft.networks.values()):
        return
    name = free_name(draft, "", prefix)
    place = next((zone.place for zone in facts.zones.values()), NOWHERE)
    draft.networks[name] = DraftNetwork(name, prefix=prefix, place=place)


def _add_64(draft: Draft, names: Names, lonely: list[Address]) -> None:
    """Each IPv6 prefix to the network of the hosts that have it, or to one of its own."""
    owners: dict[IPv6Network, Counter[str]] = {}
    for address in lonely:
        counts = owners.setdefault(IPv6Network(f"{address}/64", strict=False), Counter())
        for full in names.names[address]:
            for other in names.addresses_of(full):
                network = draft.network_of(other)
                if network is not None and other.version == 4:
                    counts[network.name] += 1
    _join_declared(draft, names)
    for prefix, counts in sorted(owners.items()):
        free = [n for n, _ in counts.most_common() if draft.networks[n].prefix6 is None]
        if free:
            draft.networks[free[0]].prefix6 = prefix
        else:
            name = free_name(draft, "", prefix)
            draft.networks[name] = DraftNetwork(name, prefix6=prefix)


def _join_declared(draft: Draft, names: Names) -> None:
    """A subnet6 of the DHCP server is one network with the subnet of the same hosts."""
    for network in [n for n in draft.networks.values() if n.prefix is None]:
        counts: Counter[str] = Counter()
        for address, known in names.names.items():
            if address.version == 6 and network.holds(address):
                for other in (o for full in known for o in names.addresses_of(full)):
                    found = draft.network_of(other) if other.version == 4 else None
                    if found is not None and found.prefix6 is None:
                        counts[found.name] += 1
        if counts:
            draft.networks[counts.most_common(1)[0][0]].prefix6 = network.prefix6
            del draft.networks[network.name]


def effective(network: DraftNetwork | None) -> Settings:
    """What dhcpd tells a network's hosts before they say anything themselves."""
    return {} if network is None else network.settings
