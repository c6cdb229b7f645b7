"""Services: the roles that a site needs are there, and more than once where it matters."""

from __future__ import annotations

from collections.abc import Iterator

from threerc.compiler.model import KINDS, Host, Role, Site
from threerc.compiler.rules.base import Facts, Problem, listed, of_hosts, path_of, rule

_FAILOVER = 2
_NEEDED: tuple[Role, ...] = ("dhcp", "tftp", "install", "dns", "controller", "collector")
_BY_IPV4: tuple[Role, ...] = ("dhcp", "tftp", "install", "collector", "gmetad")


@rule(
    "service-missing",
    reason="Machines that boot from the network need DHCP and TFTP; those that are installed "
    "also need the install server and DNS, whose HINFO names their middleware; VMs need a "
    "controller to be kept alive, and controllers a collector to tell them who is down.",
    hint="give a host the role",
    severity="warning",
    needs=(*KINDS, "networks", "os_profiles"),
)
def service_missing(facts: Facts) -> Iterator[Problem]:
    """Every service that some host needs is there."""
    missing = [role for role in _NEEDED if not facts.site.with_role(role)]
    for role, names, needed in _needs(facts) if missing else ():
        if names and role in missing:
            message = f"no host has the role `{role}`, needed {needed.format(listed(names))}"
            yield Problem(("service_hosts",), message, key=True)


def _needs(facts: Facts) -> Iterator[tuple[Role, list[str], str]]:
    """Each role, who needs it, and what for."""
    site = facts.site
    hosts = list(site.where(site.boot_interfaces))
    installed = [host.name for host in hosts if site.installs(host)]
    booting = [h.name for h in hosts if site.installs(h) or h.boots != "local"]
    yield "dhcp", booting, "to boot {} from the network"
    yield "tftp", booting, "to boot {} from the network"
    yield "install", installed, "to install {}"
    yield "dns", installed, "to name the middleware of {} while they are installed"
    yield "controller", list(site.virtual_machines), "to keep alive {}"
    controllers = [host.name for host in site.with_role("controller")]
    yield "collector", controllers, "to tell the controllers on {} who is down"


@rule(
    "single-service",
    reason="One collector or controller is a single point of failure: when its host dies, "
    "nobody notices what else does (thesis 8.6).",
    hint="give a second host the role",
    severity="warning",
    needs=tuple(KINDS),
)
def single_service(facts: Facts) -> Iterator[Problem]:
    """Collectors and controllers come in twos."""
    roles: tuple[Role, ...] = ("collector", "controller")
    for role in roles:
        hosts = facts.site.with_role(role)
        if len(hosts) == 1:
            message = f"{hosts[0].name} is the only {role}"
            yield Problem(path_of(hosts[0], "roles", hosts[0].roles.index(role)), message)


@rule(
    "rare-heartbeat",
    reason="Heartbeats are UDP packets, and one or two of them get lost: a host that is taken for "
    "dead after fewer than three is restarted while it lives.",
    hint="raise `down_after` or lower `heartbeat`",
)
def rare_heartbeat(facts: Facts) -> Iterator[Problem]:
    """Three heartbeats have to fail to come before a host is taken for dead."""
    settings = facts.site.monitoring
    if settings.dead_after < 3 * settings.heartbeat:
        message = f"a host is dead after {settings.dead_after:g} s without a heartbeat, of which "
        message += f"one comes every {settings.heartbeat} s"
        yield Problem(("monitoring", "down_after"), message)


@rule(
    "dhcp-pair",
    reason="dhcpd shares a pool between two servers and no more (dhcpd.conf(5), failover).",
    hint="take the role `dhcp` from all but two hosts, or the pools from the networks",
)
def dhcp_pair(facts: Facts) -> Iterator[Problem]:
    """At most two DHCP servers lease addresses from pools."""
    servers = facts.site.with_role("dhcp")
    if _has_pool(facts.site):
        for host in servers[_FAILOVER:]:
            message = f"{host.name} is one DHCP server too many for a site with a pool"
            yield Problem(path_of(host, "roles", host.roles.index("dhcp")), message)


@rule(
    "kea-statements",
    reason="Statements of dhcpd.conf(5) mean nothing to Kea, whose file is JSON.",
    hint="leave them out, or let the site's server be dhcpd",
)
def kea_statements(facts: Facts) -> Iterator[Problem]:
    """A site with Kea has no statements for dhcpd."""
    if facts.site.dhcp.server != "kea":
        return
    if facts.site.dhcp.statements:
        yield Problem(("dhcp", "statements"), "statements for dhcpd, but the site's server is Kea")
    for name, network in facts.site.networks.items():
        if network.dhcp:
            yield Problem(
                ("networks", name, "dhcp"), f"statements for dhcpd in `{name}`, but there is Kea"
            )
    for seat in facts.seats(unless=lambda alike: not alike.example.dhcp):
        if seat.interface.dhcp:
            yield Problem(seat.path("dhcp"), f"statements for dhcpd of {seat}, but there is Kea")


@rule(
    "kea-interface",
    reason="Kea's DHCPv6 server knows by the name of an interface who is asked in which network.",
    hint="give the server its `interface`, such as eno1",
)
def kea_interface(facts: Facts) -> Iterator[Problem]:
    """A server that leases IPv6 addresses by Kea has a name for its own interface."""
    site = facts.site
    if site.dhcp.server != "kea":
        return
    places = facts.locations(unless=lambda alike: alike.example.address6 is None)
    reserved = {p.network for p in places if p.version == 6 and p.seat.interface.mac}
    for server in site.with_role("dhcp"):
        address = server.address6
        if address and server.interface is None and site.network_of(address) in reserved:
            message = f"{server.name} has to serve DHCPv6 on an interface whose name is not known"
            yield Problem(path_of(server, "address6"), message)


def _has_pool(site: Site) -> bool:
    return any(network.pool is not None for network in site.networks.values())


@rule(
    "service-address",
    reason="Boot ROMs, installers and failover peers speak IPv4 and have no DNS yet: these "
    "servers are told to them by address. So are collectors, and gmetad knows IPv4 alone.",
    hint="give the host itself an `address`; one of a further interface is not enough",
)
def service_address(facts: Facts) -> Iterator[Problem]:
    """DHCP, TFTP and install servers, collectors and gmetad have an IPv4 address of their own."""
    for role in _BY_IPV4:
        for host in facts.site.with_role(role):
            if host.address is None:
                message = f"{host.name} has the role `{role}`, but no IPv4 address of its own"
                yield Problem(path_of(host, "roles", host.roles.index(role)), message)


@rule(
    "role-twice",
    reason="A role that is listed twice is a slip: probably another one was meant.",
    hint="list each role once",
)
@of_hosts
def role_twice(_: Facts, host: Host) -> Iterator[Problem]:
    """No host lists a role twice: it would get that role's files twice."""
    for position, role in enumerate(host.roles):
        if role in host.roles[:position]:
            path = path_of(host, "roles", position)
            yield Problem(path, f"{host.name} has the role `{role}` twice")


RULES = (
    service_missing,
    single_service,
    rare_heartbeat,
    dhcp_pair,
    kea_statements,
    kea_interface,
    service_address,
    role_twice,
)
