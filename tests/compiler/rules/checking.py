"""How a rule is tested: a site in which every line it has to point at ends with `# !`."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from pathlib import Path

from tests.compiler.support import HEAD
from threerc.compiler.findings import Finding
from threerc.compiler.rules import findings
from threerc.compiler.source.load import load

MARK = "# !"


@dataclass(frozen=True)
class Case:
    """A site that a rule has something against (marked lines), or nothing (no marks).

    `says` has to stand in the first finding's message. `locked` is what site.lock keeps.
    """

    rule: str
    name: str
    text: str
    says: str = ""
    severity: str | None = None
    head: str = HEAD
    locked: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.rule}: {self.name}"

    @property
    def fires(self) -> bool:
        """Whether the rule has something against it."""
        return MARK in self.text or MARK in self.head

    def check(self, folder: Path) -> list[Finding]:
        """Load the site, ask all rules, and compare; returns the rule's findings."""
        text = self.head + textwrap.dedent(self.text)
        path = folder / "site.yaml"
        path.write_text(text, encoding="utf-8")
        loaded = load(path)
        assert loaded.findings == []
        found = [each for each in findings(loaded, self.locked) if each.rule == self.rule]
        wanted = [n for n, line in enumerate(text.splitlines(), 1) if line.endswith(MARK)]
        assert [each.place.line for each in found] == wanted, found
        if found:
            assert self.says in found[0].message
            assert found[0].hint
            assert self.severity in (None, found[0].severity)
        return found
