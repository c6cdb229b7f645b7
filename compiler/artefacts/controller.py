"""What the controllers read: hosts.def as in the thesis, controller.yaml, and known_hosts.

Source: thesis 8.9 and its appendix, whose awk takes the columns; sshd(8) for known_hosts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from threerc.compiler.artefacts.drbd import volume_numbers
from threerc.compiler.artefacts.ganglia import cluster_name
from threerc.compiler.artefacts.pxelinux import boot_file, hex_address
from threerc.compiler.model import Host, Site, VirtualMachine
from threerc.compiler.model.recovery import Recovery, RecoveryOverrides
from threerc.compiler.tree import Output
from threerc.runtime.config import VERSION, ControllerConfig, Policy, dump

CONTROLLER_YAML = "/etc/3rc/controller.yaml"
KNOWN_HOSTS = "/etc/3rc/known_hosts"
GMETAD_PORT = 8651
# Settings that a controller takes as the site gives them.
_AS_THEY_ARE = {
    *("brake", "split_brain", "deadline", "boot_link"),
    *("ssh", "etcd", "notify", "metrics"),
}
_HOSTS_DEF_HEADER = "# TYPE HOSTNAME MAXL INST OS MW\n"


def compile_controller(site: Site, out: Output) -> None:
    """hosts.def, controller.yaml and known_hosts on each host with the role `controller`."""
    controllers = site.with_role("controller")
    if not controllers:
        return
    definitions = "".join(_hosts_def(site))
    keys = "".join(_known_hosts(site))
    text = dump(controller_config(site, out, known_hosts=bool(keys)))
    for host in controllers:
        out.file(host.name, f"{site.recovery.state_directory}/hosts.def", definitions)
        out.file(host.name, CONTROLLER_YAML, text)
        if keys:
            out.file(host.name, KNOWN_HOSTS, keys)


def controller_config(site: Site, out: Output, *, known_hosts: bool) -> ControllerConfig:
    """What the controllers know of a site. Adds to the lock of `out`, and no file."""
    return ControllerConfig.model_validate(_config(site, out, known_hosts=known_hosts))


def _hosts_def(site: Site) -> Iterator[str]:
    """The lines of hosts.def: a PH's third column is MAXL, a VM's is INST."""
    yield _HOSTS_DEF_HEADER
    width = max(map(len, [*site.physical_hosts, *site.virtual_machines]), default=0)
    for name, ph in sorted(site.physical_hosts.items()):
        maxl = f"{ph.maxl:.2f}".rstrip("0").rstrip(".")
        yield f"PH {name:<{width}} {maxl}\n"
    for name, vm in sorted(site.virtual_machines.items()):
        yield f"VM {name:<{width}} {vm.inst} {vm.os or '-'} {vm.middleware or '-'}\n"


def _known_hosts(site: Site) -> Iterator[str]:
    """A line for each host key, under all names that a controller may call the host by."""
    for name in sorted(host.name for host in site.where(lambda each: each.ssh_host_keys)):
        host = site.hosts[name]
        addresses = [str(each) for each in (host.address, host.address6) if each is not None]
        for key in sorted(host.ssh_host_keys):
            kind, base64, *_ = key.split()
            yield f"{','.join([name, site.fqdn(name), *addresses])} {kind} {base64}\n"


def _config(site: Site, out: Output, *, known_hosts: bool) -> dict[str, Any]:
    recovery = site.recovery
    return {
        "version": VERSION,
        "site": site.site,
        "domain": site.domain,
        "user": recovery.user,
        "state_directory": recovery.state_directory,
        "known_hosts": KNOWN_HOSTS if known_hosts else None,
        "controllers": site.controller_minutes(),
        "recovery": _policy(recovery, RecoveryOverrides()),
        "monitors": _monitors(site),
        "images": site.provisioning.images,
        **recovery.model_dump(include=_AS_THEY_ARE),
        "tftp_servers": [
            {**_endpoint(host), "root": site.provisioning.tftp_root}
            for host in site.with_role("tftp")
        ],
        "volumes": _volumes(site, out),
        "physical_hosts": _physical_hosts(site),
        "virtual_machines": _virtual_machines(site),
    }


def _policy(site: Recovery, own: RecoveryOverrides) -> Policy:
    """A recovery policy in full: the site's, with what a VM overrides."""
    return Policy.model_validate(
        {
            "steps": (own.steps or site.steps).model_dump(),
            "waits": (own.waits or site.waits).model_dump(),
            "history": site.history if own.history is None else own.history,
            "limit": (own.limit or site.limit).model_dump(),
            "flapping": (own.flapping or site.flapping).model_dump(),
        }
    )


def _endpoint(host: Host) -> dict[str, Any]:
    return {"host": host.name, "address": host.address or host.address6}


def _monitors(site: Site) -> dict[str, Any]:
    settings = site.monitoring
    return {
        "cluster": cluster_name(site),
        "poll_interval": settings.poll_interval,
        "down_after": settings.down_after,
        "probe": settings.probe,
        "prometheus": [each.model_dump() for each in settings.prometheus],
        "gmetad": [{**_endpoint(h), "port": GMETAD_PORT} for h in site.with_role("gmetad")],
        "collectors": [
            {**_endpoint(h), "port": settings.port} for h in site.with_role("collector")
        ],
    }


def _volumes(site: Site, out: Output) -> dict[str, Any]:
    numbers = volume_numbers(site, out)
    return {
        name: {
            "minor": numbers[name].minor,
            "port": numbers[name].port,
            "size": volume.size,
            "peers": {peer: volume.backing(peer) for peer in volume.peers},
        }
        for name, volume in site.volumes.items()
    }


def _physical_hosts(site: Site) -> dict[str, Any]:
    return {
        name: {
            "address": ph.address or ph.address6,
            "maxl": ph.maxl,
            "cpus": ph.cpus,
            "memory": ph.memory,
            "hypervisor": ph.hypervisor,
            "kvm": ph.kvm,
            "power": None if ph.power is None else ph.power.settings(),
        }
        for name, ph in site.physical_hosts.items()
    }


def _virtual_machines(site: Site) -> dict[str, Any]:
    found: dict[str, Any] = {}
    policies: dict[RecoveryOverrides, Policy | None] = {RecoveryOverrides(): None}
    for name, vm in site.virtual_machines.items():
        # Without a choice of its own a VM may run on many hosts: these are not repeated for each.
        named = vm.allowed is not None or vm.volume is not None
        if vm.recovery not in policies:
            policies[vm.recovery] = _policy(site.recovery, vm.recovery)
        found[name] = {
            "address": vm.address or vm.address6,
            "mac": vm.mac,
            "home": vm.home,
            "allowed": site.allowed_hosts(vm) if named else None,
            "cpus": vm.cpus,
            "memory": vm.memory,
            "disk": vm.disk,
            "volume": vm.volume,
            "image": vm.image,
            "device": vm.device,
            "bridge": vm.bridge,
            "inst": vm.inst,
            "os": vm.os,
            "middleware": vm.middleware,
            "recovery": policies[vm.recovery],
            "priority": vm.priority,
            "anti_affinity": vm.anti_affinity,
            "start_after": vm.start_after,
            "snapshots": None if vm.snapshots is None else vm.snapshots.model_dump(),
            "boot": _boot(site, vm),
        }
    return found


def _boot(site: Site, vm: VirtualMachine) -> dict[str, Any] | None:
    """The boot links of a VM, or None where it does not boot over PXE."""
    interfaces = site.boot_interfaces(vm)
    if not interfaces:
        return None
    links = [hex_address(interface.address) for interface in interfaces]
    return {"links": links, "declared": boot_file(site, vm), "install": site.installs(vm)}
