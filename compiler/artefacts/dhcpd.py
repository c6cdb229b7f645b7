"""ISC's dhcpd: dhcpd.conf, and dhcpd6.conf where IPv6 addresses are reserved.

A reservation of IPv6 goes by the MAC address too, which dhcpd takes from a client's DUID (DUID-LL,
DUID-LLT) or from what a relay says of it (RFC 6939); who shows it a DUID of another kind it does
not know.

Source: dhcpd.conf(5), dhcp-options(5), dhcp-eval(5).
"""

from __future__ import annotations

from collections.abc import Iterable

from threerc.compiler.artefacts.dhcp import (
    BIOS_LOADER,
    Reservation,
    has_ipv6,
    loaders,
    pair,
    silent,
    subnets,
)
from threerc.compiler.model import Site
from threerc.compiler.templating import Safe, comment, render
from threerc.compiler.tree import Output

PATH = "/etc/dhcp/dhcpd.conf"
PATH6 = "/etc/dhcp/dhcpd6.conf"


def compile_dhcpd(site: Site, out: Output) -> None:
    """Its configuration on each host with the role `dhcp`, where dhcpd is the site's server."""
    if site.dhcp.server != "dhcpd":
        return
    _ipv4(site, out)
    _ipv6(site, out)


def _ipv4(site: Site, out: Output) -> None:
    served = subnets(site, 4)
    servers = site.with_role("dhcp")
    for position, server in enumerate(servers):
        text = render(
            "dhcpd",
            site=site,
            server=server,
            subnets=served,
            silent=silent(site, server, served, 4),
            pair=pair(servers, position, served),
            bios=BIOS_LOADER,
            others=_others(site),
            statements=_statements,
            declarations=_declarations,
        )
        out.file(server.name, PATH, text)


def _ipv6(site: Site, out: Output) -> None:
    served = subnets(site, 6)
    for server in site.with_role("dhcp") if served else ():
        if has_ipv6(site, server):
            still = silent(site, server, served, 6)
            text = render("dhcpd6", site=site, server=server, subnets=served, silent=still)
            out.file(server.name, PATH6, text)


def _others(site: Site) -> list[tuple[Safe, str, bool]]:
    """The loaders of machines without a BIOS: the condition, the file, whether it is by HTTP."""
    found: list[tuple[Safe, str, bool]] = []
    for loader in loaders(site):
        if loader.file != BIOS_LOADER:
            each = [f"option client-architecture = 00:{a:02x}" for a in loader.architectures]
            found.append((Safe(" or ".join(each)), loader.file, loader.over_http))
    return found


def _declarations(hosts: Iterable[Reservation]) -> Safe:
    """Host declarations. The model vouches for names and addresses, and for the statements."""
    lines = [
        f"    host {name} {{ hardware ethernet {mac}; fixed-address {address};"
        f"{''.join(f' {each};' for each in more) if more else ''} }}"
        f"{f' # {comment(description)}' if description else ''}"
        for _, name, mac, address, description, more in hosts
    ]
    return Safe("\n".join(lines))


def _statements(given: Iterable[str], indent: str = "") -> Safe:
    """Statements that the site gives word by word; the model vouches for each being one."""
    return Safe("\n".join(f"{indent}{statement};" for statement in given))
