"""gmond: on every host of a site that has a collector."""

from __future__ import annotations

from threerc.compiler.artefacts.ganglia import GMOND_CONF
from threerc.compiler.model import Host, Site
from threerc.testbed.parts import Daemon, Ready


def gmond(site: Site, host: Host) -> Daemon:
    """gmond, in the foreground whatever its file says; only a collector's has a port."""
    collects = "collector" in host.roles
    return Daemon(
        "gmond",
        ("gmond", "--foreground", "--conf", GMOND_CONF),
        ready=Ready("tcp", str(site.monitoring.port)) if collects else None,
        restart=True,
    )
