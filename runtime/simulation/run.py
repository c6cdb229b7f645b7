"""One scenario, run: faults and operators at their times, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from threerc.runtime.config import ControllerConfig
from threerc.runtime.errors import ControllerError
from threerc.runtime.simulation.clock import Clock
from threerc.runtime.simulation.faults import FAULTS, SITE
from threerc.runtime.simulation.faults.base import Fault, kinds
from threerc.runtime.simulation.load import load
from threerc.runtime.simulation.operators import COMMANDS
from threerc.runtime.simulation.outcome import Note, Outcome
from threerc.runtime.simulation.scenario import CommandEntry, FaultEntry, Scenario
from threerc.runtime.simulation.simulation import Simulation, Start
from threerc.runtime.simulation.sleep import Sleep
from threerc.runtime.simulation.times import after, moment

_PERIOD: Final = 120.0
"""To so many seconds controllers agree on ages whose clocks do not: one of their periods.

One that was off when something was done has nothing but the other's word for when that was.
"""
_TRUSTED: Final = 600.0


def run_scenario(folder: Path) -> Outcome:
    """Run the scenario of a folder. Raises ConfigError."""
    return run(*load(folder))


def run(
    scenario: Scenario,
    config: ControllerConfig,
    *,
    sleep: bool = False,
    install_server: bool = False,
) -> Outcome:
    """Run a scenario on its site; with `sleep` without the ticks in which nothing can happen.

    Whether there is an `install_server` is said in Start.
    """
    start = replace(_start(scenario), install_server=install_server)
    simulation = Simulation(config, start)
    wrong = [entry for entry in scenario.controllers.values() if entry.ahead or entry.drift]
    if wrong:
        patience = max(abs(entry.ahead) for entry in wrong)
        simulation.invariants.patience = min(max(patience, _PERIOD), _TRUSTED)
    if sleep:
        Sleep(simulation)
    notes: list[Note] = []
    _Script(scenario, simulation, notes).schedule()
    simulation.run(start.time + scenario.duration)
    return Outcome(scenario, simulation, notes)


def _start(scenario: Scenario) -> Start:
    zone = scenario.zone
    begin = moment(scenario.start, zone)
    entries = scenario.controllers.items()
    minutes = {name: entry.every or entry.minutes for name, entry in entries}
    return Start(
        time=begin,
        zone=zone,
        seed=scenario.seed,
        timing=scenario.timing,
        locks=scenario.locks,
        lines=scenario.state,
        off=frozenset(scenario.off),
        loads=scenario.loads,
        minutes={name: when for name, when in minutes.items() if when is not None},
        clocks={name: Clock(entry.ahead, entry.drift) for name, entry in entries},
        installers_say_so=scenario.installers_say_so,
    )


class _Script:
    """Puts faults and commands into the queue, and notes them as they happen."""

    def __init__(self, scenario: Scenario, simulation: Simulation, notes: list[Note]) -> None:
        self.scenario = scenario
        self.simulation = simulation
        self.notes = notes

    def schedule(self) -> None:
        """All of them."""
        for fault in self.scenario.faults:
            self._schedule_fault(fault)
        for command in self.scenario.operator:
            self._at(command.at, partial(self._command, command))

    def _at(self, when: str, call: Callable[[], Any]) -> None:
        start = self.simulation.start
        self.simulation.timeline.at(after(start.time, when, start.zone), call)

    def _note(self, what: str) -> None:
        self.notes.append(Note(self.simulation.timeline.now, what))

    def _schedule_fault(self, entry: FaultEntry) -> None:
        for fault, name in struck(entry, self.simulation.config):
            self._at(entry.at, partial(self._begin, entry, fault, name))
            if entry.until is not None and fault.end is not None:
                self._at(entry.until, partial(self._end, fault, name))

    def _begin(self, entry: FaultEntry, fault: Fault, name: str) -> None:
        options = entry.options()
        told = "".join(f" {key}={_shown(value)}" for key, value in options.items())
        self._note(f"{name + ': ' if name else ''}{fault.name}{told}")
        fault.begin(self.simulation, name, options)

    def _end(self, fault: Fault, name: str) -> None:
        self._note(f"{name + ': ' if name else ''}{fault.name} is over")
        if fault.end is not None:
            fault.end(self.simulation, name)

    def _command(self, entry: CommandEntry) -> None:
        options = {"on": entry.on, "to": entry.to, "why": entry.why, "drain": entry.drain}
        for name in entry.of or ("",):
            try:
                self._note(f"operator: {COMMANDS[entry.do].do(self.simulation, name, options)}")
            except ControllerError as error:
                self._note(f"operator: {entry.do} {name}: {error}")


def struck(entry: FaultEntry, config: ControllerConfig) -> list[tuple[Fault, str]]:
    """The fault of an entry for each that it strikes; one of the whole site strikes all at once."""
    if (entry.fault, SITE) in FAULTS:
        return [(FAULTS[entry.fault, SITE], " ".join(entry.of))]
    return [
        (FAULTS[entry.fault, kind], name)
        for name in entry.of
        for kind in kinds(config, name)
        if (entry.fault, kind) in FAULTS
    ]


def _shown(value: Any) -> str:
    return (
        ",".join(value)
        if isinstance(value, tuple)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )
