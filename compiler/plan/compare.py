"""Two sites compared: every change, in the order of its risk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from threerc.compiler.plan.change import Change, Risk
from threerc.compiler.plan.hosts import host_changes
from threerc.compiler.plan.site import noun_changes
from threerc.compiler.plan.snapshot import HOST, Snapshot


@dataclass(frozen=True)
class Comparison:
    """All changes, the worst first; `total` is how many hosts either of both sites has."""

    changes: tuple[Change, ...]
    total: int

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that change."""
        return tuple(sorted({host for change in self.changes for host in change.hosts}))

    @property
    def share(self) -> float:
        """Their share of all."""
        return len(self.hosts) / self.total if self.total else 0.0

    @property
    def risk(self) -> Risk:
        """The worst of all changes."""
        return max((change.risk for change in self.changes), default=Risk.HARMLESS)


def compare(old: Snapshot, new: Snapshot) -> Comparison:
    """What changes from one site to the other."""
    changes = sorted(_changes(old, new), key=lambda each: -each.risk)
    return Comparison(tuple(changes), len(old.keys(HOST) | new.keys(HOST)))


def _changes(old: Snapshot, new: Snapshot) -> Iterator[Change]:
    for key in sorted(_differing(old, new)):
        kind, _, name = key.partition("/")
        before = old.noun(key) if key in old.lines else None
        after = new.noun(key) if key in new.lines else None
        if kind == HOST:
            yield from host_changes(name, before, after)
        else:
            yield from noun_changes(kind, name, before, after)


def _differing(old: Snapshot, new: Snapshot) -> set[str]:
    """The keys of lines that are not the same in both; looked at as a whole, since most are."""
    return {key for key, _ in old.lines.items() ^ new.lines.items()}
