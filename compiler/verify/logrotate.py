"""logrotate's files, by `logrotate -d`, which changes nothing."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from threerc.compiler.verify.base import Checker, Failure, Staged

_COMPLAINT = re.compile(r"^error: (?:\S*:(\d+) )?(.*)$", re.MULTILINE)
_HANDLED = re.compile(r"^Handling [1-9]", re.MULTILINE)


def _check(staged: Staged) -> Iterator[Failure]:
    for path, file in staged.files("logrotate"):
        with tempfile.TemporaryDirectory() as folder:
            # It reads no file of another user's, nor one that a group may write.
            copy = Path(folder, "3rc")
            shutil.copyfile(file, copy)
            copy.chmod(0o600)
            result = staged.run("--debug", "--state", "none", copy, cwd=Path(folder))
        # It exits 0 whatever it has skipped.
        complaints = _COMPLAINT.findall(result.stderr)
        for line, message in complaints:
            yield Failure(path, int(line or 0), message)
        if not complaints and (result.returncode or not _HANDLED.search(result.stderr)):
            yield Failure(path, 0, "logrotate finds nothing to rotate in it")


CHECKER = Checker("logrotate", "logrotate", "logrotate", _check)
