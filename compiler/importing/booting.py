"""Boot targets: OS profiles of the boot files, and what each host boots by declaration."""

from __future__ import annotations

import re
from collections import Counter
from ipaddress import IPv4Address
from pathlib import PurePosixPath
from typing import Any

from pydantic import TypeAdapter, ValidationError

from threerc.compiler.importing.draft import Draft, DraftHost, Profile
from threerc.compiler.importing.facts import Boot, BootFile
from threerc.compiler.importing.readers.pxelinux import file_of
from threerc.compiler.model.types import KernelArgument, RelativePath, Url

_OWN_NAME = re.compile(
    r"default|local|disk[0-9]+|install|[0-9A-F]{1,8}|01(?:-[0-9A-Fa-f]{2}){6}"
    r"|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
)
_OURS = re.compile(r"(?:ks|inst\.ks|url)=http://([0-9.]+)/profiles/([^/]+)\.cfg")
_OUR_COMPANION = re.compile(
    r"ksdevice=bootif|auto=true|priority=critical|interface=auto|netcfg/get_nameservers=[0-9.]+"
)
_REPOSITORY = re.compile(r"(?:inst\.repo|inst\.stage2|repo|method|install|url)=(\S+)")
_KICKSTART = re.compile(r"(?:inst\.)?ks=")
_PRESEED = re.compile(r"(?:preseed/)?url=|preseed/file=|auto=true")
_WORD = re.compile(r"[^A-Za-z0-9._+-]+")


def boots(draft: Draft) -> None:
    """Profiles, and the boot target of each host that boots over PXE."""
    files = draft.facts.boot_files
    profiles = _profiles(draft, files)
    for host in draft.hosts.values():
        if draft.facts.pxelinux is None:
            break
        for _, seat in host.seats():
            network = draft.network_of(seat.address) if seat.address else None
            if seat.mac and isinstance(seat.address, IPv4Address) and network and network.boot:
                found = file_of(files, seat.mac, seat.address)
                if found is not None:
                    _declare(draft, host, found, profiles)
    _unknown_systems(draft)


def _declare(draft: Draft, host: DraftHost, found: BootFile, profiles: dict[Boot, Profile]) -> None:
    boot = found.boot
    if boot.kind == "disk":
        host.disks = max(host.disks, int(boot.kernel), 2)
        host.boot = f"disk{boot.kernel}"
    elif boot.kind == "kernel":
        profile = profiles.get(boot)
        if profile is not None and profile.unattended:
            host.os, host.boot = profile.name, "install"
        else:
            reason = f"{host.name} boots `{boot}`: site.yaml declares unattended installations only"
            draft.facts.lose(found.place, reason)


def _unknown_systems(draft: Draft) -> None:
    """What hosts.def calls an OS is a profile of site.yaml, and INST 1 needs one to install."""
    for host in draft.hosts.values():
        if host.os and host.os not in draft.profiles:
            reason = f"{host.name} has the OS {host.os}, of which there is no boot file"
            draft.facts.lose(host.place, reason)
            host.os = ""
        if host.more.get("inst") and not _installable(draft, host):
            del host.more["inst"]
            reason = f"{host.name} has INST 1, but the files do not say how it is installed"
            draft.facts.lose(host.place, reason)


def _installable(draft: Draft, host: DraftHost) -> bool:
    """Whether a host can be installed over PXE: by a profile, a boot link and a TFTP server."""
    network = draft.network_of(host.address) if host.mac and host.address else None
    profile = draft.profiles.get(host.os)
    served = network is not None and network.boot and bool(draft.with_role("tftp"))
    return served and profile is not None and profile.unattended


def _profiles(draft: Draft, files: dict[str, BootFile]) -> dict[Boot, Profile]:
    """A profile for each kernel with its arguments that some file boots."""
    found: dict[Boot, BootFile] = {}
    for file in sorted(files.values(), key=lambda f: bool(_OWN_NAME.fullmatch(f.name))):
        if file.boot.kind == "kernel":
            found.setdefault(file.boot, file)
    ours = _install_server(draft, list(found))
    profiles: dict[Boot, Profile] = {}
    for boot, file in found.items():
        profile = _profile(draft, boot, file, ours=ours)
        if profile is not None:
            profiles[boot] = draft.profiles[profile.name] = profile
    return profiles


def _install_server(draft: Draft, kernels: list[Boot]) -> bool:
    """Whether 3RC's own install server is what all installers ask; it gets the role then."""
    asked: Counter[str] = Counter()
    for boot in kernels:
        match = next((m for a in boot.arguments if (m := _OURS.fullmatch(a))), None)
        foreign = _installer(boot) != "manual" and match is None
        if foreign:
            return False
        if match:
            asked[match[1]] += 1
    host = draft.host_of(IPv4Address(asked.most_common(1)[0][0])) if len(asked) == 1 else None
    if host is None:
        return False
    host.roles.append("install")
    return True


def _installer(boot: Boot) -> str:
    if any(_KICKSTART.match(each) for each in boot.arguments):
        return "kickstart"
    if any(each.startswith("threerc.image=") for each in boot.arguments):
        return "image"
    return "preseed" if any(_PRESEED.match(each) for each in boot.arguments) else "manual"


def _profile(draft: Draft, boot: Boot, file: BootFile, *, ours: bool) -> Profile | None:
    name = _profile_name(draft, boot, file)
    arguments = list(boot.arguments)
    installer = _installer(boot)
    keys: dict[str, Any] = {"installer": installer}
    if file.description:
        keys["description"] = file.description
    if installer == "kickstart":
        old = any(each.startswith("ks=") for each in arguments)
        keys["release"] = "RHEL6" if old else "RHEL9"
    keys |= {"kernel": boot.kernel.lstrip("./"), "initrd": boot.initrd.lstrip("./")}
    if installer in {"kickstart", "preseed"}:
        keys["repository"] = _repository(draft, boot, file, name)
    if installer == "image":
        keys["image"] = next(a[14:] for a in arguments if a.startswith("threerc.image="))
    if ours:
        arguments = [a for a in arguments if not _is_ours(a, boot)]
    if arguments:
        keys["arguments"] = arguments
    reason = _refused(keys)
    if reason:
        draft.facts.lose(file.place, f"site.yaml cannot boot `{boot}`: {reason}")
        return None
    return Profile(name, keys, file.place)


def _is_ours(argument: str, boot: Boot) -> bool:
    """Whether 3RC writes an argument itself, for its own install server."""
    if not any(_OURS.fullmatch(each) for each in boot.arguments):
        return argument.startswith("threerc.") or argument == "ip=dhcp"
    return bool(_OURS.fullmatch(argument)) or bool(_OUR_COMPANION.fullmatch(argument))


def _refused(keys: dict[str, Any]) -> str:
    """Why the model would not take a profile; empty if it does."""
    for kind, value in (
        (RelativePath, keys["kernel"]),
        (RelativePath, keys["initrd"]),
        *((KernelArgument, each) for each in keys.get("arguments", ())),
    ):
        adapter: TypeAdapter[str] = TypeAdapter(kind)
        try:
            adapter.validate_python(value)
        except ValidationError as error:
            return f"`{value}` is {error.errors()[0]['msg']}"
    return ""


def _repository(draft: Draft, boot: Boot, file: BootFile, name: str) -> str:
    for argument in boot.arguments:
        match = _REPOSITORY.fullmatch(argument)
        if match and not _OURS.fullmatch(argument):
            try:
                adapter: TypeAdapter[str] = TypeAdapter(Url)
                return adapter.validate_python(match[1])
            except ValidationError:
                continue
    placeholder = f"http://repository.invalid/{name}"
    reason = f"no file says where {name} is installed from: {placeholder} stands in its place"
    draft.facts.lose(file.place, reason)
    return placeholder


def _profile_name(draft: Draft, boot: Boot, file: BootFile) -> str:
    """A name for a profile: its file's, or that of the kernel's folder."""
    folder = PurePosixPath(boot.kernel).parent.name
    tries = [file.target, file.name, folder, PurePosixPath(boot.kernel).name]
    for each in tries:
        plain = _WORD.sub("-", each).strip("-._+")[:60]
        if plain and not _OWN_NAME.fullmatch(plain) and plain not in draft.profiles:
            return plain
    number = 2
    base = _WORD.sub("-", folder).strip("-._+")[:50] or "profile"
    while f"{base}-{number}" in draft.profiles or _OWN_NAME.fullmatch(f"{base}-{number}"):
        number += 1
    return f"{base}-{number}"
