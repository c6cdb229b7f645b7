"""The folders of sites that run as Vagrant's machines: one for each site, by its name.

Nobody lives in such a folder: machines run on their own, until they are destroyed.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from threerc.testbed import runs
from threerc.testbed.errors import TestbedError


def base() -> Path:
    """Where the folders are listed, each itself or by a symlink to it."""
    return runs.base().parent / "vagrant"


def create(site: str, work: Path | None = None) -> Path:
    """A new folder for a site below `work` or `base()`.

    Raises TestbedError where there is one, and OSError.
    """
    entry = base() / site
    if entry.is_symlink() or entry.exists():
        raise TestbedError(
            f"{site} is up, or was left half up: end it by `3rc testbed --backend vagrant down`"
        )
    folder = (work or base()).resolve() / site
    base().mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, parents=True)
    if work is not None:
        entry.symlink_to(folder)
    return folder


def remove(folder: Path) -> None:
    """Remove a site's folder and its entry in the list. Raises OSError."""
    entry = base() / folder.name
    if entry.is_symlink():
        entry.unlink()
    shutil.rmtree(folder)


def known() -> list[Path]:
    """All folders that are listed."""
    if not base().is_dir():
        return []
    return [path.resolve() for path in sorted(base().iterdir())]


def find(site: str | None = None) -> Path:
    """The folder of a site, or the only one. TestbedError if there is no such one."""
    found = [each for each in known() if site in {None, each.name}]
    if len(found) == 1:
        return found[0]
    there = ", ".join(each.name for each in known()) or "none"
    if found:
        raise TestbedError(f"several sites are up: choose by --run SITE (there are: {there})")
    if site is not None:
        raise TestbedError(f"no site {site} is up (there are: {there})")
    raise TestbedError("no site is up; bring one up with `3rc testbed --backend vagrant up SITE`")
