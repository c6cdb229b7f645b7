"""/etc/hosts, and the operators' groups of hosts for ClusterShell.

/etc/hosts has every address of the site with its full name first, so that names are found both
ways while DNS is down; collectors of Ganglia name by it the hosts that they hear of.

The groups: `clush -w @wn`, `@vm`, `@ph`, `@service`, `@all`, and those of site.yaml by their name;
further `@role:dns`, `@os:sl4-64`, `@mw:ig_WN`, and `@group:wn` for a group of site.yaml that is
named like a kind.

Source: hosts(5), Debian's /etc/hosts, groups.conf(5) of ClusterShell.
"""

from __future__ import annotations

from collections.abc import Iterator
from socket import AF_INET, AF_INET6, inet_ntop

from threerc.compiler.artefacts.node_sets import fold
from threerc.compiler.model import Alike, HostKind, Role, Site
from threerc.compiler.templating import Safe, render
from threerc.compiler.tree import Output

CLUSTERSHELL = "/etc/clustershell"
KINDS: dict[HostKind, str] = {
    "physical_hosts": "ph",
    "virtual_machines": "vm",
    "worker_nodes": "wn",
    "service_hosts": "service",
}
"""What operators call the kinds of hosts."""
_FAMILY = {4: AF_INET, 6: AF_INET6}
_Row = tuple[int, str, str]
"""An address as a number and as text, and its names."""
_OPERATORS: tuple[Role, ...] = ("controller", "install")


def compile_hosts(site: Site, out: Output) -> None:
    """/etc/hosts on each host with a folder, and for the others below the document root of each
    host with the role `install`; ClusterShell's groups on these and the controllers.
    """
    text = render("hosts", site=site, lines=Safe("".join(_lines(site)))).encode()
    for host in site.folder_hosts:
        out.file(host.name, "/etc/hosts", text)
    for server in site.with_role("install"):
        out.file(server.name, f"{site.provisioning.http_root}/files/hosts", text)
    _groups(site, out)


def _lines(site: Site) -> Iterator[str]:
    """A line for each address, IPv4 before IPv6, each in ascending order."""
    v4: list[_Row] = []
    v6: list[_Row] = []
    domain = site.domain
    for part in site.parts:
        if isinstance(part, Alike):
            columns = zip(part.bits, part.addresses, part.names, strict=True)
            v4 += [(bits, text, f"{name}.{domain} {name}") for bits, text, name in columns]
            continue
        aliases = "".join(f" {alias}" for alias in part.aliases)
        for name, interface in site.interfaces(part):
            names = f"{name}.{domain} {name}{aliases}"
            aliases = ""
            for address, rows in ((interface.address, v4), (interface.address6, v6)):
                if address is not None:
                    text = inet_ntop(_FAMILY[address.version], address.packed)
                    rows.append((int(address), text, names))
    for rows in (v4, v6):
        rows.sort()
        yield from [f"{text}\t{names}\n" for _, text, names in rows]


def _groups(site: Site, out: Output) -> None:
    """ClusterShell's group sources, and which of them is the default."""
    servers = {host.name for role in _OPERATORS for host in site.with_role(role)}
    if not servers:
        return
    text = render("hosts_groups", site=site, sources=Safe("".join(_sources(site))))
    configuration = render("hosts_clustershell", site=site)
    for server in sorted(servers):
        out.file(server, f"{CLUSTERSHELL}/groups.conf", configuration)
        out.file(server, f"{CLUSTERSHELL}/groups.d/site.yaml", text)


def _sources(site: Site) -> Iterator[str]:
    """The group sources as YAML. All names are quoted: to YAML, `no` and `1e5` are no text."""
    folded: dict[tuple[str, ...], str] = {}
    for source, groups in _members(site).items():
        if groups:
            yield f"\n{source}:\n"
        for group, members in sorted(groups.items()):
            # Most groups of a farm have the same members.
            names = tuple(members)
            nodes = folded.get(names) or folded.setdefault(names, fold(names))
            yield f'  "{group}": "{nodes}"\n'


def _members(site: Site) -> dict[str, dict[str, list[str]]]:
    """The members of each group of each source. A kind goes before a group of the same name."""
    alike: dict[tuple[HostKind, tuple[str, ...], str | None, str | None], list[str]] = {}
    for host, names in site.examples:
        alike.setdefault((host.kind, host.groups, host.os, host.middleware), []).extend(names)
    kinds: dict[str, list[str]] = {}
    groups: dict[str, list[str]] = {}
    systems: dict[str, list[str]] = {}
    middleware: dict[str, list[str]] = {}
    for (kind, inherited, system, software), names in alike.items():
        kinds.setdefault(KINDS[kind], []).extend(names)
        for group in dict.fromkeys(inherited):
            groups.setdefault(group, []).extend(names)
        if system:
            systems.setdefault(system, []).extend(names)
        if software:
            middleware.setdefault(software, []).extend(names)
    roles = {str(role): [host.name for host in hosts] for role, hosts in site.roles.items()}
    everyone = {"all": [f"@{kind}" for kind in sorted(kinds)]}
    return {
        "site": {**groups, **kinds, **everyone},
        "group": groups,
        "role": roles,
        "os": systems,
        "mw": middleware,
    }
