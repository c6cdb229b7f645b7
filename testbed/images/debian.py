"""debian: a Debian as its own installer would leave it, with systemd."""

from __future__ import annotations

import os
import shlex
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from threerc.testbed.images.archive import BUILT, packed, tar_writer
from threerc.testbed.images.builders import run_builder
from threerc.testbed.images.cache import Build
from threerc.testbed.images.packages import UNUSED, ImageError, records
from threerc.testbed.images.unpacked import MODULES

_SETUP: Final = Path(__file__).parent / "debian-hooks"


@dataclass(frozen=True, slots=True)
class Debian:
    """The essential packages, systemd, and what the post-install hook and the site need."""

    name: str = "debian"
    packages: tuple[str, ...] = (
        *("?essential", "apt", "systemd-sysv", "udev", "dbus", "linux-image-amd64", "kmod"),
        *("openssh-server", "ganglia-monitor", "ifupdown", "isc-dhcp-client", "iproute2"),
        *("iputils-ping", "bind9-host", "wget", "cron", "e2fsprogs", "zstd"),
    )
    outputs: tuple[str, ...] = ("tar.gz",)

    def make(self, build: Build, outputs: tuple[Path, ...]) -> None:
        """Write the image. Needs root, since the packages are installed and not only unpacked."""
        if os.geteuid() != 0:
            raise ImageError("the image debian can only be made by root")
        made = build.work / "debian.tar"
        self._install(build, made)
        with (
            tarfile.open(made) as source,
            packed(outputs[0]) as stream,
            tar_writer(stream) as target,
        ):
            for member in source:
                # Extended attributes are all that the old format lacks.
                member.pax_headers = {}
                target.addfile(member, source.extractfile(member) if member.isreg() else None)

    def _install(self, build: Build, made: Path) -> None:
        archive = _archive(build)
        (build.work / "modules").write_text("".join(f"{name}\n" for name in MODULES))
        command = [
            "mmdebstrap", "--mode=root", "--format=tar", "--variant=essential",
            "--include=" + ",".join(package.name for package in build.packages),
            *(f"--dpkgopt=path-exclude={path}" for path in UNUSED),
            f"--essential-hook={shlex.join([f'{_SETUP}/before', f'{build.work}/modules'])} \"$1\"",
            f"--customize-hook={shlex.quote(f'{_SETUP}/after')} \"$1\"",
            "", str(made), f"deb [trusted=yes] copy://{quote(str(archive))} ./",
        ]  # fmt: skip
        if shutil.which(command[0]) is None:
            raise ImageError("mmdebstrap not found (Debian: mmdebstrap)")
        build.say("installing its packages, which takes a minute or two")
        log = build.work / "mmdebstrap.log"
        ours = {"SOURCE_DATE_EPOCH": str(BUILT), "LC_ALL": "C", "TMPDIR": str(build.work)}
        with log.open("wb") as output:
            done = run_builder(command, stdout=output, stderr=output, environment=os.environ | ours)
        if done.returncode != 0:
            raise ImageError(f"mmdebstrap failed:\n{log.read_text(errors='replace')[-2000:]}")


def _archive(build: Build) -> Path:
    """A folder that apt takes for an archive of just the packages that were fetched."""
    folder = build.work / "archive"
    folder.mkdir()
    known = records(build.packages)
    index: list[str] = []
    for package, file in zip(build.packages, build.files, strict=True):
        (folder / file.name).symlink_to(file)
        entry = known[package.name].splitlines()
        lines = [line for line in entry if not line.startswith("Filename:")]
        index.append("\n".join([*lines, f"Filename: ./{file.name}"]))
    (folder / "Packages").write_text("\n\n".join(index) + "\n")
    return folder


DEBIAN: Final = Debian()
