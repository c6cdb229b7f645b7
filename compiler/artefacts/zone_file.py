"""A zone as data, and the file that it becomes: records in columns below an SOA record.

Source: RFC 1035 (5 and 3.3), RFC 2308 (negative TTL).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from threerc.compiler.model import Host, Site
from threerc.compiler.templating import Safe, render

Record = tuple[str, str, str]
"""Owner (relative to the zone), type and data, each as the zone file spells it."""


@dataclass(frozen=True)
class Zone:
    """A zone without its SOA and NS records.

    `name` has no trailing dot. `blocks` are groups of records, sorted, which a blank line parts;
    `remarks` are lines of comment.
    """

    name: str
    blocks: tuple[list[Record], ...]
    remarks: tuple[str, ...] = ()

    @property
    def records(self) -> Iterator[Record]:
        """All records of all blocks."""
        return chain.from_iterable(self.blocks)

    def says(self, kind: str) -> bool:
        """Whether it has a record of that type."""
        return any(each[1] == kind for each in self.records)

    def without(self, kind: str) -> Zone:
        """The same zone without the records of one type."""
        blocks = ([each for each in block if each[1] != kind] for block in self.blocks)
        return Zone(self.name, tuple(blocks), self.remarks)


@dataclass(frozen=True)
class Apex:
    """What stands at the top of each of a site's zones: the SOA record and the name servers."""

    site: Site
    servers: tuple[Host, ...]

    @cached_property
    def primary(self) -> str:
        """The first name server."""
        return self.site.fqdn(self.servers[0].name)

    @cached_property
    def mailbox(self) -> str:
        """The contact as a domain name: a dot before the `@` is escaped (RFC 1035, 8)."""
        contact = self.site.dns.contact or f"hostmaster@{self.site.domain}"
        local, _, domain = contact.partition("@")
        return f"{local.replace('.', chr(92) + '.')}.{domain}"

    def name_servers(self, zone: str) -> list[Record]:
        """The NS records of a zone, by name: the order of YAML is no part of the zone."""
        names = sorted(self.site.fqdn(server.name) for server in self.servers)
        return [("@", "NS", relative(name, zone)) for name in names]

    def ttl(self, zone: str) -> int:
        """The default TTL of a zone, seconds."""
        settings = self.site.dns.zones.get(zone)
        return self.site.dns.ttl if settings is None or settings.ttl is None else settings.ttl

    def digest(self, zones: Sequence[Zone]) -> str:
        """SHA-256 of all that the variants of one zone say, the serial left out."""
        ttl = self.ttl(zones[0].name)
        found = hashlib.sha256(
            f"{self.primary} {self.mailbox} {ttl} {self.site.dns.negative_ttl}\n".encode()
        )
        for zone in zones:
            records = [*self.name_servers(zone.name), *zone.records]
            found.update("\n".join(map(" ".join, records)).encode() + b"\n\n")
        return found.hexdigest()

    def text(self, zone: Zone, serial: int) -> str:
        """The zone file."""
        blocks = [block for block in (self.name_servers(zone.name), *zone.blocks) if block]
        width = max(len(owner) for block in blocks for owner, _, _ in block)
        return render(
            "zones",
            site=self.site,
            zone=zone,
            ttl=self.ttl(zone.name),
            serial=_number(serial),
            negative_ttl=_number(self.site.dns.negative_ttl),
            primary=relative(self.primary, zone.name),
            mailbox=Safe(relative(self.mailbox, zone.name)),
            blocks=[_columns(block, width) for block in blocks],
        )


def relative(name: str, zone: str) -> str:
    """A full name as the file of a zone spells it: without the zone, or else with a final dot."""
    if name.lower().endswith(f".{zone.lower()}"):
        return name[: -len(zone) - 1]
    return f"{name}."


def _number(value: int) -> Safe:
    """A 32-bit number, padded for what stands behind it."""
    return Safe(f"{value:<10d}")


def _columns(block: list[Record], width: int) -> Safe:
    """Records in columns. The model vouches for their parts: names, addresses, words."""
    return Safe(
        "\n".join([f"{owner.ljust(width)}  {kind:<5}  {data}" for owner, kind, data in block])
    )
