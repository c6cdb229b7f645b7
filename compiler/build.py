"""The way of the data: read, check, compile, verify, write."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from threerc.compiler import lock as locking
from threerc.compiler.artefacts import ARTEFACTS
from threerc.compiler.findings import Finding, Place, Rejected
from threerc.compiler.generation import Generations, replace_file
from threerc.compiler.lock import Lock, LockData
from threerc.compiler.model import Site
from threerc.compiler.plan.snapshot import SNAPSHOT, snapshot
from threerc.compiler.rules import findings as rule_findings
from threerc.compiler.source.load import load
from threerc.compiler.tree import Output, Tree

if TYPE_CHECKING:
    from threerc.compiler.verify import Verdict

LOCK_NAME = "site.lock"
Progress = Callable[[str], None]


def _quiet(_what: str) -> None:
    """Progress for nobody."""


@dataclass(frozen=True)
class Options:
    """How a build is made."""

    out: Path
    today: date
    graph: Path | None = None
    strict: bool = False
    verify: bool = True
    locked: bool = False


@dataclass
class Checked:
    """A site without errors, and its warnings."""

    site: Site
    warnings: list[Finding]
    folder: Path
    lock: LockData


@dataclass
class Report:
    """What a build made and what was said of it."""

    site: Site
    out: Path
    tree: Tree
    warnings: list[Finding]
    lock_changes: list[str]
    verdicts: list[Verdict] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def count(self, artefact: str) -> tuple[int, int]:
        """Files and links of an artefact."""
        entries = [e for e in self.tree.entries.values() if e.artefact == artefact]
        links = sum(entry.target is not None for entry in entries)
        return len(entries) - links, links


def check(path: Path) -> Checked:
    """Read a site and check it. Raises Rejected with all findings if one is an error."""
    loaded = load(path)
    lock, lock_findings = _lock_of(loaded.folder)
    findings = [*loaded.findings, *lock_findings]
    if loaded.site is not None:
        locked = {name: (each.minor, each.port) for name, each in lock.volumes.items()}
        findings += rule_findings(loaded, locked)
    findings.sort()
    if loaded.site is None or any(finding.severity == "error" for finding in findings):
        raise Rejected(findings)
    return Checked(loaded.site, findings, loaded.folder, lock)


def _lock_of(folder: Path) -> tuple[LockData, list[Finding]]:
    """What site.lock keeps, and what is wrong with it."""
    try:
        return locking.read(folder / LOCK_NAME), []
    except Rejected as rejected:
        return LockData(), rejected.findings


def compile_tree(site: Site, lock: Lock, folder: Path, progress: Progress = _quiet) -> Tree:
    """The tree of a site; `folder` is where its side files are. Adds to the lock."""
    tree = Tree()
    for name, compile_one in ARTEFACTS.items():
        progress(f"compiling {name}")
        compile_one(site, Output(name, tree, lock, folder))
    return tree


def build(path: Path, options: Options, progress: Progress = _quiet) -> Report:
    """Build a site's tree at `options.out`, or leave what is there as it is.

    `progress` is told what is going on.
    Raises Rejected (findings, also of the daemons' checkers) and OutputError.
    """
    clock = _Stopwatch()
    generations = Generations(options.out)
    generations.check_ours()
    progress(f"checking {path}")
    checked = check(path)
    clock.lap("check")
    lock_path = checked.folder / LOCK_NAME
    lock = Lock(options.today, checked.lock)
    tree = compile_tree(checked.site, lock, checked.folder, progress)
    clock.lap("compile")
    _refuse(_lock_findings(lock, lock_path) if options.locked else [])
    _refuse(_left_out(tree, path) if options.strict else [])
    report = Report(checked.site, options.out, tree, checked.warnings, lock.changes)
    progress(f"writing {options.out}")
    beside = {SNAPSHOT: snapshot(checked.site, lock.data).text()}
    with generations.staged(tree.entries, beside) as stage:
        clock.lap("write")
        if options.verify:
            from threerc.compiler.verify import verify  # noqa: PLC0415 - a plan needs none of it

            report.verdicts = verify(stage, tree, progress)
            clock.lap("verify")
        _refuse(_verdict_findings(report.verdicts, options))
        if options.graph is not None:
            _draw(checked.site, options.graph)
        # First the lock: were we killed in between, the next build would choose the same.
        if lock.changes:
            replace_file(lock_path, lock.dump())
        generations.switch(stage)
    clock.lap("switch")
    report.seconds = clock.laps
    return report


def _draw(site: Site, path: Path) -> None:
    from threerc.compiler.graph import draw  # noqa: PLC0415 - most builds draw nothing

    replace_file(path, draw(site, path.suffix))


class _Stopwatch:
    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.laps[name] = now - self._last
        self._last = now


def _refuse(findings: list[Finding]) -> None:
    if findings:
        raise Rejected(findings)


def _lock_findings(lock: Lock, path: Path) -> list[Finding]:
    hint = "run 3rc build without --locked and commit site.lock"
    place = Place(str(path), 1, 1)
    return [
        Finding(place, f"the lock would change: {change}", "locked", hint)
        for change in lock.changes
    ]


def _left_out(tree: Tree, path: Path) -> list[Finding]:
    return [
        Finding(Place(str(path), 1, 1), f"not made: {each.path}: {each.reason}", "left-out")
        for each in tree.left_out
    ]


def _verdict_findings(verdicts: list[Verdict], options: Options) -> list[Finding]:
    findings: list[Finding] = []
    for verdict in verdicts:
        checker = verdict.checker
        if verdict.not_checked and options.strict:
            message = f"not checked: {verdict.not_checked}"
            findings.append(Finding(Place(checker.artefact, 1, 1), message, "not-checked"))
        for failure in verdict.failures:
            who = checker.program or "3rc's own reader"
            place = Place(failure.path or checker.artefact, failure.line, 1)
            hint = "the compiled file is wrong; please report this with the site file"
            message = f"{who} refuses it: {failure.message}"
            findings.append(Finding(place, message, "daemon-check", hint))
    return findings
