"""Hypervisors: one file each, registered here."""

from __future__ import annotations

from typing import Final

from threerc.runtime.config import ControllerConfig
from threerc.runtime.errors import Refused
from threerc.runtime.hypervisors.base import RemoteHypervisor
from threerc.runtime.hypervisors.libvirt import Libvirt
from threerc.runtime.hypervisors.vmware import VMware
from threerc.runtime.hypervisors.xen import Xen
from threerc.runtime.remote import open_remote
from threerc.runtime.world import Leave

KINDS: Final[dict[str, type[RemoteHypervisor]]] = {
    "libvirt": Libvirt,
    "vmware": VMware,
    "xen": Xen,
}


def open_hypervisor(
    config: ControllerConfig, host: str, leave: Leave | None = None
) -> RemoteHypervisor:
    """The hypervisor of a physical host, with `leave` for an action: see world.World.

    Raises Refused where the site has no such host.
    """
    if host not in config.physical_hosts:
        raise Refused(f"{config.site} has no physical host {host!r}")
    kind = KINDS[config.physical_hosts[host].hypervisor]
    return kind(config, host, open_remote(config, host, leave))
