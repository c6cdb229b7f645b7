"""What of a site is drawn."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from threerc.compiler.graph.fold import fold, ranges
from threerc.compiler.graph.picture import Card, Mirror, Picture, Pill, Plug, Wire
from threerc.compiler.model import (
    Host,
    Network,
    PhysicalHost,
    Role,
    Site,
    VirtualMachine,
    WorkerNode,
)

_KEEPERS: tuple[Role, ...] = ("controller", "collector")
"""The roles that keep a site alive, and are therefore marked."""
_UNREADABLE = re.compile(
    "[^\t\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u202a-\u202e\u2066-\u2069]"
)
_KINDS = {
    "service_hosts": "service hosts",
    "physical_hosts": "physical hosts",
    "virtual_machines": "virtual machines",
    "worker_nodes": "worker nodes",
}


def survey(site: Site) -> Picture:
    """The picture of a site."""
    minutes = _minutes(site)
    machines = dict.fromkeys(site.networks, 0)
    for host in site.hosts.values():
        for name in {site.network_of(each) for each in _addresses(site, host)}:
            if name is not None:
                machines[name] += 1
    wires = (Wire(name, _traits(net), machines[name]) for name, net in site.networks.items())
    return Picture(
        title=f"{site.site} ({site.domain})",
        description=_readable(site.description),
        summary=_summary(site),
        wires=tuple(wires),
        services=tuple(_card(site, host, minutes) for host in site.service_hosts.values()),
        physical=_physical(site, minutes),
        workers=tuple(_folded(site, nodes, minutes) for nodes in fold(site)),
        mirrors=_mirrors(site),
    )


def _readable(text: str) -> str:
    """Text for people without what XML cannot say, and what turns the direction of writing."""
    return _UNREADABLE.sub("\ufffd", text)


def _summary(site: Site) -> str:
    counts = {words: len(getattr(site, kind)) for kind, words in _KINDS.items()}
    return ", ".join(
        f"{count:,} {words if count > 1 else words[:-1]}"
        for words, count in counts.items()
        if count
    )


def _traits(network: Network) -> tuple[str, ...]:
    found = [str(prefix) for prefix in (network.prefix, network.prefix6) if prefix]
    found += [f"VLAN {network.vlan}"] if network.vlan else []
    found += [f"gateway {each}" for each in (network.gateway, network.gateway6) if each]
    return (*found, "boots machines") if network.boot else tuple(found)


def _physical(site: Site, minutes: dict[str, str]) -> tuple[Card, ...]:
    inside: dict[str, list[Card]] = {}
    for vm in site.virtual_machines.values():
        inside.setdefault(vm.home, []).append(_card(site, vm, minutes))
    return tuple(
        _card(site, host, minutes)._replace(inside=tuple(inside.get(name, ())))
        for name, host in site.physical_hosts.items()
    )


def _card(site: Site, host: Host, minutes: dict[str, str]) -> Card:
    lines = [", ".join(filter(None, (host.os, host.middleware)))]
    if isinstance(host, PhysicalHost):
        lines.append(_capacity(host))
    return Card(
        host.name,
        tuple(_plugs(site, host)),
        _pills(host, minutes),
        tuple(filter(None, lines)),
        _readable(host.description),
        volumes=_volumes(site, host),
    )


def _volumes(site: Site, host: Host) -> tuple[str, ...]:
    """The mirrored volumes that a physical host holds, or that a VM's disk is on."""
    if isinstance(host, VirtualMachine):
        return (host.volume,) if host.volume else ()
    return tuple(
        f"{name}, {_size(volume.size)}"
        for name, volume in site.volumes.items()
        if host.name in volume.peers
    )


def _capacity(host: PhysicalHost | WorkerNode) -> str:
    cpus = f"{host.cpus} CPU{'s' if host.cpus > 1 else ''}" if host.cpus else ""
    return ", ".join(filter(None, (cpus, _size(host.memory) if host.memory else "")))


def _folded(site: Site, nodes: list[WorkerNode], minutes: dict[str, str]) -> Card:
    """One card for equal worker nodes."""
    first = nodes[0]
    card = _card(site, first, minutes)._replace(name=ranges([node.name for node in nodes]))
    spans: dict[str | None, list[IPv4Address | IPv6Address]] = {}
    for node in nodes:
        for address in _addresses(site, node):
            spans.setdefault(site.network_of(address), []).append(address)
    plugs = (Plug(network, _span(addresses)) for network, addresses in spans.items())
    traits = [*card.lines, _capacity(first)]
    if first.dual_boot:
        traits.append(f"dual boot: {', '.join(first.dual_boot.disks)}")
    notes = {node.description for node in nodes}
    return card._replace(
        plugs=tuple(plugs),
        lines=tuple(filter(None, traits)),
        note=card.note if len(notes) == 1 else "",
        number=len(nodes),
    )


def _span(addresses: list[IPv4Address | IPv6Address]) -> str:
    """First and last of the IPv4 addresses, or of the IPv6 ones if there are no others."""
    version = min(each.version for each in addresses)
    ordered = sorted((each for each in addresses if each.version == version), key=int)
    return str(ordered[0]) if len(ordered) == 1 else f"{ordered[0]} - {ordered[-1]}"


def _plugs(site: Site, host: Host) -> Iterator[Plug]:
    return (Plug(site.network_of(each), str(each)) for each in _addresses(site, host))


def _addresses(site: Site, host: Host) -> Iterator[IPv4Address | IPv6Address]:
    for _, interface in site.interfaces(host):
        yield from (each for each in (interface.address, interface.address6) if each)


def _pills(host: Host, minutes: dict[str, str]) -> tuple[Pill, ...]:
    """The roles, those that keep the site alive first."""
    roles = sorted(dict.fromkeys(host.roles), key=lambda role: role not in _KEEPERS)
    words = {"controller": minutes.get(host.name, "controller")}
    return tuple(Pill(words.get(role, role), role in _KEEPERS) for role in roles)


def _minutes(site: Site) -> dict[str, str]:
    """What is written at each controller."""
    return {
        name: f"controller, {word} minute{'s' if word != 'every' else ''}"
        for name, word in site.controller_minutes().items()
    }


def _mirrors(site: Site) -> tuple[Mirror, ...]:
    pairs: dict[tuple[str, str], list[tuple[str, str]]] = {}
    order = {name: position for position, name in enumerate(site.physical_hosts)}
    for name, volume in site.volumes.items():
        first, second = sorted(volume.peers, key=lambda peer: order.get(peer, len(order)))
        pairs.setdefault((first, second), []).append((name, _size(volume.size)))
    return tuple(Mirror(peers, tuple(volumes)) for peers, volumes in pairs.items())


def _size(size: int) -> str:
    """Bytes in the unit they were most likely given in: 16 GiB, 500 GB, 1.5 TiB."""
    forms = []
    for base, units in ((1024, ("KiB", "MiB", "GiB", "TiB")), (1000, ("kB", "MB", "GB", "TB"))):
        power = max((n for n in range(1, 5) if size >= base**n), default=1)
        forms.append(f"{size / base**power:.4g} {units[power - 1]}")
    return min(forms, key=len)
