"""Each daemon's own checker, of this host, on the files that are staged for it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from threerc.compiler.verify.base import TIMEOUT, CannotRun, Checker, Staged
from threerc.compiler.verify.dhcpd import CHECKER as DHCPD
from threerc.compiler.verify.drbd import CHECKER as DRBD
from threerc.compiler.verify.exports import CHECKERS as EXPORTS
from threerc.compiler.verify.ganglia import CHECKERS as GANGLIA
from threerc.compiler.verify.kea import CHECKERS as KEA
from threerc.compiler.verify.zones import CHECKERS as ZONES
from threerc.rollout.agent.disk import Entries

CHECKERS: tuple[Checker, ...] = (DHCPD, *KEA, *ZONES, *GANGLIA, DRBD, *EXPORTS)


class _Entry(NamedTuple):
    """As much of a tree's entry as checkers look at."""

    artefact: str
    target: str | None


class Checked(NamedTuple):
    """What the checkers refuse, and what they could not say anything about."""

    failures: list[str]
    not_checked: list[str]


def check(root: str, host: str, entries: Entries, paths: Iterable[str]) -> Checked:
    """Check the staged tree at `root` as far as it is about the paths that change."""
    changed = {entries[path]["artefact"] for path in paths if path in entries}
    mine: dict[str, Any] = {f"{host}{path}": _entry(entries, path) for path in entries}
    done = Checked([], [])
    for checker in CHECKERS:
        if checker.artefact in changed:
            _run(Staged(Path(root), mine, checker), done)
    return done


def _entry(entries: Entries, path: str) -> _Entry:
    entry = entries[path]
    return _Entry(entry["artefact"], entry.get("link"))


def _run(staged: Staged, done: Checked) -> None:
    program = staged.checker.program
    try:
        for failure in staged.checker.run(staged):
            place = f"{failure.path}:{failure.line}" if failure.line else failure.path
            done.failures.append(f"{program} refuses {place}: {failure.message}")
    except CannotRun as error:
        done.not_checked.append(str(error))
    except subprocess.TimeoutExpired:
        done.failures.append(f"{program} did not answer within {TIMEOUT} s")
