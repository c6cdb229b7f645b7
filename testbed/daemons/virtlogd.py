"""virtlogd, which keeps what QEMUs say while libvirtd comes and goes."""

from __future__ import annotations

from threerc.testbed.parts import Daemon, Ready


def virtlogd() -> Daemon:
    """virtlogd, with Debian's own settings."""
    return Daemon(
        "virtlogd",
        ("virtlogd",),
        ready=Ready("path", "/run/libvirt/virtlogd-sock"),
        folders=(("/run/libvirt", "root", 0o755),),
        restart=True,
    )
