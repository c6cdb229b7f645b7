"""A site as whole machines, as data: what the Vagrantfile and the payloads are written from.

It is made from the parts of the lab, so that both backends build the same site. What a machine has
beside its compiled files is told in `Lay`s, as for a capsule.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Final

from threerc.compiler.model import Site
from threerc.testbed.daemons import named, router, sshd, tftpd
from threerc.testbed.errors import TestbedError
from threerc.testbed.parts import CapsuleSpec, Card, LabSpec, Lay
from threerc.testbed.supplies import Supplies
from threerc.testbed.vagrant import services
from threerc.testbed.vagrant.box import BoxFile

SHARE: Final = "/usr/local/share/3rc"
"""Where apply.sh looks for what it needs to know."""
_MEMORY: Final = {"physical": 2048, "service": 512, "router": 256}
"""MiB of a machine, at the most."""
_CPUS: Final = 2
_MOST_CARDS: Final = 7
"""VirtualBox has eight, and the first is Vagrant's."""
_FORWARDING: Final = "net.ipv4.ip_forward = 1\nnet.ipv6.conf.all.forwarding = 1\n"
_TFTPD: Final = """\
TFTP_USERNAME="tftp"
TFTP_DIRECTORY="{root}"
TFTP_ADDRESS="0.0.0.0:69"
TFTP_OPTIONS="--secure"
"""


@dataclass(frozen=True, slots=True)
class Wire:
    """A network card on a network of the site, after the one that Vagrant has for itself."""

    mac: str
    network: str
    address: str
    netmask: str


@dataclass(frozen=True, slots=True)
class Machine:
    """A host of the site, or the router. `tree` is its compiled folder, `files` are laid over it;
    `memory` is in MiB.
    """

    name: str
    memory: int
    cpus: int
    wires: tuple[Wire, ...]
    tree: Path | None
    files: tuple[Lay, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """All machines. `management` is the network that Vagrant talks to them on; `emulated` ones do
    without hardware virtualisation, slowly.
    """

    site: str
    box: BoxFile
    identity: Path
    management: IPv4Network
    machines: tuple[Machine, ...]
    emulated: bool = False


def plan(
    site: Site, lab: LabSpec, supplies: Supplies, box: BoxFile, *, emulated: bool = False
) -> Plan:
    """The machines of a site that was prepared as for the lab. Raises TestbedError."""
    return Plan(
        site=site.site,
        box=box,
        identity=supplies.run / "keys" / "identity",
        management=_management(site),
        machines=tuple(_machines(site, lab, supplies)),
        emulated=emulated,
    )


def _management(site: Site) -> IPv4Network:
    """A network that the site has not."""
    taken = [network.prefix for network in site.networks.values() if network.prefix is not None]
    for each in IPv4Network("10.213.0.0/16").subnets(new_prefix=24):
        if not any(each.overlaps(prefix) for prefix in taken):
            return each
    raise TestbedError(f"{site.site} takes all of 10.213.0.0/16, and leaves Vagrant no network")


def _machines(site: Site, lab: LabSpec, supplies: Supplies) -> Iterator[Machine]:
    networks = {bridge.name: bridge.network for bridge in lab.bridges}
    for capsule in lab.capsules:
        if capsule.kind == "boards":  # their power is Vagrant's to switch
            continue
        if len(capsule.cards) > _MOST_CARDS:
            raise TestbedError(f"{capsule.name} has more than {_MOST_CARDS} network cards")
        yield Machine(
            name=capsule.name,
            memory=_MEMORY[capsule.kind],
            cpus=_CPUS if capsule.kind == "physical" else 1,
            wires=tuple(_wire(card, networks[card.bridges[0]]) for card in capsule.cards),
            tree=capsule.tree,
            files=(*_own_files(capsule), *_files(site, supplies, capsule)),
        )


def _wire(card: Card, network: str) -> Wire:
    first = card.addresses[0]
    return Wire(card.mac, network, str(first.ip), str(first.netmask))


def _files(site: Site, supplies: Supplies, capsule: CapsuleSpec) -> Iterator[Lay]:
    """What its roles make of a host."""
    devices = [_device(number) for number, _ in enumerate(capsule.cards)]
    if capsule.kind == "router":
        yield Lay("/etc/sysctl.d/90-3rc.conf", _FORWARDING)
        yield Lay("/root/.ssh/authorized_keys", f"{supplies.identity.public}\n", mode=0o600)
        yield from router.radvd(devices).files
        yield _services((services.RADVD,))
        return
    host = site.hosts[capsule.name]
    yield from sshd.files(site, host, supplies)
    yield named.resolver(site)
    if "dhcp" in host.roles and site.dhcp.server == "dhcpd":
        yield Lay("/etc/default/isc-dhcp-server", f'INTERFACESv4="{" ".join(devices)}"\n')
    if "tftp" in host.roles:
        yield Lay("/etc/default/tftpd-hpa", _TFTPD.format(root=site.provisioning.tftp_root))
        yield from tftpd.files(site, supplies)
    yield _services(services.services_of(site, host))


def _services(names: tuple[str, ...]) -> Lay:
    return Lay(f"{SHARE}/run", "".join(f"{name}\n" for name in names))


# -- network


def _own_files(capsule: CapsuleSpec) -> Iterator[Lay]:
    """Its name and its cards: which is which, for apply.sh to check, and their addresses."""
    yield Lay("/etc/hostname", f"{capsule.name}\n")
    cards = [f"{_device(n)} {card.mac.lower()}\n" for n, card in enumerate(capsule.cards)]
    yield Lay(f"{SHARE}/cards", "".join(cards))
    stanzas = [_stanzas(n, card, capsule.gateway) for n, card in enumerate(capsule.cards)]
    yield Lay("/etc/network/interfaces.d/3rc", "\n".join(stanzas))


def _device(number: int) -> str:
    """The kernel's name of a card: the first is Vagrant's."""
    return f"eth{number + 1}"


def _stanzas(number: int, card: Card, gateway: str | None) -> str:
    device = _device(number)
    holder = card.inner or device
    lines: list[str] = []
    if card.inner is not None:
        lines += [f"auto {device}", f"iface {device} inet manual", ""]
    lines.append(f"auto {holder}")
    for position, address in enumerate(card.addresses):
        family = "inet" if address.version == 4 else "inet6"
        lines += [f"iface {holder} {family} static", f"    address {address}"]
        if gateway is not None and _is_on(gateway, address.network):
            lines.append(f"    gateway {gateway}")
        if card.inner is not None and position == 0:
            lines += [f"    bridge_ports {device}", f"    bridge_hw {card.mac}"]
            lines += ["    bridge_stp off", "    bridge_fd 0"]
    return "".join(f"{line}\n" for line in lines)


def _is_on(address: str, network: IPv4Network | IPv6Network) -> bool:
    there = ip_network(address)
    return there.version == network.version and there.network_address in network
