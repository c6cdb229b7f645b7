"""Debian's installer, and the head of a mirror: what it reads there before its first package.

The mirror's Release and index are Debian's own, signed as they are. This machine's apt fetches all
of it, from the sources that it is set up with.

Source: apt-get(8), apt-helper(8), and net-retriever and choose-mirror in the installer.
"""

import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote

from tests.lab.process import LabError

_HEAD: Final = (
    *("Release", "Release.gpg", "main/binary-amd64/Release"),
    "main/debian-installer/binary-amd64/Packages.xz",
)
_FETCH: Final = ("/usr/lib/apt/apt-helper", "-o", "APT::Sandbox::User=", "download-file")


class Debian(NamedTuple):
    """A release: its name, a mirror's document root, and the `linux` and `initrd.gz` for PXE."""

    suite: str
    mirror: Path
    installer: Path


def debian(cache: Path) -> Debian:
    """This machine's own release, fetched to a folder of which what is there is used again.

    Raises LabError where apt cannot fetch it.
    """
    system = platform.freedesktop_os_release()
    suite, version = system["VERSION_CODENAME"], system["VERSION_ID"]
    mirror = cache / "mirror"
    for name in _HEAD:
        path = f"dists/{suite}/{name}"
        # What it holds changes, and its name does not.
        (mirror / path).unlink(missing_ok=True)
        (mirror / path).parent.mkdir(parents=True, exist_ok=True)
        _run([*_FETCH, _archive(suite) + path, str(mirror / path)])
    images = _unpacked(cache, f"debian-installer-{version}-netboot-amd64")
    files = f"usr/lib/debian-installer/images/{version}/amd64/text/debian-installer/amd64"
    return Debian(suite, mirror, images / files)


def _archive(suite: str) -> str:
    """Where this machine's apt has the release from; it ends with a slash."""
    asked = ["Created-By: Packages", "Origin: Debian", f"Release: {suite}", "Component: main"]
    found = _run(["apt-get", "indextargets", "--format", "$(REPO_URI)", *asked]).split()
    if not found:
        raise LabError(f"apt has no source of Debian's {suite}: run `apt-get update`")
    return found[0]


def _unpacked(cache: Path, name: str) -> Path:
    """The folder to which a package, in the version that apt has, was unpacked."""
    shown = _run(["apt-get", "-o", "Acquire::ForceHash=SHA256", "--print-uris", "download", name])
    found = re.search(r"^'(\S+)' \S+ \d+ (SHA256:\w+)$", shown, re.MULTILINE)
    if found is None:
        raise LabError(f"apt does not say where {name} is: {shown}")
    uri, digest = found.groups()
    package = cache / unquote(uri).rpartition("/")[2]
    if not package.exists():
        _run([*_FETCH, uri, str(package), digest])
    folder = package.with_suffix("")
    _run(["dpkg-deb", "-x", str(package), str(folder)])
    return folder


def _run(command: list[str]) -> str:
    result = subprocess.run(
        command,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"LC_ALL": "C"},
        check=False,
    )
    if result.returncode != 0:
        raise LabError(f"{' '.join(command)}: {result.stderr.strip()[-400:]}")
    return result.stdout
