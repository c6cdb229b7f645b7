"""Supplies for tests that build nothing: keys that open no door, files that are not there."""

from __future__ import annotations

from pathlib import Path

from threerc.compiler.model import Site
from threerc.testbed.supplies import KeyPair, Profile, Supplies

RUN = Path("/run-of-a-test")


def pair(name: str) -> KeyPair:
    return KeyPair(f"private half of {name}\n", f"ssh-ed25519 AAAA{name.encode().hex()} {name}")


def supplied(
    site: Site,
    *,
    profile: Profile = "thesis",
    vms: tuple[str, ...] | None = None,
    no_kvm: str = "no KVM",
) -> Supplies:
    return Supplies(
        run=RUN,
        python=Path("/opt/somewhere/bin/python3"),
        visible=(Path("/opt/somewhere"),),
        archive=RUN / "mini.tar.gz",
        kernel=RUN / "vmlinuz",
        initrd=RUN / "initrd.img",
        identity=pair("identity"),
        host_keys={name: pair(name) for name in site.hosts},
        board_password="pass",  # noqa: S106 - of no board
        vms=tuple(site.virtual_machines) if vms is None else vms,
        profile=profile,
        no_kvm=no_kvm,
    )
