"""Dual boot: a GRUB floppy image for each disk, which memdisk boots from memory (thesis 5.8)."""

from __future__ import annotations

from threerc.compiler.artefacts.pxelinux import disks
from threerc.compiler.floppy import FloppyError, ToolMissing, grub_floppy, menu
from threerc.compiler.model import Site
from threerc.compiler.tree import Output


def compile_dualboot(site: Site, out: Output) -> None:
    """`grub/grub-disk-hdN.img` on each TFTP server, where any host has dual boot."""
    concerned = [host.name for host in site.where(lambda each: each.dual_boot)]
    servers = site.with_role("tftp")
    if not concerned or not servers:
        return
    for number in range(1, disks(site) + 1):
        path = f"{site.provisioning.tftp_root}/grub/grub-disk-hd{number}.img"
        try:
            image = grub_floppy(menu(disks(site), number))
        except (ToolMissing, FloppyError) as error:
            out.leave_out(servers[0].name, path, str(error))
            continue
        for server in servers:
            out.file(server.name, path, image, concerns=concerned)
