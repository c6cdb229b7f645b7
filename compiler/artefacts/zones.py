"""DNS: the zones of a site, and what named has to know of them.

Every host with the role `dns` gets the same compiled zone files and is a primary of them: no
server waits for another one or gives up its zones when that is gone for good, no transfer is open
to anybody, and the two views of a zone need no keys. The first of them stands in the SOA record.

All hosts are in the site's domain, also where a network tells its hosts another one: that is
what they search first, not where they are.

HINFO is "OS profile" "middleware" (thesis 5.6); one that a host does not have is the empty string,
which RFC 1035 (3.3) allows and no name can be.

Source: RFC 1034, RFC 1035, RFC 1912; BIND 9 Administrator Reference Manual; /etc/bind of Debian,
/etc/named.conf and /var/named of Red Hat.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from socket import AF_INET, AF_INET6, inet_ntop
from typing import NamedTuple

from threerc.compiler.artefacts.reverse_zones import reverse_zones
from threerc.compiler.artefacts.zone_file import Apex, Record, Zone, relative
from threerc.compiler.model import Alike, Host, Site
from threerc.compiler.templating import render
from threerc.compiler.tree import Output

_DEBIANS_OWN = {"0", "127", "255", "empty", "local", "root"}


class Layout(NamedTuple):
    """Where a distribution's named has its files, and what it calls a zone's first server.

    `included` is the folder of what named.conf includes, `defaults` the distribution's own zones,
    `keys` where named keeps the keys that it has learned, if not in its `directory`.
    """

    main: str
    included: str
    zones: str
    defaults: str
    directory: str
    keys: str
    primary: str


_DEBIAN = Layout(
    main="/etc/bind/named.conf",
    included="/etc/bind",
    zones="/etc/bind",
    defaults="/etc/bind/named.conf.default-zones",
    directory="/var/cache/bind",
    keys="",
    primary="primary",
)
_RED_HAT = Layout(
    main="/etc/named.conf",
    included="/etc/named",
    zones="/var/named",
    defaults="/etc/named.rfc1912.zones",
    directory="/var/named",
    keys="/var/named/dynamic",
    primary="master",  # BIND 9.11, of RHEL 8, knows no other word
)


class Served(NamedTuple):
    """A zone as named serves it: its file, and that of the internal view if there it says more."""

    zone: str
    file: str
    internal: str | None = None


def compile_zones(site: Site, out: Output) -> None:
    """named.conf and the zone files on each host with the role `dns`."""
    servers = tuple(host for host in site.with_role("dns") if host.address or host.address6)
    if not servers:
        return
    apex = Apex(site, servers)
    files: dict[str, bytes] = {}
    served = [_serve(zone, apex, out, files) for zone in all_zones(site, apex)]
    values = {"site": site, "served": served, "prefixes": _prefixes(site)}
    for server in servers:
        layout = _RED_HAT if site.is_red_hat(server) else _DEBIAN
        configuration = {
            layout.main: "named_conf",
            f"{layout.included}/named.conf.options": "named_conf_options",
            f"{layout.included}/named.conf.local": "named_conf_local",
        }
        for path, template in configuration.items():
            text = render(template, server=server, layout=layout, **values)
            out.file(server.name, path, text)
        for name, content in files.items():
            out.file(server.name, f"{layout.zones}/{name}", content)


def all_zones(site: Site, apex: Apex) -> list[Zone]:
    """The zones of a site: of its domain, those that it adds, and the reverse ones."""
    own = {zone.name: zone for zone in (_forward(site), *reverse_zones(site, apex))}
    first, *reverse = own.values()
    added = [Zone(name, ()) for name in sorted(site.dns.zones) if name not in own]
    return [_with_more(zone, site) for zone in (first, *added, *reverse)]


def _with_more(zone: Zone, site: Site) -> Zone:
    """A zone with the records that the site gives word by word."""
    settings = site.dns.zones.get(zone.name)
    if settings is None or not settings.records:
        return zone
    more = sorted(record_of(text) for text in settings.records)
    return Zone(zone.name, (*zone.blocks, more), zone.remarks)


def record_of(text: str) -> Record:
    """A record from its line; a TTL of its own stands before the type."""
    owner, kind, data = text.split(" ", 2)
    if kind.isdigit():
        ttl, (kind, data) = kind, data.split(" ", 1)
        kind = f"{ttl} {kind}"
    return owner, kind, data


def _serve(zone: Zone, apex: Apex, out: Output, files: dict[str, bytes]) -> Served:
    """Add a zone's files, under one serial: it goes up when either view's records change."""
    label = f"{zone.name}.zone" if zone.name in _DEBIANS_OWN else zone.name
    served = Served(zone.name, f"db.{label}")
    variants = {served.file: zone}
    if apex.site.dns.hinfo == "internal" and zone.says("HINFO"):
        served = served._replace(internal=f"{served.file}.internal")
        variants = {served.file: zone.without("HINFO"), f"{served.file}.internal": zone}
    style = apex.site.dns.serial
    serial = out.lock.serial(zone.name, apex.digest(list(variants.values())), style)
    for name, variant in variants.items():
        files[name] = apex.text(variant, serial).encode()
    return served


def _forward(site: Site) -> Zone:
    """The zone of the site's domain."""
    hosts = sorted(_records(site), key=lambda each: each[0])
    records = list(chain.from_iterable(found for _, found in hosts))
    named = site.where(lambda host: host.aliases)
    aliases = [(alias, "CNAME", host.name) for host in named for alias in host.aliases]
    aliases.sort(key=lambda record: record[0].lower())
    return Zone(site.domain.lower(), (_mail_exchangers(site), records, aliases))


def _records(site: Site) -> Iterator[tuple[str, tuple[Record, ...]]]:
    """The records of each host, by its name in lower case."""
    for part in site.parts:
        if not isinstance(part, Alike):
            yield part.name.lower(), tuple(_of_host(site, part))
            continue
        hinfo = _hinfo(site, part.example)
        for name, address in zip(part.names, part.addresses, strict=True):
            found: Record = (name, "A", address)
            yield name.lower(), (found, (name, "HINFO", hinfo)) if hinfo else (found,)


def _of_host(site: Site, host: Host) -> Iterator[Record]:
    for name, interface in site.interfaces(host):
        if interface.dns == "none":
            continue
        if interface.address is not None:
            yield name, "A", inet_ntop(AF_INET, interface.address.packed)
        if interface.address6 is not None:
            yield name, "AAAA", inet_ntop(AF_INET6, interface.address6.packed)
    if hinfo := _hinfo(site, host):
        yield host.name, "HINFO", hinfo


def _hinfo(site: Site, host: Host) -> str:
    """What a host's HINFO record says; empty where it has none."""
    if site.dns.hinfo == "none" or host.dns == "none" or not (host.os or host.middleware):
        return ""
    return f'"{host.os or ""}" "{host.middleware or ""}"'


def _mail_exchangers(site: Site) -> list[Record]:
    """The MX records of the domain; one that names an alias means its host (RFC 2181, 10.3)."""
    if not site.dns.mx:
        return []
    named = site.where(lambda host: host.aliases)
    own = {alias.lower(): host.name for host in named for alias in host.aliases}
    own.update((name.lower(), name) for name in site.hosts)
    found = sorted((each.preference, each.host.lower()) for each in site.dns.mx)
    records: list[Record] = []
    for preference, name in found:
        short = relative(name, site.domain) if "." in name else name
        records.append(("@", "MX", f"{preference} {own.get(short, short)}"))
    return records


def _prefixes(site: Site) -> dict[str, str]:
    """The site's prefixes and whose they are: the clients that named trusts."""
    found = {
        prefix: name
        for name, network in site.networks.items()
        for prefix in (network.prefix, network.prefix6)
        if prefix is not None
    }
    order = sorted(
        found, key=lambda each: (each.version, int(each.network_address), each.prefixlen)
    )
    return {str(prefix): found[prefix] for prefix in order}
