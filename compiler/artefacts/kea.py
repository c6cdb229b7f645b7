"""Kea: kea-dhcp4.conf, and kea-dhcp6.conf where IPv6 addresses are reserved.

Reservations go by the MAC address. In IPv6 Kea takes it from what a relay says (RFC 6939), from a
link-local address that was made of it, or from the DUID (DUID-LL, DUID-LLT).

A machine shows the boot ROM's client identifier first and its system's after that: leases go by
the MAC address alone (`match-client-id`), or the second could not have the address of the first.

Source: Kea Administrator Reference Manual 2.2 ("The DHCPv4 Server", "The DHCPv6 Server", "Client
Classification", "High Availability").
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, Final

from threerc.compiler.artefacts.dhcp import (
    Loader,
    Pair,
    Reservation,
    Subnet,
    has_ipv6,
    loaders,
    pair,
    subnets,
)
from threerc.compiler.model import Host, Interface, Site
from threerc.compiler.tree import Output

PATH = "/etc/kea/kea-dhcp4.conf"
PATH6 = "/etc/kea/kea-dhcp6.conf"
Json = dict[str, Any]
_WIDTH: Final = 100
_FOR_EVER: Final = 2**32 - 1
_HOOKS: Final = "/usr/lib/x86_64-linux-gnu/kea/hooks"
_HOOKS_OF_RED_HAT: Final = "/usr/lib64/kea/hooks"
_PORT: Final = 8000
"""Where the two servers of a pair talk to each other."""


def compile_kea(site: Site, out: Output) -> None:
    """Its configuration on each host with the role `dhcp`, where Kea is the site's server."""
    if site.dhcp.server != "kea":
        return
    served, served6 = subnets(site, 4), subnets(site, 6)
    servers = site.with_role("dhcp")
    for position, server in enumerate(servers):
        both = pair(servers, position, served)
        out.file(server.name, PATH, written({"Dhcp4": _dhcp4(site, server, served, both)}))
        if served6 and has_ipv6(site, server):
            out.file(server.name, PATH6, written({"Dhcp6": _dhcp6(site, server, served6)}))


def _dhcp4(site: Site, server: Host, served: list[Subnet], both: Pair | None) -> Json:
    told = loaders(site)
    return {
        **_daemon(site, server, 4),
        "authoritative": True,
        "match-client-id": False,
        "reservations-out-of-pool": True,
        **(_pair(site, both) if both else {}),
        # iPXE, the ROM of most virtual machines, need not wait for other boot servers (saves 3 s).
        "option-def": [
            {"name": "ipxe", "code": 175, "type": "empty", "encapsulate": "ipxe"},
            {"name": "no-pxedhcp", "code": 176, "type": "uint8", "space": "ipxe"},
        ],
        "option-data": [
            {"name": "ipxe"},
            {"name": "no-pxedhcp", "space": "ipxe", "data": "1"},
        ],
        "client-classes": [_class(loader) for loader in told],
        "subnet4": [_subnet4(subnet, told) for subnet in served],
    }


def _dhcp6(site: Site, server: Host, served: list[Subnet]) -> Json:
    return {
        **_daemon(site, server, 6),
        "mac-sources": ["client-link-addr-option", "ipv6-link-local", "duid"],
        "subnet6": [_subnet6(subnet, _interface(site, server, subnet.name)) for subnet in served],
    }


def _daemon(site: Site, server: Host, version: int) -> Json:
    about = f"{site.site}, for {server.name}: compiled by 3RC from site.yaml, edit that"
    output = {"output": "stdout", "pattern": "%-5p %m\n"}
    return {
        "user-context": {"comment": about},
        # An interface may have no link yet, such as while switches come back after a power cut.
        "interfaces-config": {
            "interfaces": ["*"],
            "re-detect": True,
            "service-sockets-max-retries": _FOR_EVER,
            "service-sockets-retry-wait-time": 10000,
        },
        "lease-database": {
            "type": "memfile",
            "name": f"/var/lib/kea/kea-leases{version}.csv",
            "lfc-interval": 3600,
        },
        "loggers": [{"name": f"kea-dhcp{version}", "severity": "INFO", "output_options": [output]}],
        "host-reservation-identifiers": ["hw-address"],
    }


def _pair(site: Site, both: Pair) -> Json:
    """Two servers that keep each other's leases; the second one answers while the first is gone.

    It does so as soon as it has not heard of the first for half a minute, for a VM that installs
    itself cannot wait for other clients to miss it as well.
    """
    first, second = (both.own, both.peer) if both.is_primary else (both.peer, both.own)
    peers = [
        {"name": host.name, "url": f"http://{host.address}:{_PORT}/", "role": role}
        for host, role in ((first, "primary"), (second, "standby"))
    ]
    settings = {
        "this-server-name": both.own.name,
        "mode": "hot-standby",
        "heartbeat-delay": 10000,
        "max-response-delay": 30000,
        "max-unacked-clients": 0,
        "multi-threading": {"enable-multi-threading": True, "http-dedicated-listener": True},
        "peers": peers,
    }
    hooks = _HOOKS_OF_RED_HAT if site.is_red_hat(both.own) else _HOOKS
    return {
        "multi-threading": {"enable-multi-threading": True},
        "hooks-libraries": [
            {"library": f"{hooks}/libdhcp_lease_cmds.so"},
            {
                "library": f"{hooks}/libdhcp_ha.so",
                "parameters": {"high-availability": [settings]},
            },
        ],
    }


def _class(loader: Loader) -> Json:
    """The machines that a loader is for, as far as a network boots them; of no word, a BIOS."""
    tests = [f"substring(option[93].hex, 0, 2) == 0x{a:04x}" for a in loader.architectures]
    if loader.architectures == (0,):
        tests.insert(0, "not option[93].exists")
    found: Json = {
        "name": loader.name,
        "test": " or ".join(f"({test})" for test in tests) if tests[1:] else tests[0],
        "only-if-required": True,
        "boot-file-name": loader.file,
    }
    if loader.over_http:
        known = {"name": "vendor-class-identifier", "data": "HTTPClient", "always-send": True}
        found["option-data"] = [known]
    return found


def _subnet4(subnet: Subnet, told: Iterable[Loader]) -> Json:
    network = subnet.network
    # Leases name their subnet by this number: it has to stay when other networks come and go.
    found: Json = {
        "id": int(subnet.prefix.network_address),
        "subnet": str(subnet.prefix),
        "user-context": {"name": subnet.name},
        "valid-lifetime": network.lease,
        "option-data": list(_options4(subnet)),
    }
    if subnet.next_server:
        found["next-server"] = str(subnet.next_server)
        found["require-client-classes"] = [loader.name for loader in told]
    if network.pool:
        # As with dhcpd, who has a reservation here is no stranger.
        found["pools"] = [{"pool": str(network.pool), "client-class": "UNKNOWN"}]
    found["reservations"] = [
        {"hw-address": host.mac, "ip-address": host.address, **_who(host)} for host in subnet.hosts
    ]
    return found


def _options4(subnet: Subnet) -> Iterator[Json]:
    yield from _option("routers", [subnet.network.gateway] if subnet.network.gateway else [])
    yield from _option("domain-name", subnet.domains[:1])
    yield from _option("domain-search", subnet.domains if subnet.domains[1:] else ())
    yield from _option("domain-name-servers", subnet.dns)
    yield from _option("ntp-servers", subnet.ntp)


def _subnet6(subnet: Subnet, interface: str | None) -> Json:
    return {
        "id": zlib.crc32(str(subnet.prefix).encode()) or 1,
        "subnet": str(subnet.prefix),
        "user-context": {"name": subnet.name},
        **({"interface": interface} if interface else {}),
        "preferred-lifetime": subnet.network.lease,
        "valid-lifetime": subnet.network.lease,
        "option-data": [
            *_option("domain-search", subnet.domains),
            *_option("dns-servers", subnet.dns),
            *_option("sntp-servers", subnet.ntp),
        ],
        "reservations": [
            {"hw-address": host.mac, "ip-addresses": [host.address], **_who(host)}
            for host in subnet.hosts
        ],
    }


def _interface(site: Site, server: Host, network: str) -> str | None:
    """The interface by which a server stands in a network: of its own address, or a further one."""
    own: list[tuple[str | None, Interface]] = [(server.interface, server)]
    for name, interface in [*own, *server.interfaces.items()]:
        if interface.address6 and site.network_of(interface.address6) == network:
            return name
    return None


def _option(name: str, values: Iterable[object]) -> Iterator[Json]:
    data = ", ".join(map(str, values))
    if data:
        yield {"name": name, "data": data}


def _who(host: Reservation) -> Json:
    named: Json = {"hostname": host.name}
    if host.description:
        named["user-context"] = {"comment": host.description}
    return named


def written(value: object) -> str:
    """JSON in which what fits into a line is one, such as a reservation."""
    return _written(value, "", 0) + "\n"


def _written(value: object, indent: str, before: int) -> str:
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or len(indent) + before + len(flat) < _WIDTH:
        return flat
    inner = f"{indent}  "
    if isinstance(value, list):
        lines = [f"{inner}{_written(each, inner, 0)}" for each in value]
        return "[\n" + ",\n".join(lines) + f"\n{indent}]"
    keys = {json.dumps(key): each for key, each in value.items()}
    lines = [f"{inner}{k}: {_written(each, inner, len(k) + 2)}" for k, each in keys.items()]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
