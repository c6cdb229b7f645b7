"""References of all else: of volumes, networks, middleware, cabling and recovery."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from ipaddress import ip_address, ip_network
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from threerc.compiler.model import KINDS
from threerc.compiler.rules.base import Facts, Problem, rule
from threerc.compiler.rules.references import not_a, unknown
from threerc.compiler.secrets import SecretMissing, password_hash


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


@rule(
    "root-password",
    reason="The installers get the hash of root's password; without it nobody could log in as "
    "it was meant.",
    hint="`openssl passwd -6` makes a hash: keep it in that file or variable, or leave "
    "`root_password` out",
)
def root_password(facts: Facts) -> Iterator[Problem]:
    """The secret of `root_password` can be read, and is a hash."""
    reference, folder = facts.site.root_password, facts.folder
    if reference is None or folder is None:
        return
    try:
        password_hash(reference, lambda name: (folder / name).read_bytes())
    except SecretMissing as error:
        yield Problem(("root_password", "env" if reference.env else "file"), str(error))


@rule(
    "time-zone-exists",
    reason="It becomes the time zone of installed machines, and installers know it by its name.",
    hint="take a name of the IANA time zone database (`timedatectl list-timezones`)",
)
def time_zone_exists(facts: Facts) -> Iterator[Problem]:
    """The time zone is one that the building machine knows, if it has zone data at all."""
    with suppress(ZoneInfoNotFoundError, ValueError, OSError):
        ZoneInfo(facts.site.timezone)
        return
    known = available_timezones()  # takes long: the whole database is looked through
    message = facts.unknown(facts.site.timezone, known, "time zone")
    if known and message is not None:
        yield Problem(("timezone",), message)


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
            yield from not_a(facts, path, peer, "physical_hosts")


@rule(
    "mirror-network",
    reason="A volume is mirrored by its peers' addresses on that network.",
    hint="declare it under `networks`, or correct the name",
)
def mirror_network(facts: Facts) -> Iterator[Problem]:
    """Every network that a volume is mirrored over is declared."""
    known = facts.site.networks
    for name, volume in facts.site.volumes.items():
        if volume.network is not None:
            path = ("volumes", name, "network")
            yield from unknown(facts, path, volume.network, known, "network")


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
            yield from unknown(facts, path, ups, known, "UPS circuit")


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
    needs=tuple(KINDS),
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
    """Whether it reads as an address, or a prefix without host bits; neither has a scope."""
    try:
        ip_network(text) if "/" in text else ip_address(text)
    except ValueError:
        return False
    return "%" not in text


RULES = (
    script_exists,
    root_password,
    time_zone_exists,
    peer_exists,
    mirror_network,
    volume_disk_peers,
    ups_exists,
    server_exists,
    mx_exists,
    controller_exists,
    client_exists,
)
