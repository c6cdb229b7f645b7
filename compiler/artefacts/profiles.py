"""A kickstart or preseed per OS profile, and the parts of hosts that differ from it.

    profiles/<profile>.cfg         what the boot file names
    profiles/<profile>.d/hosts     `<address> <part>` for each host with a part of its own
    profiles/<profile>.d/<part>.cfg

Source: the pykickstart documentation, the Debian installation guide (appendix B) and
partman-auto-raid-recipe.txt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from threerc.compiler.artefacts.host_parts import HostPart, OwnPart, own_parts
from threerc.compiler.model import Site
from threerc.compiler.model.os_profile import OsProfile
from threerc.compiler.templating import Safe, backslashed, render, shell
from threerc.compiler.tree import EVERYONE

LOCKED = "!"
"""The password that nothing matches."""
_NEWEST = "RHEL9"
_RELEASE = re.compile(r"(RHEL|FC?)(\d{1,3})")
# Which Fedora, and those after it, speaks the kickstart of which RHEL.
_FEDORAS = ((40, 10), (34, 9), (28, 8), (19, 7), (8, 6), (6, 5), (0, 4))
_PLAIN = re.compile(r"[A-Za-z0-9._:/@+=,$!*-]+")
# What Debian calls the architectures.
_DEBIAN_ARCHITECTURES = {"i386": "i386", "x86_64": "amd64", "aarch64": "arm64"}
# What the post-install hook asks DNS and the install server with.
_TOOLS = {"kickstart": ("bind-utils", "curl"), "preseed": ("bind9-host", "curl")}


class Served(NamedTuple):
    """A file by its path below the document root of the install servers."""

    path: str
    content: str | bytes
    concerns: Iterable[str] = EVERYONE
    secret: bool = False


def profiles(site: Site, url: str, password: str) -> Iterator[Served]:
    """The profiles of the OS profiles that are installed unattended, and their hosts' parts."""
    for name, own in own_parts(site).items():
        profile = site.os_profiles[name]
        values = _values(site, name, profile, url)
        quote = _argument if profile.installer == "kickstart" else _rest_of_line
        draw = partial(render, f"installer_{profile.installer}", quote, **values)
        draw_part = partial(render, f"installer_{profile.installer}_part", quote, **values)
        default = HostPart((profile.disk,))
        text = draw(password=password, part=default, parts=bool(own))
        yield Served(f"profiles/{name}.cfg", text, secret=password not in ("!", "*"))
        if own:
            folder = f"profiles/{name}.d"
            yield from _parts(folder, default, own, draw_part)
            if profile.installer == "preseed":
                yield Served(f"{folder}/part.sh", render("installer_part", **values))


def _parts(
    folder: str, default: HostPart, own: list[OwnPart], draw: partial[str]
) -> Iterator[Served]:
    """The table of hosts, and each part once."""
    users: dict[HostPart, list[str]] = {}
    rows: list[tuple[int, str]] = []
    names: dict[HostPart, str] = {}
    for host, addresses, part in own:
        users.setdefault(part, []).append(host.name)
        name = names.get(part) or names.setdefault(part, part.name)
        rows += [(int(address), f"{address} {name}\n") for address in addresses]
    rows.sort()
    yield Served(f"{folder}/hosts", "".join(row for _, row in rows))
    yield Served(f"{folder}/default.cfg", draw(part=default))
    for part, hosts in sorted(users.items(), key=lambda each: names[each[0]]):
        yield Served(f"{folder}/{names[part]}.cfg", draw(part=part), hosts)


def _values(site: Site, name: str, profile: OsProfile, url: str) -> dict[str, Any]:
    packages = {"openssh-server", *_TOOLS[profile.installer], *profile.packages}
    mirror = urlsplit(profile.repository) if profile.repository else None
    return {
        "site": site,
        "name": name,
        "profile": profile,
        "url": url,
        "release": profile.release or _NEWEST,
        "generation": generation(profile) if profile.installer == "kickstart" else None,
        "mirror": mirror,
        "firmware": Safe(shell(_firmware(profile))),
        "packages": [Safe(package) for package in sorted(packages)],
        "partition": _partition,
    }


def _firmware(profile: OsProfile) -> str:
    """Where a mirror of Debian has its part with firmware and microcode, if it has that."""
    architecture = _DEBIAN_ARCHITECTURES[profile.arch]
    folder = f"dists/{profile.release or 'stable'}/non-free-firmware/binary-{architecture}"
    return f"{(profile.repository or '').rstrip('/')}/{folder}/Release"


def generation(profile: OsProfile) -> int:
    """The RHEL whose kickstart syntax and boot arguments a profile's release has.

    The rules let no other release pass.
    """
    found = _RELEASE.fullmatch(profile.release or _NEWEST)
    if found is None:
        raise ValueError(f"{profile.release} is no release with a syntax of kickstarts")
    kind, number = found[1], int(found[2])
    if kind == "RHEL":
        return number
    return next(rhel for fedora, rhel in _FEDORAS if number >= fedora)


def _partition(disk: str, number: int) -> str:
    """The name of a disk's partition: sda1, nvme0n1p1."""
    return f"{disk}p{number}" if disk[-1].isdigit() else f"{disk}{number}"


def _argument(text: str) -> str:
    """A word of a kickstart command, which is split as a shell splits."""
    return text if _PLAIN.fullmatch(text) else backslashed(text)


def _rest_of_line(text: str) -> str:
    """A preseed value: all up to the end of the line, where a backslash would continue it."""
    if "\n" in text or text.endswith("\\"):
        raise ValueError(f"{text!r} does not fit on a line of a preseed")
    return text
