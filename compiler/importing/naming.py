"""Names: what DNS and the other files call an address, and names as site.yaml takes them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from ipaddress import IPv4Address, IPv6Address, ip_address

from threerc.compiler.importing.facts import Address, Facts, Record
from threerc.compiler.model.types import LABEL

_LABEL = re.compile(LABEL)
_NUMBER = re.compile(r"[0-9]+|0[Xx][0-9A-Fa-f]+")
_PLAIN4 = re.compile(
    r"([0-9]+)\.(?:[0-9]+[-/][0-9]+\.)?([0-9]+)\.([0-9]+)\.([0-9]+)\.in-addr\.arpa\."
)
_LEFT_OVER = "site.invalid"


def is_label(name: str) -> bool:
    """Whether site.yaml takes a name for a host."""
    return bool(_LABEL.fullmatch(name)) and not _NUMBER.fullmatch(name) and name != "localhost"


def as_label(text: str) -> str:
    """A name that site.yaml takes, as near to a text as may be."""
    found = re.sub(r"[^A-Za-z0-9-]+", "-", text).strip("-")[:63].rstrip("-") or "host"
    return found if is_label(found) else f"host-{found}"[:63]


def is_reverse(zone: str) -> bool:
    """Whether a zone is about addresses."""
    return zone.rstrip(".").endswith(("in-addr.arpa", "ip6.arpa"))


def address_of(owner: str) -> Address | None:
    """The address that the owner of a PTR record stands for, in a zone of RFC 2317 too."""
    owner = owner.lower()
    if match := _PLAIN4.fullmatch(owner):
        try:
            return IPv4Address(".".join(reversed(match.groups())))
        except ValueError:
            return None
    if owner.endswith(".ip6.arpa."):
        digits = owner.removesuffix(".ip6.arpa.").split(".")
        if len(digits) == 32 and all(len(each) == 1 for each in digits):
            try:
                return IPv6Address(int("".join(reversed(digits)), 16))
            except ValueError:
                return None
    return None


def domain_of(facts: Facts) -> str:
    """The site's domain: the zone with most hosts, or what DHCP tells most networks."""
    sizes = {
        name: sum(each.kind in {"A", "AAAA"} for each in zone.records)
        for name, zone in facts.zones.items()
        if not is_reverse(name)
    }
    if sizes:
        return max(sizes, key=lambda name: sizes[name])
    told = Counter(
        settings["option domain-name"].strip('"').lower()
        for settings in (facts.settings, *(each.settings for each in facts.subnets))
        if "option domain-name" in settings
    )
    for sighting in facts.sightings:
        if "." in sighting.name:
            told[sighting.name.partition(".")[2].lower()] += 1
    return told.most_common(1)[0][0] if told else _LEFT_OVER


class Names:
    """What each name and address is called, in DNS and in /etc/hosts. Names have a final dot."""

    def __init__(self, facts: Facts, domain: str) -> None:
        self.domain = domain
        self.forward: dict[str, list[Record]] = defaultdict(list)
        self.pointers: dict[Address, list[Record]] = defaultdict(list)
        self.names: dict[Address, list[str]] = defaultdict(list)
        self.spelling: dict[str, str] = {}
        self._addresses: dict[str, list[Address]] = defaultdict(list)
        for zone in facts.zones.values():
            for record in zone.records:
                self._record(record)
        for sighting in facts.sightings:
            if sighting.address is not None and sighting.name:
                self._name(sighting.address, self.full(sighting.name))

    def full(self, name: str) -> str:
        """A full name in lower case; one without a dot is of the site's domain."""
        self.spelling.setdefault(name.partition(".")[0].lower(), name.partition(".")[0])
        lower = name.lower().rstrip(".")
        return f"{lower}." if "." in lower else f"{lower}.{self.domain}."

    def short(self, full: str) -> str:
        """The name within the site's domain, spelled as it was first; empty for one outside."""
        name = full.lower().removesuffix(f".{self.domain}.")
        return self.spelling.get(name, name) if name != full.lower() and "." not in name else ""

    def addresses(self, name: str) -> list[IPv4Address]:
        """The IPv4 addresses of a name, in the order of the file."""
        found = self.addresses_of(self.full(name))
        return [each for each in found if isinstance(each, IPv4Address)]

    def addresses_of(self, full: str) -> list[Address]:
        """All addresses of a full name in lower case."""
        return self._addresses.get(full, [])

    def _record(self, record: Record) -> None:
        if record.kind in {"A", "AAAA"}:
            label = record.owner.partition(".")[0]
            self.spelling.setdefault(label.lower(), label)
            owner = record.owner.lower()
            self.forward[owner].append(record)
            self._name(ip_address(record.data), owner)
        elif record.kind == "PTR" and (address := address_of(record.owner)):
            self.pointers[address].append(record)

    def _name(self, address: Address, full: str) -> None:
        if full not in self.names[address]:
            self.names[address].append(full)
            self._addresses[full].append(address)
