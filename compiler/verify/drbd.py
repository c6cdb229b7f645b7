"""DRBD, by `drbdadm dump`: each host's folder is parsed as that host would."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from threerc.compiler.verify.base import Checker, Failure, Staged, run_program

# drbdadm parses for the DRBD of its own machine's kernel, unless it is told another one.
_VERSION = "DRBD_DRIVER_VERSION_OVERRIDE"
_FENCING_OF_8 = re.compile(r"^  disk \{[^}]*\bfencing\b", re.MULTILINE)
_COMPLAINT = re.compile(r"^(/\S+):(\d+): (.*)$", re.MULTILINE)


def _check(staged: Staged) -> Iterator[Failure]:
    folders: dict[Path, str] = {}
    for path, file in staged.files("drbd"):
        folders.setdefault(file.parent, path.rpartition("/")[0])
    for folder, shown in folders.items():
        yield from _check_folder(staged, folder, shown)


def _check_folder(staged: Staged, folder: Path, shown: str) -> Iterator[Failure]:
    # Debian's /etc/drbd.conf, with the staged folder in place of /etc/drbd.d.
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as conf:
        for pattern in ("global_common.conf", "*.res"):
            conf.write(f'include "{folder.resolve()}/{pattern}";\n')
        conf.flush()
        version = f"{_VERSION}={_version(folder)}"
        result = run_program(
            "/usr/bin/env", version, staged.program, "-c", conf.name, "dump", "all"
        )
    if not result.returncode:
        return
    complaints = _COMPLAINT.findall(result.stderr)
    for file, line, message in complaints:
        yield Failure(f"{shown}/{Path(file).name}", int(line), message)
    if not complaints:
        yield Failure(shown, 0, result.stderr.strip())


def _version(folder: Path) -> str:
    """The DRBD that a folder is for. Only fencing tells them apart."""
    common = folder / "global_common.conf"
    text = common.read_text(encoding="utf-8") if common.exists() else ""
    return "8.4.11" if _FENCING_OF_8.search(text) else "9.0.0"


CHECKER = Checker("drbd", "drbdadm", "drbd-utils", _check)
