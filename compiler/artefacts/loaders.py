"""The boot loaders that PXE needs, from this machine's packages: pxelinux and memdisk."""

from __future__ import annotations

from pathlib import Path

from threerc.compiler.model import Site
from threerc.compiler.tree import Output

_PXE = {
    "pxelinux.0": (Path("/usr/lib/PXELINUX/pxelinux.0"), "pxelinux"),
    "ldlinux.c32": (Path("/usr/lib/syslinux/modules/bios/ldlinux.c32"), "syslinux-common"),
}
_DUAL_BOOT = {"kernel/memdisk": (Path("/usr/lib/syslinux/memdisk"), "syslinux-common")}


def compile_loaders(site: Site, out: Output) -> None:
    """Copies below each TFTP server's root: in.tftpd --secure follows no link out of it."""
    if not any(network.boot for network in site.networks.values()):
        return
    dual_boot = any(host.dual_boot for host in site.hosts.values())
    wanted = {**_PXE, **(_DUAL_BOOT if dual_boot else {})}
    for server in site.with_role("tftp"):
        for name, (source, package) in wanted.items():
            path = f"{site.provisioning.tftp_root}/{name}"
            if source.is_file():
                out.file(server.name, path, source.read_bytes())
            else:
                out.leave_out(server.name, path, f"{source.name} not found (Debian: {package})")
