"""The daemons that read the compiled files: what each is told when some of them change.

Source: dhcpd(8), kea-dhcp4(8), rndc(8), in.tftpd(8), gmond(1), gmetad(1), exportfs(8),
drbdadm(8), cron(8).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Final, Literal, NamedTuple

Verb = Literal["restart", "reload", "adjust"]
Said = Literal["start", "stop", Verb]


class Service(NamedTuple):
    """A daemon of a host, and what is to be done with it when one of its files changes.

    `restart` interrupts what it does, `reload` and `adjust` do not. `unit` is systemd's. Those that
    have a `program` are no daemons: the kernel is told, by it.
    """

    name: str
    verb: Verb
    unit: str
    program: tuple[str, ...] = ()


class Order(NamedTuple):
    """What a daemon is to do."""

    service: Service
    verb: Said

    def __str__(self) -> str:
        return f"{self.service.name} {self.verb}"


DHCPD: Final = Service("dhcpd", "restart", "isc-dhcp-server")
KEA4: Final = Service("kea-dhcp4", "restart", "kea-dhcp4-server")
KEA6: Final = Service("kea-dhcp6", "restart", "kea-dhcp6-server")
NAMED: Final = Service("named", "reload", "named")
GMOND: Final = Service("gmond", "restart", "ganglia-monitor")
GMETAD: Final = Service("gmetad", "restart", "gmetad")
DRBD: Final = Service("DRBD", "adjust", "drbd", ("drbdadm", "adjust", "all"))
EXPORTS: Final = Service("NFS exports", "reload", "nfs-server", ("exportfs", "-ra"))

BELOW: Final = "/etc/"
"""Where all files are that daemons are told of."""
_READERS: Final = tuple(
    (re.compile(BELOW + pattern), service)
    for pattern, service in (
        (r"dhcp/dhcpd6?\.conf$", DHCPD),
        (r"kea/kea-dhcp4\.conf$", KEA4),
        (r"kea/kea-dhcp6\.conf$", KEA6),
        (r"bind/", NAMED),
        (r"ganglia/gmond\.conf$", GMOND),
        (r"ganglia/gmetad\.conf$", GMETAD),
        (r"drbd\.d/", DRBD),
        (r"exports\.d/", EXPORTS),
    )
)
"""By the path on the host. All other files are read anew each time: by TFTP, HTTP, cron, ssh, and
the controllers, which cron begins anew every minute."""
SERVICES: Final = tuple(dict.fromkeys(service for _, service in _READERS))
"""All of them, in the order in which they are told: gmetad polls gmond."""


def reader(path: str) -> Service | None:
    """The daemon that has to be told of a file, by the file's path on its host."""
    if not path.startswith(BELOW):
        return None
    return next((service for pattern, service in _READERS if pattern.match(path)), None)


def orders(changed: Iterable[str], before: Collection[str], after: Collection[str]) -> list[Order]:
    """What the daemons of a host are to do when files change, in order.

    `before` and `after` are all files that are there. Those that stop come first: another one may
    take their place, and port.
    """
    concerned = {reader(path) for path in changed}
    if not any(concerned):
        return []
    had, fed = ({reader(path) for path in paths} for paths in (before, after))
    found = (_order(each, each in had, each in fed) for each in SERVICES if each in concerned)
    return sorted(filter(None, found), key=lambda order: order.verb != "stop")


def _order(service: Service, had: bool, fed: bool) -> Order | None:
    """What a service does that had files before, and is fed some after."""
    if service == DRBD and not fed:
        return None  # drbdadm fails where it has no resource; those that were up stay up
    if service.program:
        return Order(service, service.verb)
    started: Said = service.verb if had else "start"
    return Order(service, started if fed else "stop")
