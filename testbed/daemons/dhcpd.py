"""ISC dhcpd, on all networks that its dhcpd.conf knows."""

from __future__ import annotations

from threerc.testbed.parts import Daemon, Ready

_LEASES = "/var/lib/dhcp/dhcpd.leases"


def dhcpd() -> Daemon:
    """dhcpd; the leases that it has given outlive it."""
    return Daemon(
        "dhcpd",
        ("dhcpd", "-4", "-f", "-d", "--no-pid", "-cf", "/etc/dhcp/dhcpd.conf", "-lf", _LEASES),
        ready=Ready("udp", "67"),
        start=(("touch", _LEASES),),
        restart=True,
    )
