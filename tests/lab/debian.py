"""Debian's installer, and a mirror of what it reads: the head of it, or all of an installation.

The mirror's Release and indexes are Debian's own, signed as they are. This machine's apt fetches
all of it, from the sources that it is set up with.

Source: apt-get(8), apt-helper(8), and net-retriever and choose-mirror in the installer.
"""

import os
import platform
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote

from tests.lab.process import LabError

PARTS_INDEX: Final = "main/debian-installer/binary-amd64/Packages.xz"
PACKAGES_INDEX: Final = "main/binary-amd64/Packages.xz"
_HEAD: Final = (
    *("Release", "Release.gpg", "InRelease", "main/binary-amd64/Release"),
    *(PARTS_INDEX, PACKAGES_INDEX, "main/i18n/Translation-en.xz"),
)
_FETCH: Final = ("/usr/lib/apt/apt-helper", "-o", "APT::Sandbox::User=", "download-file")
_MOST_AT_ONCE: Final = 100


class Debian(NamedTuple):
    """A release: its name, a mirror's document root, and the `linux` and `initrd.gz` for PXE."""

    suite: str
    mirror: Path
    installer: Path

    def at(self, name: str) -> Path:
        """A file below the release's folder of the mirror."""
        return self.mirror / "dists" / self.suite / name


class Wanted(NamedTuple):
    """A file of the archive: its path there, and the digest that the index has of it."""

    path: str
    sha256: str


def debian(cache: Path) -> Debian:
    """This machine's own release, fetched to a folder of which what is there is used again.

    Raises LabError where apt cannot fetch it.
    """
    system = platform.freedesktop_os_release()
    suite, version = system["VERSION_CODENAME"], system["VERSION_ID"]
    images = unpacked(cache, f"debian-installer-{version}-netboot-amd64")
    files = f"usr/lib/debian-installer/images/{version}/amd64/text/debian-installer/amd64"
    release = Debian(suite, cache / "mirror", images / files)
    for name in _HEAD:
        path = release.at(name)
        # What it holds changes, and its name does not.
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        run([*_FETCH, f"{_archive(suite)}dists/{suite}/{name}", str(path)])
    return release


def fetch(release: Debian, files: Iterable[Wanted]) -> list[Wanted]:
    """Fetch files of the archive to their places in the mirror; those that are not to be had."""
    missing = [each for each in files if not (release.mirror / each.path).exists()]
    archive = _archive(release.suite)
    for start in range(0, len(missing), _MOST_AT_ONCE):
        command = list(_FETCH)
        for each in missing[start : start + _MOST_AT_ONCE]:
            target = release.mirror / each.path
            target.parent.mkdir(parents=True, exist_ok=True)
            command += [archive + each.path, str(target), f"SHA256:{each.sha256}"]
        # It says which failed in words; the files say so too.
        subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    return [each for each in missing if not (release.mirror / each.path).exists()]


def unpacked(cache: Path, name: str) -> Path:
    """The folder to which a package, in the version that apt has, was unpacked."""
    shown = run(["apt-get", "-o", "Acquire::ForceHash=SHA256", "--print-uris", "download", name])
    found = re.search(r"^'(\S+)' \S+ \d+ (SHA256:\w+)$", shown, re.MULTILINE)
    if found is None:
        raise LabError(f"apt does not say where {name} is: {shown}")
    uri, digest = found.groups()
    package = cache / unquote(uri).rpartition("/")[2]
    if not package.exists():
        run([*_FETCH, uri, str(package), digest])
    folder = package.with_suffix("")
    run(["dpkg-deb", "-x", str(package), str(folder)])
    return folder


def run(command: list[str]) -> str:
    """What a command prints; LabError where it fails."""
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


def _archive(suite: str) -> str:
    """Where this machine's apt has the release from; it ends with a slash."""
    asked = ["Created-By: Packages", "Origin: Debian", f"Release: {suite}", "Component: main"]
    found = run(["apt-get", "indextargets", "--format", "$(REPO_URI)", *asked]).split()
    if not found:
        raise LabError(f"apt has no source of Debian's {suite}: run `apt-get update`")
    return found[0]
