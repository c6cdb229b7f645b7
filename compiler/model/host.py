"""Hosts: physical hosts, virtual machines, worker nodes and service hosts."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import ByteSize, Field, StringConstraints, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from threerc.compiler.model.recovery import RecoveryOverrides
from threerc.compiler.model.storage import Disk, Raid
from threerc.compiler.model.types import (
    AbsolutePath,
    Address6,
    Argument,
    DeviceName,
    DhcpStatement,
    Explained,
    HostName,
    Line,
    MacAddress,
    Model,
    SecretReference,
    Size,
    SshPublicKey,
    UserName,
    Word,
)

HostKind = Literal["physical_hosts", "virtual_machines", "worker_nodes", "service_hosts"]
Role = Literal["dhcp", "dns", "tftp", "install", "collector", "gmetad", "controller"]
BootTarget = Annotated[
    str,
    StringConstraints(pattern=r"^(?:local|install|disk[1-8])$"),
    Explained("boot-target", "not a boot target: local, install, disk1 ... disk8"),
]
InterfaceName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,13}[a-z0-9]$"),
    Explained("interface-name", "not an interface name, such as eth1"),
]


DiskName = Annotated[
    str,
    StringConstraints(pattern=r"^(?:[shv]|xv)d[a-z]$"),
    Explained("disk-name", "not the name of a disk inside a VM, such as sda, vda or hda"),
]


class Interface(Model):
    """One network interface. The network is found by the address."""

    address: IPv4Address | None = Field(
        default=None,
        description="IPv4 address.",
        examples=["192.168.1.11", "192.168.2.1-192.168.2.200"],
    )
    address6: Address6 | None = Field(
        default=None, description="IPv6 address.", examples=["2001:db8:1::11"]
    )
    mac: MacAddress | None = Field(
        default=None,
        description="MAC address; needed for DHCP.",
        examples=["02:00:c0:a8:01:0b", "02:00:c0:a8:02:01-02:00:c0:a8:02:c8"],
    )
    dns: Literal["all", "forward", "none"] = Field(
        default="all",
        description="Its records in DNS: all; forward, without those from address to name (PTR); "
        "or none. What stands in their place is said in `dns.zones`.",
    )
    dhcp: tuple[DhcpStatement, ...] = Field(
        default=(),
        description="Further statements of its host declaration in dhcpd.conf(5), without the "
        "semicolon.",
        examples=[['option root-path "/srv/diskless"']],
    )


class DualBoot(Model):
    """Two or more disks with a system each, chosen over PXE without writing to them (5.8)."""

    disks: tuple[DeviceName, ...] = Field(
        default=("sda", "sdb"),
        min_length=2,
        max_length=8,
        description="The disks in BIOS order: the first is booted by `disk1`. An installation "
        "writes only to the disk that the host boots from (`boot`), or to the first.",
    )


class Snapshots(Model):
    """Scheduled snapshots of a VM's disk, to restart from (thesis 10)."""

    every: int = Field(
        ge=3600, le=30 * 86400, description="Seconds between snapshots.", examples=[86400]
    )
    keep: int = Field(default=2, ge=1, le=100, description="How many are kept.")


FenceAgent = Annotated[
    str,
    StringConstraints(pattern=r"^fence_[a-z0-9_]{1,40}$"),
    Explained("fence-agent", "not the name of a fence agent, such as fence_apc"),
]
OptionName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,40}$"),
    Explained("option-name", "not the name of an option, such as plug"),
]
_OF_BOARDS: tuple[str, ...] = ("address", "port", "cipher", "certificate", "system")
_OF_AGENTS: tuple[str, ...] = ("agent", "options")


class PowerControl(Model):
    """How to cut a physical host's power when it does not answer any more."""

    kind: Literal["ipmi", "redfish", "fence"] = Field(
        description="Protocol of its management board; or `fence`: any of Debian's fence-agents."
    )
    address: IPv4Address | Address6 | None = Field(
        default=None, description="Address of the management board.", examples=["192.168.3.11"]
    )
    port: int | None = Field(default=None, ge=1, le=65535, description="Its port (redfish).")
    cipher: int | None = Field(
        default=None,
        ge=1,
        le=17,
        description="Cipher suite, for a board that does not tell its own (ipmi).",
    )
    certificate: AbsolutePath | None = Field(
        default=None,
        description="Its certificate in PEM, or that of the CA which signed it (redfish).",
    )
    system: Word | None = Field(
        default=None, description="Which of the board's systems the host is (redfish)."
    )
    user: UserName = Field(default="root", description="User on the management board.")
    agent: FenceAgent | None = Field(
        default=None, description="The agent (fence).", examples=["fence_apc"]
    )
    options: dict[OptionName, Argument] = Field(
        default={},
        description="Its options, as its manual names them under STDIN PARAMETERS (fence).",
        examples=[{"ip": "192.168.3.2", "plug": "4"}],
    )
    password: SecretReference | None = Field(
        default=None,
        description="Where each controller finds the password; it is never compiled in.",
    )

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        needed = ("agent",) if self.kind == "fence" else ("address", "password")
        foreign = _OF_BOARDS if self.kind == "fence" else _OF_AGENTS
        missing = [key for key in needed if getattr(self, key) is None]
        foreign = tuple(key for key in foreign if key in self.model_fields_set)
        if missing or foreign:
            words = [f"missing key `{key}`" for key in missing]
            words += [f"key `{key}` does not belong to it" for key in foreign]
            raise PydanticCustomError("power", "{words}", {"words": ", ".join(words)})
        return self

    def settings(self) -> dict[str, Any]:
        """What of it belongs to its kind."""
        out = {"user", *_OF_BOARDS} if self.kind == "fence" else set(_OF_AGENTS)
        return self.model_dump(exclude=out)


class Host(Interface):
    """What all hosts share. The first interface's address and MAC are the host's own."""

    kind: ClassVar[HostKind]

    name: SkipJsonSchema[HostName]
    groups: tuple[Word, ...] = Field(
        default=(), description="Groups it inherits from, nearest last.", examples=[["farm"]]
    )
    description: Line = Field(default="", description="For people; a comment in dhcpd.conf.")
    aliases: tuple[HostName, ...] = Field(
        default=(), description="Further names (CNAME).", examples=[["install"]]
    )
    interfaces: dict[InterfaceName, Interface] = Field(
        default={},
        description="Further interfaces; `eth1` of `bibe` is called bibe-eth1 in DNS.",
        examples=[{"eth1": {"address": "192.168.2.250"}}],
    )
    interface: InterfaceName | None = Field(
        default=None,
        description="What its system calls the interface of its own address. Kea has to know, to "
        "serve IPv6 there.",
        examples=["eno1"],
    )
    roles: tuple[Role, ...] = Field(default=(), description="Services that it runs for the site.")
    os: Word | None = Field(default=None, description="OS profile.", examples=["sl4-64"])
    middleware: Word | None = Field(default=None, description="Middleware.", examples=["ig_WN"])
    boot: BootTarget | None = Field(
        default=None,
        description="What it boots by declaration: local, install, disk1, disk2... "
        "Default: disk1 with dual boot, otherwise local.",
        examples=["local", "install", "disk1"],
    )
    dual_boot: DualBoot | None = Field(default=None, description="Dual boot over PXE.")
    ssh_host_keys: tuple[SshPublicKey, ...] = Field(
        default=(), description="Its ssh host keys, for the controllers' known_hosts."
    )

    @property
    def boots(self) -> str:
        """Its boot target by declaration: local, install or diskN."""
        return self.boot or ("disk1" if self.dual_boot else "local")


class BareMetal(Host):
    """What hosts of iron share."""

    disks: tuple[Disk, ...] = Field(default=(), description="Its disks.")
    raid: Raid | None = Field(default=None, description="A RAID array over its disks.")
    switches: tuple[Word, ...] = Field(default=(), description="Switches it is cabled to.")
    pdus: tuple[Word, ...] = Field(default=(), description="PDUs that feed it.")

    def storage(self) -> int:
        """Usable bytes of its disks: those in the array count as the array."""
        members = set(self.raid.disks) if self.raid else set()
        free = sum(disk.size for disk in self.disks if disk.device not in members)
        sizes = [disk.size for disk in self.disks if disk.device in members]
        return free + (self.raid.usable(min(sizes)) if self.raid and sizes else 0)


class PhysicalHost(BareMetal):
    """A physical host (PH): it carries virtual machines."""

    kind: ClassVar[HostKind] = "physical_hosts"

    maxl: float = Field(
        default=10.0, ge=0, le=10000, description="MAXL: 5-minute load above which no VM is sent."
    )
    cpus: int | None = Field(default=None, ge=1, le=4096, description="CPUs for VMs.")
    memory: Size | None = Field(default=None, description="Memory for VMs.")
    hypervisor: Literal["libvirt", "vmware", "xen"] = Field(
        default="libvirt", description="What runs its VMs."
    )
    kvm: bool = Field(
        default=True, description="Hardware virtualisation; without it libvirt emulates."
    )
    power: PowerControl | None = Field(default=None, description="Remote power control.")


class VirtualMachine(Host):
    """A virtual machine (VM): the controller keeps it alive."""

    kind: ClassVar[HostKind] = "virtual_machines"

    home: HostName = Field(description="Physical host that runs it normally.", examples=["alfa01"])
    allowed: tuple[HostName, ...] | None = Field(
        default=None,
        description="Physical hosts that may run it. Default: the peers of its volume, or all "
        "of its home's hypervisor.",
    )
    cpus: int = Field(default=1, ge=1, le=1024, description="Virtual CPUs.")
    memory: Size = Field(default=ByteSize(1 << 30), description="Memory; default 1GiB.")
    disk: Size | None = Field(default=None, description="Size of its disk.")
    volume: Word | None = Field(default=None, description="The mirrored volume its disk is on.")
    image: AbsolutePath | None = Field(
        default=None,
        description="Its disk without a volume: a qcow2 file, or a device below /dev. "
        "Default: <VM>.qcow2 in `provisioning.images`.",
        examples=["/dev/vg0/web1"],
    )
    device: DiskName = Field(
        default="sda",
        description="What it calls its disk: sd* (virtio-scsi), vd* (virtio), hd* (IDE).",
    )
    bridge: InterfaceName = Field(
        default="br0", description="The physical hosts' bridge that it is connected to."
    )
    inst: Literal[0, 1] = Field(
        default=0, description="INST: 1 consents to a reinstallation from scratch."
    )
    recovery: RecoveryOverrides = Field(
        default=RecoveryOverrides(), description="Its own recovery settings."
    )
    priority: int = Field(
        default=0, ge=-1000, le=1000, description="Higher is recovered before lower."
    )
    anti_affinity: Word | None = Field(
        default=None,
        description="VMs of one such group never share a physical host.",
        examples=["pbs"],
    )
    start_after: tuple[HostName, ...] = Field(
        default=(), description="VMs that have to be up before it is started."
    )
    snapshots: Snapshots | None = Field(default=None, description="Scheduled snapshots.")

    @property
    def local_disk(self) -> int:
        """Bytes of its disk where that is its physical host's alone; 0 without or on a volume."""
        return self.disk or 0 if self.volume is None else 0


class WorkerNode(BareMetal):
    """A worker node (WN): bare metal that computes."""

    kind: ClassVar[HostKind] = "worker_nodes"

    cpus: int | None = Field(default=None, ge=1, le=4096, description="CPUs.")
    memory: Size | None = Field(default=None, description="Memory.")


class ServiceHost(BareMetal):
    """A service host: it runs the site's DHCP, DNS, TFTP, collectors and controllers."""

    kind: ClassVar[HostKind] = "service_hosts"


KINDS: dict[HostKind, type[Host]] = {
    "physical_hosts": PhysicalHost,
    "virtual_machines": VirtualMachine,
    "worker_nodes": WorkerNode,
    "service_hosts": ServiceHost,
}
"""The section of site.yaml each kind of host is written in."""
