"""What a site is: one noun per file. Imports nothing else of 3RC."""

from threerc.compiler.model.farm import Alike, Farm, plain
from threerc.compiler.model.host import (
    KINDS,
    DualBoot,
    Host,
    HostKind,
    Interface,
    PhysicalHost,
    Role,
    ServiceHost,
    VirtualMachine,
    WorkerNode,
)
from threerc.compiler.model.network import AddressRange, Network
from threerc.compiler.model.site import Site, SiteSettings

__all__ = [
    "KINDS",
    "AddressRange",
    "Alike",
    "DualBoot",
    "Farm",
    "Host",
    "HostKind",
    "Interface",
    "Network",
    "PhysicalHost",
    "Role",
    "ServiceHost",
    "Site",
    "SiteSettings",
    "VirtualMachine",
    "WorkerNode",
    "plain",
]
