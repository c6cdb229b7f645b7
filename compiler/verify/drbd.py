"""DRBD, by `drbdadm dump`: each host's folder is parsed as that host would."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from threerc.compiler.verify.base import Checker, Failure, Staged

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
        result = staged.run("-c", conf.name, "dump", "all")
    if not result.returncode:
        return
    complaints = _COMPLAINT.findall(result.stderr)
    for file, line, message in complaints:
        yield Failure(f"{shown}/{Path(file).name}", int(line), message)
    if not complaints:
        yield Failure(shown, 0, result.stderr.strip())


CHECKER = Checker("drbd", "drbdadm", "drbd-utils", _check)
