"""A simulation as a text to be read: log lines, reasons, and what truly happened, in order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from threerc.runtime.errors import ControllerError
from threerc.runtime.records import stamp
from threerc.runtime.round import Report
from threerc.runtime.simulation.simulation import Said, Simulation

_NUMBERS: Final = re.compile(r"\d+(?:\.\d+)?")


class Teller:
    """Tells it. A reason that was given before is not repeated until another one comes between.

    Lines that begin with `*` are what truly happens, those with `>>` or a date are the log's, and
    the indented ones say why.
    """

    def __init__(self, simulation: Simulation, notes: Sequence[tuple[float, str]]) -> None:
        self.simulation = simulation
        self.notes = notes
        self._before: dict[str, str] = {}

    def lines(self) -> Iterator[str]:
        """All of it."""
        zone = self.simulation.start.zone
        happened = [
            (moment, 0, f"* {stamp(moment, zone)} {what}")
            for moment, what in (*self.notes, *self._truth())
        ]
        told = [(said.time, 1, line) for said in self.simulation.said for line in self._said(said)]
        for _, _, line in sorted(happened + told, key=lambda part: part[:2]):
            yield line

    def _truth(self) -> Iterator[tuple[float, str]]:
        """When VMs went down, moved and came back, and which invariants were broken."""
        now = self.simulation.timeline.now
        for vm, life in self.simulation.history.lives.items():
            for begin, end in life.downs:
                if begin > self.simulation.start.time:
                    yield begin, f"{vm} is down"
                if end is not None:
                    yield end, f"{vm} is up after {end - begin:.0f} s"
            yield from ((move.time, f"{vm} moves to {move.to}") for move in life.moves)
            state = "up" if life.serving else "down"
            yield now, f"at the end {vm} is {state} on {life.host}"
        for each in self.simulation.invariants.violations:
            yield each.time, f"VIOLATION {each.kind}: {each.what}"

    def _said(self, said: Said) -> Iterator[str]:
        report = said.report
        if isinstance(report, ControllerError):
            yield from self._why(said.controller, "", f"{type(report).__name__}: {report}")
            return
        for event in report.events:
            if event["kind"] == "standstill":
                yield from self._why(said.controller, "", f"stands still: {event['reason']}")
            elif event["kind"] in ("recovered", "note"):
                yield from self._why(said.controller, event["vm"], event["reason"])
        yield from self._cases(said, report)

    def _cases(self, said: Said, report: Report) -> Iterator[str]:
        zone = self.simulation.start.zone
        for case in report.cases:
            yield from case.lines(report.time, zone)
            if not report.standstill:
                reasons = [case.reason, *_refusals(case.refused.items())]
                yield from self._why(said.controller, case.vm, "; ".join(reasons))

    def _why(self, controller: str, vm: str, reason: str) -> Iterator[str]:
        shape = _NUMBERS.sub("#", reason)
        if self._before.get(vm) != shape:
            self._before[vm] = shape
            yield f"    {controller}: {vm + ': ' if vm else ''}{reason}"


def _refusals(refused: Iterable[tuple[str, Any]]) -> Iterator[str]:
    for name, why in refused:
        yield f"not {name} ({why})"
