"""gmond.conf of collectors and senders, and gmetad.conf.

Collectors know the hosts by name without asking DNS: hosts with a folder say their own
(override_hostname), and the others, which share one file, are looked up in the collectors'
/etc/hosts, where the full name comes first. So are the collectors themselves: a gmond that listens
and has another name soon sends its heartbeats under none at all, and nobody takes them (seen with
gmond 3.7.2).

Ganglia speaks IPv4 here: gmetad knows nothing else, and the rules see to it that collectors do.

Source: thesis 7.10 and 8.6.1, gmond.conf(5), gmetad(1), and the parser of gmetad.conf (dotconf).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address
from itertools import chain
from typing import Any

from threerc.compiler.model import Host, Role, Site
from threerc.compiler.templating import render
from threerc.compiler.tree import Output

GMOND_CONF = "/etc/ganglia/gmond.conf"
GMETAD_CONF = "/etc/ganglia/gmetad.conf"
SERVED = "files/gmond.d"
"""Where the install servers have what installed hosts fetch, below their document root."""
MOST_ARGUMENTS = 15
"""What gmetad reads from one line; it takes further arguments for one."""

_READERS: tuple[Role, ...] = ("collector", "gmetad", "controller")
_TRIPLETS = {"i386": "i386-linux-gnu", "x86_64": "x86_64-linux-gnu", "aarch64": "aarch64-linux-gnu"}
_LONGEST = 255
"""Of the name of a folder, which gmetad makes of a cluster's."""
_NOT_CARRIED = re.compile(r"[^A-Za-z0-9 .,;:+=@#()'-]")


def compile_ganglia(site: Site, out: Output) -> None:
    """The files of all hosts, if the site has a collector.

    A gmond.conf of its own for each host with a folder; what installed hosts fetch below the
    document root of each host with the role `install`; gmetad.conf on each host with the role
    `gmetad`.
    """
    if not site.with_role("collector"):
        return
    values = _values(site)
    own: dict[str, str] = {}
    for host in site.folder_hosts:
        own[host.name] = render("ganglia_gmond", host=host, **_of_host(site, host), **values)
        out.file(host.name, GMOND_CONF, own[host.name], concerns=(host.name,))
    for server in site.with_role("install"):
        _served(site, out, server.name, own)
        _shared(site, out, server.name, values)
    for host in site.with_role("gmetad"):
        out.file(host.name, GMETAD_CONF, render("ganglia_gmetad", host=host, **values))


def _served(site: Site, out: Output, server: str, own: dict[str, str]) -> None:
    """The files of hosts with a folder that are installed, for the post-install hook, and a table
    of `<address> <file>`: with the file that the others share, a collector would be deaf.
    """
    installed = [site.hosts[name] for name in own if site.installs(site.hosts[name])]
    rows = sorted((each, host.name) for host in installed for each in _addresses(site, host))
    folder = f"{site.provisioning.http_root}/{SERVED}"
    out.file(server, f"{folder}/hosts", "".join(f"{address} {name}\n" for address, name in rows))
    for host in installed:
        out.file(server, f"{folder}/{host.name}.conf", own[host.name], concerns=(host.name,))


def _shared(site: Site, out: Output, server: str, values: dict[str, Any]) -> None:
    """The file of the hosts without a folder: they only send."""
    systems = {host.os for host, _ in site.examples if not site.has_folder(host)}
    if not systems:
        return
    libraries = _libraries(site, systems)
    text = render("ganglia_gmond", host=None, collects=False, libraries=libraries, **values)
    out.file(server, f"{site.provisioning.http_root}/{SERVED}/default.conf", text)


def _values(site: Site) -> dict[str, Any]:
    """What all files share."""
    collectors = [host.address for host in site.with_role("collector")]
    readers = sorted(set(_readers(site)))
    trusted = [IPv4Address("127.0.0.1"), *readers]
    return {
        "site": site,
        "cluster": cluster_name(site),
        "owner": carried(site.monitoring.owner),
        "collectors": collectors,
        # One line with the name and the interval: more collectors than that gmetad cannot read.
        "sources": collectors[: MOST_ARGUMENTS - 2],
        "readers": readers,
        "trusted": [trusted[n : n + 8] for n in range(0, len(trusted), 8)],
    }


def _of_host(site: Site, host: Host) -> dict[str, Any]:
    """What the file of a host with a folder says of it alone."""
    return {
        "fqdn": site.fqdn(host.name),
        "address": next(iter(_addresses(site, host)), None),
        "collects": "collector" in host.roles,
        "devices": sorted(name for name, each in host.interfaces.items() if each.address),
        "libraries": _libraries(site, [host.os]),
    }


def carried(text: str) -> str:
    """A text as Ganglia can carry it: in ASCII, with `_` for what is neither letter nor digit
    nor harmless.

    gmond and gmetad print names into their XML as they are, and gmetad makes folders of them;
    its parser puts the environment's values in place of ${NAME}, quoted or not. Bytes beyond
    ASCII become others on their way through both.
    """
    letters = (
        each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each)
    )
    return _NOT_CARRIED.sub("_", "".join(letters))[:_LONGEST]


def cluster_name(site: Site) -> str:
    """What Ganglia calls the cluster: also those that read its XML have to know it."""
    return carried(site.monitoring.cluster or "").lstrip(". ") or site.site


def _addresses(site: Site, host: Host) -> list[IPv4Address]:
    """A host's IPv4 addresses, its own first."""
    return [each.address for _, each in site.interfaces(host) if each.address]


def _readers(site: Site) -> Iterator[IPv4Address]:
    """Who may read the XML, by each address that they may come from."""
    hosts = chain.from_iterable(site.with_role(role) for role in _READERS)
    named = [site.hosts[each] for each in site.monitoring.trusted if isinstance(each, str)]
    for host in chain(hosts, named):
        yield from _addresses(site, host)
    yield from (each for each in site.monitoring.trusted if isinstance(each, IPv4Address))


def _libraries(site: Site, systems: Iterable[str | None]) -> list[str]:
    """Where gmond's modules are under these OS profiles. Debian's does not find them by itself."""
    return sorted({_library(site, name) for name in systems})


def _library(site: Site, os_profile: str | None) -> str:
    """The folder of gmond's modules under an OS profile; without one it is Debian on x86_64."""
    profile = site.os_profiles.get(os_profile or "")
    if profile is None:
        return f"/usr/lib/{_TRIPLETS['x86_64']}/ganglia"
    if profile.installer == "kickstart":
        return "/usr/lib/ganglia" if profile.arch == "i386" else "/usr/lib64/ganglia"
    return f"/usr/lib/{_TRIPLETS[profile.arch]}/ganglia"
