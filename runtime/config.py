"""The schema of controller.yaml: all that a controller knows of its site.

The compiler writes it with `dump`, a controller reads it with `load`. It holds no secret, only
where each is kept. Sizes are bytes, times seconds; every name is checked again at this edge.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import NAMESPACE_DNS, UUID, uuid5

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from threerc.runtime.errors import ControllerError
from threerc.runtime.wording import problem

VERSION = 1
_HEADER = """\
# What the controllers of {site} know, compiled by 3RC from site.yaml: edit that.
# Left out is what is as usual: see runtime/config.py. Bytes and seconds.
"""
_SITES_OWN = {"networks", "os_profiles", "physical_hosts", "virtual_machines", "defaults", "dns"}
_DEVICES = "/dev/"
_TABLES = ("volumes", "physical_hosts", "virtual_machines")


class ConfigError(ControllerError):
    """A controller.yaml that cannot be used; the message has a line for each problem."""

    def __init__(self, path: Path, problems: Iterable[str]) -> None:
        super().__init__("\n".join(f"{path}{problem}" for problem in problems))


class Part(BaseModel):
    """Base of all parts: unknown keys are refused, values never change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
HostName = Annotated[str, StringConstraints(pattern=rf"^{_LABEL}$")]
DomainName = Annotated[
    str, StringConstraints(pattern=rf"^{_LABEL}(?:\.{_LABEL})*$", max_length=253)
]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,62}$")]
UserName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")]
AbsolutePath = Annotated[
    str, StringConstraints(pattern=r"^(?:/[A-Za-z0-9_+@][A-Za-z0-9._+@-]*)+$", max_length=255)
]
MacAddress = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$")]
Interface = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$")]
DiskName = Annotated[str, StringConstraints(pattern=r"^(?:[shv]|xv)d[a-z]$")]
FenceAgent = Annotated[str, StringConstraints(pattern=r"^fence_[a-z0-9_]{1,40}$")]
OptionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,40}$")]
OptionValue = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{0,500}$")]
LinkName = Annotated[str, StringConstraints(pattern=r"^[0-9A-F]{8}$")]
HttpUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s\"'<>\\^`{|}]{1,2000}$")]
Address = IPv4Address | IPv6Address
Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Minutes = Literal["even", "odd", "every"]


class Steps(Part):
    """How many times each step is tried before the next one; 0 leaves it out.

    `snapshot` restarts a VM from its last snapshot (thesis 10).
    """

    reboot: Count
    restart: Count
    snapshot: Count = 0
    reinstall: Count


class Waits(Part):
    """Seconds to stand still after each step; `reinstall` also after a cleared history.

    After a restart from a snapshot it is `restart`.
    """

    reboot: Count
    restart: Count
    reinstall: Count


class RestartLimit(Part):
    """At most `restarts` actions within `within` seconds."""

    restarts: Positive
    within: Positive


class Flapping(Part):
    """How long failures are remembered, and how many are too many.

    Each failure counts 1 and loses half of its weight in every `half_life` seconds that the VM is
    up. Waits double with each failure that still counts; at `give_up` the VM is left to a human.
    So often all steps may be tried in vain, too: the two add up.
    """

    half_life: Positive = 3600
    give_up: Positive = 5


class Policy(Part):
    """How a VM is recovered; `history` is after how many seconds its history is cleared."""

    steps: Steps
    waits: Waits
    history: Count
    limit: RestartLimit
    flapping: Flapping = Flapping()


class Secret(Part):
    """Where a secret is kept on the controller's host: a file or an environment variable."""

    file: str | None = None
    env: Annotated[str, StringConstraints(pattern=r"^[A-Z_][A-Z0-9_]*$")] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Secret:
        if (self.file is None) == (self.env is None):
            raise PydanticCustomError("secret", "give either `file` or `env`")
        return self


class BoardPower(Part):
    """A management board that cuts a physical host's power.

    `cipher` is IPMI's suite, for boards that do not tell theirs. `certificate`, the board's own in
    PEM or that of the CA which signed it, is for Redfish, whose board may look after several
    systems: `system` is the host's Id among them.
    """

    kind: Literal["ipmi", "redfish"]
    address: Address
    port: Port | None = None
    user: UserName
    password: Secret
    cipher: Annotated[int, Field(ge=1, le=17)] | None = None
    certificate: AbsolutePath | None = None
    system: Word | None = None


class FencePower(Part):
    """A fence agent (Debian: fence-agents) that cuts a physical host's power.

    `options` are what its manual calls them under STDIN PARAMETERS, such as `ip` and `plug`.
    """

    kind: Literal["fence"]
    agent: FenceAgent
    options: dict[OptionName, OptionValue] = {}
    password: Secret | None = None


Power = Annotated[BoardPower | FencePower, Field(discriminator="kind")]


class PhysicalHost(Part):
    """A physical host (PH). No VM is sent to it while its 5-minute load is above `maxl`.

    Without `kvm` libvirt's VMs are emulated in software, for test beds.
    """

    address: Address | None = None
    maxl: Annotated[float, Field(ge=0)]
    cpus: Positive | None = None
    memory: Positive | None = None
    hypervisor: Literal["libvirt", "vmware", "xen"]
    kvm: bool = True
    power: Power | None = None


class Boot(Part):
    """A VM's boot links: their names below pxelinux.cfg, and the boot files they point to.

    There is one for each interface that it boots from: which one its BIOS asks first is not known.
    `declared` is their target normally, `install` while the VM is reinstalled.
    """

    links: Annotated[tuple[LinkName, ...], Field(min_length=1)]
    declared: Word
    install: Word | None = None


class Snapshots(Part):
    """Seconds between scheduled snapshots, and how many are kept."""

    every: Positive
    keep: Positive


class VirtualMachine(Part):
    """A virtual machine (VM). None stands for the site's usual: see ControllerConfig.

    Its disk is `volume`, or else `image`: a qcow2 file, or a raw device below /dev. It is called
    `device` inside, which also says what it is attached to: sd* virtio-scsi, vd* virtio-blk, hd*
    what a system without virtio drivers knows. `bridge` is the PH's that its network card is on.
    """

    address: Address | None = None
    mac: MacAddress | None = None
    home: HostName
    allowed: tuple[HostName, ...] | None = None
    cpus: Positive = 1
    memory: Positive
    disk: Positive | None = None
    volume: Word | None = None
    image: AbsolutePath | None = None
    device: DiskName = "sda"
    bridge: Interface = "br0"
    inst: Literal[0, 1] = 0
    os: Word | None = None
    middleware: Word | None = None
    recovery: Policy | None = None
    priority: int = 0
    anti_affinity: Word | None = None
    start_after: tuple[HostName, ...] = ()
    snapshots: Snapshots | None = None
    boot: Boot | None = None


class Volume(Part):
    """A mirrored volume: its DRBD numbers, and the backing device on each of its peers."""

    minor: Count
    port: Port
    size: Positive
    peers: dict[HostName, AbsolutePath]


class Endpoint(Part):
    """Where a monitor is listened to."""

    host: HostName
    address: Address | None = None
    port: Port


class Prometheus(Part):
    """A Prometheus server, for sites without Ganglia, and what it calls load and life.

    Hosts are told apart by the label `instance`, whose port and domain are left out.
    """

    url: HttpUrl
    load: str = "node_load5"
    up: str = 'up{job="node"}'


class Monitors(Part):
    """Where the state of all hosts is learned: the first of these with fresh data is believed.

    A host is down after `down_after` times its TMAX without a heartbeat. `probe` asks a host that
    is said to be down once more, directly, before anything is done.
    """

    cluster: str
    poll_interval: Positive
    down_after: Annotated[float, Field(ge=0.2)] = 4.0
    gmetad: tuple[Endpoint, ...] = ()
    collectors: tuple[Endpoint, ...] = ()
    prometheus: tuple[Prometheus, ...] = ()
    probe: Literal["none", "ping", "ssh"] = "none"


class Brake(Part):
    """When so many hosts went silent within so many seconds, nothing is done.

    One physical host with all its VMs is never too much.
    """

    share: Annotated[float, Field(gt=0, le=1)] = 1 / 3
    within: Positive = 180


class SplitBrain(Part):
    """What to do when the old copy of a VM cannot be seen dead, nor its host's power be cut.

    `wait`: nothing. `proceed`: start the VM elsewhere when its host has been silent for `after`
    seconds; then only locks on its disk (DRBD, libvirt) stand between the site and two copies.
    """

    policy: Literal["wait", "proceed"] = "wait"
    after: Count = 1800


class Ssh(Part):
    """How hosts are logged in to: as whom, with which key (default: ssh's own), in what time."""

    user: UserName = "root"
    port: Port = 22
    key: AbsolutePath | None = None
    connect: Positive = 5


class Etcd(Part):
    """An etcd cluster that holds the controllers' state instead of the state directory."""

    endpoints: Annotated[tuple[HttpUrl, ...], Field(min_length=1)]
    prefix: AbsolutePath = "/3rc"
    ca: AbsolutePath | None = None
    cert: AbsolutePath | None = None
    key: AbsolutePath | None = None
    user: UserName | None = None
    password: Secret | None = None


class Notify(Part):
    """Who is told of each action, and when the controllers stand still.

    `command` gets the event as JSON on its standard input, `webhook` as the body of a POST.
    """

    command: tuple[str, ...] = ()
    webhook: HttpUrl | None = None


class Metrics(Part):
    """Where Prometheus finds the controllers' own figures: a textfile, or a port."""

    textfile: AbsolutePath | None = None
    port: Port | None = None


class TftpServer(Part):
    """A host whose `root`/pxelinux.cfg holds the boot links."""

    host: HostName
    address: Address | None = None
    root: AbsolutePath


class ControllerConfig(Part):
    """The whole of controller.yaml.

    `overcommit` is how many virtual CPUs a PH may carry for each of its own.
    `deadline` is how many seconds one action may take, `boot_link` for how many a boot link says
    `install` at the most, `images` where a PH keeps the disks <VM>.qcow2 (on VMware: the folders
    <VM>) of VMs that name none. `domains` is where a controller finds the compiled <VM>.xml of
    libvirt's.
    """

    version: Literal[1]
    site: Word
    domain: DomainName
    user: UserName
    state_directory: AbsolutePath
    known_hosts: AbsolutePath | None = None
    controllers: dict[HostName, Minutes]
    recovery: Policy
    monitors: Monitors
    brake: Brake = Brake()
    split_brain: SplitBrain = SplitBrain()
    ssh: Ssh = Ssh()
    overcommit: Positive = 4
    deadline: Positive = 60
    boot_link: Positive = 120
    images: AbsolutePath = "/var/lib/libvirt/images"
    domains: AbsolutePath = "/etc/3rc/domains"
    etcd: Etcd | None = None
    notify: Notify = Notify()
    metrics: Metrics = Metrics()
    tftp_servers: tuple[TftpServer, ...] = ()
    volumes: dict[Word, Volume] = {}
    physical_hosts: dict[HostName, PhysicalHost] = {}
    virtual_machines: dict[HostName, VirtualMachine] = {}

    def policy(self, vm: VirtualMachine) -> Policy:
        """How a VM is recovered: its own policy, or the site's."""
        return vm.recovery or self.recovery

    def allowed_hosts(self, vm: VirtualMachine) -> tuple[str, ...]:
        """The PHs that may run a VM: those it names, or all with its home's hypervisor."""
        if vm.allowed is not None:
            return vm.allowed
        return self._by_hypervisor[self.physical_hosts[vm.home].hypervisor]

    def places(self, vm: VirtualMachine) -> tuple[str, ...]:
        """Where a VM may be, whoever has put it there: people heed no list of allowed hosts."""
        if vm.volume is not None:
            return self.allowed_hosts(vm)  # its disk is nowhere else
        return self._by_hypervisor[self.physical_hosts[vm.home].hypervisor]

    def disk(self, name: str) -> str:
        """The path of a VM's disk, which is the same on every PH."""
        vm = self.virtual_machines[name]
        if vm.volume is not None:
            return f"{_DEVICES}drbd{self.volumes[vm.volume].minor}"
        return vm.image or f"{self.images}/{name}.qcow2"

    def disk_format(self, name: str) -> Literal["raw", "qcow2"]:
        """How its content is laid out."""
        return "raw" if self.disk(name).startswith(_DEVICES) else "qcow2"

    def uuid(self, name: str) -> UUID:
        """A VM's own number, which is the same on every PH."""
        return uuid5(NAMESPACE_DNS, f"{name}.{self.site}.{self.domain}")

    @cached_property
    def _by_hypervisor(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for name, ph in self.physical_hosts.items():
            found.setdefault(ph.hypervisor, []).append(name)
        return {kind: tuple(names) for kind, names in found.items()}

    @model_validator(mode="after")
    def _names_exist(self) -> ControllerConfig:
        unknown = sorted(set(self._unknown()))
        if unknown:
            raise PydanticCustomError("unknown-name", "{names}", {"names": "; ".join(unknown)})
        waits = {name: vm.start_after for name, vm in self.virtual_machines.items()}
        try:
            TopologicalSorter(waits).prepare()
        except CycleError as error:
            circle = " -> ".join(reversed(error.args[1]))
            message = "virtual machines that start after each other: {circle}"
            raise PydanticCustomError("circle", message, {"circle": circle}) from None
        return self

    def _unknown(self) -> Iterator[str]:
        """What names no physical host, VM or volume of this file."""
        physical, virtual = self.physical_hosts.keys(), self.virtual_machines.keys()
        for name, vm in self.virtual_machines.items():
            for each in (vm.home, *(vm.allowed or ())):
                if each not in physical:
                    yield f"{name}: no physical host {each}"
            for each in vm.start_after:
                if each not in virtual:
                    yield f"{name}: no virtual machine {each} to start after"
            if vm.volume is not None and vm.volume not in self.volumes:
                yield f"{name}: no volume {vm.volume}"
        for name, volume in self.volumes.items():
            for each in volume.peers:
                if each not in physical:
                    yield f"volume {name}: no physical host {each}"


def load(path: Path) -> ControllerConfig:
    """Read controller.yaml. Raises ConfigError with all that is wrong in it."""
    try:
        text = path.read_text(encoding="utf-8")
        data = _parse(text)
    except OSError as error:
        raise ConfigError(path, [f": {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise ConfigError(path, [": not UTF-8"]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        reason = getattr(error, "problem", None) or "not YAML"
        raise ConfigError(path, [f"{place}: {reason}"]) from None
    if isinstance(data, dict) and data.get("version") != VERSION:
        raise ConfigError(path, [f": {_another_file(data)}"])
    try:
        return ControllerConfig.model_validate(data)
    except ValidationError as error:
        problems = (problem(each, text) for each in error.errors(include_url=False))
        raise ConfigError(path, problems) from None


def _another_file(data: Mapping[str, Any]) -> str:
    """What a file may be whose version is not ours."""
    if "version" not in data and _SITES_OWN & data.keys():
        return (
            "this is a site, to be compiled; what a controller reads is "
            "etc/3rc/controller.yaml in its folder of what `3rc build` writes"
        )
    reason = f"this controller reads version {VERSION}, not {data.get('version')}"
    return f"{reason}; build the site with the same 3RC"


def _parse(text: str) -> Any:
    """YAML; what `dump` writes is JSON too below its comments, which is read much faster."""
    body = text
    while body.startswith("#"):
        body = body.partition("\n")[2]
    try:
        return json.loads(body)
    except ValueError:
        return yaml.load(text, Loader=yaml.CSafeLoader)


def dump(config: ControllerConfig) -> str:
    """The text of controller.yaml: a line for each host and volume, defaults left out."""
    parts = []
    for key, value in config.model_dump(mode="json", exclude_defaults=True).items():
        if key in _TABLES:
            rows = [f"    {_json(name)}: {_json(each)}" for name, each in sorted(value.items())]
            parts.append(f"  {_json(key)}: {{\n" + ",\n".join(rows) + "\n  }")
        else:
            parts.append(f"  {_json(key)}: {_json(value)}")
    return _HEADER.format(site=config.site) + "{\n" + ",\n".join(parts) + "\n}\n"


_json = json.JSONEncoder(ensure_ascii=False).encode
