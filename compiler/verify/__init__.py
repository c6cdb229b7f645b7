"""Each daemon's own checker, run on the tree before it is switched to."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from threerc.compiler.tree import Entry
from threerc.compiler.verify import dhcpd
from threerc.compiler.verify.base import TIMEOUT, Checker, Failure, Staged, find_program

CHECKERS: tuple[Checker, ...] = (dhcpd.CHECKER,)
"""All checkers, in the order they run."""


@dataclass
class Verdict:
    """What one checker said: of how many files, in how many seconds, refusing which."""

    checker: Checker
    files: int
    found: bool = True
    seconds: float = 0.0
    failures: list[Failure] = field(default_factory=list)


def verify(
    root: Path, entries: Mapping[str, Entry], checkers: Iterable[Checker] = CHECKERS
) -> list[Verdict]:
    """Run every checker whose artefact is in the tree; a missing program is a verdict too."""
    counts: dict[str, int] = {}
    for entry in entries.values():
        counts[entry.artefact] = counts.get(entry.artefact, 0) + 1
    return [
        _verdict(checker, root, entries, counts[checker.artefact])
        for checker in checkers
        if checker.artefact in counts
    ]


def _verdict(
    checker: Checker, root: Path, entries: Mapping[str, Entry], files: int
) -> Verdict:
    program = find_program(checker.program) if checker.program else ""
    if program is None:
        return Verdict(checker, files, found=False)
    start = time.monotonic()
    try:
        failures = list(checker.run(Staged(root, entries, program)))
    except subprocess.TimeoutExpired:
        failures = [Failure("", 0, f"{checker.program} did not answer within {TIMEOUT} s")]
    return Verdict(checker, files, seconds=time.monotonic() - start, failures=failures)
