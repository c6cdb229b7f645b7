"""The site as the testbed builds it: what of it cannot be had here is replaced, and told.

All else is compiled as it stands, and every daemon reads what was compiled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar

from threerc.compiler.model import Farm, Host, Site
from threerc.compiler.model.host import PhysicalHost, PowerControl, VirtualMachine, WorkerNode
from threerc.compiler.model.middleware import Middleware
from threerc.compiler.model.os_profile import OsProfile
from threerc.compiler.model.types import Model, SecretReference
from threerc.testbed.errors import TestbedError
from threerc.testbed.supplies import Supplies

NAME: Final = "testbed"
"""Of the administrator and of the middleware that it adds."""
HOST_KEY_SCRIPT: Final = "testbed/host-key.sh"
"""Below the install server's root: the script that gives an installed machine its host key."""
_KEY: Final = "/etc/3rc/id_ed25519"
_PASSWORD: Final = "/etc/3rc/ipmi"  # noqa: S105 - where it is kept
_MAXL: Final = 100.0
_CIPHER: Final = 3
"""The simulated board does not say which it has, for which ipmitool would wait long."""
FAST_HEARTBEAT: Final = 2
_FAST_MONITORING: Final = {
    "poll_interval": 2,
    "heartbeat": FAST_HEARTBEAT,
    "down_after": 0.5,
}
"""Dead after half a TMAX, 10 s."""
_FAST_WAITS: Final = {"reboot": 40, "restart": 90, "reinstall": 240}
_T = TypeVar("_T", bound=Model)


class Overlay:
    """A site being changed, and the changes so far, each in a line for people."""

    def __init__(self, site: Site, supplies: Supplies) -> None:
        self.site = site
        self.supplies = supplies
        self.changes: list[str] = []

    def all(self) -> Site:
        """The changed site. Raises TestbedError where it cannot be built here at all."""
        _refuse(self.site)
        return Site.model_construct(
            **{
                **{name: getattr(self.site, name) for name in Site.model_fields},
                **self._settings(),
                **self._hosts(),
            }
        )

    # -- settings

    def _settings(self) -> dict[str, Any]:
        site = self.site
        self._say(f"administrators: {NAME} may log in too, with a key of this run")
        found: dict[str, Any] = {
            "administrators": {**site.administrators, NAME: [self.supplies.identity.public]},
            "os_profiles": {n: self._profile(n, p) for n, p in site.os_profiles.items()},
            "middleware": self._middleware(),
            "recovery": self._recovery(),
        }
        if site.root_password is not None:
            self._say("root_password: left out, since its hash is not here")
            found["root_password"] = None
        found["monitoring"] = self._monitoring()
        mx = tuple(each for each in site.dns.mx if self._is_there(each.host))
        if mx != site.dns.mx:
            found["dns"] = site.dns.model_copy(update={"mx": mx})
            self._say("dns.mx: without the virtual machines that are left out")
        return found

    def _monitoring(self) -> Model:
        old = self.site.monitoring
        new: dict[str, Any] = {}
        trusted = tuple(each for each in old.trusted if self._is_there(str(each)))
        if trusted != old.trusted:
            new["trusted"] = trusted
            self._say("monitoring.trusted: without the virtual machines that are left out")
        if self.supplies.profile == "fast":
            new |= _FAST_MONITORING
            self._say(f"monitoring: {_FAST_MONITORING} (fast)")
        return self._changed(old, new)

    def _is_there(self, name: str) -> bool:
        """Whether a name is of no VM that is left out."""
        return name not in self.site.virtual_machines or name in self.supplies.vms

    def _profile(self, name: str, old: OsProfile) -> OsProfile:
        image = self.supplies.image
        new = OsProfile(
            installer="image",
            kernel=old.kernel,
            initrd=old.initrd,
            image=f"{self.site.install_url()}/images/{image}.tar.gz",
            arguments=("console=ttyS0",),
            disk=old.disk,
            description=old.description,
        )
        if new != old:
            self._say(f"os_profiles.{name}: installs the image {image} instead of its own media")
        return new

    def _middleware(self) -> dict[str, Middleware]:
        """Each also requires what gives an installed machine the host key that was compiled."""
        self._say(f"middleware: each requires {NAME}, which brings a machine's ssh host key")
        old = self.site.middleware
        own = Middleware(scripts=(f"{self.site.install_url()}/{HOST_KEY_SCRIPT}",))
        new = {
            name: each.model_copy(update={"requires": (NAME, *each.requires)})
            for name, each in old.items()
        }
        return {NAME: own, **new}

    def _recovery(self) -> Model:
        old = self.site.recovery
        new: dict[str, Any] = {}
        if old.ssh.key is None:
            new["ssh"] = old.ssh.model_copy(update={"key": _KEY})
            self._say(f"recovery.ssh.key: {_KEY}, a key of this run")
        if old.etcd is not None:
            new["etcd"] = None
            self._say("recovery.etcd: left out; the state is in the state directory")
        if old.notify.command or old.notify.webhook:
            new["notify"] = type(old.notify)()
            self._say("recovery.notify: left out; nobody is told")
        if self.supplies.profile == "fast":
            new["waits"] = old.waits.model_copy(update=_FAST_WAITS)
            self._say(f"recovery.waits: {_FAST_WAITS} (fast)")
        return self._changed(old, new)

    # -- hosts

    def _hosts(self) -> dict[str, Any]:
        site = self.site
        self._uncabled()
        self._say("ssh_host_keys: each host has one of this run")
        physical = {n: self._physical(n, h) for n, h in site.physical_hosts.items()}
        virtual = {n: self._virtual(n, site.virtual_machines[n]) for n in self._vms()}
        nodes = {n: self._node(n, h) for n, h in site.worker_nodes.items()}
        return {
            "physical_hosts": dict(self._keyed(physical)),
            "virtual_machines": dict(self._keyed(virtual)),
            "worker_nodes": Farm(tuple(host for _, host in self._keyed(nodes))),
            "service_hosts": dict(self._keyed(site.service_hosts)),
        }

    def _uncabled(self) -> None:
        """Say which cards are plugged into nothing: those to networks that are not the site's."""
        for host in [*self.site.physical_hosts.values(), *self.site.service_hosts.values()]:
            for name, each in self.site.interfaces(host):
                for address in (each.address, each.address6):
                    if address is not None and self.site.network_of(address) is None:
                        self._say(f"{name}: {address} is on no network of the site, and not cabled")

    def _vms(self) -> list[str]:
        """The VMs that are wanted: the controllers would try to bring back all others."""
        kept = [name for name in self.site.virtual_machines if name in self.supplies.vms]
        if len(kept) < len(self.site.virtual_machines):
            self._say(f"virtual_machines: only {', '.join(kept)}")
        return kept

    def _keyed(self, hosts: Mapping[str, _T]) -> Iterator[tuple[str, _T]]:
        for name, host in hosts.items():
            pair = self.supplies.host_keys.get(name)
            keys = () if pair is None else (pair.public,)
            yield name, host.model_copy(update={"ssh_host_keys": keys})

    def _physical(self, name: str, host: PhysicalHost) -> PhysicalHost:
        new: dict[str, Any] = {}
        if host.kvm and self.supplies.no_kvm:
            new["kvm"] = False
            why = self.supplies.no_kvm
            self._say(f"physical_hosts.{name}.kvm: false: its machines are emulated: {why}")
        if host.maxl < _MAXL:
            new["maxl"] = _MAXL
            self._say(f"physical_hosts.{name}.maxl: {_MAXL:g}: all hosts have this machine's load")
        if host.hypervisor != "libvirt":
            new["hypervisor"] = "libvirt"
            self._say(f"physical_hosts.{name}.hypervisor: libvirt for {host.hypervisor}")
        if host.power is not None:
            new["power"] = self._power(name, host.power)
        return self._changed(host, new)

    def _power(self, name: str, old: PowerControl) -> PowerControl | None:
        where = f"physical_hosts.{name}.power"
        if old.address is None or old.address.version != 4:
            self._say(f"{where}: left out: only boards with an IPv4 address are simulated")
            return None
        kept = old.password if old.password is not None and old.password.file else None
        new = PowerControl(
            kind="ipmi",
            address=old.address,
            user=old.user,
            cipher=_CIPHER,
            password=kept or SecretReference(file=_PASSWORD),
        )
        if new != old:
            self._say(f"{where}: a simulated IPMI board at {old.address}, cipher suite {_CIPHER}")
        return new

    def _virtual(self, name: str, vm: VirtualMachine) -> VirtualMachine:
        new = self._installed(name, vm)
        if vm.image is not None:
            new["image"] = None
            self._say(f"virtual_machines.{name}.image: {name}.qcow2 for {vm.image}")
        if vm.bridge != "br0":
            new["bridge"] = "br0"
            self._say(f"virtual_machines.{name}.bridge: br0 for {vm.bridge}")
        lost = [each for each in vm.start_after if each not in self.supplies.vms]
        if lost:
            new["start_after"] = tuple(each for each in vm.start_after if each not in lost)
            self._say(f"virtual_machines.{name}.start_after: without {', '.join(lost)}")
        return self._changed(vm, new)

    def _node(self, name: str, node: WorkerNode) -> WorkerNode:
        return self._changed(node, self._installed(name, node))

    def _installed(self, name: str, host: Host) -> dict[str, Any]:
        """What differs in a host that is installed: it has middleware, or nothing would run."""
        if host.middleware is not None or host.os is None:
            return {}
        self._say(f"{name}: middleware {NAME}, since it has none of its own")
        return {"middleware": NAME}

    # -- both

    def _say(self, change: str) -> None:
        self.changes.append(change)

    @staticmethod
    def _changed(old: _T, new: Mapping[str, Any]) -> _T:
        return old.model_copy(update=dict(new)) if new else old


def overlay(site: Site, supplies: Supplies) -> tuple[Site, tuple[str, ...]]:
    """The site as the testbed builds it, and what differs. Raises TestbedError."""
    changing = Overlay(site, supplies)
    return changing.all(), tuple(changing.changes)


def _refuse(site: Site) -> None:
    """Raises TestbedError for what no replacement is any good for."""
    if site.install_url() is None:
        raise TestbedError(f"{site.site} has no install server: its machines cannot be installed")
    if NAME in site.middleware:
        raise TestbedError(f"{site.site} has a middleware {NAME}, the name of the testbed's own")
    for name, vm in site.virtual_machines.items():
        if vm.roles:
            raise TestbedError(f"{name} has the role {vm.roles[0]}: it would have to run in a VM")
