"""What came of a simulation: the log, and per VM its way, as text and as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from threerc.runtime.errors import ControllerError
from threerc.runtime.records import stamp
from threerc.runtime.simulation.history import Life
from threerc.runtime.simulation.scenario import Scenario
from threerc.runtime.simulation.simulation import Simulation
from threerc.runtime.simulation.telling import Teller


@dataclass(frozen=True, slots=True)
class Note:
    """Something that faults or operators did to the site."""

    time: float
    what: str


class Outcome:
    """All that came of it."""

    def __init__(self, scenario: Scenario, simulation: Simulation, notes: list[Note]) -> None:
        self.scenario = scenario
        self.simulation = simulation
        self.notes = notes

    @property
    def log(self) -> str:
        """What expected.log has to say: the thesis's lines, and if it is told so the reasons."""
        if not self.scenario.reasons:
            return "".join(f"{line}\n" for line in self.simulation.log)
        lines = Teller(self.simulation, [(note.time, note.what) for note in self.notes]).lines()
        return "".join(f"{line}\n" for line in lines)

    def wrong(self) -> list[str]:
        """Which expectations of the scenario are not met, and which invariants are broken."""
        found = [f"{vm}: {what}" for vm, what in self._wrong_vms()]
        expected = set(self.scenario.expect.violations)
        broken = self.simulation.invariants.violations
        found += [
            f"{self._stamp(each.time)} {each.kind}: {each.what}"
            for each in broken
            if each.kind not in expected
        ]
        return [*found, *self.scenario.expect.missing(each.kind for each in broken)]

    def _wrong_vms(self) -> Iterator[tuple[str, str]]:
        for vm, wanted in self.scenario.expect.vms.items():
            life = self.simulation.history.lives[vm]
            yield from ((vm, what) for what in wanted.unmet(self._facts(vm, life)))

    def _facts(self, vm: str, life: Life) -> dict[str, Any]:
        """What `expect` speaks of."""
        return {
            "host": life.host,
            "state": self._state(vm, life),
            "moves": len(life.moves),
            "down": sum(self._until(end) - begin for begin, end in life.downs),
        }

    def _state(self, vm: str, life: Life) -> str:
        if life.serving:
            return "up"
        return "down" if self.simulation.site.guests[vm].copies else "off"

    def _until(self, end: float | None) -> float:
        return self.simulation.timeline.now if end is None else end

    def _stamp(self, moment: float) -> str:
        return stamp(moment, self.simulation.start.zone)

    @property
    def json(self) -> dict[str, Any]:
        """The same as data: per VM its host, state, moves, down times and reasons."""
        return {
            "start": self._stamp(self.simulation.start.time),
            "end": self._stamp(self.simulation.timeline.now),
            "virtual_machines": {
                vm: self._life(vm, life) for vm, life in self.simulation.history.lives.items()
            },
            "site": [{"time": self._stamp(note.time), "what": note.what} for note in self.notes],
            "standstills": self._reasons(None),
            "violations": [
                {"time": self._stamp(each.time), "kind": each.kind, "what": each.what}
                for each in self.simulation.invariants.violations
            ],
            "log": list(self.simulation.log),
        }

    def _life(self, vm: str, life: Life) -> dict[str, Any]:
        return {
            "host": life.host,
            "state": self._state(vm, life),
            "moves": [
                {"time": self._stamp(move.time), "from": move.origin, "to": move.to}
                for move in life.moves
            ],
            "down": [
                {
                    "from": self._stamp(begin),
                    "to": None if end is None else self._stamp(end),
                    "seconds": round(self._until(end) - begin, 3),
                }
                for begin, end in life.downs
            ],
            "reasons": self._reasons(vm),
        }

    def _reasons(self, vm: str | None) -> list[dict[str, Any]]:
        """What was said of a VM, or for None of the whole site, in order."""
        found: list[dict[str, Any]] = []
        for said in self.simulation.said:
            if isinstance(said.report, ControllerError):
                if vm is None:
                    found.append(self._reason(said.time, said.controller, str(said.report)))
                continue
            events = said.report.events
            found += [self._event(event) for event in events if event.get("vm") == vm]
        return found

    def _reason(self, moment: float, controller: str, reason: str) -> dict[str, Any]:
        return {"time": self._stamp(moment), "controller": controller, "reason": reason}

    def _event(self, event: Mapping[str, Any]) -> dict[str, Any]:
        keys = ("kind", "step", "to", "outcome", "refused")
        extra = {key: event[key] for key in keys if key in event}
        return self._reason(event["time"], event["controller"], event["reason"]) | extra
