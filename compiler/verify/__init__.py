"""Each daemon's own checker, run on the tree before it is switched to."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from threerc.compiler.tree import Tree
from threerc.compiler.verify import (
    controller,
    cron,
    dhcpd,
    drbd,
    exports,
    ganglia,
    hosts,
    installer,
    pxelinux,
    zones,
)
from threerc.compiler.verify.base import TIMEOUT, CannotRun, Checker, Failure, Staged, find_program

CHECKERS: tuple[Checker, ...] = (
    dhcpd.CHECKER,
    pxelinux.CHECKER,
    *zones.CHECKERS,
    hosts.CHECKER,
    *ganglia.CHECKERS,
    drbd.CHECKER,
    *exports.CHECKERS,
    *installer.CHECKERS,
    cron.CHECKER,
    controller.CHECKER,
)
"""All checkers, in the order they run."""


@dataclass
class Verdict:
    """What one checker said: of how many files, in how many seconds, refusing which.

    `not_checked` is why it could not say anything.
    """

    checker: Checker
    files: int
    not_checked: str = ""
    seconds: float = 0.0
    failures: list[Failure] = field(default_factory=list)


def verify(root: Path, tree: Tree, checkers: Iterable[Checker] = CHECKERS) -> list[Verdict]:
    """Run every checker whose artefact is in the tree; a missing program is a verdict too."""
    counts = Counter(entry.artefact for entry in tree.entries.values())
    promised = frozenset(missing.path for missing in [*tree.to_provide, *tree.left_out])
    staged = Staged(root, tree.entries, "", promised)
    return [
        _verdict(checker, staged, counts[checker.artefact])
        for checker in checkers
        if counts[checker.artefact]
    ]


def _verdict(checker: Checker, staged: Staged, files: int) -> Verdict:
    program = find_program(checker.program) if checker.program else ""
    if program is None:
        reason = f"{checker.program} not found (Debian: {checker.package})"
        return Verdict(checker, files, not_checked=reason)
    start = time.monotonic()
    try:
        failures = list(checker.run(staged._replace(program=program)))
    except CannotRun as error:
        return Verdict(checker, files, not_checked=f"{checker.program} cannot run here: {error}")
    except subprocess.TimeoutExpired:
        failures = [Failure("", 0, f"{checker.program} did not answer within {TIMEOUT} s")]
    return Verdict(checker, files, seconds=time.monotonic() - start, failures=failures)
