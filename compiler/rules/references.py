"""References: whatever a value names exists, and is of the kind that is meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

from threerc.compiler.model.host import BareMetal
from threerc.compiler.rules.base import Facts, Problem, path_of, rule


@rule(
    "os-exists",
    reason="A host is installed by its OS profile, and HINFO names it.",
    hint="declare it under `os_profiles`, or correct the name",
)
def os_exists(facts: Facts) -> Iterator[Problem]:
    """Every host's OS profile is declared."""
    known = facts.site.os_profiles
    for host in facts.site.hosts.values():
        if host.os is not None and host.os not in known:
            yield from _unknown(facts, path_of(host, "os"), host.os, known, "OS profile")


@rule(
    "middleware-exists",
    reason="The post-install looks a host's middleware up by its name and runs its scripts.",
    hint="declare it under `middleware`, or correct the name",
)
def middleware_exists(facts: Facts) -> Iterator[Problem]:
    """Every middleware that a host has or another one requires is declared."""
    known = facts.site.middleware
    for host in facts.site.hosts.values():
        if host.middleware is not None and host.middleware not in known:
            path = path_of(host, "middleware")
            yield from _unknown(facts, path, host.middleware, known, "middleware")
    for name, middleware in known.items():
        for position, required in enumerate(middleware.requires):
            path = ("middleware", name, "requires", position)
            yield from _unknown(facts, path, required, known, "middleware")


def _unknown(
    facts: Facts, path: tuple[Any, ...], name: str, known: dict[str, Any], what: str
) -> Iterator[Problem]:
    message = facts.unknown(name, known, what)
    if message is not None:
        yield Problem(path, message)


def _not_a(facts: Facts, path: tuple[Any, ...], name: str, section: str) -> Iterator[Problem]:
    message = facts.not_a(name, section)
    if message is not None:
        yield Problem(path, message)


@rule(
    "home-exists",
    reason="A virtual machine runs on physical hosts only.",
    hint="name a host of `physical_hosts`",
)
def home_exists(facts: Facts) -> Iterator[Problem]:
    """Every VM's home is a physical host."""
    for vm in facts.site.virtual_machines.values():
        yield from _not_a(facts, path_of(vm, "home"), vm.home, "physical_hosts")


@rule(
    "allowed-exists",
    reason="A virtual machine runs on physical hosts only.",
    hint="name hosts of `physical_hosts`",
)
def allowed_exists(facts: Facts) -> Iterator[Problem]:
    """Every host that a VM is allowed on is a physical host."""
    for vm in facts.site.virtual_machines.values():
        for position, name in enumerate(vm.allowed or ()):
            path = path_of(vm, "allowed", position)
            yield from _not_a(facts, path, name, "physical_hosts")


@rule(
    "volume-exists",
    reason="A VM's disk is on its volume.",
    hint="declare it under `volumes`, or correct the name",
)
def volume_exists(facts: Facts) -> Iterator[Problem]:
    """Every VM's volume is declared."""
    known = facts.site.volumes
    for vm in facts.site.virtual_machines.values():
        if vm.volume is not None:
            yield from _unknown(facts, path_of(vm, "volume"), vm.volume, known, "volume")


@rule(
    "start-after-exists",
    reason="A VM that waits for one that never comes up is never started.",
    hint="name hosts of `virtual_machines`",
)
def start_after_exists(facts: Facts) -> Iterator[Problem]:
    """Every VM to wait for is a VM."""
    for vm in facts.site.virtual_machines.values():
        for position, name in enumerate(vm.start_after):
            path = path_of(vm, "start_after", position)
            yield from _not_a(facts, path, name, "virtual_machines")


@rule(
    "peer-exists",
    reason="DRBD mirrors between the disks of two physical hosts.",
    hint="name hosts of `physical_hosts`",
)
def peer_exists(facts: Facts) -> Iterator[Problem]:
    """Both peers of every volume are physical hosts."""
    for name, volume in facts.site.volumes.items():
        for position, peer in enumerate(volume.peers):
            path = ("volumes", name, "peers", position)
            yield from _not_a(facts, path, peer, "physical_hosts")


@rule(
    "volume-disk-peers",
    reason="Each peer of a volume has one backing disk.",
    hint="give `disk` one path for both peers, or one for each peer by its name",
)
def volume_disk_peers(facts: Facts) -> Iterator[Problem]:
    """A volume's `disk` names its two peers and nobody else."""
    for name, volume in facts.site.volumes.items():
        if isinstance(volume.disk, str):
            continue
        path = ("volumes", name, "disk")
        for peer in volume.disk:
            if peer not in volume.peers:
                yield Problem((*path, peer), f"`{peer}` is no peer of volume `{name}`", key=True)
        for peer in volume.peers:
            if peer not in volume.disk:
                message = f"volume `{name}` has no backing disk for its peer {peer}"
                yield Problem(path, message, key=True)


@rule(
    "switch-exists",
    reason="Cables end at switches of the site.",
    hint="declare it under `cabling.switches`, or correct the name",
)
def switch_exists(facts: Facts) -> Iterator[Problem]:
    """Every switch that a host or another switch is cabled to is declared."""
    known = facts.site.cabling.switches
    yield from _of_iron(facts, "switches", known, "switch")
    for name, switch in known.items():
        for position, other in enumerate(switch.uplinks):
            path = ("cabling", "switches", name, "uplinks", position)
            yield from _unknown(facts, path, other, known, "switch")


@rule(
    "pdu-exists",
    reason="Hosts and switches are fed by PDUs of the site.",
    hint="declare it under `cabling.pdus`, or correct the name",
)
def pdu_exists(facts: Facts) -> Iterator[Problem]:
    """Every PDU that feeds a host or switch is declared."""
    known = facts.site.cabling.pdus
    yield from _of_iron(facts, "pdus", known, "PDU")
    for name, switch in facts.site.cabling.switches.items():
        for position, pdu in enumerate(switch.pdus):
            path = ("cabling", "switches", name, "pdus", position)
            yield from _unknown(facts, path, pdu, known, "PDU")


def _of_iron(facts: Facts, field: str, known: dict[str, Any], what: str) -> Iterator[Problem]:
    """What hosts name in a list; hosts that inherit it share the list's names."""
    for host in facts.site.hosts.values():
        if isinstance(host, BareMetal):
            for position, name in enumerate(getattr(host, field)):
                if name not in known:
                    path = path_of(host, field, position)
                    yield from _unknown(facts, path, name, known, what)


@rule(
    "ups-exists",
    reason="PDUs are fed by UPS circuits of the site, or by the mains.",
    hint="declare it under `cabling.ups`, or correct the name",
)
def ups_exists(facts: Facts) -> Iterator[Problem]:
    """Every UPS circuit that feeds a PDU is declared."""
    known = facts.site.cabling.ups
    for name, pdu in facts.site.cabling.pdus.items():
        for position, ups in enumerate(pdu.ups):
            path = ("cabling", "pdus", name, "ups", position)
            yield from _unknown(facts, path, ups, known, "UPS circuit")


@rule(
    "server-exists",
    reason="A server that is given by name is told to hosts by its address.",
    hint="give an IP address, or the name of a host",
)
def server_exists(facts: Facts) -> Iterator[Problem]:
    """Every DNS and NTP server and trusted host given by name is a host of the site."""
    named: list[tuple[tuple[Any, ...], Sequence[Any]]] = [
        (("monitoring", "trusted"), facts.site.monitoring.trusted)
    ]
    for name, network in facts.site.networks.items():
        named += [
            (("networks", name, "dns"), network.dns),
            (("networks", name, "ntp"), network.ntp),
        ]
    for path, servers in named:
        for position, server in enumerate(servers):
            message = facts.no_host(server) if isinstance(server, str) else None
            if message is not None:
                yield Problem((*path, position), message)


@rule(
    "mx-exists",
    reason="Mail goes to an MX record's host by its address; the name must not be an alias "
    "(RFC 2181, 10.3).",
    hint="name a host of the site, or give a full name in another domain",
)
def mx_exists(facts: Facts) -> Iterator[Problem]:
    """Every mail exchanger inside the domain is a host of the site."""
    ending = f".{facts.site.domain.lower()}"
    for position, mx in enumerate(facts.site.dns.mx):
        name = mx.host
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
        elif "." in name:
            continue
        message = facts.no_host(name)
        if message is not None:
            yield Problem(("dns", "mx", position, "host"), message)


@rule(
    "controller-exists",
    reason="Minutes are given to hosts that run a controller.",
    hint="give the host the role `controller`, or take it out of `minutes`",
)
def controller_exists(facts: Facts) -> Iterator[Problem]:
    """Every host that has minutes is a controller."""
    controllers = {host.name for host in facts.site.with_role("controller")}
    for name in facts.site.recovery.minutes:
        path = ("recovery", "minutes", name)
        if name not in facts.site.hosts:
            message = facts.no_host(name)
            if message is not None:
                yield Problem(path, message, key=True)
        elif name not in controllers:
            yield Problem(path, f"{name} has not the role `controller`", key=True)


@rule(
    "client-exists",
    reason="A volume is exported to the addresses of networks and hosts.",
    hint="name a network or a host of the site, or give an address or a prefix",
)
def client_exists(facts: Facts) -> Iterator[Problem]:
    """Every NFS client is a network or host of the site, an address, or a prefix."""
    for name, volume in facts.site.volumes.items():
        for position, client in enumerate(volume.nfs.clients if volume.nfs else ()):
            if client in facts.site.networks or _is_address(client):
                continue
            message = facts.no_host(client, "network or host")
            if message is not None:
                yield Problem(("volumes", name, "nfs", "clients", position), message)


def _is_address(text: str) -> bool:
    """Whether it reads as an address, or a prefix without host bits."""
    try:
        ip_network(text) if "/" in text else ip_address(text)
    except ValueError:
        return False
    return True


@rule(
    "script-exists",
    reason="The install server serves a middleware's scripts; the build copies them.",
    hint="put the file there, or give a URL",
)
def script_exists(facts: Facts) -> Iterator[Problem]:
    """Every script that is not a URL is a file beside site.yaml."""
    for name, middleware in facts.site.middleware.items() if facts.folder else ():
        for position, script in enumerate(middleware.scripts):
            if "://" not in script and facts.folder and not (facts.folder / script).is_file():
                path = ("middleware", name, "scripts", position)
                yield Problem(path, f"there is no file `{script}` beside the site file")


RULES = (
    os_exists,
    middleware_exists,
    home_exists,
    allowed_exists,
    volume_exists,
    start_after_exists,
    peer_exists,
    volume_disk_peers,
    switch_exists,
    pdu_exists,
    ups_exists,
    server_exists,
    mx_exists,
    controller_exists,
    client_exists,
    script_exists,
)
