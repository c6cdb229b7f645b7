"""pxelinux.cfg: a boot file per OS profile, and each host's link to what it boots.

A host's link is its IPv4 address in upper-case hex (thesis 5.3, syslinux wiki "PXELINUX").
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from threerc.compiler.artefacts.profiles import generation
from threerc.compiler.model import Host, Site
from threerc.compiler.templating import Safe, render
from threerc.compiler.tree import Output
from threerc.runtime.bootlinks import NOTHING, TABLE, BootHost, table

FOLDER = "pxelinux.cfg"
_DRACUT = 7
"""The first RHEL whose installer starts from dracut: later ones read `inst.` arguments alone."""


def hex_address(address: IPv4Address) -> str:
    """The name pxelinux looks for: 192.168.1.11 is C0A8010B."""
    return f"{int(address):08X}"


def boot_file(site: Site, host: Host) -> str:
    """Name of the boot file that a host's link points to by declaration."""
    if host.boots == "install":
        return site.installs(host) or "local"
    return host.boots


def compile_pxelinux(site: Site, out: Output) -> None:
    """The pxelinux.cfg folder on each TFTP server, and what people have to put beside it."""
    for server in site.with_role("tftp"):
        root = site.provisioning.tftp_root
        _boot_files(site, out, server.name, f"{root}/{FOLDER}")
        links = list(_links(site))
        each = ((link, declared, name) for name, link, declared, _, _ in links)
        out.links(server.name, f"{root}/{FOLDER}", each)
        out.file(server.name, TABLE, table(f"{root}/{FOLDER}", links))
        _provide(site, out, server.name, root)


def _boot_files(site: Site, out: Output, server: str, folder: str) -> None:
    for name, profile in site.os_profiles.items():
        arguments = Safe(" ".join([*installer_arguments(site, name), *profile.arguments]))
        text = render("pxelinux", name=name, profile=profile, arguments=arguments)
        out.file(server, f"{folder}/{name}", text)
    for target in ("local", "default"):
        out.file(server, f"{folder}/{target}", render("pxelinux_local", target=target))
    for number in range(1, disks(site) + 1):
        out.file(server, f"{folder}/disk{number}", render("pxelinux_disk", number=number))


def disks(site: Site) -> int:
    """The most disks that a dual-boot host of the site chooses from; 0 without any."""
    booting = site.where(lambda host: host.dual_boot)
    return max((len(host.dual_boot.disks) for host in booting if host.dual_boot), default=0)


def _links(site: Site) -> Iterator[BootHost]:
    """The link of each address that a host boots with."""
    for host, seats in site.booting:
        declared = boot_file(site, host)
        install = site.installs(host) or NOTHING
        count = len(host.dual_boot.disks) if host.dual_boot else 0
        for name, bits in seats:
            yield BootHost(name, f"{bits:08X}", declared, install, count)


def installer_arguments(site: Site, name: str) -> list[str]:
    """The kernel arguments by which an installer finds its profile on the install server."""
    url = site.install_url()
    profile = site.os_profiles[name]
    if url is None or profile.installer == "manual":
        return []
    match profile.installer:
        case "kickstart":
            if generation(profile) >= _DRACUT:
                # dracut itself takes the interface that was booted from, by BOOTIF.
                return [f"inst.ks={url}/profiles/{name}.cfg"]
            return [f"ks={url}/profiles/{name}.cfg", "ksdevice=bootif"]
        case "preseed":
            profile_url = f"url={url}/profiles/{name}.cfg"
            return ["auto=true", "priority=critical", *_network_answers(site), profile_url]
        case "image":
            return [
                "ip=dhcp",
                f"threerc.install={url}",
                f"threerc.image={profile.image}",
                f"threerc.disk={profile.disk}",
            ]


def _network_answers(site: Site) -> list[str]:
    """What Debian's installer asks before it has its profile, which comes over the network.

    Of several interfaces it takes the one that it was booted from (BOOTIF). Where DHCP names no
    router its client takes no name servers either, and a person is asked.
    """
    servers = [host.address for host in site.with_role("dns") if host.address is not None]
    return ["interface=auto", *(f"netcfg/get_nameservers={each}" for each in servers[:1])]


def _provide(site: Site, out: Output, server: str, root: str) -> None:
    """Name the files that PXE needs and that no compiler can make."""
    for name, profile in site.os_profiles.items():
        for path in (profile.kernel, profile.initrd):
            out.provide(server, f"{root}/{path}", f"the installer of {name}")
