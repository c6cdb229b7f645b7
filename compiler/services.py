"""The daemons that read the compiled files: how each of them takes new ones.

Source: dhcpd(8), kea-dhcp4(8), rndc(8), in.tftpd(8), gmond(1), gmetad(1), exportfs(8),
drbdadm(8), cron(8).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

Verb = Literal["restart", "reload", "adjust"]


class Service(NamedTuple):
    """A daemon of a host, and what is to be done with it when one of its files changes.

    `restart` interrupts what it does, `reload` and `adjust` do not. `unit` is systemd's.
    """

    name: str
    verb: Verb
    unit: str


DHCPD: Final = Service("dhcpd", "restart", "isc-dhcp-server")
KEA4: Final = Service("kea-dhcp4", "restart", "kea-dhcp4-server")
KEA6: Final = Service("kea-dhcp6", "restart", "kea-dhcp6-server")
NAMED: Final = Service("named", "reload", "named")
GMOND: Final = Service("gmond", "restart", "ganglia-monitor")
GMETAD: Final = Service("gmetad", "restart", "gmetad")
DRBD: Final = Service("DRBD", "adjust", "drbd")
EXPORTS: Final = Service("NFS exports", "reload", "nfs-server")

_READERS: Final = tuple(
    (re.compile(pattern), service)
    for pattern, service in (
        (r"/etc/dhcp/dhcpd6?\.conf$", DHCPD),
        (r"/etc/kea/kea-dhcp4\.conf$", KEA4),
        (r"/etc/kea/kea-dhcp6\.conf$", KEA6),
        (r"/etc/bind/", NAMED),
        (r"/etc/ganglia/gmond\.conf$", GMOND),
        (r"/etc/ganglia/gmetad\.conf$", GMETAD),
        (r"/etc/drbd\.d/", DRBD),
        (r"/etc/exports\.d/", EXPORTS),
    )
)
"""By the path on the host. All other files are read anew each time: by TFTP, HTTP, cron, ssh, and
the controllers, which cron begins anew every minute."""
SERVICES: Final = tuple(dict.fromkeys(service for _, service in _READERS))
"""All of them, in the order in which they are told: gmetad polls gmond."""


def reader(path: str) -> Service | None:
    """The daemon that has to be told of a file, by the file's path on its host."""
    return next((service for pattern, service in _READERS if pattern.match(path)), None)


def readers(paths: Iterable[str]) -> dict[str, set[Service]]:
    """The daemons that have to be told of changed files, by host; paths begin with the host."""
    found: dict[str, set[Service]] = {}
    for full in paths:
        host, slash, path = full.partition("/")
        service = reader(slash + path)
        if service is not None:
            found.setdefault(host, set()).add(service)
    return found
