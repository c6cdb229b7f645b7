"""Booting: what a host boots by declaration is there to be booted."""

from __future__ import annotations

import re
from collections.abc import Iterator

from threerc.compiler.model import Host
from threerc.compiler.model.host import BareMetal
from threerc.compiler.rules.base import Facts, Problem, listed, of_hosts, path_of, rule

_HEX = "[0-9A-Fa-f]"
_TAKEN = {
    "is a boot file of every site": re.compile(r"default|local|disk[0-9]+"),
    "is what `3rc boot` calls any installation": re.compile(r"install"),
    "is looked for by pxelinux as part of an IPv4 address": re.compile(r"[0-9A-F]{1,8}"),
    "is looked for by pxelinux as a MAC address": re.compile(rf"{_HEX}{{2}}(?:-{_HEX}{{2}}){{6}}"),
    "is looked for by pxelinux as a machine's UUID": re.compile(
        rf"{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}"
    ),
}
"""Names that files in pxelinux.cfg have for other reasons (syslinux wiki, "PXELINUX")."""
_SUITE = re.compile(r"[a-z]+(?:-[a-z]+)*")
_KICKSTART = re.compile(r"RHEL(?:[3-9]|[1-9][0-9])|FC[3-6]|F(?:[7-9]|[1-9][0-9])")


@rule(
    "boot-file-name",
    reason="An OS profile's name is its file in pxelinux.cfg, where other names have a meaning.",
    hint="rename the profile; lower-case letters with a dash are safe, such as sl4-32",
)
def boot_file_name(facts: Facts) -> Iterator[Problem]:
    """No OS profile has a name that pxelinux or 3RC uses for something else."""
    for name in facts.site.os_profiles:
        for why, taken in _TAKEN.items():
            if taken.fullmatch(name):
                yield Problem(("os_profiles", name), f"`{name}` {why}", key=True)


@rule(
    "os-source",
    reason="An unattended installer has to know where the system comes from.",
    hint="kickstart and preseed take `repository`, image takes `image`",
)
def os_source(facts: Facts) -> Iterator[Problem]:
    """Every unattended installer has its repository or image."""
    for name, profile in facts.site.os_profiles.items():
        key = {"kickstart": "repository", "preseed": "repository", "image": "image"}.get(
            profile.installer
        )
        if key is not None and getattr(profile, key) is None:
            message = f"OS profile `{name}` installs by {profile.installer}, but has no `{key}`"
            yield Problem(("os_profiles", name), message, key=True)


@rule(
    "kickstart-release",
    reason="The syntax of a kickstart is that of its release, and is checked by it.",
    hint="RHEL3 and later, FC3 to FC6, F7 and later; `ksvalidator -l` lists them",
)
def kickstart_release(facts: Facts) -> Iterator[Problem]:
    """The release of a kickstart is one that has a syntax."""
    for name, profile in facts.site.os_profiles.items():
        release = profile.release
        if profile.installer == "kickstart" and release and not _KICKSTART.fullmatch(release):
            message = f"`{release}` is no release with a syntax of kickstarts"
            yield Problem(("os_profiles", name, "release"), message)


@rule(
    "preseed-mirror",
    reason="Debian's installer takes a suite of a mirror, over HTTP, HTTPS or FTP.",
    hint="give `repository` as http://mirror.example.org/debian and `release` as bookworm, or "
    "correct the `installer`",
)
def preseed_mirror(facts: Facts) -> Iterator[Problem]:
    """What a preseed installs from is a mirror that its installer can use."""
    for name, profile in facts.site.os_profiles.items():
        if profile.installer != "preseed":
            continue
        if profile.repository and profile.repository.startswith("nfs:"):
            message = f"OS profile `{name}` installs by preseed, which cannot read NFS"
            yield Problem(("os_profiles", name, "repository"), message)
        if profile.release and not _SUITE.fullmatch(profile.release):
            message = f"`{profile.release}` is no suite of Debian or Ubuntu"
            yield Problem(("os_profiles", name, "release"), message)


@rule(
    "package-form",
    reason="Groups, environments and packages to leave out are the kickstart's; another installer "
    "takes names of packages alone.",
    hint="name packages",
)
def package_form(facts: Facts) -> Iterator[Problem]:
    """Only a kickstart has more than names of packages."""
    for name, profile in facts.site.os_profiles.items():
        for position, package in enumerate(profile.packages):
            if package[0] in "@-" and profile.installer != "kickstart":
                message = f"`{package}` is for kickstarts, and `{name}` is none"
                yield Problem(("os_profiles", name, "packages", position), message)


@rule(
    "boot-arch",
    reason="What PXE loads here, pxelinux, is for PCs with a BIOS; 64-bit ARM boots by UEFI alone, "
    "which 3RC does not serve yet.",
    hint="correct the `arch`, or say `installer: manual`",
)
def boot_arch(facts: Facts) -> Iterator[Problem]:
    """Every installer that is booted over PXE is for a PC."""
    for name, profile in facts.site.os_profiles.items():
        if profile.arch == "aarch64" and profile.installer != "manual":
            message = f"OS profile `{name}` is for {profile.arch}, which pxelinux cannot boot"
            yield Problem(("os_profiles", name, "arch"), message)


@rule(
    "boot-target",
    reason="A host's boot link points at a boot file: of its OS profile's installer, or of one "
    "of its dual-boot disks.",
    hint="`install` needs an OS profile with an unattended installer, `diskN` at least N disks "
    "under `dual_boot`",
)
@of_hosts
def boot_target(facts: Facts, host: Host) -> Iterator[Problem]:
    """What a host boots by declaration exists for it."""
    if host.boot is not None and host.boot != "local":
        message = _misses(facts, host, host.boot)
        if message:
            yield Problem(path_of(host, "boot"), f"{host.name} {message}")


def _misses(facts: Facts, host: Host, target: str) -> str:
    """What a host lacks for its boot target; empty if nothing."""
    if target == "install":
        if host.os is None:
            return "boots `install`, but has no OS profile"
        manual = host.os in facts.site.os_profiles and facts.site.installs(host) is None
        return f"boots `install`, but `{host.os}` is installed by hand" if manual else ""
    if host.dual_boot is None:
        return f"boots `{target}`, but has no `dual_boot`"
    count = len(host.dual_boot.disks)
    return f"boots `{target}`, but has {count} dual-boot disks" if int(target[4:]) > count else ""


@rule(
    "boot-mac",
    reason="dhcpd and pxelinux know a machine by its MAC and address on a network that boots "
    "machines; without them it boots as a stranger.",
    hint="give it a `mac` and an `address` on a network with `boot: true`",
    severity="warning",
    needs=("networks",),
)
@of_hosts
def boot_mac(facts: Facts, host: Host) -> Iterator[Problem]:
    """Every host that boots from the network is known there."""
    site = facts.site
    if site.boot_interfaces(host):
        return
    if host.dual_boot is not None or host.boots != "local":
        message = f"{host.name} boots over PXE, but has no MAC and address on a boot network"
        yield Problem(path_of(host), message, key=True)
    elif site.installs(host) and site.on_boot_network(host):
        message = f"{host.name} is to be installed over PXE, but has no MAC"
        yield Problem(path_of(host), message, key=True)


@rule(
    "dual-boot-disks",
    reason="Each disk holds one system; `disk1` is the first of the list, `disk2` the second.",
    hint="name each disk once, as it stands under `disks`",
)
@of_hosts
def dual_boot_disks(_: Facts, host: Host) -> Iterator[Problem]:
    """Dual-boot disks are named once, and are declared where the host's disks are."""
    disks = host.dual_boot.disks if host.dual_boot is not None else ()
    declared = {disk.device for disk in host.disks} if isinstance(host, BareMetal) else set()
    for position, name in enumerate(disks):
        path = path_of(host, "dual_boot", "disks", position)
        if name in disks[:position]:
            yield Problem(path, f"{host.name} names its dual-boot disk {name} twice")
        elif declared and name not in declared:
            yield Problem(path, f"{host.name} has no disk {name} to boot from")


@rule(
    "install-disk",
    reason="An installer writes to the disk that the OS profile names; where that is another "
    "one it stops, or takes the wrong one.",
    hint="give the OS profile the right `disk`, or the host a profile of its own",
)
@of_hosts
def install_disk(facts: Facts, host: Host) -> Iterator[Problem]:
    """A host has the disk that it is installed on, where its disks are given."""
    profile = facts.site.os_profiles.get(host.os or "")
    if profile is None or profile.installer not in ("kickstart", "preseed"):
        return
    if host.dual_boot is not None or not isinstance(host, BareMetal):
        return
    own = [each.device for each in host.disks]
    if own and profile.disk not in own:
        message = f"{host.name} is installed on {profile.disk} by `{host.os}`, "
        yield Problem(path_of(host, "disks"), f"{message}but has {listed(own)}", key=True)


RULES = (
    boot_file_name,
    os_source,
    kickstart_release,
    preseed_mirror,
    package_form,
    boot_arch,
    boot_target,
    boot_mac,
    dual_boot_disks,
    install_disk,
)
