"""DRBD: the common options and a resource for each mirrored volume.

Source: drbd.conf(5), drbd-8.4.conf(5), thesis 6.14.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from threerc.compiler.lock import LockedVolume
from threerc.compiler.model import Site
from threerc.compiler.model.storage import Volume
from threerc.compiler.templating import Safe, render
from threerc.compiler.tree import Output

FOLDER = "/etc/drbd.d"


def volume_numbers(site: Site, out: Output) -> dict[str, LockedVolume]:
    """Minor and port of each volume: the YAML's own, or those that site.lock keeps."""
    return out.lock.volumes({n: (v.minor, v.port) for n, v in site.volumes.items()})


def compile_drbd(site: Site, out: Output) -> None:
    """/etc/drbd.d on each physical host that holds a volume.

    Debian's /etc/drbd.conf, which includes the folder, comes with the package.
    """
    numbers = volume_numbers(site, out)
    common = render("drbd_common", site=site, fencing=site.drbd.fencing)
    for name in site.physical_hosts:
        held = {key: volume for key, volume in site.volumes.items() if name in volume.peers}
        if not held:
            continue
        out.file(name, f"{FOLDER}/global_common.conf", common, concerns=(name,))
        for key, volume in held.items():
            text = _resource(site, key, volume, numbers[key])
            out.file(name, f"{FOLDER}/{key}.res", text, concerns=volume.peers)


def _resource(site: Site, name: str, volume: Volume, numbers: LockedVolume) -> str:
    ends = zip(volume.peers, site.mirror_addresses(volume), strict=True)
    peers = {peer: _end(address, numbers.port) for peer, address in ends}
    return render("drbd", name=name, volume=volume, peers=peers, numbers=numbers)


def _end(address: IPv4Address | IPv6Address, port: int) -> Safe:
    """One end of a connection, as DRBD spells it."""
    if address.version == 4:
        return Safe(f"ipv4 {address}:{port}")
    return Safe(f"ipv6 [{address}]:{port}")
