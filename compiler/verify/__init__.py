"""Each daemon's own checker, run on the tree before it is switched to."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from threerc.compiler.tree import Tree
from threerc.compiler.verify import (
    controller,
    cron,
    dhcpd,
    domains,
    drbd,
    dualboot,
    exports,
    forced_command,
    ganglia,
    grub_net,
    hosts,
    installer,
    kea,
    loaders,
    logrotate,
    pxelinux,
    zones,
)
from threerc.compiler.verify.base import TIMEOUT, CannotRun, Checker, Failure, Staged

CHECKERS: tuple[Checker, ...] = (
    dhcpd.CHECKER,
    *kea.CHECKERS,
    pxelinux.CHECKER,
    grub_net.CHECKER,
    loaders.CHECKER,
    *dualboot.CHECKERS,
    *zones.CHECKERS,
    hosts.CHECKER,
    *ganglia.CHECKERS,
    drbd.CHECKER,
    *exports.CHECKERS,
    *installer.CHECKERS,
    cron.CHECKER,
    logrotate.CHECKER,
    forced_command.CHECKER,
    controller.CHECKER,
    domains.CHECKER,
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


def verify(
    root: Path,
    tree: Tree,
    progress: Callable[[str], None],
    checkers: Iterable[Checker] = CHECKERS,
) -> list[Verdict]:
    """Run every checker whose artefact is in the tree; a missing program is a verdict too."""
    counts = Counter(entry.artefact for entry in tree.entries.values())
    promised = frozenset(missing.path for missing in [*tree.to_provide, *tree.left_out])
    verdicts: list[Verdict] = []
    for checker in checkers:
        if counts[checker.artefact]:
            progress(f"checking {checker.artefact} by {checker.program or 'reading back'}")
            staged = Staged(root, tree.entries, checker, promised)
            verdicts.append(_verdict(staged, counts[checker.artefact]))
    return verdicts


def _verdict(staged: Staged, files: int) -> Verdict:
    verdict = Verdict(staged.checker, files)
    start = time.monotonic()
    try:
        verdict.failures = list(staged.checker.run(staged))
    except CannotRun as error:
        verdict.not_checked = str(error)
    except subprocess.TimeoutExpired:
        message = f"{staged.checker.program} did not answer within {TIMEOUT} s"
        verdict.failures = [Failure("", 0, message)]
    verdict.seconds = time.monotonic() - start
    return verdict
