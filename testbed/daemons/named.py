"""BIND, and who is asked by the host itself."""

from __future__ import annotations

from threerc.compiler.model import Site
from threerc.testbed.parts import Daemon, Lay, Ready


def named() -> Daemon:
    """named, which gives up root for the user that Debian has for it."""
    return Daemon(
        "named",
        ("named", "-f", "-g", "-u", "bind", "-c", "/etc/bind/named.conf"),
        ready=Ready("udp", "53"),
        folders=(("/run/named", "bind", 0o755), ("/var/cache/bind", "bind", 0o755)),
        restart=True,
    )


def resolver(site: Site) -> Lay:
    """resolv.conf as DHCP would have it: the site's own servers."""
    servers = [host.address for host in site.with_role("dns") if host.address is not None]
    lines = [f"search {site.domain}", *(f"nameserver {address}" for address in servers)]
    return Lay("/etc/resolv.conf", "".join(f"{line}\n" for line in lines))
