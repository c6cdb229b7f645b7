"""DRBD: the common options and a resource for each mirrored volume.

Source: drbd.conf(5), drbd-8.4.conf(5), thesis 6.14.
"""

from __future__ import annotations

from threerc.compiler.lock import LockedVolume
from threerc.compiler.model import Site
from threerc.compiler.templating import render
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
    common = render("drbd_common", site=site)
    for name in site.physical_hosts:
        held = {key: volume for key, volume in site.volumes.items() if name in volume.peers}
        if not held:
            continue
        out.file(name, f"{FOLDER}/global_common.conf", common, concerns=(name,))
        for key, volume in held.items():
            peers = [site.physical_hosts[peer] for peer in volume.peers]
            text = render("drbd", name=key, volume=volume, peers=peers, numbers=numbers[key])
            out.file(name, f"{FOLDER}/{key}.res", text, concerns=volume.peers)
