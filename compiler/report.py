"""What commands say: findings as text, JSON or annotations, and the summary of a build."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Literal

from threerc.compiler.build import Report
from threerc.compiler.findings import Finding
from threerc.compiler.model.host import KINDS
from threerc.compiler.verify import Verdict
from threerc.compiler.wording import counted

Format = Literal["text", "json", "github"]


def findings_text(findings: Iterable[Finding]) -> str:
    """A line for each finding, `file:line:column: message [rule-id]`, and a hint below it."""
    lines: list[str] = []
    for finding in findings:
        kind = "warning: " if finding.severity == "warning" else ""
        lines.append(f"{finding.place}: {kind}{finding.message} [{finding.rule}]")
        if finding.hint:
            lines.append(f"  hint: {finding.hint}")
    return "\n".join(map(_printable, lines))


def _printable(line: str) -> str:
    """A line without what would end it, or drive a terminal: a finding may quote any text."""
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


def findings_github(findings: Iterable[Finding]) -> str:
    """Annotations for GitHub's log (workflow commands)."""
    return "\n".join(
        f"::{finding.severity} file={_property(finding.place.file)},line={finding.place.line},"
        f"col={finding.place.column},title={_property(finding.rule)}::"
        f"{_data(finding.message)}{_data(chr(10) + finding.hint) if finding.hint else ''}"
        for finding in findings
    )


def findings_data(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """The findings as data for programs."""
    return [
        {
            "file": finding.place.file,
            "line": finding.place.line,
            "column": finding.place.column,
            "severity": finding.severity,
            "rule": finding.rule,
            "message": finding.message,
            "hint": finding.hint,
        }
        for finding in findings
    ]


def render_findings(findings: list[Finding], form: Format) -> str:
    """The findings in one of the formats."""
    if form == "json":
        return json.dumps({"findings": findings_data(findings)}, indent=2)
    return findings_github(findings) if form == "github" else findings_text(findings)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def build_data(report: Report) -> dict[str, Any]:
    """The outcome of a build as data for programs."""
    return {
        "site": report.site.site,
        "out": str(report.out),
        "hosts": len(report.site.hosts),
        "entries": len(report.tree.entries),
        "artefacts": {name: sum(report.count(name)) for name in _artefacts(report)},
        "checks": [
            {
                "artefact": verdict.checker.artefact,
                "program": verdict.checker.program,
                "not_checked": verdict.not_checked,
                "seconds": round(verdict.seconds, 3),
            }
            for verdict in report.verdicts
        ],
        "to_provide": [{"path": m.path, "reason": m.reason} for m in report.tree.to_provide],
        "left_out": [{"path": m.path, "reason": m.reason} for m in report.tree.left_out],
        "lock_changes": report.lock_changes,
        "warnings": findings_data(report.warnings),
        "seconds": {name: round(took, 3) for name, took in report.seconds.items()},
    }


def build_text(report: Report) -> str:
    """The summary of a build for people."""
    site = report.site
    kinds = [(len(getattr(site, kind)), kind.replace("_", " ").removesuffix("s")) for kind in KINDS]
    hosts = ", ".join(counted(count, name) for count, name in kinds if count)
    lines = [f"{site.site}: {counted(len(site.hosts), 'host')} ({hosts})", ""]
    lines += [_artefact_line(report, name) for name in _artefacts(report)]
    for title, missing in (
        ("To be provided by you", report.tree.to_provide),
        ("Not made here", report.tree.left_out),
    ):
        if missing:
            lines += ["", f"{title}:", *(f"  {each.path} ({each.reason})" for each in missing)]
    if report.lock_changes:
        lines += ["", "New in site.lock (commit it):"]
        lines += [f"  {change}" for change in report.lock_changes]
    total = sum(report.seconds.values())
    laps = ", ".join(f"{name} {took:.2f}" for name, took in report.seconds.items())
    lines += ["", f"{len(report.tree.entries):,} files and links in {report.out}"]
    return "\n".join([*lines, f"{total:.2f} s ({laps})"])


def _artefacts(report: Report) -> list[str]:
    return list(dict.fromkeys(entry.artefact for entry in report.tree.entries.values()))


def _artefact_line(report: Report, name: str) -> str:
    files, links = report.count(name)
    made = counted(files, "file") + (f", {counted(links, 'link')}" if links else "")
    verdicts = [v for v in report.verdicts if v.checker.artefact == name]
    said = "; ".join(map(_verdict_text, verdicts)) or "not checked"
    return f"  {name:<12} {made:<24} {said}"


def _verdict_text(verdict: Verdict) -> str:
    if verdict.not_checked:
        return f"not checked: {verdict.not_checked}"
    by = verdict.checker.program or "reading back"
    return f"checked by {by}"
