"""The search for trouble: random schedules, invariants, and the smallest that breaks one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from threerc.runtime.config import ControllerConfig
from threerc.runtime.memory import load_records
from threerc.runtime.records import Record
from threerc.runtime.simulation import brief
from threerc.runtime.simulation.guests import Guest
from threerc.runtime.simulation.invariants import (
    BY_POLICY,
    NOT_RECOVERED,
    WRONG_RECORD,
    Violation,
)
from threerc.runtime.simulation.load import EXPECTED, FILE
from threerc.runtime.simulation.outcome import Outcome
from threerc.runtime.simulation.run import run
from threerc.runtime.simulation.scenario import Scenario
from threerc.runtime.simulation.schedules import END, hopeless, schedule

_PROGRESS: Final = 20


@dataclass(frozen=True)
class Finding:
    """A schedule that breaks an invariant, as small as could be, and how it does."""

    seed: int
    scenario: Scenario
    violation: Violation


def search(
    schedules: int, seed: int = 1, progress: Callable[[int], None] | None = None
) -> Iterator[Finding]:
    """Try so many schedules, from the seed on; each that breaks an invariant, shrunk."""
    for done in range(schedules):
        scenario = schedule(seed + done)
        found = violation(scenario)
        if found is not None:
            small = shrink(scenario, found.kind)
            yield Finding(seed + done, small, violation(small) or found)
        if progress and done % _PROGRESS == 0:
            progress(done)


def violation(scenario: Scenario) -> Violation | None:
    """The first invariant that a schedule breaks, or None."""
    outcome = _run(scenario)
    said = outcome.simulation.invariants.violations
    broken = [each for each in said if each.kind != BY_POLICY]
    return broken[0] if broken else next(_at_the_end(outcome), None)


def _run(scenario: Scenario) -> Outcome:
    site = scenario.site if isinstance(scenario.site, dict) else {}
    config = ControllerConfig.model_validate(brief.complete(site))
    return run(scenario, config, sleep=True)


def _at_the_end(outcome: Outcome) -> Iterator[Violation]:
    """The VMs that are down, though every one of them could be up, and records that are wrong."""
    simulation = outcome.simulation
    known = load_records(simulation.site.store)
    for vm, life in simulation.history.lives.items():
        if life.serving:
            kind, what = WRONG_RECORD, _wrong(simulation.site.guests[vm], known.get(vm))
        else:
            kind, what = NOT_RECOVERED, "" if vm in hopeless(outcome.scenario) else "it is down"
        if what:
            what = f"{vm}: {what}, long after all trouble was over"
            yield Violation(simulation.timeline.now, kind, what)


def _wrong(guest: Guest, record: Record | None) -> str:
    """What a record says that is not so, of a VM that has been up for long."""
    if record is None or guest.by_hand or len(guest.copies) > 1:
        return ""
    if record.host not in guest.copies:
        return f"it is on {' '.join(guest.copies)}, not on {record.host}, which its record names"
    return f"its record says that {record.intent.step} is under way" if record.intent else ""


def shrink(scenario: Scenario, kind: str) -> Scenario:
    """Leave out one fault or command after another, as long as the same invariant breaks."""
    small = scenario
    for part in ("faults", "operator", "controllers"):
        for item in getattr(small, part):
            if kind in (NOT_RECOVERED, WRONG_RECORD) and part == "operator" and item.at in END:
                continue  # without these nobody promises how it ends
            less = _without(small, part, item)
            found = violation(less)
            if found is not None and found.kind == kind:
                small = less
    return small


def _without(scenario: Scenario, part: str, item: Any) -> Scenario:
    value = getattr(scenario, part)
    if isinstance(value, dict):
        rest: Any = {key: each for key, each in value.items() if key != item}
    else:
        rest = tuple(each for each in value if each is not item)
    return scenario.model_copy(update={part: rest})


def write(finding: Finding, folder: Path) -> None:
    """Write a finding as a scenario folder, which fails until the invariant holds."""
    folder.mkdir(parents=True, exist_ok=True)
    data = finding.scenario.model_dump(mode="json", exclude_defaults=True)
    data["faults"] = [_plain(each) for each in data.get("faults", ())]
    data["operator"] = [_plain(each) for each in data.get("operator", ())]
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=96)
    (folder / FILE).write_text(text, encoding="utf-8")
    (folder / EXPECTED).write_text(_run(finding.scenario).log, encoding="utf-8")
    about = f"# {finding.violation.kind}\n\nFound by `3rc simulate --search`, with seed "
    readme = f"{about}{finding.seed}: {finding.violation.what}.\n"
    (folder / "README.md").write_text(readme, encoding="utf-8")


def _plain(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry with a single name where there is one."""
    of = entry.get("of")
    return entry | {"of": of[0]} if of is not None and len(of) == 1 else entry
