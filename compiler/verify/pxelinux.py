"""pxelinux.cfg: links resolve; kernels and initrds are in the tree or named as to be provided."""

from __future__ import annotations

import re
from collections.abc import Iterator

from threerc.compiler.verify.base import Checker, Failure, Staged

_LOADED = re.compile(r"^\s*kernel (\S+)|^\s*append (?:.* )?initrd=(\S+)", re.MULTILINE)
_FOLDER = "/pxelinux.cfg/"


def _check(staged: Staged) -> Iterator[Failure]:
    for path, entry in staged.entries.items():
        if entry.artefact != "pxelinux":
            continue
        if entry.target is not None:
            if f"{path.rpartition('/')[0]}/{entry.target}" not in staged.entries:
                yield Failure(path, 0, f"the link points to {entry.target}, which is not there")
        elif _FOLDER in path:
            yield from _check_boot_file(staged, path, entry.content.decode())


def _check_boot_file(staged: Staged, path: str, text: str) -> Iterator[Failure]:
    root = path.partition(_FOLDER)[0]
    for match in _LOADED.finditer(text):
        needed = f"{root}/{match[1] or match[2]}"
        if needed not in staged.entries and needed not in staged.promised:
            line = text.count("\n", 0, match.start()) + 1
            yield Failure(path, line, f"{needed} is neither in the tree nor to be provided")


CHECKER = Checker("pxelinux", "", "", _check)
