"""What zones tell, whatever way their files spell it.

A PTR record is what an address leads to, also over the CNAMEs of RFC 2317; the cuts between reverse
zones, and the SOA records, are of no account.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from threerc.compiler.findings import Place
from threerc.compiler.importing.facts import Record, ZoneFacts
from threerc.compiler.importing.naming import address_of, is_reverse

Key = tuple[str, str, str]
"""Owner, type and data of a record; names in lower case, with the final dot."""


class Told(NamedTuple):
    """A record as it was found."""

    record: Record
    zone: str

    @property
    def ttl(self) -> int:
        """Its TTL."""
        return self.record.ttl

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.record.place


def told(zones: Iterable[ZoneFacts]) -> dict[Key, Told]:
    """All records of these zones, each once."""
    found: dict[Key, Told] = {}
    for zone in zones:
        for record in zone.records:
            key = _key(record, zone.name)
            if key is not None:
                found.setdefault(key, Told(record, zone.name))
    return found


def _key(record: Record, zone: str) -> Key | None:
    """What a record says; None where it is but the way to another one."""
    owner, kind, data = record.key
    if not is_reverse(zone):
        return owner, kind, data
    address = address_of(owner)
    if kind == "PTR" and address is not None:
        return f"{address.reverse_pointer}.", kind, data
    if kind == "CNAME" and address is not None and address_of(data) == address:
        return None
    if kind == "NS" and _is_part(owner):
        return None
    return owner, kind, data


def _is_part(owner: str) -> bool:
    """Whether a name is that of a zone of RFC 2317, or of a single address."""
    labels = owner.removesuffix(".in-addr.arpa.").split(".")
    return len(labels) == 4 and owner.endswith(".in-addr.arpa.")
