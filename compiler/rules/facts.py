"""What the rules look at: a site, and the tables that several rules share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from threerc.compiler.findings import Place
from threerc.compiler.model import Alike, Host, Interface, Site, VirtualMachine
from threerc.compiler.rules.plant import Plant

_MOST_SUGGESTIONS = 50
SINGULAR = {
    "physical_hosts": "a physical host",
    "virtual_machines": "a virtual machine",
    "worker_nodes": "a worker node",
    "service_hosts": "a service host",
}


def path_of(host: Host, *steps: str | int) -> tuple[Any, ...]:
    """The path of a host, or of one of its values."""
    return (host.kind, host.name, *steps)


def _never(_alike: Alike) -> bool:
    return False


class Seat(NamedTuple):
    """One interface of a host, with its name in the host's `interfaces` ("" is the host's own)."""

    host: Host
    name: str
    interface: Interface

    def path(self, *steps: str) -> tuple[Any, ...]:
        """The path of this interface, or of one of its values."""
        return (*path_of(self.host), *(("interfaces", self.name) if self.name else ()), *steps)

    def __str__(self) -> str:
        return f"{self.host.name}-{self.name}" if self.name else self.host.name


class Location(NamedTuple):
    """An address of the site: as a number, whose it is, and the network that it lies in."""

    bits: int
    version: int
    field: str
    seat: Seat
    network: str | None

    @property
    def path(self) -> tuple[Any, ...]:
        """The path of the address."""
        return self.seat.path(self.field)

    def __str__(self) -> str:
        return str(getattr(self.seat.interface, self.field))


@dataclass
class Facts:
    """A site and the tables that several rules share.

    `folder` is where its side files are. `lost` names what the reader has already found wrong and
    left out; without `complete` there are hosts whose names even the reader does not know. A
    reference to what was lost is no news. `locked` has the minor and port of each volume that
    site.lock keeps. `place` tells where a path of the model is written, and `of_range` which hosts
    are of a range.
    """

    site: Site
    folder: Path | None = None
    lost: frozenset[str] = frozenset()
    complete: bool = True
    locked: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    place: Callable[[tuple[Any, ...]], Place] | None = None
    of_range: Callable[[str], bool] = lambda _name: False
    _suggested: dict[tuple[str, int], str] = field(default_factory=dict)

    def where(self, path: tuple[Any, ...], other: tuple[Any, ...]) -> str:
        """The words for where the `other` path is, for who looks at `path`; none if unknown."""
        if self.place is None:
            return ""
        here, there = self.place(path), self.place(other)
        line = f"line {there.line}" if here.file == there.file else f"{there.file}:{there.line}"
        return f" ({line})" if here != there else ""

    def seats(self, unless: Callable[[Alike], bool] = _never) -> Iterator[Seat]:
        """All interfaces of all hosts, in the YAML's order; without those of nodes that are
        alike and of which something is true.
        """
        for part in self.site.parts:
            if isinstance(part, Alike) and unless(part):
                continue
            for host in self.site.each(part):
                yield Seat(host, "", host)
                for name, each in host.interfaces.items():
                    yield Seat(host, name, each)

    def locations(self, unless: Callable[[Alike], bool] = _never) -> Iterator[Location]:
        """All addresses of all hosts, as `seats` has the interfaces."""
        network_of = self.site.network_of
        for seat in self.seats(unless):
            address, address6 = seat.interface.address, seat.interface.address6
            if address is not None:
                yield Location(int(address), 4, "address", seat, network_of(address))
            if address6 is not None:
                yield Location(int(address6), 6, "address6", seat, network_of(address6))

    @cached_property
    def names(self) -> list[str]:
        """All names of all hosts, interfaces and aliases."""
        found = list(self.site.hosts)
        with_more = self.site.where(lambda host: host.interfaces)
        found += [f"{host.name}-{each}" for host in with_more for each in host.interfaces]
        named = self.site.where(lambda host: host.aliases)
        return [*found, *(alias for host in named for alias in host.aliases)]

    @cached_property
    def candidates(self) -> dict[str, tuple[str, ...]]:
        """The physical hosts that can run each VM: allowed, existing, and with its volume."""
        likes: dict[str, tuple[str, ...]] = {}
        found: dict[str, tuple[str, ...]] = {}
        hosts = self.site.physical_hosts
        for name, vm in self.site.virtual_machines.items():
            volume = self.site.volumes.get(vm.volume or "")
            if vm.allowed is None and volume is None and vm.home in hosts:
                like = hosts[vm.home].hypervisor
                if like not in likes:
                    likes[like] = self.site.allowed_hosts(vm)
                found[name] = likes[like]
            else:
                reach = hosts if volume is None else volume.peers
                allowed = self.site.allowed_hosts(vm)
                found[name] = tuple(each for each in allowed if each in hosts and each in reach)
        return found

    @cached_property
    def residents(self) -> dict[str, list[VirtualMachine]]:
        """The VMs at home on each physical host that has any."""
        found: dict[str, list[VirtualMachine]] = {}
        for vm in self.site.virtual_machines.values():
            if vm.home in self.site.physical_hosts:
                found.setdefault(vm.home, []).append(vm)
        return found

    @cached_property
    def disk_needs(self) -> dict[str, int]:
        """Bytes that local disks of VMs at home and volumes take on each physical host."""
        found = {name: sum(vm.local_disk for vm in vms) for name, vms in self.residents.items()}
        for volume in self.site.volumes.values():
            for peer in set(volume.peers):
                found[peer] = found.get(peer, 0) + volume.size
        return found

    @cached_property
    def plant(self) -> Plant:
        """What hangs on which switch, PDU and UPS circuit."""
        return Plant(self.site)

    @cached_property
    def aliases(self) -> dict[str, str]:
        """Whose alias each alias is."""
        named = self.site.where(lambda host: host.aliases)
        return {alias: host.name for host in named for alias in host.aliases}

    def unknown(self, name: str, known: Iterable[str], what: str) -> str | None:
        """The words for a name that is not among the known ones; None if it is or was lost."""
        if name in known or name in self.lost:
            return None
        return f"there is no {what} `{name}`{self._near(name, known)}"

    def not_a(self, name: str, section: str) -> str | None:
        """The words for a host that does not exist or is of another kind; None if it is right."""
        known: dict[str, Any] = getattr(self.site, section)
        if name in known or name in self.lost:
            return None
        other = self.site.hosts.get(name)
        if other is not None:
            return f"`{name}` is {SINGULAR[other.kind]}, not {SINGULAR[section]}"
        return self.no_host(name, SINGULAR[section].split(" ", 1)[1], known)

    def no_host(
        self, name: str, what: str = "host", known: Iterable[str] | None = None
    ) -> str | None:
        """The words for a name that no host has; None if one has, or may have had."""
        if not self.complete or name in self.site.hosts or name in self.lost:
            return None
        if name in self.aliases:
            return f"`{name}` is an alias of {self.aliases[name]}; references take the host's name"
        return f"there is no {what} `{name}`{self._near(name, known or self.site.hosts)}"

    def _near(self, name: str, known: Iterable[str]) -> str:
        """A close misspelling, as words; looked for a bounded number of times."""
        key = (name, id(known))
        if key not in self._suggested:
            if len(self._suggested) >= _MOST_SUGGESTIONS:
                return ""
            lower = {each.lower(): each for each in known}
            near = get_close_matches(name.lower(), lower, 1)
            self._suggested[key] = f", did you mean `{lower[near[0]]}`?" if near else ""
        return self._suggested[key]
