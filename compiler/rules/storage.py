"""Storage: mirrored volumes that can be set up, and arrays that can be built."""

from __future__ import annotations

import re
from collections.abc import Iterator

from threerc.compiler.model import Host, PhysicalHost, Site, VirtualMachine
from threerc.compiler.model.host import BareMetal
from threerc.compiler.model.storage import RAID_MINIMUM, Raid
from threerc.compiler.rules.base import Facts, Problem, gib, of_hosts, path_of, rule

_PARTITION = re.compile(r"(?<=[0-9])p[0-9]+$|(?<=[a-z])[0-9]+$")
"""A partition's number: sda1, nvme0n1p1."""


@rule(
    "peers-differ",
    reason="A mirror on one and the same host mirrors nothing.",
    hint="name two different physical hosts",
)
def peers_differ(facts: Facts) -> Iterator[Problem]:
    """A volume's two peers are two hosts."""
    for name, volume in facts.site.volumes.items():
        if len(set(volume.peers)) < len(volume.peers):
            message = f"both peers of volume `{name}` are {volume.peers[0]}"
            yield Problem(("volumes", name, "peers", 1), message)


@rule(
    "volume-name",
    reason="DRBD calls a volume's resource by its name, but all resources `all`, and sections of "
    "its own `common` and `global` (drbd.conf(5)).",
    hint="rename the volume",
)
def volume_name(facts: Facts) -> Iterator[Problem]:
    """No volume has a name that means something else to DRBD."""
    for name in facts.site.volumes:
        if name in ("all", "common", "global"):
            yield Problem(("volumes", name), f"`{name}` means something else to DRBD", key=True)


@rule(
    "peers-reach",
    reason="The two peers of a volume talk to each other over IPv4, or over IPv6.",
    hint="give both peers an `address`, or both an `address6`, on the volume's `network` if it "
    "names one",
    needs=("physical_hosts", "networks"),
)
def peers_reach(facts: Facts) -> Iterator[Problem]:
    """A volume's two peers have addresses of one kind."""
    site = facts.site
    for name, volume in site.volumes.items():
        known = set(volume.peers) <= site.physical_hosts.keys()
        if known and not site.mirror_addresses(volume):
            if volume.network and volume.network not in site.networks:
                continue
            where = f" on network `{volume.network}`" if volume.network else ""
            message = f"{' and '.join(volume.peers)} have no kind of address in common{where}"
            yield Problem(("volumes", name, "peers"), message, key=True)


@rule(
    "unique-minor",
    reason="The minor is the number of the device, /dev/drbdN, on both peers.",
    hint="leave `minor` out: site.lock then chooses a free one and keeps it",
)
def unique_minor(facts: Facts) -> Iterator[Problem]:
    """No two volumes are given one DRBD minor."""
    yield from _unique(facts, "minor")


@rule(
    "unique-port",
    reason="The two peers of a volume talk over a TCP port of its own.",
    hint="leave `port` out: site.lock then chooses a free one and keeps it",
)
def unique_port(facts: Facts) -> Iterator[Problem]:
    """No two volumes are given one DRBD port."""
    yield from _unique(facts, "port")


def _unique(facts: Facts, field: str) -> Iterator[Problem]:
    seen: dict[int, str] = {}
    for name, volume in facts.site.volumes.items():
        number = getattr(volume, field)
        if number is not None:
            first = seen.setdefault(number, name)
            if first is not name:
                message = f"{field} {number} of volume `{name}` is also that of `{first}`"
                yield Problem(("volumes", name, field), message)


@rule(
    "locked-number",
    reason="site.lock keeps the numbers of each volume: one that got others would no longer find "
    "its peer, nor its VM the device.",
    hint="leave the number out: site.lock then chooses a free one and keeps it",
    needs=("volumes",),
)
def locked_number(facts: Facts) -> Iterator[Problem]:
    """No volume is given a number that site.lock keeps for another."""
    volumes = facts.site.volumes
    for position, field in enumerate(("minor", "port")):
        keepers = {
            facts.locked[name][position]: name
            for name in sorted(volumes.keys() & facts.locked.keys(), reverse=True)
            if getattr(volumes[name], field) is None
        }
        for name, volume in volumes.items():
            number = getattr(volume, field)
            if number in keepers:
                message = f"{field} {number} of volume `{name}` is that of `{keepers[number]}`"
                yield Problem(("volumes", name, field), f"{message} in site.lock")


@rule(
    "vm-beside-volume",
    reason="A VM runs only where its disk is: on one of its volume's two peers.",
    hint="make its home a peer of the volume, and allow no other hosts",
)
def vm_beside_volume(facts: Facts) -> Iterator[Problem]:
    """A VM with a volume may run on the volume's peers only."""
    for vm in facts.site.virtual_machines.values():
        volume = facts.site.volumes.get(vm.volume or "")
        if volume is None:
            continue
        named = [(path_of(vm, "home"), vm.home)]
        named += [(path_of(vm, "allowed", n), host) for n, host in enumerate(vm.allowed or ())]
        for path, host in named:
            if host in facts.site.physical_hosts and host not in volume.peers:
                peers = " and ".join(volume.peers)
                yield Problem(path, f"{vm.name} on {host} cannot reach its volume on {peers}")


@rule(
    "backing-unique",
    reason="Two volumes on one backing disk destroy each other.",
    hint="give each volume its own disk or logical volume",
)
def backing_unique(facts: Facts) -> Iterator[Problem]:
    """No peer backs two volumes with one disk."""
    seen: dict[tuple[str, str], str] = {}
    for name, volume in facts.site.volumes.items():
        backed = volume.disk
        for peer in dict.fromkeys(volume.peers):
            disk = backed if isinstance(backed, str) else backed.get(peer)
            first = seen.setdefault((peer, disk), name) if disk is not None else name
            if first is not name:
                own = () if isinstance(backed, str) else (peer,)
                message = f"{disk} on {peer} backs `{name}` and also `{first}`"
                yield Problem(("volumes", name, "disk", *own), message)
                break


@rule(
    "backing-free",
    reason="An installation, an array and a second system write over what was on their disks.",
    hint="back the volume by a disk or logical volume that nothing else uses",
)
def backing_free(facts: Facts) -> Iterator[Problem]:
    """No backing disk is one that the host is installed on, an array's, or a dual-boot disk."""
    for name, volume in facts.site.volumes.items():
        for peer in dict.fromkeys(volume.peers):
            host = facts.site.physical_hosts.get(peer)
            disk = volume.disk if isinstance(volume.disk, str) else volume.disk.get(peer)
            use = _use(facts.site, host, disk) if host and disk else None
            if use is not None:
                own = () if isinstance(volume.disk, str) else (peer,)
                message = f"{disk} of volume `{name}` is {use} of {peer}"
                yield Problem(("volumes", name, "disk", *own), message)
                break


def _use(site: Site, host: PhysicalHost, path: str) -> str | None:
    """What a host uses a disk or one of its partitions for, in words; None for nothing."""
    uses: dict[str, str] = {}
    if site.installs(host) and not host.dual_boot:
        uses[site.os_profiles[host.os or ""].disk] = "the disk of the system"
    uses.update(dict.fromkeys(host.raid.disks if host.raid else (), "in the array"))
    if host.dual_boot:
        uses.update(dict.fromkeys(host.dual_boot.disks, "a dual-boot disk"))
    device = path.removeprefix("/dev/")
    return uses.get(device) or uses.get(_PARTITION.sub("", device))


@rule(
    "volume-unique",
    reason="Two VMs that write to one disk destroy its file system.",
    hint="give each VM its own volume",
)
def volume_unique(facts: Facts) -> Iterator[Problem]:
    """No volume is the disk of two VMs."""
    seen: dict[str, VirtualMachine] = {}
    for vm in facts.site.virtual_machines.values():
        if vm.volume is not None:
            first = seen.setdefault(vm.volume, vm)
            if first is not vm:
                message = f"volume `{vm.volume}` of {vm.name} is also that of {first.name}"
                yield Problem(path_of(vm, "volume"), message)


@rule(
    "volume-one-use",
    reason="A VM writes to its disk beneath the file system that its host would export: one of "
    "them destroys the other's data.",
    hint="export a volume of its own, and leave the VM its disk",
)
def volume_one_use(facts: Facts) -> Iterator[Problem]:
    """No volume is the disk of a VM and exported over NFS as well."""
    owners = {vm.volume: vm.name for vm in facts.site.virtual_machines.values()}
    for name, volume in facts.site.volumes.items():
        if volume.nfs is not None and name in owners:
            message = f"volume `{name}` is exported, and also the disk of {owners[name]}"
            yield Problem(("volumes", name, "nfs"), message, key=True)


@rule(
    "disk-fits-volume",
    reason="A VM's disk is on its volume, which has to hold it.",
    hint="make the volume larger or the disk smaller",
)
def disk_fits_volume(facts: Facts) -> Iterator[Problem]:
    """A VM's disk is not larger than its volume."""
    for vm in facts.site.virtual_machines.values():
        volume = facts.site.volumes.get(vm.volume or "")
        if volume is not None and vm.disk is not None and vm.disk > volume.size:
            words = f"{vm.name}'s disk of {gib(vm.disk)} is larger than its volume"
            yield Problem(path_of(vm, "disk"), f"{words} `{vm.volume}` of {gib(volume.size)}")


@rule(
    "raid-level",
    reason="Each RAID level needs a least number of disks, and those made of others need "
    "disks for equal parts: pairs for 10, two equal arrays for 51, RAID 5 sets for 50.",
    hint="add disks, or choose another level",
)
@of_hosts
def raid_level(_: Facts, host: Host) -> Iterator[Problem]:
    """Every array has disks enough for its level, and a number that it can divide."""
    if not isinstance(host, BareMetal) or host.raid is None:
        return
    level, count = host.raid.level, len(host.raid.disks)
    if count < RAID_MINIMUM[level]:
        words = f"RAID {level} needs at least {RAID_MINIMUM[level]} disks, {host.name}"
        yield Problem(path_of(host, "raid", "disks"), f"{words} has {count} in it", key=True)
    elif not _divides(host.raid):
        words = f"RAID {level} cannot be made of {count} disks ({host.name})"
        yield Problem(path_of(host, "raid", "disks"), words, key=True)


def _divides(raid: Raid) -> bool:
    count = len(raid.disks)
    match raid.level:
        case 10 | 51:
            return count % 2 == 0
        case 50:
            return any(count % sets == 0 for sets in range(2, count // 3 + 1))
    return True


@rule(
    "disk-names",
    reason="A disk is known by its device name; an array is built over disks that are there.",
    hint="list each disk once under `disks`, with its size",
)
@of_hosts
def disk_names(_: Facts, host: Host) -> Iterator[Problem]:
    """Disks are named once, in `disks` and in the array, and the array's are declared."""
    if not isinstance(host, BareMetal):
        return
    declared: set[str] = set()
    for position, disk in enumerate(host.disks):
        if disk.device in declared:
            path = path_of(host, "disks", position, "device")
            yield Problem(path, f"disk {disk.device} of {host.name} is listed twice")
        declared.add(disk.device)
    members: set[str] = set()
    for position, name in enumerate(host.raid.disks if host.raid else ()):
        path = path_of(host, "raid", "disks", position)
        if name in members:
            yield Problem(path, f"{name} is in the array of {host.name} twice")
        elif name not in declared:
            yield Problem(path, f"{host.name} has no disk {name} for its array")
        members.add(name)


RULES = (
    peers_differ,
    volume_name,
    peers_reach,
    unique_minor,
    unique_port,
    locked_number,
    vm_beside_volume,
    backing_unique,
    backing_free,
    volume_unique,
    volume_one_use,
    disk_fits_volume,
    raid_level,
    disk_names,
)
