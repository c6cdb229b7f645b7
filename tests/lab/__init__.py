"""A network of real daemons and virtual machines inside one network namespace.

    with (
        namespace(work, "192.168.1.2/24") as net,
        dhcpd(net, config),
        tftpd(net, root),
        router_advertisements(net),
        machine(net, mac="52:54:00:00:00:01", disks=[disk]) as host,
    ):
        host.wait_for("login:", seconds=60)

All of it needs root and the programs of `PACKAGES`. Whatever was started is ended in reverse
order, and dies with the process that started it. Every log lies in `work`.
"""

import os

import pytest

from tests.lab.client import Client, client
from tests.lab.daemons import dhcpd, dhcpd6, kea, router_advertisements, tftpd
from tests.lab.machine import Machine, machine
from tests.lab.namespace import Namespace, namespace
from tests.lab.process import PACKAGES, LabError

__all__ = [
    "PACKAGES",
    "Client",
    "LabError",
    "Machine",
    "Namespace",
    "client",
    "dhcpd",
    "dhcpd6",
    "kea",
    "machine",
    "namespace",
    "requires_real",
    "router_advertisements",
    "tftpd",
]


def requires_real() -> pytest.MarkDecorator:
    """Mark tests that run real programs: a missing one fails them, unless they are switched off."""
    return pytest.mark.skipif(
        bool(os.environ.get("THREERC_SKIP_REAL")),
        reason="THREERC_SKIP_REAL is set",
    )
