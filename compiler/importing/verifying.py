"""The round trip: what a compiled site means, compared with what the files meant.

Both sides are read by the same readers. What is compared: MAC, address and name of each host that
DHCP knows, all settings that DHCP tells it, the networks' pools and what they tell, the DNS
records, the boot targets, hosts.def, the machines of libvirt and the volumes; each only as far as a
file of its kind was given.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from threerc.compiler.findings import Place
from threerc.compiler.importing.facts import (
    NOWHERE,
    Boot,
    Domain,
    Facts,
    Machine,
    Reservation,
    Settings,
    Sighting,
)
from threerc.compiler.importing.hosts import resolved, subnet_of, told_name
from threerc.compiler.importing.naming import Names, as_label, domain_of, is_reverse
from threerc.compiler.importing.networks import NEW_AUTHORITY, is_authoritative, joined
from threerc.compiler.importing.readers import dhcpd, drbd, kea, pxelinux, zone
from threerc.compiler.importing.told import told
from threerc.compiler.model import Site
from threerc.compiler.tree import Tree
from threerc.compiler.wording import counted

_ZONE = re.compile(r'zone "([^"]+)" \{[^}]*?file "([^"]+)"')
_SERVERS = {"etc/dhcp/dhcpd.conf": dhcpd.read, "etc/kea/kea-dhcp4.conf": kea.read}
_UNSAID = {"default-lease-time": "43200", "max-lease-time": "86400"}
"""What dhcpd goes by where its file says nothing."""
_NO_NEWS = {"option subnet-mask", "option host-name", "use-host-decl-names", "not"}
"""Settings that dhcpd tells hosts anyway, or that are told in words of their own."""
_NAMED = ("etc/bind/named.conf.local", "etc/named/named.conf.local")


class Difference(NamedTuple):
    """Something that is not as it was: `place` is where it stands in the files, if it does."""

    what: str
    place: Place | None = None


@dataclass
class Comparison:
    """How many things of each kind are the same (`host`, `of DHCP`), and what is not.

    `new` is what the compiled server says besides, with the number of hosts, or of pools, that it
    is said to, `own` what it says to all; `authority` that it is authoritative, and was not.
    `apart` is what was given and is not compared.
    """

    same: Counter[tuple[str, str]] = field(default_factory=Counter)
    new: Counter[tuple[str, str]] = field(default_factory=Counter)
    own: list[str] = field(default_factory=list)
    apart: list[str] = field(default_factory=list)
    authority: bool = False
    differences: list[Difference] = field(default_factory=list)

    def count(self, thing: str, where: str = "") -> None:
        """One more thing that is the same."""
        self.same[thing, where] += 1

    def differ(self, what: str, place: Place | None = None) -> None:
        """One thing that is not the same."""
        self.differences.append(Difference(what, place))


def read_tree(site: Site, tree: Tree) -> Facts:
    """What a compiled tree means."""
    facts = Facts()
    with TemporaryDirectory(prefix="3rc-import-") as name:
        folder = Path(name)
        _write(tree, folder)
        for host in site.with_role("dhcp")[:1]:
            for file, reader in _SERVERS.items():
                if (folder / host.name / file).is_file():
                    reader(folder / host.name / file, facts)
        for host in site.with_role("dns")[:1]:
            _zones(folder / host.name, facts)
        for host in site.with_role("tftp")[:1]:
            root = site.provisioning.tftp_root.lstrip("/")
            pxelinux.read(folder / host.name / root / "pxelinux.cfg", facts)
        for path in sorted(folder.glob("*/etc/drbd.d/*.res")):
            drbd.read(path, facts)
    facts.machines += _machines_of(site)
    facts.domains += _domains_of(site)
    facts.sightings += _sightings_of(site)
    return facts


def _machines_of(site: Site) -> Iterator[Machine]:
    """What hosts.def says of a site, also of one in which no host runs a controller yet."""
    for name, ph in site.physical_hosts.items():
        yield Machine("PH", name, NOWHERE, maxl=str(ph.maxl))
    for name, vm in site.virtual_machines.items():
        yield Machine("VM", name, NOWHERE, "", vm.inst, vm.os or "", vm.middleware or "")


def _domains_of(site: Site) -> Iterator[Domain]:
    """What libvirt is to know of each VM; a disk that is a volume by the volume's name."""
    for name, vm in site.virtual_machines.items():
        disk = vm.volume or str(vm.image or "")
        mac, kibibytes = vm.mac or "", vm.memory >> 10
        yield Domain(name, NOWHERE, kibibytes, vm.cpus, mac, vm.bridge, disk, vm.device)


def _sightings_of(site: Site) -> Iterator[Sighting]:
    """Names, addresses and MACs of all interfaces."""
    for host in site.hosts.values():
        aliases: tuple[str, ...] = host.aliases
        for name, each in site.interfaces(host):
            for address in (each.address, each.address6):
                if address is not None:
                    yield Sighting(name, address, each.mac, aliases, NOWHERE)
            aliases = ()


def _write(tree: Tree, folder: Path) -> None:
    for path, entry in tree.entries.items():
        if not re.search(r"/(?:bind|named|kea|pxelinux\.cfg|dhcp|drbd\.d)/", path):
            continue
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if entry.target is None:
            file.write_bytes(entry.content)
        else:
            file.symlink_to(entry.target)


def _zones(root: Path, facts: Facts) -> None:
    """The zones that named serves; of two views of one the first, which is the site's own."""
    configuration = next((root / n for n in _NAMED if (root / n).is_file()), None)
    text = configuration.read_text(encoding="utf-8") if configuration else ""
    for name, file in _ZONE.findall(text):
        if name not in facts.zones:
            zone.read(name, root / file.lstrip("/"), facts)


def compare(source: Facts, built: Facts) -> Comparison:
    """Compare the two."""
    found = Comparison()
    if source.dhcp:
        _Dhcp(source, built, found).run()
    if source.zones:
        _dns(source, built, found)
    _sightings(source, built, found)
    _machines(source, built, found)
    _domains(source, built, found)
    _volumes(source, built, found)
    return found


class _Dhcp:
    """Hosts by their MACs, their settings and boot targets, and the networks' pools."""

    def __init__(self, source: Facts, built: Facts, found: Comparison) -> None:
        self.source, self.built, self.found = source, built, found
        self.names = Names(source, domain_of(source))
        self.new_names = Names(built, domain_of(built))
        self.by_mac: dict[str, Reservation] = {}
        for each in built.reservations:
            self.by_mac.setdefault(each.mac, each)

    def run(self) -> None:
        """Compare all of it."""
        seen: set[str] = set()
        for old in self.source.reservations:
            self._host(old, repeated=old.mac in seen)
            seen.add(old.mac)
        sightings = {each.mac for each in self.source.sightings if each.mac}
        domains = {each.mac for each in self.source.domains}
        for mac in self.by_mac.keys() - seen - sightings - domains:
            self.found.differ(f"{mac} had no address of DHCP, and has one")
        self._pools()
        self.found.authority = is_authoritative(self.built) and not is_authoritative(self.source)
        self.found.own = sorted(self.built.own - self.source.own)

    def _host(self, old: Reservation, *, repeated: bool) -> None:
        new = self.by_mac.get(old.mac)
        addresses = {str(each) for each in resolved(old, self.names)}
        if new is None:
            where = ", ".join(sorted(addresses))
            self.found.differ(f"{old.mac} ({old.name}, {where}) has no address", old.place)
            return
        if addresses != set(new.addresses):
            was = ", ".join(sorted(addresses)) or "nothing"
            said = f"{old.mac} ({old.name}) has {', '.join(new.addresses)} instead of {was}"
            self.found.differ(said, old.place)
            return
        if repeated:
            return
        if not self._same_name(old, new):
            self.found.differ(f"{old.mac} is called {new.name} instead of {old.name}", old.place)
        else:
            self.found.count("host", "of DHCP: MAC, address and name")
        address = resolved(new, self.names)[0]
        before = {**subnet_of(self.source, address), **old.settings}
        after = {**subnet_of(self.built, address), **new.settings}
        if self._settings(old.name, old.place, before, after):
            self.found.count("host", "of DHCP: all settings")
        self._news("host", before, after)
        if told_name(self.built, new) and not told_name(self.source, old):
            self.found.new["host", "a name (`use-host-decl-names on`)"] += 1
        if self.source.pxelinux is not None:
            self._boot(old, new)

    def _same_name(self, old: Reservation, new: Reservation) -> bool:
        told_before = told_name(self.source, old)
        name = told_name(self.built, new).lower()
        if told_before:
            return told_before.partition(".")[0].lower() == name
        known = {
            self.names.short(f) for a in resolved(old, self.names) for f in self.names.names[a]
        }
        return name in {as_label(old.name.partition(".")[0]).lower(), *map(str.lower, known)}

    def _settings(self, who: str, place: Place, before: Settings, after: Settings) -> bool:
        """Whether somebody is told all that was told before."""
        same = True
        for key, value in before.items():
            if key in {"use-host-decl-names", "option host-name"}:
                continue
            if self._spelled(value) != self._spelled(after.get(key, "")):
                is_now = after.get(key) or "nothing"
                self.found.differ(f"{who} is told `{key} {is_now}` instead of `{value}`", place)
                same = False
        return same

    def _news(self, kind: str, before: Settings, after: Settings) -> None:
        """What hosts, or pools, are told that they were not told before."""
        for key in sorted(after.keys() - before.keys() - _NO_NEWS):
            if after[key] != _UNSAID.get(key):
                self.found.new[kind, f"`{key} {after[key]}`"] += 1

    def _spelled(self, value: str) -> list[str]:
        """Values with servers by their addresses."""
        parts = [each.strip() for each in value.split(",")]
        return [self._address(each) if each[:1].isalpha() else each for each in parts]

    def _address(self, name: str) -> str:
        found = self.names.addresses(name)
        return str(found[0]) if found else name

    def _boot(self, old: Reservation, new: Reservation) -> None:
        address = resolved(new, self.names)[0]
        before = pxelinux.file_of(self.source.boot_files, old.mac, address)
        after = pxelinux.file_of(self.built.boot_files, old.mac, address)
        if before is None:
            return
        if after is None or _spelled_boot(before.boot) != _spelled_boot(after.boot):
            is_now = after.boot if after else "nothing"
            said = f"{old.name} boots `{is_now}` instead of `{before.boot}`"
            self.found.differ(said, before.place)
        else:
            self.found.count("boot target")

    def _pools(self) -> None:
        before, after = _pools_of(self.source), _pools_of(self.built)
        for ends in sorted({*before, *after}):
            pool = f"the pool {IPv4Address(ends[0])}-{IPv4Address(ends[1])}"
            if ends not in after:
                self.found.differ(f"{pool} is gone, or not the same", before[ends])
            elif ends not in before:
                self.found.differ(f"{pool} is new")
            else:
                self._pool(pool, before[ends], IPv4Address(ends[0]))

    def _pool(self, pool: str, place: Place, first: IPv4Address) -> None:
        """Machines that no host entry knows are told what their network says."""
        before, after = subnet_of(self.source, first), subnet_of(self.built, first)
        self.found.count("pool")
        if self._settings(f"a machine of {pool}", place, before, after):
            self.found.count("pool", "in all settings")
        self._news("pool", before, after)


def _pools_of(facts: Facts) -> dict[tuple[int, int], Place]:
    """The pools of all subnets, by their first and last address."""
    found = (pool for subnet in facts.subnets for pool in joined(subnet.pools))
    return {(first, last): place for first, last, place in found}


def _spelled_boot(boot: Boot) -> tuple[str, ...]:
    files = (boot.kernel.lstrip("./"), boot.initrd.lstrip("./"))
    return boot.kind, *files, *sorted(boot.arguments)


def _dns(source: Facts, built: Facts, found: Comparison) -> None:
    """All records of the zones that were given, with their TTLs."""
    before, after = told(source.zones.values()), told(built.zones.values())
    zones = tuple(source.zones)
    found.apart.append("SOA records and the cuts between reverse zones, which 3RC writes itself")
    for key, old in before.items():
        new = after.get(key)
        if new is not None and new.ttl == old.ttl:
            found.count("DNS record")
        elif new is not None:
            what = f"{_shown(key)} has the TTL {new.ttl} instead of {old.ttl}"
            found.differ(what, old.place)
        elif not _is_cut(key, built):
            found.differ(f"{_shown(key)} is missing", old.place)
    for key in after.keys() - before.keys():
        owner = key[0].rstrip(".")
        inside = any(owner == each or owner.endswith(f".{each}") for each in zones)
        if inside and not _is_cut(key, source):
            found.differ(f"{_shown(key)} is new")


def _is_cut(key: tuple[str, str, str], other: Facts) -> bool:
    """Whether it is a name server of a reverse zone that the other side cuts otherwise."""
    owner = key[0].rstrip(".")
    return key[1] == "NS" and is_reverse(owner) and owner not in other.zones


def _shown(key: tuple[str, str, str]) -> str:
    return " ".join(key)


def _sightings(source: Facts, built: Facts, found: Comparison) -> None:
    """The lines of /etc/hosts and /etc/ethers."""
    names = Names(source, domain_of(source))
    known = [
        (each.address, each.mac, name.lower())
        for each in built.sightings
        for name in (each.name, *each.aliases)
    ]
    by_address = {(address, name) for address, _, name in known}
    by_mac = {(mac, key) for address, mac, name in known for key in (address, name)}
    for each in source.sightings:
        short = names.short(names.full(each.name)).lower() if each.name else ""
        if each.mac:
            same = (each.mac, each.address or short) in by_mac
        else:
            same = (each.address, short) in by_address
        if same:
            found.count("line", "of hosts and ethers")
        else:
            whose = f"is not known to be that of {each.address or each.name}"
            said = (
                f"{each.mac} {whose}" if each.mac else f"{each.address} is not called {each.name}"
            )
            found.differ(said, each.place)


def _machines(source: Facts, built: Facts, found: Comparison) -> None:
    after = {_machine(each) for each in built.machines}
    for each in source.machines:
        if _machine(each) in after:
            found.count("line", "of hosts.def")
        else:
            found.differ(f"{each.kind} {each.name} is not the same in hosts.def", each.place)


def _machine(machine: Machine) -> tuple[str, ...]:
    maxl = f"{float(machine.maxl):g}" if machine.maxl else ""
    return machine.kind, machine.name, maxl, str(machine.inst), machine.system, machine.middleware


def _domains(source: Facts, built: Facts, found: Comparison) -> None:
    """CPUs, memory, bridge and disk of libvirt's machines."""
    volumes = {f"/dev/drbd{e.minor}": v.name for v in source.volumes for e in v.ends}
    volumes |= {f"/dev/drbd/by-res/{each.name}/0": each.name for each in source.volumes}
    known = {each.mac or each.name: each for each in built.domains}
    for old in source.domains:
        new = known.get(old.mac) or known.get(old.name)
        if new is None:
            found.differ(f"{old.name} is no virtual machine", old.place)
            continue
        pairs = (
            ("CPUs", old.cpus or 1, new.cpus),
            ("KiB of memory", old.memory, new.memory),
            ("as its bridge", old.bridge or new.bridge, new.bridge),
            ("as its disk", volumes.get(old.disk, old.disk) or new.disk, new.disk),
        )
        other = [(what, was, now) for what, was, now in pairs if was != now]
        for what, was, now in other:
            found.differ(f"{old.name} has {now or 'nothing'} {what} instead of {was}", old.place)
        if not other:
            found.count("machine", "of libvirt: CPUs, memory, bridge and disk")


def _volumes(source: Facts, built: Facts, found: Comparison) -> None:
    after = {each.name: (sorted(each.ends), each.protocol or "C") for each in built.volumes}
    for each in source.volumes:
        if after.get(each.name) == (sorted(each.ends), each.protocol or "C"):
            found.count("file", "of DRBD volumes")
        else:
            found.differ(f"volume {each.name} is not the same", each.place)


def lines(found: Comparison, lost: int) -> Iterator[str]:
    """The comparison for people; `lost` things were told before."""
    for (thing, where), count in sorted(found.same.items()):
        yield f"same: {counted(count, thing)} {where}".rstrip()
    for each in found.differences:
        place = f"{each.place.file}:{each.place.line}: " if each.place else ""
        yield f"{place}{each.what}"
    if found.authority:
        yield f"new: {NEW_AUTHORITY}"
    for (kind, what), count in sorted(found.new.items()):
        who = counted(count, kind) if kind == "host" else f"machines of {counted(count, kind)}"
        yield f"new: {who} {'is' if who == '1 host' else 'are'} told {what}"
    yield from (f"new: all machines are told {each}" for each in found.own)
    count = len(found.differences)
    news = found.authority or found.new or found.own
    yield from (f"not compared: {each}" for each in found.apart)
    if lost:
        yield f"not compared: {counted(lost, 'thing')} that site.yaml does not say, listed above"
    if not count:
        yield "no differences" + (" but what is new, listed above" if news else "")
    else:
        yield counted(count, "difference")
