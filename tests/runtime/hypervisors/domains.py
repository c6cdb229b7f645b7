"""The compiled definitions of libvirt's domains, beside a controller.yaml made up for tests."""

from __future__ import annotations

from pathlib import Path

from threerc.compiler.artefacts.domains import domain_xml
from threerc.runtime.config import ControllerConfig


def with_domains(config: ControllerConfig, folder: Path) -> ControllerConfig:
    """The site with the definitions of all its VMs in a folder, as the compiler writes them."""
    folder.mkdir(exist_ok=True)
    for vm in config.virtual_machines:
        (folder / f"{vm}.xml").write_text(domain_xml(config, vm))
    return config.model_copy(update={"domains": str(folder)})
