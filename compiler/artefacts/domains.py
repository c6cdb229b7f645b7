"""The definitions of libvirt's domains, one for each VM: the controllers define it from that.

Source: https://libvirt.org/formatdomain.html.
"""

from __future__ import annotations

from typing import Final

from threerc.compiler.artefacts.controller import controller_config
from threerc.compiler.model import Site
from threerc.compiler.templating import render
from threerc.compiler.tree import Output
from threerc.runtime.config import ControllerConfig

_BUSES: Final = {"sd": "scsi", "vd": "virtio", "hd": "ide", "xvd": "virtio"}
_MIB: Final = 1 << 20


def compile_domains(site: Site, out: Output) -> None:
    """/etc/3rc/domains on each controller, with <VM>.xml for what may run under libvirt."""
    controllers = site.with_role("controller")
    if not controllers or not any(
        host.hypervisor == "libvirt" for host in site.physical_hosts.values()
    ):
        return
    config = controller_config(site, out, known_hosts=False)
    for name in _machines(config):
        text = domain_xml(config, name).encode()
        for host in controllers:
            out.file(host.name, f"{config.domains}/{name}.xml", text, concerns=(name,))


def _machines(config: ControllerConfig) -> list[str]:
    """The VMs that some host with libvirt may run."""
    libvirt = {n for n, host in config.physical_hosts.items() if host.hypervisor == "libvirt"}
    return [
        name
        for name, vm in config.virtual_machines.items()
        if vm.home in libvirt or not libvirt.isdisjoint(config.allowed_hosts(vm))
    ]


def domain_xml(config: ControllerConfig, name: str) -> str:
    """The definition of a VM for its home; `fit` of the runtime makes it that for another host."""
    vm = config.virtual_machines[name]
    return render(
        "domains",
        name=name,
        vm=vm,
        uuid=config.uuid(name),
        mebibytes=vm.memory // _MIB,
        kvm=config.physical_hosts[vm.home].kvm,
        disk=config.disk(name),
        layout=config.disk_format(name),
        target=vm.device.removeprefix("x"),
        bus=_BUSES[vm.device[:-1]],
    )
