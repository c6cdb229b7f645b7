"""From a site to the parts of its lab: bridges, capsules, machines of iron.

A switch is a bridge for each network. Between switches there is one cable of each network where
the site's cabling has an uplink, but never a ring: nothing here would keep frames from circling.
A host that names no switch is cabled to all of them; a card whose address is on no network of the
site, such as one to the outside, to none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_interface
from pathlib import Path
from typing import Final

import networkx as nx

from threerc.compiler.artefacts.drbd import volume_numbers
from threerc.compiler.model import Host, Site
from threerc.compiler.model.host import BareMetal, Interface, PhysicalHost
from threerc.compiler.tree import Output
from threerc.testbed.daemons import boards, daemons_of, drbd, files_of, router, watcher
from threerc.testbed.errors import TestbedError
from threerc.testbed.parts import (
    Bind,
    Bridge,
    CapsuleSpec,
    Card,
    LabSpec,
    MachineSpec,
    Store,
    Volume,
)
from threerc.testbed.supplies import Supplies

ROUTER: Final = "router"
BOARDS: Final = "boards"
INNER: Final = "br0"
_SWITCH: Final = "switch"
"""The one of a site whose cabling names none."""
_CARDS: Final = 64
_MIB: Final = 1 << 20
_STATE_MIB: Final = 16
"""Of the shared state, which some test fills up."""
_NODE_MIB: Final = 256
"""What a worker node of the testbed has at the most."""
Address = IPv4Address | IPv6Address


class Layout:
    """The parts of a site's lab; `volumes` are the numbers of its DRBD devices by name."""

    def __init__(self, site: Site, supplies: Supplies, volumes: dict[str, int]) -> None:
        self.site = site
        self.supplies = supplies
        self.volumes = volumes
        self.switches = _switches(site)

    def spec(self, nodes: Sequence[str] = ()) -> LabSpec:
        """All of it; `nodes` are the worker nodes that are wanted. Raises TestbedError."""
        _check_bridged(self.site)
        capsules = [*map(self._host, self._capsule_hosts()), *self._router(), *self._boards()]
        _check_names(capsules)
        return LabSpec(
            site=self.site.site,
            bridges=tuple(self._bridges()),
            capsules=tuple(capsules),
            machines=tuple(self._machine(name) for name in nodes),
            stores=(Store(self.supplies.state, _STATE_MIB),),
        )

    # -- cables

    def _bridges(self) -> Iterator[Bridge]:
        uplinks = _forest(self.site, self.switches)
        for network in self.site.networks:
            for switch in self.switches:
                reached = [self._bridge(network, there) for there in uplinks[switch]]
                yield Bridge(self._bridge(network, switch), network, switch, tuple(reached))

    def _bridge(self, network: str, switch: str) -> str:
        """A name that is short enough for the kernel, and says its place in the site."""
        return f"n{list(self.site.networks).index(network)}s{self.switches.index(switch)}"

    def _seat(self, address: Address, switches: Iterable[str]) -> tuple[str, ...]:
        bridges = self._plugged((address,), switches)
        if not bridges:
            raise TestbedError(f"{address} is on no network of {self.site.site}")
        return bridges

    def _plugged(self, addresses: Iterable[Address], switches: Iterable[str]) -> tuple[str, ...]:
        """The bridges of the first address's network; none, where the site has no such network."""
        for address in addresses:
            network = self.site.network_of(address)
            if network is not None:
                return tuple(self._bridge(network, each) for each in switches or self.switches)
        return ()

    # -- capsules

    def _capsule_hosts(self) -> list[Host]:
        return [*self.site.physical_hosts.values(), *self.site.service_hosts.values()]

    def _host(self, host: Host) -> CapsuleSpec:
        physical = isinstance(host, PhysicalHost)
        return CapsuleSpec(
            name=host.name,
            kind="physical" if physical else "service",
            cards=tuple(self._cards(host)),
            gateway=self._gateway(host),
            tree=self.supplies.tree / host.name,
            files=files_of(self.site, host, self.supplies),
            binds=tuple(self._binds(host)),
            volumes=tuple(self._volumes(host)),
            daemons=daemons_of(self.site, host, self.supplies),
        )

    def _cards(self, host: Host) -> Iterator[Card]:
        switches = host.switches if isinstance(host, BareMetal) else ()
        first = next(n for n in _device_names() if n not in host.interfaces)
        for name, each in [(first, host), *host.interfaces.items()]:
            addresses = self._addresses(each)
            if addresses:
                inner = INNER if each is host and isinstance(host, PhysicalHost) else None
                bridges = self._plugged([a.ip for a in addresses], switches)
                mac = each.mac or made_up_mac(addresses[0].ip)
                yield Card(name, mac, bridges, addresses, inner)

    def _addresses(self, each: Interface) -> tuple[IPv4Interface | IPv6Interface, ...]:
        given = [address for address in (each.address, each.address6) if address is not None]
        return tuple(self._with_length(address) for address in given)

    def _with_length(self, address: Address) -> IPv4Interface | IPv6Interface:
        name = self.site.network_of(address)
        network = self.site.networks[name] if name is not None else None
        prefix = network and (network.prefix if address.version == 4 else network.prefix6)
        return ip_interface(f"{address}/{prefix.prefixlen if prefix else address.max_prefixlen}")

    def _gateway(self, host: Host) -> str | None:
        """The way out of the first of its networks that has one."""
        for _, each in self.site.interfaces(host):
            network = self.site.network_of(each.address) if each.address else None
            gateway = self.site.networks[network].gateway if network else None
            if gateway is not None and gateway != each.address:
                return str(gateway)
        return None

    def _binds(self, host: Host) -> Iterator[Bind]:
        if "controller" in host.roles:
            yield Bind(self.supplies.state, self.site.recovery.state_directory)
        if "install" in host.roles:
            served = f"{self.site.provisioning.http_root}/images/{self.supplies.image}.tar.gz"
            yield Bind(self.supplies.archive, served, read_only=True)
        if isinstance(host, PhysicalHost):
            yield Bind(self.supplies.disks, self.site.provisioning.images)
            yield from watcher.binds(self.supplies)
            if any(host.name in volume.peers for volume in self.site.volumes.values()):
                yield Bind(self.supplies.volumes, drbd.ROLES)

    def _volumes(self, host: Host) -> Iterator[Volume]:
        """The mirrored volumes of a physical host, under the names that DRBD has for them."""
        for name, volume in self.site.volumes.items():
            if host.name in volume.peers:
                source = self.supplies.volumes / f"{name}.img"
                yield Volume(source, f"/dev/drbd{self.volumes[name]}", volume.size // _MIB)

    # -- what no host of the site is

    def _router(self) -> Iterator[CapsuleSpec]:
        """The gateways that are no host of the site, and router advertisements on each network."""
        taken = {
            each.address for host in self.site.hosts.values() for _, each in
            self.site.interfaces(host)
        }  # fmt: skip
        cards: list[Card] = []
        for network in self.site.networks.values():
            gateways = [g for g in (network.gateway, network.gateway6) if g and g not in taken]
            if gateways:
                addresses = tuple(self._with_length(each) for each in gateways)
                bridges = self._seat(gateways[0], ())
                mac = made_up_mac(gateways[0])
                cards.append(Card(f"eth{len(cards)}", mac, bridges, addresses))
        if cards:
            daemons = (router.radvd([card.name for card in cards]),)
            yield CapsuleSpec(ROUTER, "router", tuple(cards), daemons=daemons)

    def _boards(self) -> Iterator[CapsuleSpec]:
        """The management boards of all physical hosts, with a card for each."""
        powers = {n: h.power for n, h in self.site.physical_hosts.items() if h.power is not None}
        cards = [
            Card(
                f"eth{at}",
                made_up_mac(power.address),
                self._seat(power.address, ()),
                (self._with_length(power.address),),
            )
            for at, power in enumerate(powers.values())
            if power.address is not None
        ]
        if cards:
            daemons = tuple(boards.board(n, p, self.supplies) for n, p in powers.items())
            yield CapsuleSpec(
                BOARDS,
                "boards",
                tuple(cards),
                binds=(Bind(self.supplies.socket, boards.SOCKET),),
                daemons=daemons,
            )

    # -- machines of iron

    def _machine(self, name: str) -> MachineSpec:
        node = self.site.worker_nodes.get(name)
        if node is None:
            raise TestbedError(f"{self.site.site} has no worker node {name!r}")
        seats = self.site.boot_interfaces(node)
        if not seats:
            raise TestbedError(f"{name} boots from no network: it has no MAC address on one")
        count = len(node.dual_boot.disks) if node.dual_boot else 1
        return MachineSpec(
            name=name,
            mac=seats[0].mac,
            bridges=self._seat(seats[0].address, node.switches),
            memory=min((node.memory or _NODE_MIB * _MIB) // _MIB, _NODE_MIB),
            disks=tuple(node_disk(self.supplies, name, at) for at in range(count)),
            kvm=not self.supplies.no_kvm,
        )


def layout(site: Site, out: Output, supplies: Supplies, nodes: Sequence[str] = ()) -> LabSpec:
    """The lab of a site that was compiled with the lock of `out`. Raises TestbedError."""
    numbers = volume_numbers(site, out)
    return Layout(site, supplies, {n: each.minor for n, each in numbers.items()}).spec(nodes)


def node_disk(supplies: Supplies, name: str, number: int) -> Path:
    """The image of a worker node's disk."""
    return supplies.disks / f"{name}-{number + 1}.img"


def made_up_mac(address: Address) -> str:
    """A locally administered MAC for an interface that has none, from its address."""
    digits = f"{int(address) & 0xFFFFFFFF:08x}"
    return ":".join(["06", "03", *(digits[at : at + 2] for at in range(0, 8, 2))])


def _device_names() -> Iterator[str]:
    return (f"eth{number}" for number in range(_CARDS))


def _switches(site: Site) -> tuple[str, ...]:
    """All that are cabled or named, or one that stands for them."""
    named = [
        each
        for host in site.hosts.values()
        if isinstance(host, BareMetal)
        for each in host.switches
    ]
    return tuple(dict.fromkeys([*site.cabling.switches, *named])) or (_SWITCH,)


def _forest(site: Site, switches: Sequence[str]) -> dict[str, list[str]]:
    """The uplinks of each switch that close no ring."""
    cables: nx.Graph[str] = nx.Graph()
    cables.add_nodes_from(switches)
    found: dict[str, list[str]] = {switch: [] for switch in switches}
    for name, switch in site.cabling.switches.items():
        for there in switch.uplinks:
            if there in found and not nx.has_path(cables, name, there):
                cables.add_edge(name, there)
                found[name].append(there)
    return found


def _check_bridged(site: Site) -> None:
    """A VM has to be on the network of the physical hosts that it may run on."""
    for name, vm in site.virtual_machines.items():
        for each in site.allowed_hosts(vm):
            host = site.physical_hosts.get(each)
            if host is None or host.address is None or vm.address is None:
                continue
            if site.network_of(host.address) != site.network_of(vm.address):
                raise TestbedError(f"{name} is on another network than {each}, its physical host")


def _check_names(capsules: Sequence[CapsuleSpec]) -> None:
    names = [each.name for each in capsules]
    for name in (ROUTER, BOARDS):
        if names.count(name) > 1:
            raise TestbedError(f"a host is called {name}, as a part of the testbed itself")
