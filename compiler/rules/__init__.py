"""What must hold across nouns: one rule per function, each with an id, a reason and a hint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from threerc.compiler.findings import Finding
from threerc.compiler.model import KINDS, Site
from threerc.compiler.rules import (
    addresses,
    boot,
    cabling,
    capacity,
    exports,
    names,
    recovery,
    references,
    services,
    site_references,
    storage,
)
from threerc.compiler.rules.base import Facts, Problem, Rule, collect, concerned
from threerc.compiler.source.load import Loaded
from threerc.compiler.source.ranges import is_range
from threerc.compiler.wording import counted

ALL: tuple[Rule, ...] = collect(
    names.RULES,
    addresses.RULES,
    references.RULES,
    site_references.RULES,
    capacity.RULES,
    storage.RULES,
    exports.RULES,
    recovery.RULES,
    services.RULES,
    boot.RULES,
    cabling.RULES,
)
"""Every rule, in the order of the reference."""


def run(site: Site, folder: Path | None = None) -> Iterator[tuple[Rule, Problem]]:
    """The problems of a whole site; without its folder its side files are not looked for."""
    yield from _ask(ALL, Facts(site, folder))


def findings(loaded: Loaded, locked: Mapping[str, tuple[int, int]] | None = None) -> list[Finding]:
    """What the rules find wrong with a site that was read, sorted by place; `locked` as in Facts.

    Consequences of what the reader found are left out. Where one value concerns many hosts
    (inherited, or of a range), there is one finding.
    """
    if loaded.site is None:
        return []
    broken = {path[0] for path in loaded.spoilt} | (set() if loaded.complete else set(KINDS))
    asked = [each for each in ALL if broken.isdisjoint(each.needs)]
    # What has a value at fault is there nevertheless, even if nothing is left of it to validate.
    spoilt = {str(path[1]) for path in loaded.spoilt if len(path) > 1}
    facts = Facts(
        loaded.site,
        loaded.folder,
        loaded.lost | spoilt,
        loaded.complete,
        locked or {},
        loaded.place,
        partial(_of_range, loaded),
    )
    fresh = (pair for pair in _ask(asked, facts) if pair[1].path[:2] not in loaded.spoilt)
    return _merged(fresh, loaded)


def _of_range(loaded: Loaded, name: str) -> bool:
    """Whether a host has its entry together with others."""
    origin = loaded.explainer.origin(name)
    return origin is not None and is_range(str(origin.at[1]))


def _ask(rules: Iterable[Rule], facts: Facts) -> Iterator[tuple[Rule, Problem]]:
    for each in rules:
        for problem in each.check(facts):
            yield each, problem


def _merged(problems: Iterable[tuple[Rule, Problem]], loaded: Loaded) -> list[Finding]:
    """One finding for all hosts that share a rule's problem at one place."""
    shared: dict[tuple[Any, ...], dict[str, Finding]] = {}
    for each, problem in problems:
        path = problem.path
        place = loaded.place(path, key=problem.key)
        finding = Finding(
            place,
            problem.message,
            each.id,
            problem.hint or each.hint,
            problem.severity or each.severity,
        )
        host = concerned(path)
        key: tuple[Any, ...] = (place, each.id, path[2:] if host else problem.message)
        if host in shared.get(key, ()):
            key = (*key, problem.message)
        shared.setdefault(key, {}).setdefault(host, finding)
    return sorted(_one(hosts) for hosts in shared.values())


def _one(hosts: dict[str, Finding]) -> Finding:
    first = next(iter(hosts.values()))
    if len(hosts) == 1:
        return first
    more = f"{first.message} (and {counted(len(hosts) - 1, 'more host')} like it)"
    return Finding(first.place, more, first.rule, first.hint, first.severity)
