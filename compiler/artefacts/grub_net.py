"""GRUB's network configuration: what machines with UEFI boot, as pxelinux.cfg is for the BIOS.

GRUB looks for `grub/grub.cfg-<address in hex>`, the twin of a host's link in pxelinux.cfg. All
twins are one file, which reads that link over TFTP and goes on with the boot file that it names:
so one rename switches what a host boots, with a BIOS or with UEFI, and the two cannot disagree.

GRUB puts a backslash before each backslash and single quote of a kernel argument. Source: GRUB
manual ("Network", "Shell-like scripting"), GRUB's normal/main.c and net/net.c, thesis 5.3 and 5.8.
"""

from __future__ import annotations

from threerc.compiler.artefacts.pxelinux import disks, installer_arguments
from threerc.compiler.model import Site
from threerc.compiler.templating import render, shell
from threerc.compiler.tree import Output

FOLDER = "grub"


def compile_grub_net(site: Site, out: Output) -> None:
    """The grub folder on each TFTP server."""
    for server in site.with_role("tftp"):
        folder = f"{site.provisioning.tftp_root}/{FOLDER}"
        out.file(server.name, f"{folder}/grub.cfg", render("grub_start"))
        out.file(server.name, f"{folder}/hosts.cfg", render("grub_hosts"))
        for name, text in _boot_files(site).items():
            out.file(server.name, f"{folder}/boot/{name}.cfg", text)
        for _, seats in site.booting:
            twins = ((f"grub.cfg-{bits:08X}", "hosts.cfg", host) for host, bits in seats)
            out.links(server.name, folder, twins)


def _boot_files(site: Site) -> dict[str, str]:
    """One for each in pxelinux.cfg, under the same name."""
    found = {"local": render("grub_disk", number=0)}
    for number in range(1, disks(site) + 1):
        found[f"disk{number}"] = render("grub_disk", number=number)
    for name, profile in site.os_profiles.items():
        given = [*installer_arguments(site, name), *profile.arguments]
        # The kernel takes quotes away that have no space between them, and no others can be given.
        arguments = [argument.replace('"', "") for argument in given]
        values = {"name": name, "profile": profile, "arguments": arguments}
        found[name] = render("grub_profile", shell, **values)
    return found
