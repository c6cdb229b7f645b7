"""Reverse zones: from the networks' prefixes to zones, and a PTR record for every interface.

A zone begins at an octet (IPv4) or a nibble (IPv6); a prefix in between is split at the next one.
An IPv4 prefix of /25 to /31 gets a zone of RFC 2317, called `first-last`, as a slash does not go
into file names. Whoever has the /24 points to it: the provider, or for private addresses
(RFC 1918) the site itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from itertools import repeat

from threerc.compiler.artefacts.zone_file import Apex, Record, Zone
from threerc.compiler.model import Alike, Site

_PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
_LABEL_BITS = {4: 8, 6: 4}
_SUFFIX = {4: "in-addr.arpa", 6: "ip6.arpa"}
_PARENT_LENGTH = 24
Prefix = IPv4Network | IPv6Network
Pointers = list[tuple[int, str]]
"""Addresses as numbers, and the DNS names that they point to."""


@dataclass(frozen=True)
class _Area:
    """The addresses of one zone, and what they point to."""

    prefix: Prefix
    pointers: Pointers = field(default_factory=list)

    @property
    def parent(self) -> IPv4Network | None:
        """The /24 that an IPv4 prefix lies in, if it is but a part of it."""
        if isinstance(self.prefix, IPv6Network) or self.prefix.prefixlen <= _PARENT_LENGTH:
            return None
        return self.prefix.supernet(new_prefix=_PARENT_LENGTH)

    @property
    def label(self) -> str:
        """What its zone is called within the parent's: `0-63`, or `5` for one address."""
        first, last = (int(self.prefix[end]) & 255 for end in (0, -1))
        return f"{first}-{last}" if first < last else f"{first}"

    @property
    def zone(self) -> str:
        """The name of its zone."""
        return f"{self.label}.{_zone_name(self.parent)}" if self.parent else _zone_name(self.prefix)


def reverse_zones(site: Site, apex: Apex) -> list[Zone]:
    """All reverse zones of a site: IPv4 first, by address. Sites without prefixes have none."""
    areas = _areas(site)
    _find_pointers(site, areas)
    zones: dict[str, Zone] = {}
    for area in areas:
        remarks: tuple[str, ...] = ()
        if area.parent is not None:
            delegation = _delegation(area, _zone_name(area.parent), apex)
            if any(area.parent.subnet_of(block) for block in _PRIVATE):
                name = _zone_name(area.parent)
                earlier = zones[name].blocks if name in zones else ()
                zones[name] = Zone(name, (*earlier, delegation))
            else:
                remarks = _request(_zone_name(area.parent), delegation)
        zones[area.zone] = Zone(area.zone, (_pointer_records(area, site.domain),), remarks)
    return list(zones.values())


def _areas(site: Site) -> list[_Area]:
    """The prefixes that get a zone; one inside another shares that one's."""
    wanted = {
        part
        for network in site.networks.values()
        for prefix in (network.prefix, network.prefix6)
        if prefix is not None
        for part in _split(prefix)
    }
    areas: list[_Area] = []
    end = (0, -1)
    for prefix in sorted(wanted, key=lambda each: (each.version, int(each[0]), each.prefixlen)):
        if (prefix.version, int(prefix[0])) > end:
            areas.append(_Area(prefix))
            end = (prefix.version, int(prefix[-1]))
    return areas


def _split(prefix: Prefix) -> Iterator[Prefix]:
    """A prefix cut at the next boundary between labels."""
    if prefix.version == 4 and prefix.prefixlen > _PARENT_LENGTH:
        return iter((prefix,))
    bits = _LABEL_BITS[prefix.version]
    return iter(prefix.subnets(new_prefix=max(1, -(-prefix.prefixlen // bits)) * bits))


def _labels(address: int, version: int) -> Sequence[str]:
    """The labels of an address, lowest octet or nibble first, as DNS writes them."""
    if version == 4:
        return [*map(str, address.to_bytes(4, "little"))]
    return f"{address:032x}"[::-1]


def _zone_name(prefix: Prefix) -> str:
    """The zone of a prefix that ends with a label: 10.1.0.0/16 is 1.10.in-addr.arpa."""
    labels = _labels(int(prefix[0]), prefix.version)
    given = prefix.prefixlen // _LABEL_BITS[prefix.version]
    return ".".join([*labels[len(labels) - given :], _SUFFIX[prefix.version]])


def _find_pointers(site: Site, areas: list[_Area]) -> None:
    """Fill in each interface's name at its address; an address outside all areas has no PTR."""
    tables: dict[int, dict[int, dict[int, Pointers]]] = {4: {}, 6: {}}
    for area in areas:
        shift = area.prefix.max_prefixlen - area.prefix.prefixlen
        table = tables[area.prefix.version].setdefault(shift, {})
        table[int(area.prefix[0]) >> shift] = area.pointers
    for version, bits, name in _pointers(site):
        for shift, table in tables[version].items():
            if bits >> shift in table:
                table[bits >> shift].append((bits, name))


def _pointers(site: Site) -> Iterator[tuple[int, int, str]]:
    """IP version and address of each interface that has a PTR record, and its name."""
    for part in site.parts:
        if isinstance(part, Alike):
            yield from zip(repeat(4), part.bits, part.names)
            continue
        for name, interface in site.interfaces(part):
            for address in (interface.address, interface.address6):
                if address is not None and interface.dns == "all":
                    yield address.version, int(address), name


def _pointer_records(area: _Area, domain: str) -> list[Record]:
    """The PTR records of a zone, by address. A zone of one address has its record at the top."""
    version = area.prefix.version
    free = -(-(area.prefix.max_prefixlen - area.prefix.prefixlen) // _LABEL_BITS[version])
    return [
        (".".join(_labels(bits, version)[:free]) or "@", "PTR", f"{name}.{domain}.")
        for bits, name in sorted(area.pointers)
    ]


def _delegation(area: _Area, parent: str, apex: Apex) -> list[Record]:
    """What the parent's zone says of a part of it: its name servers, its addresses."""
    label = area.label
    records = [(label, "NS", data) for _, _, data in apex.name_servers(parent)]
    if area.prefix.num_addresses > 1:
        records.append((f"$GENERATE {label} $", "CNAME", f"$.{label}"))
    return records


def _request(parent: str, delegation: list[Record]) -> tuple[str, ...]:
    """The delegation as a remark, for whoever runs the parent's zone."""
    lines = (" ".join(record) for record in delegation)
    return (f"To be asked of who runs {parent} (RFC 2317):", *(f"  {line}" for line in lines))
