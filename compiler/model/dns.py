"""DNS: what the zones say beyond the hosts' own records."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from threerc.compiler.model.types import LABEL, Address6, DomainName, Explained, Model, ZoneRecord

_LONGEST_LABEL = 63


def _as_name(contact: str) -> str:
    """A contact becomes a name of DNS, in which all before the `@` is one label."""
    if len(contact.partition("@")[0]) > _LONGEST_LABEL:
        raise PydanticCustomError("mailbox", "more than 63 characters before the @ of a contact")
    return contact


Mailbox = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@" + LABEL + r"(?:\." + LABEL + r")*$",
        max_length=253,
    ),
    Explained("mailbox", "not a mail address"),
    AfterValidator(_as_name),
]


class MailExchange(Model):
    """An MX record of the site's domain."""

    host: DomainName = Field(description="Mail host: a host of the site, or a full name.")
    preference: int = Field(default=10, ge=0, le=65535, description="Lower is tried first.")


ZoneName = Annotated[
    str,
    StringConstraints(
        pattern=r"^[a-z0-9_](?:[a-z0-9_/-]{0,62})(?:\.[a-z0-9_](?:[a-z0-9_-]{0,62}))*$",
        max_length=253,
    ),
    Explained("zone-name", "not the name of a zone, in lower case and without the final dot"),
]


class ZoneSettings(Model):
    """What a zone says beyond the hosts' own records."""

    ttl: int | None = Field(
        default=None, ge=0, le=2**31 - 1, description="Its default TTL, if not that of `dns`."
    )
    records: tuple[ZoneRecord, ...] = Field(
        default=(),
        description="Records as in a zone file: owner, TTL if it has its own, type, data; names "
        "without a final dot are relative to the zone.",
        examples=[["_ldap._tcp SRV 0 0 389 bibe", '@ TXT "v=spf1 mx -all"']],
    )


class Dns(Model):
    """Settings of the zones. Servers are the hosts with the role `dns`; the first is primary."""

    contact: Mailbox | None = Field(
        default=None,
        description="Mail address in the SOA record; default: hostmaster@domain.",
        examples=["hostmaster@sns.it"],
    )
    serial: Literal["counter", "date"] = Field(
        default="counter",
        description="How SOA serials count: 1, 2, 3... or YYYYMMDDnn. Either way a serial is "
        "kept in site.lock and goes up only when the zone's records change.",
    )
    ttl: int = Field(default=86400, ge=0, le=2**31 - 1, description="Default TTL, seconds.")
    negative_ttl: int = Field(
        default=3600, ge=0, le=2**31 - 1, description="TTL of negative answers, seconds."
    )
    hinfo: Literal["public", "internal", "none"] = Field(
        default="public",
        description="internal: HINFO is told to the site's own networks only, in a view; none: "
        "nobody is told, so installed machines do not learn their middleware.",
    )
    mx: tuple[MailExchange, ...] = Field(default=(), description="Mail exchangers of the domain.")
    forwarders: tuple[IPv4Address | Address6, ...] = Field(
        default=(), description="Where the servers send questions about other domains."
    )
    zones: dict[ZoneName, ZoneSettings] = Field(
        default={},
        description="What zones say beyond the hosts' own records, by the zone's name: that of "
        "`domain`, a reverse zone, or a further one.",
    )
