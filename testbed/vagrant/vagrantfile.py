"""The Vagrantfile of a site. Every value of the site is a Ruby string in it, whatever it holds."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from threerc.compiler.templating import render
from threerc.testbed.vagrant.parts import Plan

APPLY: Final = Path(__file__).parent / "apply.sh"
_BOOT_SECONDS: Final = 900
"""A Debian boots in half a minute where it is emulated, on an idle machine."""


def ruby(text: str) -> str:
    """A single-quoted string of Ruby, in which only quotes and backslashes mean anything."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def payload(folder: Path, machine: str) -> Path:
    """Where the archive of a machine lies."""
    return folder / "payloads" / f"{machine}.tar"


def vagrantfile(plan: Plan, folder: Path) -> str:
    """The text of the Vagrantfile of a folder."""
    return render(
        "vagrantfile",
        ruby,
        plan=plan,
        driver="qemu" if plan.emulated else "kvm",
        prefix=f"3rc-{plan.site}-",
        # Of the network, so that all sites that have it share it.
        management_name=f"3rc-{str(plan.management.network_address).replace('.', '-')}",
        boot_seconds=_BOOT_SECONDS,
        base_macs={each.name: _base_mac(plan.site, each.name) for each in plan.machines},
        payloads={each.name: payload(folder, each.name) for each in plan.machines},
        apply=APPLY,
    )


def _base_mac(site: str, machine: str) -> str:
    """The address of VirtualBox's first card, which its boxes have to name: one of its own kind."""
    return "080027" + hashlib.sha256(f"{site}/{machine}".encode()).hexdigest()[:6]
