"""The definitions of domains by libvirt's own schema.

virt-xml-validate takes one file: it is a shell script around xmllint, which takes many.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from threerc.compiler.verify.base import CannotRun, Checker, Failure, Staged

_SCHEMA: Final = Path("/usr/share/libvirt/schemas/domain.rng")
_AT_ONCE: Final = 1000
"""Files in one call, so that its arguments and its time stay within their limits."""
_COMPLAINT: Final = re.compile(r"(?P<path>[^:]+):(?P<line>\d+): (?P<message>.+)")


def _check(staged: Staged) -> Iterator[Failure]:
    if not _SCHEMA.exists():
        raise CannotRun(f"{_SCHEMA} not found (Debian: libvirt0)")
    # All controllers have the same files: one of each is enough.
    different = {staged.entries[path].content: path for path, _ in staged.files("domains")}
    paths = list(different.values())
    for start in range(0, len(paths), _AT_ONCE):
        yield from _refused(staged, paths[start : start + _AT_ONCE])


def _refused(staged: Staged, paths: Sequence[str]) -> Iterator[Failure]:
    said = staged.run("--noout", "--nonet", "--relaxng", _SCHEMA, *paths, cwd=staged.root)
    lines = said.stderr.splitlines()
    taken = set(lines)
    complaints: dict[str, tuple[int, str]] = {}
    for line in lines:
        if found := _COMPLAINT.fullmatch(line):
            complaints.setdefault(found["path"], (int(found["line"]), found["message"]))
    for path in paths:
        if f"{path} validates" not in taken:
            status = f"xmllint ended with status {said.returncode}"
            yield Failure(path, *complaints.get(path, (0, status)))


CHECKER = Checker("domains", "xmllint", "libxml2-utils", _check)
