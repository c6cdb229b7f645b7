"""Hosts: of DHCP's reservations, of names in DNS and /etc/hosts, of hosts.def and of libvirt."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from threerc.compiler.findings import Place
from threerc.compiler.importing.draft import Draft, DraftHost, Seat
from threerc.compiler.importing.facts import (
    NOWHERE,
    Address,
    Domain,
    Facts,
    Machine,
    Reservation,
    Settings,
    Sighting,
)
from threerc.compiler.importing.naming import Names, as_label, is_label, is_reverse
from threerc.compiler.importing.networks import BOOT_FILE, effective, statement

_INTERFACE = re.compile(r"(.+)-((?:eth|eno|ens|enp|em|ib|bond|br|wlan)[a-z0-9]{0,8}[0-9])")
_MAC = re.compile(r"[0-9a-f][02468ace](?::[0-9a-f]{2}){5}")
_MAXL = 10
"""What a physical host's load may be at most, where nothing is said."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]+")


def subnet_of(facts: Facts, address: IPv4Address | None) -> Settings:
    """What dhcpd tells the hosts of an address's subnet before they say anything themselves."""
    found = next((s for s in facts.subnets if address is not None and address in s.prefix), None)
    return facts.settings if found is None else {**facts.settings, **found.settings}


def told_name(facts: Facts, found: Reservation) -> str:
    """The name that a DHCP server tells a host, or nothing."""
    settings = {**subnet_of(facts, _literal(found)), **found.settings}
    if "option host-name" in settings:
        return settings["option host-name"].strip('"')
    return found.name if settings.get("use-host-decl-names") in {"on", "true"} else ""


def _literal(found: Reservation) -> IPv4Address | None:
    try:
        return IPv4Address(found.addresses[0])
    except ValueError:
        return None


def resolved(found: Reservation, names: Names) -> list[IPv4Address]:
    """The IPv4 addresses of a reservation, those of names in DNS among them."""
    addresses: list[IPv4Address] = []
    for text in found.addresses:
        try:
            addresses.append(IPv4Address(text))
        except ValueError:
            addresses += names.addresses(text)
    return addresses


class Hosts:
    """Adds hosts to a draft, each name, address and MAC once."""

    def __init__(self, draft: Draft, names: Names) -> None:
        self.draft = draft
        self.names = names
        self.by_address: dict[Address, DraftHost] = {}
        self.by_mac: dict[str, DraftHost] = {}
        self._taken: dict[str, DraftHost] = {}

    def add(self, name: str, place: Place, **keys: Any) -> DraftHost:
        """A new host; a name that is taken gets a number."""
        base, number = name, 1
        while name.lower() in self._taken:
            number += 1
            name = f"{base[:58]}-{number}"
        host = DraftHost(name=name, place=place, **keys)
        self.draft.hosts[name] = self._taken[name.lower()] = host
        for address in host.addresses:
            self.by_address[address] = host
        if host.mac:
            self.by_mac[host.mac] = host
        return host

    def named(self, name: str) -> DraftHost | None:
        """The host of a name, whatever its case and domain."""
        return self._taken.get(name.partition(".")[0].lower())

    def _lose(self, place: Place, reason: str, text: str = "") -> None:
        self.draft.facts.lose(place, reason, text)

    # Reservations

    def reservations(self) -> None:
        """A host for each reservation of a DHCP server."""
        for found in self.draft.facts.reservations:
            self._reservation(found)

    def _reservation(self, found: Reservation) -> None:
        text = f"{found.name} {found.mac} {', '.join(found.addresses)}"
        addresses = resolved(found, self.names)
        address = next((a for a in addresses if self.draft.network_of(a)), None)
        if address is None:
            known = "lies in no subnet" if addresses else "is not known"
            reason = f"the fixed address of {found.name} {known}: the host is left out"
            self._lose(found.place, reason, text)
            return
        if reason := self._taken_by(found, address):
            if reason != "same":
                self._lose(found.place, reason, text)
            return
        for other in addresses:
            if other != address:
                reason = f"an interface of site.yaml has one address: {other} is left out"
                self._lose(found.place, reason, text)
        told = told_name(self.draft.facts, found)
        name = self._name_of(found, address, told)
        about = _CONTROL.sub(" ", found.comment)[:255]
        host = self.add(name, found.place, address=address, mac=found.mac, description=about)
        in_dns = self.names.full(name) in self.names.names.get(address, ())
        wanted = name if in_dns and not told else (told or found.name).partition(".")[0]
        if host.name.lower() != wanted.lower():
            reason = f"{told or found.name} is called {host.name}: its name is taken, or is none"
            self._lose(found.place, reason)
        host.dhcp = self._statements(found, host)

    def _taken_by(self, found: Reservation, address: IPv4Address) -> str:
        """Why a reservation cannot be a host; `same` where it is one already."""
        network = self.draft.network_of(address)
        other, same = self.by_address.get(address), self.by_mac.get(found.mac)
        if other is not None and other is same:
            return "same"
        if other is not None:
            return f"{address} is also that of {other.name}, whose MAC is {other.mac}"
        if same is not None:
            return f"{found.mac} is also that of {same.name}, at {same.address}"
        if not _MAC.fullmatch(found.mac):
            return f"{found.mac} is not the MAC of one interface"
        if network is not None and network.reserved(address):
            return f"{address} is the network's own, its broadcast or its gateway's"
        return ""

    def _name_of(self, found: Reservation, address: IPv4Address, told: str) -> str:
        """What is told to the host, or else its name in DNS, or else that of its declaration."""
        if told:
            return as_label(told.partition(".")[0])
        declared = found.name.partition(".")[0].lower()
        known = [self.names.short(full) for full in self.names.names.get(address, ())]
        known = [each for each in known if is_label(each)]
        pointed = {self.names.short(r.data) for r in self.names.pointers.get(address, ())}
        known.sort(key=lambda each: (each.lower() != declared, each not in pointed))
        free = [each for each in known if each.lower() not in self._taken]
        return free[0] if free else as_label(found.name.partition(".")[0])

    def _statements(self, found: Reservation, host: DraftHost) -> list[str]:
        """What a host's declaration says beyond its network's settings."""
        network = self.draft.network_of(host.address) if host.address else None
        known = effective(network)
        said: list[str] = []
        for key, value in found.settings.items():
            name = value.strip('"').partition(".")[0].lower()
            same = known.get(key) == value or key == "use-host-decl-names"
            if same or (key == "option host-name" and name == host.name.lower()):
                continue
            if network is not None and key == "filename" and "pxelinux" in value:
                network.boot = True
                if value == BOOT_FILE:
                    continue
            said += statement(self.draft, key, value, found.place)
        return said

    # Names without a reservation

    def named_addresses(self) -> None:
        """A host for each name of the domain that stands for one address, and that for it."""
        facts = self.draft.facts
        reverse = any(is_reverse(zone) for zone in facts.zones)
        for address, known in self.names.names.items():
            if address.version == 4 and address not in self.by_address:
                self._named(address, known, reverse)
        for sighting in facts.sightings:
            if sighting.mac:
                self._ethers(sighting)

    def _named(self, address: Address, known: list[str], reverse: bool) -> None:
        network = self.draft.network_of(address)
        if network is None or network.reserved(address) or self._in_pool(address):
            return
        for full in known:
            name = self.names.short(full)
            alone = [a for a in self.names.addresses_of(full) if a.version == address.version]
            records = self.names.pointers.get(address, [])
            pointed = [each.data.lower() for each in records] == [full]
            if not is_label(name) or alone != [address] or (reverse and not pointed):
                continue
            if name.lower() in self._taken:
                continue
            found = self.names.forward.get(full)
            place = found[0].place if found else NOWHERE
            about = _CONTROL.sub(" ", found[0].comment if found else "")[:255]
            self.add(name, place, address=address, description=about)
            return

    def further_names(self) -> None:
        """The aliases of /etc/hosts, where no zone says which there are."""
        for sighting in self.draft.facts.sightings:
            host = self.by_address.get(sighting.address) if sighting.address else None
            for name in (each.partition(".")[0] for each in sighting.aliases):
                known = self.named(name)
                if host is None or known is host or name in host.aliases:
                    continue
                if self.draft.facts.zones or known is not None or not is_label(name):
                    self._lose(sighting.place, f"{host.name} is not called {name} as well")
                    continue
                host.aliases.append(name)
                self._taken[name.lower()] = host

    def _in_pool(self, address: Address) -> bool:
        network = self.draft.network_of(address)
        pool = network.pool if network else None
        return pool is not None and int(pool[0]) <= int(address) <= int(pool[1])

    def _ethers(self, sighting: Sighting) -> None:
        """A MAC for the host that an ethers(5) names, by its name or address."""
        if sighting.mac in self.by_mac:
            return
        host = self.by_address.get(sighting.address) if sighting.address else None
        host = host or (self.named(sighting.name) if sighting.name else None)
        text = f"{sighting.mac} {sighting.address or sighting.name}"
        if host is None or host.mac is not None or not _MAC.fullmatch(sighting.mac or ""):
            self._lose(sighting.place, "no host without a MAC is called so", text)
            return
        host.mac = sighting.mac
        self.by_mac[host.mac or ""] = host

    def second_addresses(self) -> None:
        """The IPv6 address of each host, if it has one that is its own; hosts of IPv6 alone."""
        reverse = any(zone.endswith("ip6.arpa") for zone in self.draft.facts.zones)
        for address, known in self.names.names.items():
            if not isinstance(address, IPv6Address) or address in self.by_address:
                continue
            network = self.draft.network_of(address)
            if network is None or network.reserved(address):
                continue
            for full in known:
                same = [a for a in self.names.addresses_of(full) if a.version == 6]
                pointed = [r.data.lower() for r in self.names.pointers.get(address, ())] == [full]
                if same == [address] and (pointed or not reverse):
                    self._second(address, full)
                    break

    def _second(self, address: IPv6Address, full: str) -> None:
        name = self.names.short(full)
        host = self._taken.get(name.lower()) if name else None
        if host is None:
            others = [a for a in self.names.addresses_of(full) if a.version == 4]
            if is_label(name) and not others:
                place = self.names.forward[full][0].place if full in self.names.forward else None
                self.add(name, place or NOWHERE, address6=address)
            return
        if host.address6 is None and self.names.addresses_of(full)[0] == host.address:
            host.address6 = address
            self.by_address[address] = host

    # Kinds

    def machines(self) -> None:
        """Which hosts are physical hosts and virtual machines, by hosts.def, DRBD and libvirt."""
        facts = self.draft.facts
        for machine in facts.machines:
            self._machine(machine)
        for end in (end for volume in facts.volumes for end in volume.ends):
            if host := self.named(end.host):
                host.section = "physical_hosts"
        for domain in facts.domains:
            self._domain(domain)
        self._homes()

    def _machine(self, machine: Machine) -> None:
        host = self.named(machine.name)
        if host is None:
            self._lose(machine.place, f"no file knows an address of {machine.name}")
        elif machine.kind == "PH":
            host.section = "physical_hosts"
            if _number(machine.maxl) != _MAXL:
                host.more["maxl"] = _number(machine.maxl)
        else:
            host.section = "virtual_machines"
            host.os, host.middleware = machine.system, machine.middleware
            if machine.inst:
                host.more["inst"] = machine.inst

    def _domain(self, domain: Domain) -> None:
        host = self.by_mac.get(domain.mac) or self.named(domain.name)
        if host is None:
            self._lose(domain.place, f"no file knows an address of {domain.name}")
            return
        if host.mac is None and _MAC.fullmatch(domain.mac):
            host.mac = domain.mac
        host.section = "virtual_machines"
        host.more |= {"cpus": domain.cpus or 1, "memory": _size(domain.memory)}
        host.more |= {"bridge": domain.bridge or "br0", "device": domain.device or "sda"}
        self._disk(host, domain.disk, domain.place)

    def _disk(self, host: DraftHost, disk: str, place: Place) -> None:
        """Its disk: a mirrored volume, or an image."""
        for volume in self.draft.facts.volumes:
            minors = {f"/dev/drbd{end.minor}" for end in volume.ends}
            if disk in {*minors, f"/dev/drbd/by-res/{volume.name}/0"}:
                host.more["volume"] = volume.name
                return
        if re.fullmatch(r"(?:/[A-Za-z0-9_+@][A-Za-z0-9._+@-]*)+", disk):
            host.more["image"] = disk
        elif disk:
            self._lose(place, "no path that site.yaml takes", disk)

    def _homes(self) -> None:
        """Where each VM runs: where it ran last, or on some physical host."""
        hosts = self.draft.hosts
        guessed: list[DraftHost] = []
        physical = [n for n, host in hosts.items() if host.section == "physical_hosts"]
        for name, host in hosts.items():
            if host.section != "virtual_machines":
                continue
            home = self.named(self.draft.facts.homes.get(name, "-"))
            volume = next(
                (v for v in self.draft.facts.volumes if v.name == host.more.get("volume")), None
            )
            peers = [h.name for e in (volume.ends if volume else ()) if (h := self.named(e.host))]
            if home is not None and home.name in physical:
                host.more["home"] = home.name
            elif peers or physical:
                host.more["home"] = [*peers, *physical][0]
                guessed.append(host)
            else:
                self._lose(host.place, f"{name} is a VM, and no file names a physical host")
                host.section = "worker_nodes"
                host.more.clear()
        if guessed:
            who = ", ".join(f"{host.name} ({host.more['home']})" for host in guessed)
            self._lose(guessed[0].place, f"no file says where these VMs run, their home is: {who}")

    # Interfaces

    def interfaces(self) -> None:
        """Hosts such as `bibe-eth1` become interfaces of `bibe`."""
        for name, seat in list(self.draft.hosts.items()):
            match = _INTERFACE.fullmatch(name)
            host = self._taken.get(match[1].lower()) if match else None
            plain = not (seat.roles or seat.more or seat.description or seat.aliases)
            if match is None or host is None or not plain or host is seat:
                continue
            host.interfaces[match[2]] = Seat(
                seat.address, seat.address6, seat.mac, seat.dns, seat.dhcp
            )
            del self.draft.hosts[name]
            for address in seat.addresses:
                self.by_address[address] = host


def _number(text: str) -> float | int:
    try:
        found = float(text)
    except ValueError:
        return _MAXL
    return int(found) if found.is_integer() else found


def _size(kibibytes: int) -> str:
    """A size with the largest unit that keeps it whole."""
    for unit, factor in (("GiB", 1 << 20), ("MiB", 1 << 10)):
        if kibibytes and kibibytes % factor == 0:
            return f"{kibibytes // factor}{unit}"
    return f"{max(kibibytes, 1)}KiB"
