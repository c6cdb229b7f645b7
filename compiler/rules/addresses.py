"""Addresses: networks that do not overlap, and hosts that each have their own place in them."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Any, NamedTuple

from threerc.compiler.model import Alike, Network
from threerc.compiler.rules.base import Facts, Problem, path_of, rule

_POINT_TO_POINT = {4: 31, 6: 127}
"""Prefixes so long that every address is a host's (RFC 3021, RFC 6164)."""
_Key = tuple[int, int]
"""IP version and address, as numbers."""


class _Owner(NamedTuple):
    """Whose an address is, and its path.

    Of two that are equal the one is told that is alone in its entry: a range is not written for
    one host.
    """

    of: object
    path: tuple[Any, ...]

    def problem(self, facts: Facts, address: str, first: _Owner) -> Problem:
        """It has the address of another one, which came first."""
        where = facts.where(self.path, first.path)
        return Problem(self.path, f"{address} of {self.of} is also that of {first.of}{where}")


@rule(
    "network-prefix",
    reason="A network is its prefix: without one no address lies in it.",
    hint="give `prefix` (IPv4), `prefix6` or both",
)
def network_prefix(facts: Facts) -> Iterator[Problem]:
    """Every network has a prefix."""
    for name, network in facts.site.networks.items():
        if network.prefix is None and network.prefix6 is None:
            yield Problem(("networks", name), f"network `{name}` has no prefix", key=True)


@rule(
    "networks-overlap",
    reason="An address lies in one network, which says what its host boots, asks and routes by.",
    hint="correct one of the two prefixes",
)
def networks_overlap(facts: Facts) -> Iterator[Problem]:
    """No two networks share an address."""
    for field in ("prefix", "prefix6"):
        spans = [
            (int(prefix.network_address), int(prefix.broadcast_address), name, prefix)
            for name, network in facts.site.networks.items()
            if (prefix := getattr(network, field)) is not None
        ]
        spans.sort(key=lambda span: span[:2])  # equal ones stay in the YAML's order
        widest = None
        for span in spans:
            if widest is not None and span[0] <= widest[1]:
                message = f"{span[3]} of `{span[2]}` overlaps {widest[3]} of `{widest[2]}`"
                yield Problem(("networks", span[2], field), message)
            if widest is None or span[1] > widest[1]:
                widest = span


@rule(
    "gateway-in-network",
    reason="Hosts reach their router directly, so it has an address of their own network.",
    hint="correct the gateway or the prefix",
)
def gateway_in_network(facts: Facts) -> Iterator[Problem]:
    """Gateways are usable addresses of their networks."""
    for name, network in facts.site.networks.items():
        for field, gateway, prefix in (
            ("gateway", network.gateway, network.prefix),
            ("gateway6", network.gateway6, network.prefix6),
        ):
            if gateway is None:
                continue
            path = ("networks", name, field)
            if prefix is None or gateway not in prefix:
                yield Problem(path, f"gateway {gateway} is not inside {prefix or 'any prefix'}")
            elif word := _reserved(network).get((gateway.version, int(gateway))):
                yield Problem(path, f"gateway {gateway} is {word} of `{name}`")


@rule(
    "pool-in-network",
    reason="dhcpd leases the pool's addresses to strangers, so all of them have to be usable.",
    hint="correct the pool or the prefix",
)
def pool_in_network(facts: Facts) -> Iterator[Problem]:
    """Pools lie inside their network and hold none of its special addresses."""
    for name, network in facts.site.networks.items():
        pool, prefix = network.pool, network.prefix
        if pool is None:
            continue
        path = ("networks", name, "pool")
        if prefix is None or pool.first not in prefix or pool.last not in prefix:
            yield Problem(path, f"the pool {pool} is not inside {prefix or 'any prefix'}")
            continue
        taken = dict(_reserved(network))
        if network.gateway is not None:
            taken[4, int(network.gateway)] = "the gateway"
        for (version, bits), word in taken.items():
            if version == 4 and int(pool.first) <= bits <= int(pool.last):
                yield Problem(path, f"the pool {pool} holds {IPv4Address(bits)}, {word}")


def _reserved(network: Network) -> dict[_Key, str]:
    """The addresses of a network that the protocols keep from hosts."""
    found: dict[_Key, str] = {}
    for prefix in (network.prefix, network.prefix6):
        if prefix is not None and prefix.prefixlen < _POINT_TO_POINT[prefix.version]:
            found[prefix.version, int(prefix.network_address)] = "the network address"
            if prefix.version == 4:
                found[4, int(prefix.broadcast_address)] = "the broadcast address"
    return found


@rule(
    "host-address",
    reason="DNS, DHCP, monitoring and the controllers reach a host by its address.",
    hint="give `address` or `address6` to the host itself; `interfaces` are further ones",
)
def host_address(facts: Facts) -> Iterator[Problem]:
    """Every host has an address of its own."""
    for part in facts.site.parts:
        if isinstance(part, Alike) or part.address is not None or part.address6 is not None:
            continue
        further = any(each.address or each.address6 for each in part.interfaces.values())
        message = f"{part.name} has no address" + (" of its own" if further else "")
        yield Problem(path_of(part), message, key=True)


@rule(
    "address-in-network",
    reason="A host belongs to the network that its address lies in.",
    hint="correct the address, or declare its network under `networks`",
    needs=("networks",),
)
def address_in_network(facts: Facts) -> Iterator[Problem]:
    """Every address lies in a declared network."""
    for place in facts.locations(unless=lambda alike: alike.network is not None):
        if place.network is None:
            yield Problem(place.path, f"{place} of {place.seat} lies in no network of the site")


@rule(
    "address-reserved",
    reason="A network's first address names the network (in IPv6 any of its routers), its last "
    "is heard by all, and its gateway's is the router's.",
    hint="choose an address that is free",
)
def address_reserved(facts: Facts) -> Iterator[Problem]:
    """No host has its network's network, broadcast or gateway address."""
    taken: dict[_Key, str] = {}
    for name, network in facts.site.networks.items():
        taken.update((key, f"{word} of `{name}`") for key, word in _reserved(network).items())
        for gateway in (network.gateway, network.gateway6):
            if gateway is not None:
                taken[gateway.version, int(gateway)] = f"the gateway of `{name}`"
    bits = {bits for version, bits in taken if version == 4}
    for place in facts.locations(unless=lambda alike: bits.isdisjoint(alike.bits)):
        if word := taken.get((place.version, place.bits)):
            yield Problem(place.path, f"{place} of {place.seat} is {word}")


@rule(
    "address-in-pool",
    reason="dhcpd may lease the pool's addresses to strangers while the host uses its own.",
    hint="choose an address outside the pool, or shrink the pool",
)
def address_in_pool(facts: Facts) -> Iterator[Problem]:
    """No fixed address lies inside a dynamic pool."""
    pools = {
        name: (int(network.pool.first), int(network.pool.last), network.pool)
        for name, network in facts.site.networks.items()
        if network.pool is not None
    }

    def outside(alike: Alike) -> bool:
        first, last, _ = pools.get(alike.network or "", (0, -1, None))
        return first > max(alike.bits) or last < min(alike.bits)

    for place in facts.locations(unless=outside) if pools else ():
        pool = pools.get(place.network or "")
        if pool is not None and place.version == 4 and pool[0] <= place.bits <= pool[1]:
            message = f"{place} of {place.seat} is inside the pool {pool[2]} of `{place.network}`"
            yield Problem(place.path, message)


@rule(
    "unique-address",
    reason="Of two machines with one address, now this and now that one answers.",
    hint="give each its own address",
)
def unique_address(facts: Facts) -> Iterator[Problem]:
    """No two interfaces or management boards share an address."""
    seen: dict[_Key, _Owner] = {}
    for name, host in facts.site.physical_hosts.items():
        board = host.power.address if host.power is not None else None
        if board is not None:
            path = path_of(host, "power", "address")
            owner = _Owner(f"the management board of {name}", path)
            first = seen.setdefault((board.version, int(board)), owner)
            if first is not owner:
                yield owner.problem(facts, str(board), first)
    if _differ(facts, set(seen)):
        return
    every = sorted(facts.locations(), key=lambda each: not facts.of_range(each.seat.host.name))
    for place in every:
        owner = _Owner(place.seat, place.path)
        first = seen.setdefault((place.version, place.bits), owner)
        if first is not owner:
            yield owner.problem(facts, str(place), first)


def _differ(facts: Facts, taken: set[_Key]) -> bool:
    """Whether all addresses of hosts differ from each other and from those that are taken."""
    found = [(place.version, place.bits) for place in facts.locations(unless=_every)]
    bits = [bits for part in facts.site.parts if isinstance(part, Alike) for bits in part.bits]
    seen, many = {*taken, *found}, set(bits)
    if len(seen) < len(taken) + len(found) or len(many) < len(bits):
        return False
    return many.isdisjoint(each for version, each in seen if version == 4)


def _every(_alike: Alike) -> bool:
    return True


@rule(
    "unique-mac",
    reason="dhcpd and switches know a machine by its MAC address alone.",
    hint="give each interface its own MAC address",
)
def unique_mac(facts: Facts) -> Iterator[Problem]:
    """No two interfaces share a MAC address."""
    macs = [seat.interface.mac for seat in facts.seats(unless=_every) if seat.interface.mac]
    macs += [mac for part in facts.site.parts if isinstance(part, Alike) for mac in part.macs]
    if len(set(macs)) == len(macs):
        return
    seen: dict[str, _Owner] = {}
    for seat in sorted(facts.seats(), key=lambda each: not facts.of_range(each.host.name)):
        mac = seat.interface.mac
        if mac is not None:
            owner = _Owner(seat, seat.path("mac"))
            first = seen.setdefault(mac, owner)
            if first is not owner:
                yield owner.problem(facts, mac, first)


RULES = (
    network_prefix,
    networks_overlap,
    gateway_in_network,
    pool_in_network,
    host_address,
    address_in_network,
    address_reserved,
    address_in_pool,
    unique_address,
    unique_mac,
)
