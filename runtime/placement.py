"""Which physical host a VM is started on. Pure.

Source: thesis 7.12.2: the same host if it is up and its load not above MAXL, else another one by
availability, load and number of VMs; if none qualifies the VM waits. Beyond the thesis: capacity,
disks within reach, anti-affinity, maintenance, and all VMs of a tick placed together, so that a
dead host's VMs spread evenly and a large one is not left out because small ones went first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, inf
from typing import Final, NamedTuple


@dataclass(slots=True)
class Host:
    """A physical host: what it can carry (None: no bound), and what is on it.

    `groups` are the anti-affinity groups of its VMs, with the VM's name. `why_not` is why it takes
    none at all (it is down, in maintenance), or empty.
    """

    name: str
    maxl: float = inf
    load: float | None = None
    cpus: int | None = None
    memory: int | None = None
    used_cpus: int = 0
    used_memory: int = 0
    vms: int = 0
    groups: dict[str, set[str]] = field(default_factory=dict)
    why_not: str = ""
    sent: int = 0

    def put(self, request: Request) -> None:
        """Count a VM as being here."""
        self._count(request, 1)
        if request.group:
            self.groups.setdefault(request.group, set()).add(request.vm)

    def take(self, request: Request) -> None:
        """Undo `put`."""
        self._count(request, -1)
        if request.group:
            self.groups[request.group].discard(request.vm)

    def _count(self, request: Request, sign: int) -> None:
        self.used_cpus += sign * request.cpus
        self.used_memory += sign * request.memory
        self.vms += sign
        self.sent += sign

    def refuses(self, request: Request) -> str:
        """Why a VM cannot be started here, or nothing."""
        if self.why_not:
            return self.why_not
        if self.load is not None and self.load > self.maxl:
            return f"load {self.load:.2f} above MAXL {self.maxl:g}"
        if self.cpus is not None and self.used_cpus + request.cpus > self.cpus:
            return f"{max(0, self.cpus - self.used_cpus)} CPUs left, {request.cpus} wanted"
        if self.memory is not None and self.used_memory + request.memory > self.memory:
            left = max(0, self.memory - self.used_memory)
            return f"{left >> 20} MiB of memory left, {request.memory >> 20} wanted"
        partners = self.groups.get(request.group or "", set()) - {request.vm}
        if partners:
            return f"{min(partners)} of the group {request.group} is there"
        return ""


@dataclass(frozen=True, slots=True)
class Request:
    """A VM to be started, counted on no host.

    `home` is the host that it was on, to be preferred. `avoid` are those on which it could not be
    started, the latest last: they are for when no other one can take it.
    """

    vm: str
    home: str
    allowed: Sequence[str]
    cpus: int = 1
    memory: int = 0
    group: str | None = None
    priority: int = 0
    avoid: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """The host for a VM, or None, and why each other one was refused."""

    host: str | None
    refused: Mapping[str, str]


def place(requests: Iterable[Request], hosts: Mapping[str, Host]) -> dict[str, Choice]:
    """Choose a host for each VM; `hosts` then count the VMs where they were sent."""
    wanted = list(requests)
    by_size = sorted(wanted, key=lambda r: (-r.memory, -r.cpus, len(r.allowed), r.vm))
    placer = _Placer(hosts, wanted)
    if not placer.run(by_size) and len({request.priority for request in wanted}) > 1:
        # Not all fit: then the important ones come first.
        placer.undo()
        placer.run(sorted(by_size, key=lambda request: -request.priority))
    return {request.vm: placer.choice(request) for request in wanted}


_AVOIDED: Final = "it could not be started there"


def _why_not(request: Request, host: Host) -> str:
    return host.refuses(request) or (_AVOIDED if host.name in request.avoid else "")


class _Even(NamedTuple):
    """Of the hosts that may take a VM: how many VMs each has, how many are sent to each at most.

    The mean is one too many, so that it is never 0.
    """

    mean: float
    share: int


def _burden(host: Host, even: _Even) -> tuple[bool, float, str]:
    """What a host carries already, to compare hosts by: VMs and load, each as a share."""
    load = (host.load or 0.0) / host.maxl if host.maxl else 0.0
    return (host.sent >= even.share, host.vms / even.mean + load, host.name)


class _Placer:
    def __init__(self, hosts: Mapping[str, Host], wanted: Sequence[Request]) -> None:
        self.hosts = hosts
        self.placed: dict[str, tuple[Request, Host]] = {}
        self.refusals: dict[str, dict[str, str]] = {}
        self.evens = self._evens(wanted)

    def _evens(self, wanted: Sequence[Request]) -> dict[int, _Even]:
        """What is even for each VM, by the identity of the object that says where it may go.

        Most VMs share one such object, or a large site would take long.
        """
        free = frozenset(name for name, host in self.hosts.items() if not host.why_not)
        sets = {id(request.allowed): free.intersection(request.allowed) for request in wanted}
        moving = Counter(sets[id(request.allowed)] for request in wanted if self._at_home(request))
        evens: dict[frozenset[str], _Even] = {}
        for names in set(sets.values()):
            count = max(1, len(names))
            mean = 1 + sum(self.hosts[name].vms for name in names) / count
            sent = sum(number for each, number in moving.items() if each <= names)
            evens[names] = _Even(mean, ceil(sent / count) + 1)
        return {key: evens[names] for key, names in sets.items()}

    def _at_home(self, request: Request) -> str:
        home = self.hosts.get(request.home)
        return _why_not(request, home) if home else "unknown"

    def run(self, order: Iterable[Request]) -> bool:
        """Place them in this order; False where one found no host."""
        left = [request for request in order if not self._put(request, self._best(request))]
        return sum(not self._make_room(request) for request in left) == 0

    def undo(self) -> None:
        """Take back what was placed."""
        for request, host in self.placed.values():
            host.take(request)
        self.placed.clear()
        self.refusals.clear()

    def choice(self, request: Request) -> Choice:
        """What came out for a VM."""
        placed = self.placed.get(request.vm)
        refused = self.refusals.get(request.vm, {})
        if placed is None:
            return Choice(None, refused)
        # While room was made for others this host, too, may have been refused for a moment.
        host = placed[1].name
        return Choice(host, {name: why for name, why in refused.items() if name != host})

    def _put(self, request: Request, host: Host | None) -> bool:
        if host is None:
            return False
        host.put(request)
        self.placed[request.vm] = (request, host)
        return True

    def _best(self, request: Request) -> Host | None:
        """The same host if it qualifies, else the one that keeps all most even.

        At worst one that was to be avoided, the least recent first: it may be able to by now.
        """
        refused: dict[str, str] = {}
        free: list[Host] = []
        for name in dict.fromkeys(filter(None, (request.home, *request.allowed))):
            host = self.hosts.get(name)
            why = _why_not(request, host) if host else "not a host of the site"
            if name not in request.allowed:
                why = why or "not allowed"
            if host is None or why:
                refused[name] = why
            elif name == request.home:
                free = [host]
                break
            else:
                free.append(host)
        self.refusals[request.vm] = refused
        if free:
            even = self.evens[id(request.allowed)]
            return min(free, key=lambda host: _burden(host, even))
        avoided = (name for name in request.avoid if name in request.allowed)
        return next((self.hosts[name] for name in avoided if refused[name] == _AVOIDED), None)

    def _make_room(self, request: Request) -> bool:
        """Place a VM by sending one placed before to another host."""
        for name in request.allowed:
            host = self.hosts.get(name)
            if host is None or host.why_not:
                continue
            for other, at in list(self.placed.values()):
                if at is host and self._swap(request, other, host):
                    return True
        return False

    def _swap(self, request: Request, other: Request, host: Host) -> bool:
        if request.priority < other.priority and other.home == host.name:
            return False
        host.take(other)
        if not host.refuses(request):
            host.put(request)
            elsewhere = self._best(other)
            if elsewhere is not None and elsewhere is not host:
                self._put(other, elsewhere)
                self.placed[request.vm] = (request, host)
                return True
            host.take(request)
        host.put(other)
        return False
