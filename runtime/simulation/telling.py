"""A simulation as a text to be read: log lines, reasons, and what truly happened, in order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from threerc.runtime.errors import ControllerError
from threerc.runtime.journal import Case
from threerc.runtime.records import stamp
from threerc.runtime.round import Report
from threerc.runtime.simulation.simulation import Said, Simulation

_NUMBERS: Final = re.compile(r"\d+(?:\.\d+)?")


@dataclass
class _Run:
    """Lines of one VM that say the same, but for their date."""

    shape: str
    more: int = 0
    last: str = ""


class Teller:
    """Tells it. Whatever is said again as it was before is only counted.

    Lines that begin with `*` are what truly happens, those with `>>` or a date are the log's, and
    the indented ones say why.
    """

    def __init__(self, simulation: Simulation, notes: Sequence[tuple[float, str]]) -> None:
        self.simulation = simulation
        self.zone = simulation.start.zone
        self.notes = notes
        self._reasons: dict[str, str] = {}
        self._runs: dict[str, _Run] = {}

    def lines(self) -> Iterator[str]:
        """All of it."""
        happened = [
            (moment, 0, f"* {stamp(moment, self.zone)} {what}")
            for moment, what in (*self.notes, *self._truth())
        ]
        told = [(said.time, 1, line) for said in self.simulation.said for line in self._said(said)]
        for _, _, line in sorted(happened + told, key=lambda part: part[:2]):
            yield line
        for run in self._runs.values():
            yield from _counted(run)
        for vm, life in self.simulation.history.lives.items():
            if life.downs or life.moves:
                yield f"* at the end {vm} is {'up' if life.serving else 'down'} on {life.host}"

    def _truth(self) -> Iterator[tuple[float, str]]:
        """When VMs went down, moved and came back, and which invariants were broken."""
        for vm, life in self.simulation.history.lives.items():
            for begin, end in life.downs:
                if begin > self.simulation.start.time:
                    yield begin, f"{vm} is down"
                if end is not None:
                    yield end, f"{vm} is up after {end - begin:.0f} s"
            yield from ((move.time, f"{vm} moves to {move.to}") for move in life.moves)
        for each in self.simulation.invariants.violations:
            yield each.time, f"VIOLATION {each.kind}: {each.what}"

    def _said(self, said: Said) -> Iterator[str]:
        report = said.report
        if isinstance(report, ControllerError):
            yield from self._why(said.controller, "", f"{type(report).__name__}: {report}")
            return
        if not report.standstill:
            self._reasons.pop("", None)
        for event in report.events:
            if event["kind"] == "standstill":
                yield from self._why(said.controller, "", f"stands still: {event['reason']}")
            elif event["kind"] in ("recovered", "note"):
                yield from self._end(event["vm"])
                self._reasons.pop(event["vm"], None)
                yield f"    {said.controller}: {event['vm']}: {event['reason']}"
        for case in report.cases:
            yield from self._case(said.controller, report, case)

    def _case(self, controller: str, report: Report, case: Case) -> Iterator[str]:
        refused = [f"not {name} ({why})" for name, why in case.refused.items() if case.step]
        reason = "" if report.standstill else "; ".join([case.reason, *refused])
        lines = case.lines(report.time, self.zone)
        old = not reason or self._reasons.get(case.vm) == _shape(reason)
        if len(lines) == 1 and old and self._repeats(case.vm, lines[0]):
            return
        if lines:
            yield from self._end(case.vm)
            self._runs[case.vm] = _Run(_said_of(lines[-1]))
        yield from lines
        if reason:
            yield from self._why(controller, case.vm, reason)

    def _repeats(self, vm: str, line: str) -> bool:
        run = self._runs.get(vm)
        if run is None or run.shape != _said_of(line):
            return False
        run.more, run.last = run.more + 1, line.partition(" ")[0]
        return True

    def _end(self, vm: str) -> Iterator[str]:
        """Say how often the last line of a VM came again."""
        run = self._runs.pop(vm, None)
        if run is not None:
            yield from _counted(run)

    def _why(self, controller: str, vm: str, reason: str) -> Iterator[str]:
        shape = _shape(reason)
        if self._reasons.get(vm) != shape:
            self._reasons[vm] = shape
            yield f"    {controller}: {vm + ': ' if vm else ''}{reason}"


def _shape(reason: str) -> str:
    """A reason without its figures."""
    return _NUMBERS.sub("#", reason)


def _said_of(line: str) -> str:
    """A line of the log without its date."""
    return line.partition(" ")[2]


def _counted(run: _Run) -> Iterator[str]:
    if run.more:
        yield f"... {run.more} more until {run.last} {run.shape}"
