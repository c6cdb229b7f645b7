"""Write docs/reference/rules.md: every rule, its reason and what to do. `make docs` runs it."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from threerc.compiler.rules import ALL
from threerc.compiler.rules.base import Rule
from threerc.compiler.source import READING

PAGE = Path(__file__).resolve().parents[1] / "docs/reference/rules.md"
TITLES = {
    "names": "Names",
    "addresses": "Networks and addresses",
    "references": "What hosts refer to",
    "site_references": "What the rest of the site refers to",
    "capacity": "Capacity",
    "storage": "Storage",
    "exports": "NFS exports",
    "recovery": "Recovery",
    "services": "Services",
    "boot": "Booting",
    "cabling": "Cabling and power",
}
HEAD = """\
<!-- Written by `make docs` from compiler/rules/ and compiler/source/: do not edit. -->
# Rules

What `3rc check` and `3rc build` hold a site to. A finding ends with the id of its rule:

    site.yaml:24:11: there is no physical host `alfa1`, did you mean `alfa01`? [home-exists]
      hint: name a host of `physical_hosts`

An error forbids the build; a warning is told and the build goes on. What is a consequence of an
error that is told already is not told again. One value that many hosts share, by a range, a
group or the defaults, makes one finding.
"""
READ = """\

## Reading

These are told while `site.yaml` and its inventories are read; all are errors. A value that is
refused by itself has the id of its type, such as `mac-address` or `host-name`.

| Rule | What it refuses |
|---|---|
"""


def page() -> str:
    """The text of the page."""
    parts = [HEAD]
    for module, rules in groupby(ALL, key=lambda each: each.check.__module__):
        title = TITLES[module.rpartition(".")[2]]
        rows = "".join(map(_row, rules))
        parts.append(f"\n## {title}\n\n| Rule | | Why | What to do |\n|---|---|---|---|\n{rows}")
    parts.append(READ)
    parts += [f"| `{rule}` | {_cell(what)} |\n" for rule, what in sorted(READING.items())]
    return "".join(parts)


def _row(rule: Rule) -> str:
    what = (rule.check.__doc__ or "").strip().partition("\n")[0]
    why = f"{what} {rule.reason}"
    return f"| `{rule.id}` | {rule.severity} | {_cell(why)} | {_cell(rule.hint)} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
