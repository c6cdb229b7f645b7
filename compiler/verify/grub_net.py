"""GRUB's network configuration: by `grub-script-check`, and that what it reads is there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from threerc.compiler.verify.base import Checker, Failure, Staged

_LINE = re.compile(r"(?:Syntax error at line|line) (\d+)", re.IGNORECASE)
_LOADED = re.compile(r"^\s*if (?:linux|initrd) '/([^']+)'", re.MULTILINE)
_FOLDER = "/grub/boot/"


def _check(staged: Staged) -> Iterator[Failure]:
    for path, file in staged.files("grub_net"):
        result = staged.run(file)
        if result.returncode:
            place = _LINE.search(result.stderr)
            yield Failure(path, int(place[1]) if place else 0, result.stderr.strip())
        if _FOLDER in path:
            yield from _missing(staged, path, file.read_text(encoding="utf-8"))


def _missing(staged: Staged, path: str, text: str) -> Iterator[Failure]:
    root = path.partition(_FOLDER)[0]
    for match in _LOADED.finditer(text):
        needed = f"{root}/{match[1]}"
        if needed not in staged.entries and needed not in staged.promised:
            line = text.count("\n", 0, match.start()) + 1
            yield Failure(path, line, f"{needed} is neither in the tree nor to be provided")


CHECKER = Checker("grub_net", "grub-script-check", "grub-common", _check)
