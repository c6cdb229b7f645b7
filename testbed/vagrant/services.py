"""Which of Debian's services a host runs, by what the site says of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from threerc.compiler.model import Host, Site
from threerc.compiler.model.host import PhysicalHost

GMOND: Final = "ganglia-monitor"
LIBVIRTD: Final = "libvirtd"
RADVD: Final = "radvd"
_DHCP: Final = {"dhcpd": "isc-dhcp-server", "kea": "kea-dhcp4-server"}
_OF_ROLES: Final = {"dns": "named", "tftp": "tftpd-hpa", "gmetad": "gmetad"}
ALL: Final = (
    *(*_OF_ROLES.values(), *_DHCP.values()),
    *(GMOND, LIBVIRTD, RADVD, "cron", "nfs-server"),
)
"""What a box has and does not start until a host is told what it is; cron never is: it would start
controllers, and 3RC is not on the machines."""


def services_of(site: Site, host: Host) -> tuple[str, ...]:
    """The services of a host, in the order in which they start."""
    return tuple(_services(site, host))


def _services(site: Site, host: Host) -> Iterator[str]:
    yield from (service for role, service in _OF_ROLES.items() if role in host.roles)
    if "dhcp" in host.roles:
        yield _DHCP[site.dhcp.server]
    if site.with_role("collector"):
        yield GMOND
    if isinstance(host, PhysicalHost):
        yield LIBVIRTD
