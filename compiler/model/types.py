"""The value types that every noun shares, each refusing what no artefact could carry.

A type that a pattern describes carries an `Explained`, so that an error says what the value
should be and not which regular expression it failed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError, core_schema


class Model(BaseModel):
    """Base of all nouns: unknown keys are refused, values never change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False, defer_build=True)


@dataclass(frozen=True)
class Explained:
    """Replaces pydantic's message for a type with one for sysadmins, under a rule id."""

    rule: str
    message: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.custom_error_schema(
            handler(source), custom_error_type=self.rule, custom_error_message=self.message
        )


LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"

HostName = Annotated[
    str,
    StringConstraints(pattern=rf"^{LABEL}$"),
    Explained(
        "host-name",
        "not a host name: 1 to 63 letters, digits and inner hyphens, no dots (RFC 1123)",
    ),
]
DomainName = Annotated[
    str,
    StringConstraints(pattern=rf"^{LABEL}(?:\.{LABEL})*$", max_length=253),
    Explained("domain-name", "not a domain name: labels as in RFC 1123, joined by dots"),
]
MacAddress = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9A-Fa-f][02468ACEace](?::[0-9A-Fa-f]{2}){5}$", to_lower=True),
    Explained("mac-address", "not the MAC address of one interface, such as 02:00:c0:a8:01:0b"),
]
# A word is what may become a file name, a column of hosts.def and an HINFO string at once.
Word = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,62}$"),
    Explained("word", "not a plain name: letters, digits and . _ + - (no spaces), at most 63"),
]
Line = Annotated[
    str,
    StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]*$", max_length=255),
    Explained(
        "text-line",
        "not one line of text: at most 255 characters, no line breaks or control characters",
    ),
]
# To the kernel a quote goes on to the next one, over all spaces on its way.
KernelArgument = Annotated[
    str,
    StringConstraints(pattern=r'^(?:[!#-~]|"[!#-~]*")+$', max_length=255),
    Explained(
        "kernel-argument",
        "not a single kernel argument: printable ASCII without spaces, quotes in pairs; give one "
        "per list entry",
    ),
]
Url = Annotated[
    str,
    StringConstraints(
        pattern=r"^(?:https?|ftp|nfs)://[A-Za-z0-9.\-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~%!&'()*+,;=:@/?-]*)?$",
        max_length=2000,
    ),
    Explained(
        "url", "not an http, https, ftp or nfs URL (percent-encode spaces, quotes and the like)"
    ),
]
HttpUrl = Annotated[
    str,
    StringConstraints(
        pattern=r"^https?://[A-Za-z0-9.\-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~%!&()*+,;=:@/?-]*)?$",
        max_length=2000,
    ),
    Explained("http-url", "not an http or https URL"),
]
_SEGMENT = r"[A-Za-z0-9_+@][A-Za-z0-9._+@-]*"
RelativePath = Annotated[
    str,
    StringConstraints(pattern=rf"^{_SEGMENT}(?:/{_SEGMENT})*$", max_length=255),
    Explained(
        "path", "not a relative path of plain names (letters, digits, . _ + @ -), without `..`"
    ),
]
AbsolutePath = Annotated[
    str,
    StringConstraints(pattern=rf"^(?:/{_SEGMENT})+$", max_length=255),
    Explained(
        "path", "not an absolute path of plain names (letters, digits, . _ + @ -), without `..`"
    ),
]
Argument = Annotated[
    str,
    StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]{1,1000}$"),
    Explained("argument", "not an argument of one line"),
]
DeviceName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9]{1,30}(?:/[a-z0-9]{1,30})?$"),
    Explained("device", "not a device name as in /dev, such as sda, vda, nvme0n1 or cciss/c0d0"),
]
SshPublicKey = Annotated[
    str,
    StringConstraints(
        pattern=r"^(?:ssh|ecdsa|sk)-[a-z0-9@.-]+ AAAA[A-Za-z0-9+/]+=*(?: [!-~ ]*)?$",
        max_length=16000,
    ),
    Explained("ssh-key", "not an OpenSSH public key (type, base64 and comment on one line)"),
]
TimeZone = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*$", max_length=64),
    Explained("time-zone", "not a time zone name, such as Europe/Rome"),
]
UserName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z_][a-z0-9_-]{0,31}$"),
    Explained("user-name", "not a Unix user name"),
]


_QUOTED = r'"(?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*"'


def _no_include(statement: str) -> str:
    """dhcpd would read a file that no checker sees where the site is compiled."""
    if statement.startswith("include "):
        raise PydanticCustomError("dhcp-statement", "an include of dhcpd.conf(5), not a statement")
    return statement


DhcpStatement = Annotated[
    str,
    StringConstraints(
        pattern=rf'^[a-z][a-z0-9-]*(?: (?:[^ "{{}};#\x00-\x1f\x7f]|{_QUOTED})+)*$',
        max_length=1000,
    ),
    Explained(
        "dhcp-statement",
        "not one statement of dhcpd.conf(5) without its semicolon, such as `option log-servers "
        "192.168.1.7`",
    ),
    AfterValidator(_no_include),
]


def _no_soa(record: str) -> str:
    """A zone's serial is the lock's, so that it goes up whenever a record changes."""
    if "SOA" in record.split(" ")[1:3]:
        raise PydanticCustomError("zone-record", "a SOA record, which 3RC writes itself")
    return record


# Parentheses and semicolons mean other lines, and the rest of this one, to a zone file.
ZoneRecord = Annotated[
    str,
    StringConstraints(
        pattern=r"^[!#%-\x27*-:<-~][!#-\x27*-:<-~]* (?:[0-9]{1,10} )?[A-Z][A-Z0-9-]*"
        rf"(?: (?:[!#-\x27*-:<-\[\]-~]|\\[!-~]|{_QUOTED})+)+$",
        max_length=8000,
    ),
    Explained(
        "zone-record",
        "not one record of a zone file in one line: owner, TTL if it has its own, type, data, "
        "such as `_ldap._tcp SRV 0 0 389 ldap`",
    ),
    AfterValidator(_no_soa),
]


_SIZE = r"[0-9]+(?:\.[0-9]+)? *[KMGTP]i?B"
_NO_SIZE = "not a size with its unit, such as 512MiB, 16GiB or 2TB"


def _size(value: object) -> object:
    """A size needs its unit: a bare `2048` may mean bytes to one reader and MiB to the next."""
    if isinstance(value, str) and re.fullmatch(_SIZE, value):
        return value
    if isinstance(value, ByteSize):
        return value
    raise PydanticCustomError("size", _NO_SIZE)


_SizeText = Annotated[str, StringConstraints(pattern=rf"^{_SIZE}$"), Explained("size", _NO_SIZE)]
Size = Annotated[
    ByteSize,
    BeforeValidator(_size, json_schema_input_type=_SizeText),
    Field(gt=0, examples=["16GiB"]),
]


def _without_scope(address: IPv6Address) -> IPv6Address:
    """A scope (`fe80::1%eth0`) means one machine's interface, and may be any text."""
    if address.scope_id is not None:
        raise PydanticCustomError("address-scope", "an IPv6 address without a scope is wanted")
    return address


def _prefix_without_scope(prefix: IPv6Network) -> IPv6Network:
    _without_scope(prefix.network_address)
    return prefix


Address6 = Annotated[IPv6Address, AfterValidator(_without_scope)]
Prefix6 = Annotated[IPv6Network, AfterValidator(_prefix_without_scope)]


class SecretReference(Model):
    """Where a secret is kept: a file or an environment variable, never the secret itself."""

    file: Line | None = Field(
        default=None,
        description="Path of a file that holds the secret, beside site.yaml.",
        examples=["secrets/root.hash"],
    )
    env: (
        Annotated[
            str,
            StringConstraints(pattern=r"^[A-Z_][A-Z0-9_]*$"),
            Explained("env-name", "not the name of an environment variable"),
        ]
        | None
    ) = Field(
        default=None,
        description="Name of the environment variable that holds the secret.",
        examples=["ROOT_HASH"],
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> SecretReference:
        if (self.file is None) == (self.env is None):
            raise PydanticCustomError("secret", "give either `file` or `env`")
        return self
