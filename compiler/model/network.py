"""A network: its prefixes, and what DHCP tells its hosts."""

from __future__ import annotations

import re
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    ip_address,
)
from typing import Annotated, NamedTuple

from pydantic import BeforeValidator, Field, PlainValidator, StringConstraints
from pydantic_core import PydanticCustomError

from threerc.compiler.model.types import (
    LABEL,
    Address6,
    DhcpStatement,
    DomainName,
    Explained,
    Model,
    Prefix6,
)


class AddressRange(NamedTuple):
    """IPv4 addresses from `first` to `last`, both included."""

    first: IPv4Address
    last: IPv4Address

    def __contains__(self, address: object) -> bool:
        return isinstance(address, IPv4Address) and self.first <= address <= self.last

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


def _address_range(value: object) -> AddressRange:
    if isinstance(value, AddressRange):
        return value
    first, _, last = str(value).partition("-")
    try:
        found = AddressRange(IPv4Address(first.strip()), IPv4Address(last.strip()))
    except ValueError:
        raise PydanticCustomError(
            "address-range", "not a range of IPv4 addresses, such as 192.168.1.200-192.168.1.220"
        ) from None
    if found.first > found.last:
        raise PydanticCustomError("address-range", "the range ends before it starts")
    return found


# What editors are told of these two; the validators decide.
_PoolText = Annotated[
    str,
    StringConstraints(pattern=r"^ *[0-9.]+ *- *[0-9.]+ *$"),
    Explained(
        "address-range", "not a range of IPv4 addresses, such as 192.168.1.200-192.168.1.220"
    ),
]
_ServerText = Annotated[
    str,
    StringConstraints(pattern=rf"^(?:{LABEL}|[0-9A-Fa-f:.]+)$"),
    Explained("server", "not an IP address or the name of a host"),
]
Pool = Annotated[AddressRange, BeforeValidator(_address_range, json_schema_input_type=_PoolText)]


def _server(value: object) -> IPv4Address | IPv6Address | str:
    """An address where it reads as one; anything else has to be a host name of the site."""
    try:
        address = ip_address(str(value))
        if "%" not in str(value):
            return address
    except ValueError:
        if re.fullmatch(LABEL, str(value)):
            return str(value)
    raise PydanticCustomError("server", "neither an IP address nor the name of a host")


Server = Annotated[
    IPv4Address | IPv6Address | str, PlainValidator(_server, json_schema_input_type=_ServerText)
]


class Network(Model):
    """One broadcast domain. Hosts belong to it by their addresses."""

    prefix: IPv4Network | None = Field(
        default=None, description="IPv4 prefix.", examples=["192.168.1.0/24"]
    )
    prefix6: Prefix6 | None = Field(
        default=None, description="IPv6 prefix.", examples=["2001:db8:1::/64"]
    )
    gateway: IPv4Address | None = Field(
        default=None, description="IPv4 default router.", examples=["192.168.1.254"]
    )
    gateway6: Address6 | None = Field(default=None, description="IPv6 default router.")
    dns: tuple[Server, ...] = Field(
        default=(),
        description="DNS servers told to hosts: addresses or hosts of the site. "
        "Default: the hosts with the role `dns`.",
    )
    ntp: tuple[Server, ...] = Field(
        default=(),
        description="NTP servers told to hosts: addresses or hosts of the site.",
        examples=[["bibe"]],
    )
    domain: DomainName | None = Field(
        default=None,
        description="Domain told to its hosts, where it is not the site's; short names are looked "
        "for in both.",
    )
    pool: Pool | None = Field(
        default=None,
        description="Addresses for strangers, handed out by DHCP.",
        examples=["192.168.1.200-192.168.1.220"],
    )
    vlan: int | None = Field(default=None, ge=1, le=4094, description="802.1Q VLAN tag.")
    boot: bool = Field(
        default=False, description="Whether hosts boot from this network (DHCP and PXE)."
    )
    lease: int = Field(
        default=86400, ge=60, le=2**31 - 1, description="Seconds a DHCP lease lasts."
    )
    dhcp: tuple[DhcpStatement, ...] = Field(
        default=(),
        description="Further statements of its subnet in dhcpd.conf(5), without the semicolon; "
        "they come after 3RC's own, and win over them.",
        examples=[['option tftp-server-name "192.168.1.7"']],
    )
