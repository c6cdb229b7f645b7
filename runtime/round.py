"""What the parts of one tick share: the world, what is known, and what is reported."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from threerc.runtime import journal
from threerc.runtime.config import ControllerConfig
from threerc.runtime.journal import Case
from threerc.runtime.memory import Memory
from threerc.runtime.observation import Observation
from threerc.runtime.placement import Choice
from threerc.runtime.records import Record
from threerc.runtime.recovery import Decision, Outcome
from threerc.runtime.saving import save_all
from threerc.runtime.view import View
from threerc.runtime.world import Probed, World


@dataclass
class Report:
    """What came of a tick. `standstill` is why nothing was done at all, or empty.

    `records` are those of the VMs after it; `unread` the VMs whose records cannot be read, with
    what that means.
    """

    time: float
    observation: Observation | None = None
    standstill: str = ""
    cases: list[Case] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    records: dict[str, Record] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)

    def lines(self, word: str = "") -> list[str]:
        """What was done for each VM that is down, for people; `word` comes before each action."""
        lines = [self.standstill] if self.standstill else []
        for case in self.cases:
            what = f"{word}{case.step} on {case.to}: " if case.step else ""
            lines.append(f"{case.vm}: {what}{case.reason}")
        lines = lines or ["nothing is down"]
        down = {case.vm for case in self.cases}
        lines += [f"{vm}: {why}" for vm, why in self.unread.items() if vm not in down]
        notes = (each for each in self.events if each["kind"] == "note" and each["vm"] == "*")
        return lines + [each["reason"] for each in notes]


_NOWHERE: Final = Choice(None, {})
_NOBODY: Final = Probed(frozenset())


@dataclass
class Plan:
    """A VM for which the ladder may have a step.

    `ready` is its record before the step; `counted` the same, without a try of which nobody knows
    whether it ever was.
    """

    case: Case
    decision: Decision
    ready: Record
    counted: Record
    choice: Choice = _NOWHERE


@dataclass
class Round:
    """One tick. Without `act` nothing is done or written, only said.

    `probed` is what came of asking those directly that are down, where the site wants that.
    """

    world: World
    view: View
    report: Report
    act: bool
    probed: Probed = _NOBODY

    @property
    def config(self) -> ControllerConfig:
        """The site."""
        return self.view.config

    @property
    def memory(self) -> Memory:
        """What the controllers remember."""
        return self.view.memory

    @property
    def now(self) -> float:
        """When the tick began."""
        return self.view.now

    def note(self, vm: str, reason: str) -> None:
        """Report something of a VM or, as `*`, of the site."""
        self.report.events.append(journal.noted(self.now, self.memory.me, vm, reason))

    def idle(self, vm: str, reason: str, *, silent: bool = True) -> Case:
        """A VM for which nothing is done."""
        known = self.memory.held.get(vm)
        record = known.record if known else Record(host=self.view.owners[vm])
        return Case(vm, record, record, reason, silent=silent)

    def save(self, wanted: Iterable[tuple[Case, Record]]) -> set[str]:
        """Write VMs' records; those of which it was done. The case of any other has the reason."""
        found = {case.vm: (case, record) for case, record in wanted}
        records = {vm: record for vm, (_, record) in found.items()}
        failed = save_all(self.world, self.memory, records, self.config.deadline)
        for case, record in found.values():
            if case.vm not in failed:
                case.after = record
                continue
            case.reason = failed[case.vm]
            case.after, case.step, case.outcome = case.before, None, Outcome.WAIT
            case.cleared = False
        return found.keys() - failed.keys()
