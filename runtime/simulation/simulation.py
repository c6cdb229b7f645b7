"""A whole simulation: a site, its controllers, and those who watch them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from threerc.runtime import records
from threerc.runtime.config import ControllerConfig, Minutes
from threerc.runtime.errors import ControllerError
from threerc.runtime.records import Record
from threerc.runtime.round import Report
from threerc.runtime.simulation.clock import Clock
from threerc.runtime.simulation.controllers import Controller, Duty
from threerc.runtime.simulation.history import History
from threerc.runtime.simulation.invariants import Invariants
from threerc.runtime.simulation.site import Site
from threerc.runtime.simulation.timeline import Timeline
from threerc.runtime.simulation.timing import Chance, Timing


@dataclass(frozen=True)
class Start:
    """How a simulation begins.

    `lines` are the thesis's lines of VMs; a VM that has none is at home. Those in `off` do not
    run. `minutes` and `clocks` are the controllers'; those without are as the site has it.
    `installers_say_so` to the controllers when they are done; an `install_server` does so too, and
    turns the machine's boot link back itself.
    """

    time: float = 1_700_000_000.0
    zone: tzinfo = UTC
    seed: int = 1
    timing: Timing = field(default_factory=Timing)
    locks: bool = False
    lines: Mapping[str, str] = field(default_factory=dict)
    off: frozenset[str] = frozenset()
    loads: Mapping[str, float] = field(default_factory=dict)
    minutes: Mapping[str, Minutes | int] = field(default_factory=dict)
    clocks: Mapping[str, Clock] = field(default_factory=dict)
    installers_say_so: bool = False
    install_server: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """What one controller said in one tick: its report, or the error by which it ended."""

    time: float
    controller: str
    report: Report | ControllerError


class Simulation:
    """The real controllers in a world that is made up. `said` are their ticks that say anything."""

    def __init__(self, config: ControllerConfig, start: Start) -> None:
        self.config = config
        self.start = start
        self.timeline = Timeline(start.time)
        self.site = Site(config, self.timeline, Chance(start.seed), start.timing, locks=start.locks)
        self.site.installers_say_so = start.installers_say_so or start.install_server
        self.site.install_server = start.install_server
        known = self._records()
        where = {
            vm: known[vm].host if vm in known else settings.home
            for vm, settings in config.virtual_machines.items()
        }
        for name, load in start.loads.items():
            self.site.hosts[name].load = load
        self.site.begin({vm: None if vm in start.off else host for vm, host in where.items()})
        self.history = History(self.site, where)
        self.invariants = Invariants(self.site)
        self.site.witnesses += [self.history, self.invariants]
        self.said: list[Said] = []
        self.controllers = self._controllers()

    def _records(self) -> dict[str, Record]:
        """What the state directory says at the beginning."""
        found: dict[str, Record] = {}
        for vm, line in self.start.lines.items():
            record = records.from_line(line, self.start.zone)
            if record is not None:
                found[vm] = record
                self.site.store.publish(vm, line)
        return found

    def _controllers(self) -> dict[str, Controller]:
        found: dict[str, Controller] = {}
        for name, minutes in self.config.controllers.items():
            duty = Duty(name, self.start.minutes.get(name, minutes), self.start.zone)
            found[name] = Controller(self.site, duty, self.invariants, self._on_report)
            if name in self.start.clocks:
                found[name].set_clock(self.start.clocks[name])
            found[name].schedule()
        for controller in found.values():  # they were at work before the simulation began
            controller.note(controller.clock.local(controller.last(self.start.time)))
        return found

    def _on_report(self, controller: Controller, report: Report | ControllerError) -> None:
        if isinstance(report, ControllerError) or report.events or report.cases:
            self.said.append(Said(self.timeline.now, controller.name, report))

    def run(self, until: float) -> None:
        """Let time pass."""
        self.timeline.run(until)

    @property
    def log(self) -> Sequence[str]:
        """The thesis's log."""
        return self.site.store.lines
