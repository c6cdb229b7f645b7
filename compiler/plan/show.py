"""A plan for people: as text, as Markdown for a merge request, as a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import Final

from threerc.compiler.plan.change import Change
from threerc.compiler.plan.naming import folded
from threerc.compiler.plan.plan import MOST_HOSTS, Plan, told
from threerc.compiler.wording import counted

_MOST: Final = 60_000
"""Characters of Markdown: GitHub takes 65,536 in a comment, GitLab a million."""
_FEW: Final = 12
"""Lines of a risk that are shown unfolded."""
_LEAST: Final = 0.01
_MARKS: Final = {"may lose data": "🔴", "touches a running VM": "🟠", "restarts a daemon": "🟡"}


def head(plan: Plan) -> str:
    """The whole in one line."""
    if plan.empty:
        return f"{plan.site} against {plan.against}: nothing changes"
    found = plan.comparison
    count, hosts = len(found.changes), len(found.hosts)
    return (
        f"{plan.site} against {plan.against}: {counted(count, 'change')}, {hosts:,} of "
        f"{counted(found.total, 'host')} ({_percent(found.share)}), worst: {found.risk.words}"
    )


def _percent(share: float) -> str:
    """A share in words; neither a few nor all but a few are rounded away."""
    if 0 < share < _LEAST:
        return "<1%"
    return ">99%" if 1 - _LEAST < share < 1 else f"{share:.0%}"


def _folded(changes: Iterable[Change]) -> Iterator[str]:
    """A line for each change, equal ones of many hosts in one."""
    groups: dict[tuple[str, tuple[str, ...], str], list[Change]] = {}
    for change in changes:
        groups.setdefault((change.what, change.where, change.note), []).append(change)
    for (what, where, note), group in groups.items():
        hosts = [each.subject for each in group if each.hosts == (each.subject,)]
        others = [each.subject for each in group if each.hosts != (each.subject,)]
        subject = ", ".join([*([folded(hosts)] if hosts else []), *others])
        shows = f": {', '.join(where)}" if where else ""
        yield f"{subject}: {what}{shows}{f'; {note}' if note else ''}"


def _consent(plan: Plan) -> Iterator[str]:
    if plan.needs_consent:
        yield f"to be allowed by name when it is applied: {folded(plan.needs_consent)}"
    if plan.needs_force:
        yield f"to be forced: it changes more than {MOST_HOSTS:.0%} of the hosts"


def text(plan: Plan, *, daemons: bool = True) -> str:
    """The plan for a terminal; without `daemons` not what these are told."""
    lines = [head(plan)]
    for risk, changes in plan.by_risk():
        lines += ["", f"{risk.words}:", *(f"  {line}" for line in _folded(changes))]
    lines += [""] if not plan.empty else []
    if daemons:
        lines += [f"{host}: {what}" for host, what in told(plan.files.daemons)]
    if plan.files.paths:
        lines.append(_files(plan))
    lines += _consent(plan)
    return "\n".join([*lines, *([""] if plan.diff else []), *plan.diff])


def _files(plan: Plan) -> str:
    files = plan.files
    return (
        f"{counted(len(files.changed), 'file')} changed, {len(files.new)} new, "
        f"{len(files.gone)} gone"
    )


def markdown(plan: Plan) -> str:
    """The plan for a comment on a merge request: sorted, folded, and never too long for one."""
    lines = [f"**3rc plan** {_md(head(plan))}", ""]
    for risk, changes in plan.by_risk():
        rows = [f"- {_md(line)}" for line in _folded(changes)]
        title = f"{_MARKS.get(risk.words, '🟢')} {risk.words} ({len(changes)})"
        lines += _details(title, rows) if len(rows) > _FEW else [f"{title}", "", *rows, ""]
    daemons = [f"- {_md(host)}: {what}" for host, what in told(plan.files.daemons)]
    if daemons:
        lines += _details(f"daemons on {counted(len(daemons), 'host')}; {_files(plan)}", daemons)
    lines += [f"⚠️ {_md(each)}" for each in _consent(plan)]
    if plan.diff:
        lines += ["", *_details("diff", ["```diff", *map(_fenced, plan.diff), "```"])]
    return _cut(lines)


def _details(title: str, rows: list[str]) -> list[str]:
    return [f"<details><summary>{title}</summary>", "", *rows, "", "</details>", ""]


def _md(line: str) -> str:
    """Text as Markdown shows it: names and values are data, not markup."""
    for character in "\\`*_[]<|":
        line = line.replace(character, f"\\{character}")
    return line


def _fenced(line: str) -> str:
    return line.replace("```", "'''")


def _cut(lines: list[str]) -> str:
    """As much of it as fits; what was open at the end is closed."""
    kept: list[str] = []
    length = 0
    for number, line in enumerate(lines):
        length += len(line) + 1
        if length > _MOST:
            kept += ["```"] * (sum(each.startswith("```") for each in kept) % 2)
            opened = sum(each.startswith("<details>") for each in kept)
            kept += ["</details>"] * (opened - kept.count("</details>"))
            more = counted(len(lines) - number, "more line")
            return "\n".join([*kept, "", f"... and {more}: `3rc plan`"])
        kept.append(line)
    return "\n".join(kept).rstrip()


_PAGE: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>3rc plan</title>
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; }}
pre {{ overflow-x: auto; background: #f5f5f5; padding: .5em; font-size: 13px; }}
</style>
</head>
<body>
<h1>3rc plan</h1>
<p>{head}</p>
{parts}
</body>
</html>
"""


def html(plan: Plan) -> str:
    """The plan as a page that needs nothing else."""
    parts: list[str] = []
    for risk, changes in plan.by_risk():
        parts += [f"<h2>{escape(risk.words)}</h2>", *_items(_folded(changes))]
    daemons = [f"{host}: {what}" for host, what in told(plan.files.daemons)]
    if daemons:
        parts += ["<h2>daemons</h2>", *_items(daemons), f"<p>{_files(plan)}</p>"]
    parts += [f"<p><strong>{escape(each)}</strong></p>" for each in _consent(plan)]
    if plan.diff:
        parts.append(f"<h2>diff</h2>\n<pre>{escape(chr(10).join(plan.diff))}</pre>")
    return _PAGE.format(head=escape(head(plan)), parts="\n".join(parts)).rstrip()


def _items(lines: Iterable[str]) -> list[str]:
    return ["<ul>", *(f"<li>{escape(line)}</li>" for line in lines), "</ul>"]
