"""Kea, in the place of ISC dhcpd."""

from __future__ import annotations

from threerc.testbed.parts import Daemon, Ready

_FOLDERS = ("/run/kea", "/run/lock/kea", "/var/lib/kea")
"""Where it keeps its process id, its lock and its leases; systemd makes them elsewhere."""


def kea() -> Daemon:
    """kea-dhcp4, called as faults know a site's DHCP server; its leases outlive it."""
    return Daemon(
        "dhcpd",
        ("kea-dhcp4", "-c", "/etc/kea/kea-dhcp4.conf"),
        ready=Ready("udp", "67"),
        start=(("mkdir", "-p", *_FOLDERS),),
        restart=True,
    )
