"""One file per kind of artefact: each puts its files into the output of a site."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from threerc.compiler.artefacts.controller import compile_controller
from threerc.compiler.artefacts.cron import compile_cron
from threerc.compiler.artefacts.dhcpd import compile_dhcpd
from threerc.compiler.artefacts.domains import compile_domains
from threerc.compiler.artefacts.drbd import compile_drbd
from threerc.compiler.artefacts.dualboot import compile_dualboot
from threerc.compiler.artefacts.exports import compile_exports
from threerc.compiler.artefacts.forced_command import compile_forced_command
from threerc.compiler.artefacts.ganglia import compile_ganglia
from threerc.compiler.artefacts.grub_net import compile_grub_net
from threerc.compiler.artefacts.hosts import compile_hosts
from threerc.compiler.artefacts.installer import compile_installer
from threerc.compiler.artefacts.kea import compile_kea
from threerc.compiler.artefacts.loaders import compile_loaders
from threerc.compiler.artefacts.logrotate import compile_logrotate
from threerc.compiler.artefacts.pxelinux import compile_pxelinux
from threerc.compiler.artefacts.zones import compile_zones
from threerc.compiler.model import Site
from threerc.compiler.tree import Output

Artefact = Callable[[Site, Output], None]


def _registry(artefacts: Iterable[tuple[str, Artefact]]) -> dict[str, Artefact]:
    registry: dict[str, Artefact] = {}
    for name, compile_one in artefacts:
        if name in registry:
            raise ValueError(f"artefact {name} is registered twice")
        registry[name] = compile_one
    return registry


ARTEFACTS = _registry(
    [
        ("dhcpd", compile_dhcpd),
        ("kea", compile_kea),
        ("pxelinux", compile_pxelinux),
        ("grub_net", compile_grub_net),
        ("loaders", compile_loaders),
        ("dualboot", compile_dualboot),
        ("zones", compile_zones),
        ("hosts", compile_hosts),
        ("ganglia", compile_ganglia),
        ("drbd", compile_drbd),
        ("exports", compile_exports),
        ("installer", compile_installer),
        ("cron", compile_cron),
        ("logrotate", compile_logrotate),
        ("forced_command", compile_forced_command),
        ("controller", compile_controller),
        ("domains", compile_domains),
    ]
)
"""All artefacts by name, in the order they are made."""
