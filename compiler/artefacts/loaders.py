"""The boot loaders that PXE and UEFI need, from this machine's packages.

A machine with UEFI loads bootx64.efi: Debian's shim, which a Secure Boot firmware trusts and which
loads grubx64.efi from beside it; or GRUB itself where there is no shim. GRUB is Debian's signed
one: it has all that it needs in it, but no HTTP. Who boots by HTTP loads iPXE, which asks DHCP
again and goes on as the others do; it is signed by nobody that a Secure Boot firmware trusts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from threerc.compiler.artefacts.dhcp import BIOS_LOADER, HTTP_LOADER, UEFI_LOADER
from threerc.compiler.model import Site
from threerc.compiler.tree import EVERYONE, Output


class _Source(NamedTuple):
    path: Path
    package: str


_PXE: Final = {
    BIOS_LOADER: _Source(Path("/usr/lib/PXELINUX/pxelinux.0"), "pxelinux"),
    "ldlinux.c32": _Source(Path("/usr/lib/syslinux/modules/bios/ldlinux.c32"), "syslinux-common"),
}
_DUAL_BOOT: Final = {
    "kernel/memdisk": _Source(Path("/usr/lib/syslinux/memdisk"), "syslinux-common")
}
_GRUB_NAME: Final = "grubx64.efi"
"""What shim looks for."""
GRUB: Final = _Source(
    Path("/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed"), "grub-efi-amd64-signed"
)
_IPXE: Final = _Source(Path("/usr/lib/ipxe/snponly.efi"), "ipxe")
SHIM: Final = _Source(Path("/usr/lib/shim/shimx64.efi.signed"), "shim-signed")


def compile_loaders(site: Site, out: Output) -> None:
    """Copies below each TFTP server's root: in.tftpd --secure follows no link out of it.

    The install servers have that of machines that boot by HTTP.
    """
    if not any(network.boot for network in site.networks.values()):
        return
    dual_boot = any(True for _ in site.where(lambda host: host.dual_boot))
    wanted = {**_PXE, **(_DUAL_BOOT if dual_boot else {})}
    for server in site.with_role("tftp"):
        for name, source in wanted.items():
            _copy(out, server.name, f"{site.provisioning.tftp_root}/{name}", source)
        _uefi(out, server.name, site.provisioning.tftp_root)
    for server in site.with_role("install") if site.with_role("tftp") else ():
        _copy(out, server.name, f"{site.provisioning.http_root}/{HTTP_LOADER}", _IPXE)


def _uefi(out: Output, server: str, folder: str) -> None:
    """The two files of a folder from which machines with UEFI load."""
    _copy(out, server, f"{folder}/{_GRUB_NAME}", GRUB)
    if SHIM.path.is_file():
        _copy(out, server, f"{folder}/{UEFI_LOADER}", SHIM)
    elif GRUB.path.is_file():
        out.link(server, f"{folder}/{UEFI_LOADER}", _GRUB_NAME, concerns=EVERYONE)


def _copy(out: Output, server: str, path: str, source: _Source) -> None:
    if source.path.is_file():
        out.file(server, path, source.path.read_bytes())
    else:
        reason = f"{source.path.name} not found (Debian: {source.package})"
        out.leave_out(server, path, reason)
