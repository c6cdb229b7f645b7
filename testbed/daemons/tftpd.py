"""tftpd-hpa, and the installer that people have to put beside the compiled files."""

from __future__ import annotations

from collections.abc import Iterator

from threerc.compiler.model import Site
from threerc.testbed.parts import Daemon, Lay, Ready
from threerc.testbed.supplies import Supplies


def tftpd(site: Site) -> Daemon:
    """in.tftpd, as Debian's service starts it."""
    root = site.provisioning.tftp_root
    command = ("in.tftpd", "-L", "--user", "tftp", "--address", "0.0.0.0:69", "--secure", root)
    return Daemon("tftpd", command, ready=Ready("udp", "69"), restart=True)


def files(site: Site, supplies: Supplies) -> Iterator[Lay]:
    """The installer's kernel and initrd, wherever a boot file names one."""
    root = site.provisioning.tftp_root
    for path in sorted({profile.kernel for profile in site.os_profiles.values()}):
        yield Lay(f"{root}/{path}", source=supplies.kernel)
    for path in sorted({profile.initrd for profile in site.os_profiles.values()}):
        yield Lay(f"{root}/{path}", source=supplies.initrd)
