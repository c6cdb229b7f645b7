"""DNS: which of the zones' records the hosts give by themselves, and what is said beyond these."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address

import dns.name
import dns.rdata
from dns.rdtypes.ANY.HINFO import HINFO
from pydantic import TypeAdapter, ValidationError

from threerc.compiler.artefacts.reverse_zones import reverse_zones
from threerc.compiler.artefacts.zone_file import Apex
from threerc.compiler.importing.draft import Draft, DraftHost, DraftZone
from threerc.compiler.importing.facts import Address, Record
from threerc.compiler.importing.naming import Names, address_of, is_label, is_reverse
from threerc.compiler.importing.told import Key, Told, told
from threerc.compiler.model import Network, ServiceHost, Site
from threerc.compiler.model.dns import Mailbox, ZoneName
from threerc.compiler.model.types import ZoneRecord

_RECORD: TypeAdapter[str] = TypeAdapter(ZoneRecord)
_ZONE: TypeAdapter[str] = TypeAdapter(ZoneName)
_MAILBOX: TypeAdapter[str] = TypeAdapter(Mailbox)
_DEFAULT_TTL = 86400
_DEFAULT_NEGATIVE = 3600


def settle(draft: Draft, names: Names) -> None:
    """Set the hosts' records, aliases and systems; what is left over is said word by word."""
    if draft.facts.zones:
        _Records(draft, names).run()


class _Records:
    def __init__(self, draft: Draft, names: Names) -> None:
        self.draft = draft
        self.names = names
        self.wanted = told(draft.facts.zones.values())
        self.left = dict(self.wanted)
        self.reverse = _predicted(draft)
        self.forward = [name for name in draft.facts.zones if not is_reverse(name)]
        self.ttls = self._ttls()

    def run(self) -> None:
        """Take away from what is wanted all that the hosts give, and write down the rest."""
        self._settings()
        for host in self.draft.hosts.values():
            for name, seat in host.seats():
                seat.dns = self._seat(name, seat.addresses)
        self._systems()
        self._aliases()
        self._exchangers()
        self._name_servers()
        for key, found in self.left.items():
            self._word_by_word(key, found)
        for name, zone in self.draft.zones.items():
            zone.records.sort(key=_order)
            ttl = self.ttls.get(name)
            zone.ttl = None if ttl == self.draft.dns.get("ttl", _DEFAULT_TTL) else ttl

    def _settings(self) -> None:
        zone = self.draft.facts.zones.get(self.draft.domain)
        ttl = self.ttls.get(self.draft.domain)
        if ttl is not None and ttl != _DEFAULT_TTL:
            self.draft.dns["ttl"] = ttl
        for name in self.ttls:
            if self.ttls[name] != self.draft.dns.get("ttl", _DEFAULT_TTL):
                self.draft.zones.setdefault(name, DraftZone())
        for name in self.forward:
            if name != self.draft.domain:
                self.draft.zones.setdefault(name, DraftZone())
        if zone is None:
            return
        if zone.negative_ttl not in {None, _DEFAULT_NEGATIVE}:
            self.draft.dns["negative_ttl"] = zone.negative_ttl
        contact = _contact(zone.mailbox)
        if contact and contact != f"hostmaster@{self.draft.domain}":
            self.draft.dns["contact"] = contact

    # Zones

    def locate(self, owner: str) -> tuple[str, str]:
        """The zone that a record stands in, and its owner relative to it; empty without one."""
        address = address_of(owner) if is_reverse(owner) else None
        if isinstance(address, IPv4Address):
            part = _part_of(address, self.reverse)
            if part:
                single = "-" not in part.partition(".")[0]
                return part, "@" if single else str(int(address) & 255)
        known = {*self.reverse, *self.draft.facts.zones}
        fits = [name for name in known if owner == f"{name}." or owner.endswith(f".{name}.")]
        if not fits:
            return "", ""
        zone = max(fits, key=len)
        return zone, owner[: -len(zone) - 2] or "@"

    def _ttls(self) -> dict[str, int]:
        """The TTL that most records of each zone have."""
        counts: dict[str, Counter[int]] = {}
        for (owner, _, _), found in self.wanted.items():
            zone, _ = self.locate(owner)
            if zone:
                counts.setdefault(zone, Counter())[found.ttl] += 1
        return {name: each.most_common(1)[0][0] for name, each in counts.items()}

    def _usual(self, key: Key) -> bool:
        """Whether a record is wanted, with the TTL of its zone."""
        found = self.wanted.get(key)
        return found is not None and found.ttl == self.ttls.get(self.locate(key[0])[0])

    def _told_of(self, zone: str) -> bool:
        """Whether any file told of a zone, or of what it lies in."""
        return any(
            zone == each or zone.endswith(f".{each}") or each.endswith(f".{zone}")
            for each in self.draft.facts.zones
        )

    # Hosts

    def _seat(self, name: str, addresses: list[Address]) -> str:
        """Which records an interface has: `all`, `forward` or `none`."""
        forward = [self._forward(name, each) for each in addresses]
        if self._told_of(self.draft.domain) and not all(map(self._usual, forward)):
            return "none"
        pointers = [(f"{a.reverse_pointer}.", "PTR", self.draft.fqdn(name)) for a in addresses]
        told_of = [k for k in pointers if self._told_of(self.locate(k[0])[0] or k[0].rstrip("."))]
        given = [*forward]
        all_wanted = all(map(self._usual, told_of))
        if all_wanted:
            given += pointers
        for key in given:
            self.left.pop(key, None)
        return "all" if all_wanted else "forward"

    def _forward(self, name: str, address: Address) -> Key:
        return self.draft.fqdn(name), "A" if address.version == 4 else "AAAA", str(address)

    def _systems(self) -> None:
        """HINFO is OS and middleware (thesis 5.6) where all of it is; or else no host gives it."""
        matches: list[tuple[DraftHost, Key, str, str]] = []
        for host in self.draft.hosts.values():
            for key in [k for k in self.left if k[0] == self.draft.fqdn(host.name)]:
                if key[1] == "HINFO" and host.dns != "none":
                    system, software = _words(self.wanted[key].record.data)
                    if system in {*self.draft.profiles, ""}:
                        matches.append((host, key, system, software))
        fitting = all(h.os in {"", s} and h.middleware in {"", m} for h, _, s, m in matches)
        silent = [
            host
            for host in self.draft.hosts.values()
            if (host.os or host.middleware)
            and host.dns != "none"
            and not any(host is each[0] for each in matches)
        ]
        if silent or not fitting or not matches:
            self.draft.dns["hinfo"] = "none"
            return
        for host, key, system, software in matches:
            host.os, host.middleware = system, software
            self.left.pop(key)

    def _aliases(self) -> None:
        """CNAMEs of the domain that lead to a host are its aliases."""
        hosts = {self.draft.fqdn(name): host for name, host in self.draft.hosts.items()}
        taken = {n.lower() for host in self.draft.hosts.values() for n, _ in host.seats()}
        for key in [k for k in self.left if k[1] == "CNAME" and k[2] in hosts]:
            name = self.names.short(key[0])
            if is_label(name) and self._usual(key) and name.lower() not in taken:
                hosts[key[2]].aliases.append(name)
                taken.add(name.lower())
                self.left.pop(key)

    def _exchangers(self) -> None:
        """The MX records of the domain itself."""
        found = []
        for key in [k for k in self.left if k[:2] == (f"{self.draft.domain}.", "MX")]:
            preference, host = key[2].split()
            name = self.names.short(host)
            inside = host.endswith(f".{self.draft.domain}.")
            if self._usual(key) and (self._is_host(name) if inside else host != "."):
                found.append((int(preference), name if inside else host.rstrip(".")))
                self.left.pop(key)
        if found:
            self.draft.dns["mx"] = [{"host": h, "preference": p} for p, h in sorted(found)]

    def _is_host(self, name: str) -> bool:
        return any(name.lower() == each.lower() for each in self.draft.hosts)

    def _name_servers(self) -> None:
        """The hosts with the role dns are name servers of all zones."""
        servers = {self.draft.fqdn(host.name) for host in self.draft.with_role("dns")}
        for key in [k for k in self.left if k[1] == "NS"]:
            zone, owner = self.locate(key[0])
            given = zone and owner == "@" and key[2] in servers
            cut = is_reverse(key[0]) and f"{zone}." == key[0] and zone not in self.reverse
            if given and not self._usual(key):
                place, ttl = self.wanted[key].place, self.ttls[zone]
                self.draft.facts.lose(place, f"the name servers of {zone} have its TTL, {ttl}")
            if given or cut:
                self.left.pop(key)
        for name in [n for n in self.draft.facts.zones if n in {*self.forward, *self.reverse}]:
            for server in sorted(servers):
                if (f"{name}.", "NS", server) not in self.wanted:
                    place = self.draft.facts.zones[name].place
                    self.draft.facts.lose(place, f"{server} is a name server of {name} now")

    # The rest

    def _word_by_word(self, key: Key, found: Told) -> None:
        zone, owner = self.locate(key[0])
        record = found.record
        try:
            _ZONE.validate_python(zone)
            text = _RECORD.validate_python(self._line(record, zone, owner))
        except (ValidationError, ValueError):
            said = f"{record.owner} {record.kind} {record.data}"
            self.draft.facts.lose(found.place, "no record that site.yaml takes", said)
            return
        self.draft.zones.setdefault(zone, DraftZone()).records.append(text)

    def _line(self, record: Record, zone: str, owner: str) -> str:
        origin = dns.name.from_text(zone)
        data = dns.rdata.from_text("IN", record.kind, record.data, relativize=False)
        said = data.to_text(origin=origin, relativize=True)
        ttl = "" if record.ttl == self.ttls.get(zone) else f"{record.ttl} "
        spelled = record.owner if owner != "@" and record.owner.lower().endswith(f"{zone}.") else ""
        name = spelled[: -len(zone) - 2] if spelled and not is_reverse(zone) else owner
        return f"{name} {ttl}{record.kind} {said}"


def _words(data: str) -> tuple[str, str]:
    """The two strings of a HINFO record, whose own names for them are CPU and OS."""
    found = dns.rdata.from_text("IN", "HINFO", data)
    if not isinstance(found, HINFO):
        raise TypeError(data)
    return found.cpu.decode("latin-1"), found.os.decode("latin-1")


def _order(text: str) -> tuple[bool, list[tuple[bool, int, str]], str]:
    """The top of a zone first, then by owner; numbers by their value."""
    owner = text.partition(" ")[0]
    labels = [(not x.isdigit(), int(x) if x.isdigit() else 0, x) for x in owner.split(".")[::-1]]
    return owner != "@", labels, text


def _predicted(draft: Draft) -> list[str]:
    """The reverse zones that 3RC will make of the networks."""
    networks = {
        name: Network(prefix=each.prefix, prefix6=each.prefix6)
        for name, each in draft.networks.items()
    }
    if not networks:
        return []
    server = ServiceHost(name="a", address=IPv4Address("192.0.2.1"), roles=("dns",))
    site = Site(site="a", domain="a", networks=networks, service_hosts={"a": server})
    return [zone.name for zone in reverse_zones(site, Apex(site, (server,)))]


def _part_of(address: IPv4Address, zones: list[str]) -> str:
    """The zone of RFC 2317 that an address is in; empty without one."""
    parent = str(address.reverse_pointer).partition(".")[2]
    last = int(address) & 255
    for zone in zones:
        label, _, rest = zone.partition(".")
        first, _, end = label.partition("-")
        if rest == parent and int(first) <= last <= int(end or first):
            return zone
    return ""


def _contact(mailbox: str) -> str:
    """The mail address that an SOA record means; empty where site.yaml takes none such."""
    if not mailbox:
        return ""
    name = dns.name.from_text(mailbox)
    local = name.labels[0].decode("latin-1")
    text = f"{local}@{name.parent().to_text(omit_final_dot=True)}"
    try:
        return _MAILBOX.validate_python(text)
    except ValidationError:
        return ""
