"""Facts into a draft of the site: networks first, then hosts, then what DNS and PXE say of them."""

from __future__ import annotations

from typing import Any

from threerc.compiler.importing import booting, networks, records, roles
from threerc.compiler.importing.draft import Draft
from threerc.compiler.importing.facts import NOWHERE, Facts, VolumeFacts
from threerc.compiler.importing.hosts import Hosts
from threerc.compiler.importing.naming import Names, domain_of

_SIZE = "1GiB"


def merge(facts: Facts) -> Draft:
    """The draft of what was read; what it cannot say is added to `facts.lost`."""
    draft = Draft(facts, domain_of(facts))
    names = Names(facts, draft.domain)
    networks.from_subnets(draft, names)
    networks.from_addresses(draft, names)
    if not draft.networks:
        facts.lose(NOWHERE, "no file names a network: give `lan` in site.yaml its prefix")
    draft.dhcp = networks.top_statements(draft)
    hosts = Hosts(draft, names)
    hosts.reservations()
    taken = {int(each) for each in hosts.by_address if each.version == 4}
    networks.shrink_pools(draft, taken)
    hosts.named_addresses()
    hosts.second_addresses()
    hosts.interfaces()
    hosts.further_names()
    hosts.machines()
    roles.assign(draft, hosts, names)
    booting.boots(draft)
    _volumes(draft, hosts)
    records.settle(draft, names)
    _middleware(draft)
    return draft


def _middleware(draft: Draft) -> None:
    found = {host.middleware for host in draft.hosts.values() if host.middleware}
    draft.middleware = sorted(found)


def _volumes(draft: Draft, hosts: Hosts) -> None:
    done: set[str] = set()
    for volume in draft.facts.volumes:
        if volume.name in done:  # the same file on the other peer
            continue
        done.add(volume.name)
        peers = [hosts.named(end.host) for end in volume.ends]
        if len(peers) != 2 or not all(peers):
            reason = f"volume {volume.name} needs two peers that other files name"
            draft.facts.lose(volume.place, reason)
            continue
        draft.volumes[volume.name] = _volume(draft, volume, [p.name for p in peers if p])


def _volume(draft: Draft, volume: VolumeFacts, peers: list[str]) -> dict[str, Any]:
    disks = [end.disk for end in volume.ends]
    keys: dict[str, Any] = {"peers": peers, "disk": disks[0]}
    if disks[0] != disks[1]:
        keys["disk"] = dict(zip(peers, disks, strict=True))
    keys["size"] = volume.size or _SIZE
    if not volume.size:
        reason = f"no file says how large volume {volume.name} is: {_SIZE} stands in its place"
        draft.facts.lose(volume.place, reason)
    if volume.protocol not in {"", "C"}:
        keys["protocol"] = volume.protocol
    first = volume.ends[0]
    numbers = {"minor": first.minor, "port": first.port}
    keys |= {key: value for key, value in numbers.items() if value is not None}
    own = draft.hosts[peers[0]].addresses
    if first.address is not None and first.address not in own:
        network = draft.network_of(first.address)
        if network is not None:
            keys["network"] = network.name
    return keys
