"""Debian packages as this machine's apt has them: its sources, keys, proxy and certificates.

Nothing that is installed on the machine counts: all packages that are needed are asked for.
Source: apt-get(8), apt.conf(5), apt-patterns(7).
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from threerc.testbed.errors import TestbedError
from threerc.testbed.images.builders import run_builder

_EMPTY_MACHINE: Final = (
    "-o", "Dir::State::status=/dev/null",
    "-o", "APT::Install-Recommends=0",
    # The machine's own locks and its unprivileged downloader are for its own folders.
    "-o", "Debug::NoLocking=1",
    "-o", "APT::Sandbox::User=",
)  # fmt: skip
_INSTALLED: Final = re.compile(r"^Inst (\S+?)(?::\S+)? \((\S+) .*\[(\w+)\]\)")

UNUSED: Final = (
    # Most of a kernel's size is drivers for devices that no virtual machine has.
    *(f"/lib/modules/*/kernel/drivers/{name}/*" for name in (
        *("gpu", "media", "staging", "infiniband", "iio", "isdn", "bluetooth", "net/wireless"),
        *("net/ethernet/mellanox", "net/ethernet/broadcom", "net/ethernet/chelsio", "net/can"),
    )),
    *("/lib/modules/*/kernel/sound/*", "/usr/share/man/*", "/usr/share/locale/*"),
    *("/usr/share/doc/*", "/usr/share/info/*"),
)  # fmt: skip
"""What no image needs: paths with the wildcards of dpkg and tar."""


class ImageError(TestbedError):
    """An image, or the installer, could not be made; the text says what to do."""


class Package(NamedTuple):
    """A package at its version."""

    name: str
    version: str
    arch: str

    @property
    def file(self) -> str:
        """The name that apt gives to its file."""
        return f"{self.name}_{self.version.replace(':', '%3a')}_{self.arch}.deb"


def resolve(names: Sequence[str]) -> list[Package]:
    """These packages and all that they depend on, sorted; asks no network.

    A name may be one of apt's patterns, such as ?essential. Raises ImageError.
    """
    result = _run(["apt-get", "install", "--simulate", *_EMPTY_MACHINE, "--", *names])
    if result.returncode != 0:
        raise ImageError(
            f"apt does not know the packages of the image ({_complaint(result.stderr)}): "
            "run `apt-get update` on this machine, which has to be a Debian"
        )
    matches = map(_INSTALLED.match, result.stdout.splitlines())
    return sorted(Package(*match.groups()) for match in matches if match)


def fetch(packages: Iterable[Package], folder: Path) -> list[Path]:
    """Download what is not yet in `folder`; the files, in order. Raises ImageError."""
    (folder / "partial").mkdir(parents=True, exist_ok=True)
    wanted = list(packages)
    files = [folder / package.file for package in wanted]
    if all(file.exists() for file in files):
        return files
    exact = [f"{package.name}={package.version}" for package in wanted]
    # A path that does not start at the root, apt takes for one below its own folder.
    archives = ("-o", f"Dir::Cache::archives={folder.absolute()}", "-o", "Acquire::Retries=2")
    how = ("--download-only", "-y", "-q", *_EMPTY_MACHINE, *archives)
    result = run_builder(["apt-get", "install", *how, "--", *exact], environment=_environment())
    missing = [file.name for file in files if not file.exists()]
    if result.returncode != 0 or missing:
        why = _complaint(result.stderr.decode(errors="replace")) or f"no {missing[0]}"
        raise ImageError(
            f"apt cannot fetch the packages of the image ({why}): is there a network, and was "
            "`apt-get update` run lately?"
        )
    return files


def records(packages: Iterable[Package]) -> dict[str, str]:
    """What apt knows of packages, by name: their entries in an archive's index."""
    exact = [f"{package.name}={package.version}" for package in packages]
    shown = _run(["apt-cache", "show", *exact]).stdout
    found: dict[str, str] = {}
    for entry in shown.strip().split("\n\n"):
        found.setdefault(entry.split("\n", 1)[0].removeprefix("Package: "), entry)
    return found


def unpack(files: Iterable[Path], folder: Path) -> None:
    """Unpack packages over one another, without running anything of theirs, and without `UNUSED`.

    Raises ImageError.
    """
    without = [f"--exclude=.{path}" for path in UNUSED]
    for file in files:
        source = ["dpkg-deb", "--fsys-tarfile", str(file)]
        target = ["tar", "-x", "--no-same-owner", "-C", str(folder), *without]
        with subprocess.Popen(source, stdout=subprocess.PIPE) as packed:
            done = run_builder(target, stdin=packed.stdout)
        if packed.returncode != 0 or done.returncode != 0:
            raise ImageError(f"{file} cannot be unpacked: {done.stderr.decode().strip()}")


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            env=_environment(),
        )
    except FileNotFoundError:
        raise ImageError(f"{command[0]} not found: images are made on a Debian") from None


def _environment() -> dict[str, str]:
    return os.environ | {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}


def _complaint(errors: str) -> str:
    """The first line of apt's errors, without warnings."""
    lines = [line.removeprefix("E: ") for line in errors.splitlines() if line.startswith("E:")]
    return lines[0] if lines else errors.strip()[-200:]
