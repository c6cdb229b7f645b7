"""The daemons of a host, by what the site says of it: one file each.

They read what was compiled where it lies in the host's own file system, and are told no more than
an init system would tell them.
"""

from __future__ import annotations

from collections.abc import Iterator

from threerc.compiler.model import Host, Site
from threerc.compiler.model.host import PhysicalHost
from threerc.testbed.daemons import (
    controller,
    cron,
    dhcpd,
    drbd,
    gmetad,
    gmond,
    install_server,
    kea,
    libvirtd,
    named,
    program,
    sshd,
    tftpd,
    virtlogd,
    watcher,
)
from threerc.testbed.parts import Daemon, Lay
from threerc.testbed.supplies import Supplies


def daemons_of(site: Site, host: Host, supplies: Supplies) -> tuple[Daemon, ...]:
    """What runs on a physical host or service host, in the order in which it starts."""
    return tuple(_daemons(site, host, supplies))


def _daemons(site: Site, host: Host, supplies: Supplies) -> Iterator[Daemon]:
    yield sshd.sshd()
    if "dns" in host.roles:
        yield named.named()
    if "dhcp" in host.roles:
        yield kea.kea() if site.dhcp.server == "kea" else dhcpd.dhcpd()
    if "tftp" in host.roles:
        yield tftpd.tftpd(site)
    if "install" in host.roles:
        yield install_server.install_server(site, host, supplies)
    if site.with_role("collector"):
        yield gmond.gmond(site, host)
    if "gmetad" in host.roles:
        yield gmetad.gmetad()
    if isinstance(host, PhysicalHost):
        yield virtlogd.virtlogd()
        yield libvirtd.libvirtd(host.name)
        yield watcher.watcher(host.name, supplies)
    if "controller" in host.roles and supplies.profile == "fast":
        yield controller.controller(site, host, supplies)
    if cron.is_wanted(site, host, supplies):
        yield cron.cron(site, host, supplies)


def files_of(site: Site, host: Host, supplies: Supplies) -> tuple[Lay, ...]:
    """What the host has beside its compiled files: keys, the installer, names to look up."""
    found = [*sshd.files(site, host, supplies), named.resolver(site)]
    if {"controller", "tftp"} & set(host.roles):
        found.append(program.program(supplies))
    if "controller" in host.roles:
        found += controller.files(site, host, supplies)
    if "tftp" in host.roles:
        found += tftpd.files(site, supplies)
    if "install" in host.roles:
        found += install_server.files(site, supplies)
    if isinstance(host, PhysicalHost):
        found += drbd.files(site, host)
    return tuple(found)
