"""A plan: what would change from what is applied to a site file, and how risky that is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

from threerc.compiler.plan.against import built, compiled, other
from threerc.compiler.plan.change import RISKS, Change, Risk
from threerc.compiler.plan.compare import Comparison, compare
from threerc.compiler.plan.files import FileChanges, diffs
from threerc.compiler.plan.files import compare as compare_files
from threerc.compiler.services import Order

MOST_HOSTS: Final = 0.3
"""A change of a larger share of the hosts needs to be forced."""
_NAMES: Final = {risk: name for name, risk in RISKS.items()}


@dataclass(frozen=True)
class Plan:
    """All that would change. `diff` are the lines of the changed files, if they were asked for."""

    site: str
    against: str
    comparison: Comparison
    files: FileChanges
    diff: tuple[str, ...] = field(default=())

    @property
    def empty(self) -> bool:
        """Whether nothing changes, neither in the site nor in a file."""
        return not self.comparison.changes and not self.files.paths

    @property
    def needs_force(self) -> bool:
        """Whether it changes too many hosts to be applied unasked."""
        return self.comparison.share > MOST_HOSTS

    @property
    def needs_consent(self) -> tuple[str, ...]:
        """The subjects whose changes have to be allowed by name."""
        found = (c.subject for c in self.comparison.changes if c.needs_consent)
        return tuple(dict.fromkeys(found))

    def by_risk(self) -> Iterator[tuple[Risk, list[Change]]]:
        """The changes of each risk, the worst first."""
        for risk in sorted(Risk, reverse=True):
            found = [change for change in self.comparison.changes if change.risk is risk]
            if found:
                yield risk, found

    def data(self) -> dict[str, Any]:
        """It for programs."""
        return {
            "site": self.site,
            "against": self.against,
            "risk": _NAMES[self.comparison.risk],
            "hosts": list(self.comparison.hosts),
            "share": round(self.comparison.share, 4),
            "needs_force": self.needs_force,
            "needs_allow": list(self.needs_consent),
            "changes": [_change(each) for each in self.comparison.changes],
            "daemons": {
                host: [{"name": order.service.name, "verb": order.verb} for order in given]
                for host, given in self.files.daemons.items()
            },
            "files": {
                "new": list(self.files.new),
                "gone": list(self.files.gone),
                "changed": list(self.files.changed),
            },
            "diff": list(self.diff),
        }


def _change(change: Change) -> dict[str, Any]:
    return {
        "subject": change.subject,
        "what": change.what,
        "risk": _NAMES[change.risk],
        "where": list(change.where),
        "note": change.note,
        "hosts": list(change.hosts),
    }


def plan(site: Path, against: str | None, today: date, *, diff: bool = False) -> Plan:
    """Compare a site file with what `against` names, else with what was built.

    Raises Rejected, PlanError.
    """
    new = compiled(site, today)
    with other(site, built(site) if against is None else against, today) as old:
        files = compare_files(old.manifest, new.manifest)
        lines = tuple(diffs(files, old.read, new.read)) if diff else ()
        comparison = compare(old.snapshot, new.snapshot)
        return Plan(new.name, old.name, comparison, files, lines)


def told(daemons: dict[str, list[Order]]) -> Iterable[tuple[str, str]]:
    """What is done with the daemons of each host, in words."""
    for host, given in daemons.items():
        yield host, ", ".join(map(str, given))
